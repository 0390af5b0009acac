//! Who are we to whom a URL with `user:password@` in it names?

use std::fmt;

/// A user name and a password. They are never shown.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Userinfo {
    pub(crate) user: Vec<u8>,
    pub(crate) password: Vec<u8>,
}

impl Userinfo {
    /// Reads `user:password` or `user`, percent-encoded; nothing if RFC 7617 could not send it.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (user, password) = text.split_once(':').unwrap_or((text, ""));
        let (user, password) = (decoded(user)?, decoded(password)?);
        let fits = !user.contains(&b':') && !user.iter().chain(&password).any(u8::is_ascii_control);
        fits.then_some(Self { user, password })
    }

    /// The value of a header `Authorization` or `Proxy-Authorization`.
    pub(crate) fn basic(&self) -> String {
        format!("Basic {}", base64(&[&self.user[..], b":", &self.password].concat()))
    }
}

impl fmt::Debug for Userinfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Userinfo(..)")
    }
}

/// RFC 3986 section 2.1.
fn decoded(text: &str) -> Option<Vec<u8>> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    while let Some(byte) = bytes.next() {
        let mut digit = || char::from(bytes.next()?).to_digit(16);
        decoded.push(if byte == b'%' { u8::try_from(digit()? << 4 | digit()?).ok()? } else { byte });
    }
    Some(decoded)
}

/// RFC 4648 section 4.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let bits = (0..3).fold(0, |bits, at| bits << 8 | usize::from(three.get(at).copied().unwrap_or_default()));
        for at in 0..4 {
            let digit = DIGITS[bits >> (18 - 6 * at) & 63];
            text.push(if at <= three.len() { digit.into() } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_rfc_4648() {
        for (plain, encoded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(plain.as_bytes()), encoded);
        }
        assert_eq!(base64(&[0xfb, 0xff, 0xfe]), "+//+");
    }

    #[test]
    fn what_is_percent_encoded_is_decoded() {
        let login = Userinfo::parse("a%40b:p%3Aw%C3%bc:rd").expect("a login");
        assert_eq!((&login.user[..], &login.password[..]), (&b"a@b"[..], "p:wü:rd".as_bytes()));
        assert_eq!(
            Userinfo::parse("Aladdin:open sesame").expect("that of RFC 7617").basic(),
            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
        );
        assert_eq!(Userinfo::parse("token").expect("a login").basic(), "Basic dG9rZW46");
        for bad in ["%", "%4", "%zz", "user:%+1", "us%3Aer:word", "user:w%0ard"] {
            assert_eq!(Userinfo::parse(bad), None, "{bad}");
        }
    }
}
