//! Where to? A WebSocket URL, taken apart once and checked before anything is dialled.

#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
mod moved;

use std::{fmt, net::Ipv6Addr, str::FromStr};

use steadfast::{Cause, Text, shown_address};

use crate::userinfo::Userinfo;

/// The address of a peer: `ws://host[:port]/path?query`, or `wss://` for a dialer that has TLS.
///
/// The query is never printed, because people put tokens there. Nor are the user name and the password of
/// `ws://user:password@host/`, which are sent as `Authorization: Basic …`, percent-decoded, unless the request has a header of
/// that name already.
///
/// ```
/// use steadfast_driver::Address;
///
/// let address: Address = "ws://example.org/live?token=hunter2".parse()?;
/// assert_eq!((address.host(), address.port()), ("example.org", 80));
/// assert_eq!(address.target(), "/live?token=hunter2");
/// assert_eq!(address.to_string(), "ws://example.org/live?..");
/// # Ok::<(), steadfast_driver::BadAddress>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Address {
    secure: bool,
    login: Option<Userinfo>,
    host: String,
    port: u16,
    target: String,
}

impl Address {
    /// The host, as a resolver wants it: an IPv6 address has no brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port: 80 for `ws` and 443 for `wss` if the URL names none.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Path and query, as the request line wants them.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.target
    }

    /// Whether it is a `wss` URL.
    #[must_use]
    pub const fn is_secure(&self) -> bool {
        self.secure
    }

    /// Host and port, as the `Host` header wants them: no port where it is the usual one.
    #[must_use]
    pub fn authority(&self) -> String {
        if self.port == usual_port(self.secure) { self.bracketed() } else { self.socket() }
    }

    /// Host and port, always both.
    pub(crate) fn socket(&self) -> String {
        format!("{}:{}", self.bracketed(), self.port)
    }

    fn bracketed(&self) -> String {
        if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() }
    }

    /// Who we are there, if the URL says so.
    pub(crate) const fn login(&self) -> Option<&Userinfo> {
        self.login.as_ref()
    }

    /// The same address, for those who have no TLS.
    ///
    /// # Errors
    ///
    /// [`BadAddress::NoTls`] if it is a `wss` URL.
    pub fn without_tls(self) -> Result<Self, BadAddress> {
        if self.secure { Err(BadAddress::NoTls) } else { Ok(self) }
    }

    /// What stands behind the scheme, with the port that counts where none is named.
    pub(crate) fn parse(secure: bool, rest: &str, usual_port: u16) -> Result<Self, BadAddress> {
        let (authority, target) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let (user, authority) = authority.rsplit_once('@').unwrap_or(("", authority));
        let login = match user {
            "" => None,
            user => Some(Userinfo::parse(user).ok_or(BadAddress::Credentials)?),
        };
        let (host, port) = split_port(authority)?;
        let (host, port) = (checked_host(host)?, parse_port(port, usual_port)?);
        Ok(Self { secure, login, host, port, target: checked_target(target)? })
    }
}

impl FromStr for Address {
    type Err = BadAddress;

    fn from_str(url: &str) -> Result<Self, BadAddress> {
        let (scheme, rest) = url.split_once("://").ok_or(BadAddress::NoScheme)?;
        let secure = is_secure(scheme)?;
        Self::parse(secure, rest, usual_port(secure))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "wss" } else { "ws" };
        let (path, query) = match self.target.split_once('?') {
            Some((path, _)) => (path, "?.."),
            None => (self.target.as_str(), ""),
        };
        let user = if self.login.is_some() { "..@" } else { "" };
        write!(f, "{scheme}://{user}{}{path}{query}", self.authority())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a URL cannot be dialled, and what to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BadAddress {
    /// There is no `://` in it.
    NoScheme,
    /// `http` or `https`.
    Http,
    /// Some other scheme.
    Scheme,
    /// `wss`, and nobody brings TLS.
    NoTls,
    /// The user name or the password in it cannot be sent.
    Credentials,
    /// The host is missing, or cannot be a host.
    Host,
    /// The port is not a number from 1 to 65535.
    Port,
    /// It has a fragment (`#`).
    Fragment,
    /// The path or the query holds a character that must be percent-encoded.
    Target,
}

impl fmt::Display for BadAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoScheme => "the URL has no scheme: write ws://host:port/path",
            Self::Http => "the URL is for HTTP: write ws:// instead of http://, wss:// instead of https://",
            Self::Scheme => "the URL has a scheme that is not for WebSockets: write ws://host:port/path",
            Self::NoTls => {
                "this build has no TLS: switch on the feature `tls` of the package that dials (those for runtimes have it \
                 by default), or bring a dialer of your own that has TLS"
            }
            Self::Credentials => {
                "the user name or the password in the URL cannot be sent: percent-encode what is not a letter or a digit, and \
                 leave out control characters, and colons in the name"
            }
            Self::Host => {
                "the URL has no usable host: write a name in ASCII (xn--… for others), an IPv4 address, or [IPv6]"
            }
            Self::Port => "the URL has no usable port: write a number from 1 to 65535, or leave it out",
            Self::Fragment => {
                "the URL has a fragment, which WebSockets do not know: leave out # and what follows, or write %23"
            }
            Self::Target => "the path or the query of the URL holds a character that must be percent-encoded",
        })
    }
}

impl std::error::Error for BadAddress {}

impl BadAddress {
    /// Why this endpoint cannot be dialed.
    pub(crate) fn at(self, endpoint: &str) -> Cause {
        Cause::Impossible(Text::from(format!("endpoint {}: {self}", shown_address(endpoint))))
    }
}

fn is_secure(scheme: &str) -> Result<bool, BadAddress> {
    match scheme.to_ascii_lowercase().as_str() {
        "ws" => Ok(false),
        "wss" => Ok(true),
        "http" | "https" => Err(BadAddress::Http),
        _ => Err(BadAddress::Scheme),
    }
}

const fn usual_port(secure: bool) -> u16 {
    if secure { 443 } else { 80 }
}

/// Splits at the colon that no bracket encloses.
fn split_port(authority: &str) -> Result<(&str, &str), BadAddress> {
    let end = if authority.starts_with('[') {
        authority.find(']').ok_or(BadAddress::Host)? + 1
    } else {
        authority.find(':').unwrap_or(authority.len())
    };
    match authority.split_at(end) {
        (host, "") => Ok((host, "")),
        (host, port) => Ok((host, port.strip_prefix(':').ok_or(BadAddress::Host)?)),
    }
}

fn checked_host(host: &str) -> Result<String, BadAddress> {
    if let Some(inner) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        return inner.parse::<Ipv6Addr>().map(|_| inner.to_owned()).map_err(|_| BadAddress::Host);
    }
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    if host.is_empty() || !host.bytes().all(fits) { Err(BadAddress::Host) } else { Ok(host.to_owned()) }
}

fn parse_port(port: &str, usual: u16) -> Result<u16, BadAddress> {
    if port.is_empty() {
        return Ok(usual);
    }
    // `u16::from_str` takes a sign, which a URL does not.
    if !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(BadAddress::Port);
    }
    port.parse().ok().filter(|port| *port != 0).ok_or(BadAddress::Port)
}

fn checked_target(target: &str) -> Result<String, BadAddress> {
    if target.contains('#') {
        return Err(BadAddress::Fragment);
    }
    if !target.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(BadAddress::Target);
    }
    Ok(if target.starts_with('/') { target.to_owned() } else { format!("/{target}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(url: &str) -> Address {
        url.parse().expect(url)
    }

    fn refused(url: &str) -> BadAddress {
        url.parse::<Address>().expect_err(url)
    }

    #[test]
    fn what_is_left_out_is_filled_in() {
        for (url, host, port, target, authority) in [
            ("ws://a.example", "a.example", 80, "/", "a.example"),
            ("WS://a.example:80", "a.example", 80, "/", "a.example"),
            ("wss://a.example/x", "a.example", 443, "/x", "a.example"),
            ("wss://a.example:80", "a.example", 80, "/", "a.example:80"),
            ("ws://127.0.0.1:9001?q=1", "127.0.0.1", 9001, "/?q=1", "127.0.0.1:9001"),
            ("ws://[::1]:8080/a?b/c", "::1", 8080, "/a?b/c", "[::1]:8080"),
            ("ws://[::1]", "::1", 80, "/", "[::1]"),
            ("ws://host:/", "host", 80, "/", "host"),
        ] {
            let address = parsed(url);
            assert_eq!((address.host(), address.port(), address.target()), (host, port, target), "{url}");
            assert_eq!(address.authority(), authority, "{url}");
        }
    }

    #[test]
    fn what_cannot_be_dialled_says_why() {
        for (url, why) in [
            ("localhost:9001", BadAddress::NoScheme),
            ("http://host", BadAddress::Http),
            ("HTTPS://host", BadAddress::Http),
            ("ftp://host", BadAddress::Scheme),
            ("ws://user:w%zzrd@host/", BadAddress::Credentials),
            ("ws://us%3Aer@host/", BadAddress::Credentials),
            ("ws://user:word%0a@host/", BadAddress::Credentials),
            ("ws://user:word@/", BadAddress::Host),
            ("ws://", BadAddress::Host),
            ("ws:///path", BadAddress::Host),
            ("ws://a b/", BadAddress::Host),
            ("ws://ümlaut/", BadAddress::Host),
            ("ws://[::1", BadAddress::Host),
            ("ws://[nonsense]/", BadAddress::Host),
            ("ws://[::1]8080/", BadAddress::Host),
            ("ws://::1/", BadAddress::Host),
            ("ws://fe80::1/", BadAddress::Port),
            ("ws://host:0/", BadAddress::Port),
            ("ws://host:+80/", BadAddress::Port),
            ("ws://host:65536/", BadAddress::Port),
            ("ws://host/#top", BadAddress::Fragment),
            ("ws://host/a b", BadAddress::Target),
            ("ws://host/a\r\nX: y", BadAddress::Target),
        ] {
            assert_eq!(refused(url), why, "{url}");
        }
    }

    #[test]
    fn tls_is_refused_only_by_those_who_have_none() {
        assert!(parsed("wss://host").is_secure());
        assert_eq!(parsed("wss://host").without_tls(), Err(BadAddress::NoTls));
        assert!(parsed("ws://host").without_tls().is_ok());
    }

    #[test]
    fn the_query_and_the_user_are_not_printed() {
        assert_eq!(parsed("ws://user:word@host:1/p").to_string(), "ws://..@host:1/p");
        assert_eq!(format!("{:?}", parsed("ws://host:1/p?token=secret")), "ws://host:1/p?..");
        assert_eq!(parsed("wss://host/p").to_string(), "wss://host/p");
    }

    #[test]
    fn a_user_in_the_url_is_a_login() {
        let basic = |url| parsed(url).login().map(Userinfo::basic);
        assert_eq!(basic("ws://user:word@host/").as_deref(), Some("Basic dXNlcjp3b3Jk"));
        assert_eq!(basic("ws://a@b:word@host/"), basic("ws://a%40b:word@host/"), "the last @ counts");
        assert_eq!((basic("ws://@host/"), basic("ws://host/@")), (None, None));
        assert_eq!(parsed("ws://user:word@[::1]:9/").authority(), "[::1]:9");
    }
}
