//! Where does a redirect lead, and may it be told there what was told here?

use super::{Address, usual_port};

impl Address {
    /// Where this `Location` leads from here (RFC 9110 section 10.2.2), for those who take `http` for `ws`. Nothing if that
    /// makes no sense, or would be without TLS where we have it. Who we are is kept at the same [origin](Self::shares).
    pub(crate) fn moved(&self, location: &str) -> Option<Self> {
        let location = location.split('#').next().unwrap_or_default();
        let before_path = &location[..location.find(['/', '?']).unwrap_or(location.len())];
        let moved = if let Some(rest) = location.strip_prefix("//") {
            Self::parse(self.secure, rest, usual_port(self.secure)).ok()?
        } else if let Some(end) = before_path.find(':') {
            let secure = match location[..end].to_ascii_lowercase().as_str() {
                "ws" | "http" => false,
                "wss" | "https" => true,
                _ => return None,
            };
            let rest = location[end..].strip_prefix("://")?;
            Self::parse(secure, rest, usual_port(secure)).ok()?
        } else {
            Self { target: super::checked_target(&self.target_of(location)?).ok()?, ..self.clone() }
        };
        if self.secure && !moved.secure {
            return None;
        }
        let login = if self.shares(&moved) { moved.login.or_else(|| self.login.clone()) } else { moved.login };
        Some(Self { login, ..moved })
    }

    /// Whether what is said here may be said there: it is the same host and port, or the same with TLS instead of without, both
    /// at their usual ports.
    pub(crate) fn shares(&self, other: &Self) -> bool {
        let is_usual = |address: &Self| address.port == usual_port(address.secure);
        let is_same = (self.secure, self.port) == (other.secure, other.port);
        let is_raised = !self.secure && other.secure && is_usual(self) && is_usual(other);
        self.host.eq_ignore_ascii_case(&other.host) && (is_same || is_raised)
    }

    /// The target that a reference without a host names.
    fn target_of(&self, reference: &str) -> Option<String> {
        let path = self.target.split('?').next().unwrap_or_default();
        match reference.as_bytes().first()? {
            b'/' => Some(reference.to_owned()),
            b'?' => Some(format!("{path}{reference}")),
            _ => Some(format!("{}{reference}", &path[..=path.rfind('/')?])),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moved(from: &str, location: &str) -> Option<(String, String)> {
        let moved = from.parse::<Address>().expect(from).moved(location)?;
        Some((format!("{}{}", if moved.secure { "wss " } else { "ws " }, moved.socket()), moved.target))
    }

    #[test]
    fn a_location_is_read_from_where_we_are() {
        for (location, at, target) in [
            ("wss://other.example/x", "wss other.example:443", "/x"),
            ("https://other.example:8443", "wss other.example:8443", "/"),
            ("HTTP://other.example/?a=b#top", "ws other.example:80", "/?a=b"),
            ("//other.example/x", "ws other.example:80", "/x"),
            ("/x?to=http://y", "ws a.example:9001", "/x?to=http://y"),
            ("?room=2", "ws a.example:9001", "/live/now?room=2"),
            ("then", "ws a.example:9001", "/live/then"),
            ("then?to=a:b/c", "ws a.example:9001", "/live/then?to=a:b/c"),
        ] {
            let found = moved("ws://a.example:9001/live/now?room=1", location);
            assert_eq!(found, Some((at.to_owned(), target.to_owned())), "{location}");
        }
    }

    #[test]
    fn a_location_that_leads_nowhere_is_not_followed() {
        for location in ["", "ftp://a/", "javascript:alert(1)", "ws:/a", "ws://", "//", "/a b", "ws://a b/"] {
            assert_eq!(moved("ws://a.example/", location), None, "{location}");
        }
        for location in ["ws://a.example/", "http://a.example/"] {
            assert_eq!(moved("wss://a.example/", location), None, "out of TLS");
        }
    }

    #[test]
    fn who_we_are_stays_at_the_origin() {
        let from: Address = "ws://user:word@a.example/".parse().expect("a good address");
        for (location, expected) in [
            ("/x", true),
            ("ws://A.EXAMPLE/x", true),
            ("wss://a.example/x", true),
            ("wss://a.example:8443/x", false),
            ("ws://a.example:81/x", false),
            ("ws://b.example/x", false),
            ("ws://a.example.evil/x", false),
        ] {
            let moved = from.moved(location).expect(location);
            assert_eq!((moved.login().is_some(), from.shares(&moved)), (expected, expected), "{location}");
        }
    }
}
