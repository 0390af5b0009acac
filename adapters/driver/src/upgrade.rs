//! What is asked of the server? The request that opens a link (RFC 6455 section 4.1).

use std::{borrow::Cow, fmt, str::from_utf8};

use steadfast::{Attempt, Cause, Secret, Text};

use crate::{Address, BadAddress};

/// The headers that make the handshake, or that would make it something else.
const OURS: [&str; 6] = ["host", "upgrade", "connection", "content-length", "transfer-encoding", "expect"];

/// The prefix of those that RFC 6455 defines.
const OURS_BY_PREFIX: &str = "sec-websocket-";

/// What is asked of the server when a link opens, and what is wanted of its answer.
///
/// ```
/// use steadfast_driver::Upgrade;
///
/// let upgrade = Upgrade::to("ws://example.org/live".parse()?).header("Authorization", "Bearer hunter2")?.want("x-region");
/// assert_eq!(upgrade.address().host(), "example.org");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Upgrade {
    pub(crate) address: Address,
    pub(crate) headers: Vec<(String, String)>,
    /// The header for the credential of the attempt, and what stands before it there.
    credential: Option<(String, String)>,
    /// Names in lower case.
    pub(crate) wanted: Vec<String>,
}

impl Upgrade {
    /// A handshake with the server at this address, without headers of one's own.
    #[must_use]
    pub const fn to(address: Address) -> Self {
        Self { address, headers: Vec::new(), credential: None, wanted: Vec::new() }
    }

    /// Adds a header to the request.
    ///
    /// # Errors
    ///
    /// The header cannot be sent, or belongs to the handshake itself.
    pub fn header(mut self, name: &str, value: &str) -> Result<Self, BadHeader> {
        check_header(name, value)?;
        self.headers.push((name.to_owned(), value.to_owned()));
        Ok(self)
    }

    /// Asks for a header of the answer: it will be among
    /// [`Handshake::headers`](steadfast::Handshake::headers), its name in lower case.
    #[must_use]
    pub fn want(mut self, name: &str) -> Self {
        self.wanted.push(name.to_ascii_lowercase());
        self
    }

    /// Sends the credential of the attempt ([`Attempt::credential`]) in this header, behind this prefix; nothing where an
    /// attempt has none. What cannot stand in a header is sent in a form that can, which is up to whoever makes the
    /// credential: for `Basic`, in Base64.
    ///
    /// ```
    /// use steadfast_driver::Upgrade;
    ///
    /// let upgrade = Upgrade::to("ws://example.org/live".parse()?).credential_header("Authorization", "Bearer ")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The header cannot be sent, or belongs to the handshake itself.
    pub fn credential_header(self, name: &str, prefix: &str) -> Result<Self, BadHeader> {
        check_header(name, prefix)?;
        Ok(Self { credential: Some((name.to_owned(), prefix.to_owned())), ..self })
    }

    /// The same for somebody whom our headers and credentials do not concern.
    #[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
    pub(crate) fn to_a_stranger(&self) -> Self {
        Self { wanted: self.wanted.clone(), ..Self::to(self.address.clone()) }
    }

    /// Where it goes, unless an attempt has an endpoint of its own.
    #[must_use]
    pub const fn address(&self) -> &Address {
        &self.address
    }

    /// Where this attempt goes: to its endpoint ([`Attempt::endpoint`]) if it has one.
    ///
    /// # Errors
    ///
    /// [`Cause::Impossible`]: the endpoint makes no sense. It is named without what may be a credential.
    pub fn address_for(&self, attempt: &Attempt) -> Result<Cow<'_, Address>, Cause> {
        let Some(endpoint) = &attempt.endpoint else { return Ok(Cow::Borrowed(&self.address)) };
        let address: Result<Address, BadAddress> = endpoint.as_str().parse();
        address.map(Cow::Owned).map_err(|bad| bad.at(endpoint.as_str()))
    }

    /// The header with the credential of this attempt: name and value.
    pub(crate) fn credential_for(&self, attempt: &Attempt) -> Result<Option<(&str, String)>, Cause> {
        let (Some((name, prefix)), Some(credential)) = (&self.credential, &attempt.credential) else { return Ok(None) };
        let value = header_text(credential).ok_or_else(|| {
            Cause::Impossible(Text::from(format!(
                "the credential cannot be sent in header {name}: it holds a line break or another character that must \
                 not be there"
            )))
        })?;
        Ok(Some((name, format!("{prefix}{value}"))))
    }
}

impl fmt::Debug for Upgrade {
    /// The values of headers are not shown: they hold tokens.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers = self.headers.iter().chain(&self.credential);
        let names: Vec<_> = headers.map(|(name, _)| name).collect();
        f.debug_struct("Upgrade").field("address", &self.address).field("headers", &names).finish_non_exhaustive()
    }
}

/// Why a header cannot be part of the request, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BadHeader {
    /// The name is empty or holds a character that a header's name cannot hold.
    Name(String),
    /// The value, of the header with this name, holds a line break or another control character.
    Value(String),
    /// The handshake sets this header itself.
    Ours(String),
}

impl fmt::Display for BadHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(f, "{name:?} cannot be the name of a header: use letters, digits and hyphens"),
            Self::Value(name) => write!(f, "the value of header {name} holds a line break or a control character"),
            Self::Ours(name) => write!(f, "header {name} belongs to the handshake itself: leave it out"),
        }
    }
}

impl std::error::Error for BadHeader {}

fn check_header(name: &str, value: &str) -> Result<(), BadHeader> {
    // RFC 9110 section 5.6.2.
    let in_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(in_token) {
        return Err(BadHeader::Name(name.to_owned()));
    }
    let lower = name.to_ascii_lowercase();
    if OURS.contains(&lower.as_str()) || lower.starts_with(OURS_BY_PREFIX) {
        return Err(BadHeader::Ours(name.to_owned()));
    }
    if !is_header_value(value) {
        return Err(BadHeader::Value(name.to_owned()));
    }
    Ok(())
}

fn is_header_value(value: &str) -> bool {
    !value.bytes().any(|byte| byte.is_ascii_control() && byte != b'\t')
}

fn header_text(credential: &Secret) -> Option<&str> {
    from_utf8(credential.expose()).ok().filter(|text| is_header_value(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upgrade() -> Upgrade {
        Upgrade::to("ws://server.example:8080/chat?room=1".parse().expect("a good address"))
    }

    #[test]
    fn headers_that_would_spoil_the_request_are_refused() {
        let add = |name: &str, value: &str| upgrade().header(name, value).err();
        for name in ["Host", "UPGRADE", "connection", "Sec-WebSocket-Protocol", "sec-websocket-key", "Content-Length"] {
            assert_eq!(add(name, "x"), Some(BadHeader::Ours(name.into())));
        }
        for name in ["", "X Y", "X:", "X\r\nY", "ü"] {
            assert_eq!(add(name, "x"), Some(BadHeader::Name(name.into())));
        }
        for value in ["a\r\nX: y", "a\nb", "\0", "\u{7f}"] {
            assert_eq!(add("X", value), Some(BadHeader::Value("X".into())));
        }
        assert_eq!(add("Origin", "https://example.org"), None);
        assert_eq!(add("Cookie", "a=ü;\tb"), None);
    }

    #[test]
    fn tokens_are_not_printed() {
        let upgrade = upgrade().header("Authorization", "Bearer hunter2").expect("a good header");
        let shown = format!("{upgrade:?}");
        assert!(shown.contains("Authorization") && !shown.contains("hunter2") && !shown.contains("room"), "{shown}");
    }
    fn attempt(endpoint: Option<&str>, credential: Option<Secret>) -> Attempt {
        let mut attempt = Attempt::new(steadfast::LinkId(1));
        (attempt.endpoint, attempt.credential) = (endpoint.map(Text::from), credential);
        attempt
    }

    #[test]
    fn the_endpoint_of_an_attempt_comes_before_the_address() {
        let upgrade = upgrade();
        let host = |endpoint| upgrade.address_for(&attempt(endpoint, None)).map(|address| address.host().to_owned());
        assert_eq!(host(None), Ok("server.example".to_owned()));
        assert_eq!(host(Some("wss://other.example/live")), Ok("other.example".to_owned()));
    }

    #[test]
    fn a_bad_endpoint_is_named_without_its_credentials() {
        for (endpoint, shown) in [
            ("ws://user:hunter2%@host/live", "endpoint ws://..@host/live: "),
            ("ws://user:hun/ter2@host/live", "endpoint ws://..@host/live: "),
            ("user:hunter2@host", "endpoint ..@host: "),
            ("http://host/live?token=hunter2", "endpoint http://host/live?..: "),
            ("ws://host/live#hunter2", "endpoint ws://host/live#..: "),
        ] {
            let bad = upgrade().address_for(&attempt(Some(endpoint), None)).err();
            let Some(Cause::Impossible(text)) = bad else { panic!("{endpoint} is taken") };
            assert!(text.as_str().starts_with(shown), "{text}");
            assert!(!text.as_str().contains("ter2"), "{text}");
        }
    }

    #[test]
    fn a_credential_stands_behind_its_prefix() {
        let upgrade = upgrade().credential_header("Authorization", "Bearer ").expect("a good header");
        assert_eq!(upgrade.credential_for(&attempt(None, None)), Ok(None));
        let attempt = attempt(None, Some("hunter2".into()));
        assert_eq!(upgrade.credential_for(&attempt), Ok(Some(("Authorization", "Bearer hunter2".to_owned()))));
        assert_eq!(self::upgrade().credential_for(&attempt), Ok(None), "nobody asked for a header");
    }

    #[test]
    fn a_credential_that_would_spoil_the_request_is_not_sent_and_not_shown() {
        let upgrade = upgrade().credential_header("Authorization", "Bearer ").expect("a good header");
        for bad in [&b"hunter2\r\nX: y"[..], b"hunter2\0", b"hunter2\xff"] {
            let attempt = attempt(None, Some(bytes::Bytes::from_static(bad).into()));
            let Err(Cause::Impossible(text)) = upgrade.credential_for(&attempt) else { panic!("{bad:?} is sent") };
            assert!(text.as_str().contains("header Authorization") && !text.as_str().contains("hunter2"), "{text}");
        }
        assert_eq!(upgrade.credential_header("Host", "").err(), Some(BadHeader::Ours("Host".into())));
    }
}
