//! Is there somebody on the way who opens the way? HTTP proxies and SOCKS5 proxies.

mod bypass;
mod tunnel;

use std::{env, fmt};

use crate::{Address, BadAddress};
use bypass::Bypass;

/// The proxies through which servers are reached: an HTTP proxy by `CONNECT` (RFC 9110 section 9.3.6), a SOCKS5 proxy by
/// RFC 1928, both with a user name and a password if need be (Basic, RFC 1929). What the proxy opens is a tunnel: TLS goes
/// through it to the server, and the proxy resolves the server's name.
///
/// ```
/// use steadfast_driver::Proxy;
///
/// let office = Proxy::parse("http://user:word@proxy.example:3128")?.except("localhost, 10.0.0.0/8, .office.example");
/// assert!(!format!("{office:?}").contains("word"));
/// # Ok::<(), steadfast_driver::BadProxy>(())
/// ```
///
/// The way to the proxy itself is plain TCP. What a proxy says is judged by the same table as what a server says: its 407
/// ends the session and its 502 is tried again ([`HttpAnswer::proxy`](steadfast::HttpAnswer::proxy)); a SOCKS5 proxy that
/// does not let us through is [`Cause::Denied`](steadfast::Cause::Denied).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    /// For `ws://`.
    plain: Option<Hop>,
    /// For `wss://`.
    secure: Option<Hop>,
    bypass: Bypass,
}

/// One proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hop {
    speech: Speech,
    address: Address,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Speech {
    Connect,
    Socks,
}

impl Proxy {
    /// The proxy at this URL, for all servers: `http://[user:password@]host[:port]` or `socks5://…`, which `socks5h://…` is
    /// the same as. What is not a letter or a digit in a user name or a password is percent-encoded. Without a scheme it is
    /// `http`; the ports are 80 and 1080 if none is named.
    ///
    /// # Errors
    ///
    /// The URL makes no sense, or is for another kind of proxy.
    pub fn parse(url: &str) -> Result<Self, BadProxy> {
        let hop = Hop::parse(url)?;
        Ok(Self { plain: Some(hop.clone()), secure: Some(hop), bypass: Bypass::default() })
    }

    /// The proxies that the environment names, as other programs read it: `HTTPS_PROXY` for `wss://`, `HTTP_PROXY` for
    /// `ws://`, `ALL_PROXY` where the one that counts is not set, and `NO_PROXY` for those that are reached
    /// [without](Self::except). In small letters, too, and these come first. It is read once, here; if nothing is set, there
    /// is no proxy.
    ///
    /// A web server passes a header `Proxy` to its CGI programs as `HTTP_PROXY`, so that one does not count in them.
    ///
    /// # Errors
    ///
    /// A URL that counts makes no sense, or is for another kind of proxy.
    pub fn from_env() -> Result<Self, BadProxy> {
        Self::from_variables(|name| env::var(name).ok())
    }

    /// Those servers are reached without a proxy: names, which stand for all names below them as well; addresses; networks
    /// such as `10.0.0.0/8`; `*` for all. Separated by commas or spaces. They come on top of those that were there.
    #[must_use]
    pub fn except(mut self, servers: &str) -> Self {
        self.bypass.add(servers);
        self
    }

    fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Self, BadProxy> {
        let set = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let either = |small: &str| set(small).or_else(|| set(&small.to_ascii_uppercase()));
        let hop =
            |url: Option<String>| url.or_else(|| either("all_proxy")).map(|url| Hop::parse(url.trim())).transpose();
        let is_cgi = set("REQUEST_METHOD").is_some();
        let proxy = Self {
            plain: hop(if is_cgi { set("http_proxy") } else { either("http_proxy") })?,
            secure: hop(either("https_proxy"))?,
            bypass: Bypass::default(),
        };
        Ok(proxy.except(&either("no_proxy").unwrap_or_default()))
    }

    /// The one that leads to this server.
    pub(crate) fn hop_to(&self, server: &Address) -> Option<&Hop> {
        let hop = if server.is_secure() { &self.secure } else { &self.plain };
        hop.as_ref().filter(|_| !self.bypass.covers(server.host()))
    }
}

impl Hop {
    fn parse(url: &str) -> Result<Self, BadProxy> {
        let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
        let (speech, usual_port) = match scheme.to_ascii_lowercase().as_str() {
            "http" => (Speech::Connect, 80),
            "socks5" | "socks5h" => (Speech::Socks, 1_080),
            _ => return Err(BadProxy::Scheme),
        };
        let address = Address::parse(false, rest, usual_port).map_err(BadProxy::Address)?;
        let fits =
            address.login().is_none_or(|login| (1..=255).contains(&login.user.len()) && login.password.len() <= 255);
        if speech == Speech::Socks && !fits {
            return Err(BadProxy::Long);
        }
        Ok(Self { speech, address })
    }
}

/// Why a proxy cannot be used, and what to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BadProxy {
    /// The scheme is that of another kind of proxy.
    Scheme,
    /// The rest of the URL makes no sense.
    Address(BadAddress),
    /// SOCKS5 takes user names and passwords of up to 255 bytes, and a user name of one at least.
    Long,
}

impl fmt::Display for BadProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scheme => f.write_str("the proxy's URL is for a kind that is not known here: write http:// or socks5://"),
            Self::Address(bad) => write!(f, "the proxy: {bad}"),
            Self::Long => f.write_str(
                "the proxy's user name or password does not fit into SOCKS5: a name has 1 to 255 bytes, a password up to 255",
            ),
        }
    }
}

impl std::error::Error for BadProxy {}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(url: &str) -> Address {
        url.parse().expect(url)
    }

    fn way(proxy: &Proxy, url: &str) -> Option<String> {
        proxy.hop_to(&to(url)).map(|hop| format!("{:?} {}", hop.speech, hop.address.socket()))
    }

    fn environment<'a>(set: &'a [(&str, &str)]) -> impl Fn(&str) -> Option<String> + 'a {
        |name| set.iter().find(|(other, _)| *other == name).map(|(_, value)| (*value).to_owned())
    }

    #[test]
    fn a_url_names_the_kind_and_the_place() {
        for (url, expected) in [
            ("http://proxy.example:3128", "Connect proxy.example:3128"),
            ("http://user:word@proxy.example/", "Connect proxy.example:80"),
            ("proxy.example:8080", "Connect proxy.example:8080"),
            ("SOCKS5://[::1]", "Socks [::1]:1080"),
            ("socks5h://user:w%40rd@proxy.example:9050", "Socks proxy.example:9050"),
        ] {
            let proxy = Proxy::parse(url).expect(url);
            assert_eq!(way(&proxy, "wss://a.example").as_deref(), Some(expected));
            assert_eq!(way(&proxy, "ws://a.example").as_deref(), Some(expected));
        }
    }

    #[test]
    fn what_makes_no_sense_says_why() {
        for (url, why) in [
            ("https://proxy.example", BadProxy::Scheme),
            ("socks4://proxy.example", BadProxy::Scheme),
            ("http://", BadProxy::Address(BadAddress::Host)),
            ("http://proxy.example:0", BadProxy::Address(BadAddress::Port)),
            ("http://user:w%0ard@proxy.example", BadProxy::Address(BadAddress::Credentials)),
            ("socks5://:word@proxy.example", BadProxy::Long),
            (&format!("socks5://user:{}@proxy.example", "x".repeat(256)), BadProxy::Long),
        ] {
            assert_eq!(Proxy::parse(url), Err(why), "{url}");
        }
    }

    #[test]
    fn credentials_are_not_printed() {
        for url in ["http://user:hunter2@proxy.example", "socks5://user:hunter2@proxy.example"] {
            let shown = format!("{:?}", Proxy::parse(url).expect(url));
            assert!(
                shown.contains("proxy.example") && !shown.contains("user") && !shown.contains("hunter2"),
                "{shown}"
            );
        }
    }

    #[test]
    fn the_environment_is_read_as_others_read_it() {
        let read = |set: &[(&str, &str)]| Proxy::from_variables(environment(set)).expect("proxies");
        let none = read(&[("HTTP_PROXY", " "), ("NO_PROXY", "*")]);
        assert_eq!((way(&none, "ws://a"), way(&none, "wss://a")), (None, None));
        let both = read(&[("HTTP_PROXY", "http://h"), ("HTTPS_PROXY", "http://s"), ("ALL_PROXY", "socks5://a")]);
        assert_eq!(way(&both, "ws://a").as_deref(), Some("Connect h:80"));
        assert_eq!(way(&both, "wss://a").as_deref(), Some("Connect s:80"));
        let rest = read(&[("https_proxy", "http://small"), ("HTTPS_PROXY", "http://s"), ("ALL_PROXY", "socks5://a")]);
        assert_eq!(way(&rest, "wss://a").as_deref(), Some("Connect small:80"));
        assert_eq!(way(&rest, "ws://a").as_deref(), Some("Socks a:1080"));
        let without = read(&[("ALL_PROXY", "socks5://a"), ("NO_PROXY", "localhost,.inside.example")]);
        assert_eq!(way(&without, "ws://a.inside.example"), None);
        assert!(way(&without, "ws://outside.example").is_some());
        assert!(Proxy::from_variables(environment(&[("ALL_PROXY", "ftp://a")])).is_err());
    }

    #[test]
    fn a_header_of_a_visitor_is_no_proxy() {
        let cgi = [("REQUEST_METHOD", "GET"), ("HTTP_PROXY", "http://evil"), ("HTTPS_PROXY", "http://s")];
        let proxy = Proxy::from_variables(environment(&cgi)).expect("proxies");
        assert_eq!(way(&proxy, "ws://a"), None);
        assert!(way(&proxy, "wss://a").is_some());
    }
}
