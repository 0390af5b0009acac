//! How is an address shown?

use alloc::string::String;

/// An address as logs may show it: without what may be a credential, which is what stands before an `@`, and the query.
///
/// ```
/// use steadfast::shown_address;
///
/// assert_eq!(shown_address("wss://user:word@host/path?token=x"), "wss://..@host/path?..");
/// assert_eq!(shown_address("wss://host/path"), "wss://host/path");
/// ```
#[must_use]
pub fn shown_address(address: &str) -> String {
    let (scheme, rest) = address.split_at(address.find("://").map_or(0, |at| at + "://".len()));
    let (user, rest) = rest.rsplit_once('@').map_or(("", rest), |(_, rest)| ("..@", rest));
    let cut = rest.find(['?', '#']).map_or(rest.len(), |at| at + 1);
    let dots = if cut < rest.len() { ".." } else { "" };
    [scheme, user, &rest[..cut], dots].concat()
}
