//! Who has to act? What TLS failed by, in words for the one who can change it.

#![expect(clippy::wildcard_enum_match_arm, reason = "the enums of the library grow, and it words the rest itself")]

use rustls::{AlertDescription, CertificateError, Error};
use steadfast::{Cause, Text};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const TWO_HOURS: u64 = 2 * HOUR;
const TWO_DAYS: u64 = 2 * DAY;

/// The cause for an error of TLS. Only the server's certificate is told apart: no retry changes it.
pub(super) fn cause(error: &Error, message: Text) -> Cause {
    Cause::Tls { certificate: matches!(error, Error::InvalidCertificate(_)), message }
}

/// What went wrong, and what to do.
pub(super) fn message(error: &Error) -> Text {
    let message = match error {
        Error::InvalidCertificate(why) => theirs(why),
        Error::NoCertificatesPresented => "the server showed no certificate".into(),
        Error::AlertReceived(alert) => alerted(*alert),
        Error::InvalidMessage(why) => {
            format!("what the server sends is not TLS ({why:?}); does it speak wss:// at this port, or ws://?")
        }
        Error::PeerIncompatible(why) => {
            format!("the server and we have nothing in common ({why:?}); it has to offer TLS 1.2 or 1.3")
        }
        error => format!("TLS: {error}"),
    };
    message.into()
}

/// What is wrong with the server's certificate.
fn theirs(why: &CertificateError) -> String {
    use CertificateError as Why;
    let (what, cure) = match why {
        Why::ExpiredContext { time, not_after } => {
            let ago = span(time.as_secs().saturating_sub(not_after.as_secs()));
            (format!("expired {ago} ago"), "renew it, or set the clock of this machine")
        }
        Why::Expired => ("has expired".into(), "renew it, or set the clock of this machine"),
        Why::NotValidYetContext { time, not_before } => {
            let to_go = span(not_before.as_secs().saturating_sub(time.as_secs()));
            (format!("is not valid for another {to_go}"), "set the clock of this machine, or wait")
        }
        Why::NotValidYet => ("is not valid yet".into(), "set the clock of this machine, or wait"),
        Why::UnknownIssuer => (
            "comes from an authority that is not trusted here".into(),
            "trust its root certificate, or have the server send the certificates in between",
        ),
        Why::BadSignature => (
            "was signed with another key than that of the root trusted here for its authority".into(),
            "if the authority has a new root, trust that",
        ),
        Why::NotValidForNameContext { expected, presented } => {
            let expected = expected.to_str();
            (format!("is not for {expected} but for {}", list(presented)), "dial a name that it is for")
        }
        Why::NotValidForName => ("is for another name".into(), "dial a name that it is for"),
        Why::Revoked => ("was revoked".into(), "renew it"),
        Why::InvalidPurpose | Why::InvalidPurposeContext { .. } => {
            ("is not for servers".into(), "issue one for the purpose of server authentication")
        }
        why => (format!("cannot be accepted ({why})"), "renew it"),
    };
    format!("the server's certificate {what}; {cure}")
}

/// What the server says. In TLS 1.3 it judges our certificate when our handshake is done, so this may come late.
fn alerted(alert: AlertDescription) -> String {
    use AlertDescription as Alert;
    let ours = |why: &str| format!("the server does not accept our certificate: {why}");
    match alert {
        Alert::CertificateRequired | Alert::NoCertificate => {
            "the server wants a certificate of ours, and none was set; set a client certificate and its key".into()
        }
        Alert::BadCertificate => ours("it is broken, or there is none"),
        Alert::UnsupportedCertificate => ours("it is of a kind that the server does not support"),
        Alert::CertificateRevoked => ours("it was revoked"),
        Alert::CertificateExpired => ours("it has expired, or one clock is wrong"),
        Alert::CertificateUnknown => ours("the server does not say why"),
        Alert::UnknownCA => ours("it comes from an authority that the server does not trust"),
        Alert::AccessDenied => "the server knows our certificate and does not let us in".into(),
        Alert::DecryptError => ours("what it signed does not fit; or the stream was tampered with"),
        Alert::HandshakeFailure => {
            "the server refuses the handshake: there is no cipher in common, or it wants a client certificate".into()
        }
        Alert::ProtocolVersion => "the server speaks neither TLS 1.2 nor 1.3; update it".into(),
        Alert::UnrecognisedName => "the server does not know this host name; dial the name that it serves".into(),
        Alert::InternalError => "the server had an internal error in TLS".into(),
        alert => format!("the server ended TLS with the alert {alert:?}"),
    }
}

/// The names in a certificate. The library gives them in its own notation: `DnsName("host.example")`.
fn list(names: &[String]) -> String {
    let bare = |name: &String| {
        let inner = name.split_once('(').and_then(|(_, inner)| inner.strip_suffix(')'));
        inner.unwrap_or(name).trim_matches('"').to_owned()
    };
    let names: Vec<_> = names.iter().map(bare).collect();
    if names.is_empty() { "no name at all".into() } else { names.join(", ") }
}

/// About so long, in the largest unit of which there are two.
fn span(seconds: u64) -> String {
    match seconds {
        ..MINUTE => "less than a minute".into(),
        MINUTE..TWO_HOURS => format!("{} min", seconds / MINUTE),
        TWO_HOURS..TWO_DAYS => format!("{} h", seconds / HOUR),
        TWO_DAYS.. => format!("{} days", seconds / DAY),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_servers_certificate_is_told_apart() {
        let is_certificate = |error| matches!(cause(&error, message(&error)), Cause::Tls { certificate: true, .. });
        assert!(is_certificate(CertificateError::Revoked.into()));
        assert!(is_certificate(CertificateError::BadEncoding.into()));
        for error in [
            Error::AlertReceived(AlertDescription::CertificateExpired),
            Error::NoCertificatesPresented,
            Error::DecryptError,
            Error::PeerSentOversizedRecord,
        ] {
            assert!(!is_certificate(error.clone()), "{error}");
        }
    }

    #[test]
    fn a_span_is_rounded_down_in_units_that_say_something() {
        let spans = [0, 59, 60, 7_199, 7_200, 172_799, 172_800, u64::MAX / 2].map(span);
        assert_eq!(spans[..4], ["less than a minute", "less than a minute", "1 min", "119 min"]);
        assert_eq!(spans[4..7], ["2 h", "47 h", "2 days"]);
        assert!(spans[7].ends_with(" days"));
    }

    #[test]
    fn every_alert_about_our_certificate_says_that_it_is_ours() {
        use AlertDescription as Alert;
        for alert in [
            Alert::CertificateRequired,
            Alert::BadCertificate,
            Alert::UnsupportedCertificate,
            Alert::CertificateRevoked,
            Alert::CertificateExpired,
            Alert::CertificateUnknown,
            Alert::UnknownCA,
            Alert::AccessDenied,
        ] {
            let text = alerted(alert);
            assert!(text.contains("our certificate") || text.contains("certificate of ours"), "{alert:?}: {text}");
        }
    }
}
