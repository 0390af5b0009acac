//! How is an address shown?

use alloc::string::String;

/// An address as logs may show it: without what may be a credential, which is all before an `@`, and the query. Where an `@`
/// stands in the query nobody can tell which is which, and nothing is shown of either.
///
/// ```
/// use steadfast::shown_address;
///
/// assert_eq!(shown_address("wss://host/path"), "wss://host/path");
/// assert_eq!(shown_address("wss://user:word@host/path?token=x"), "wss://..@host/path?..");
/// assert_eq!(shown_address("wss://host/path?mail=a@b&token=x"), "wss://..@..");
/// ```
#[must_use]
pub fn shown_address(address: &str) -> String {
    let scheme = address.find("://").filter(|at| !address[..*at].contains(['/', '?', '#', '@']));
    let (scheme, rest) = address.split_at(scheme.map_or(0, |at| at + "://".len()));
    let start = rest.rfind('@').map_or(0, |at| at + 1);
    let end = rest.find(['?', '#']).map_or(rest.len(), |at| at + 1);
    let dots = (if start > 0 { "..@" } else { "" }, if end < rest.len() { ".." } else { "" });
    [scheme, dots.0, rest.get(start..end).unwrap_or_default(), dots.1].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_part_of_a_credential_is_shown_wherever_the_signs_stand() {
        for address in [
            "wss://host/path?mail=a@b&token=secret",
            "wss://host/path?token=a@secret",
            "wss://host?a@secret?b",
            "wss://user:secret?b@host/path",
            "wss://user:secret@secret@host",
            "wss://host/path#a@secret",
            "user:secret@host?secret",
            "host/path?next=wss://secret",
        ] {
            let shown = shown_address(address);
            assert!(!shown.contains("secret"), "{address} is shown as {shown}");
        }
        assert_eq!(shown_address("wss://host/path?"), "wss://host/path?");
    }
}
