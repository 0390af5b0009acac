//! The table: for each failure its kind and what is done about it.

use alloc::{format, string::String};
use core::{fmt::Write, mem, time::Duration};

use super::{
    Codes, Kind,
    Kind::{AuthenticationFailed, ConnectionFailed, NetworkError, ProtocolError, ServiceUnavailable, Timeout},
    Match, Occasion, Remedy,
    Remedy::{Fatal, Reauthenticate, Retry, RetryAfter, RetryAtCap, RetryFresh},
    Row, Stage,
};

/// The first row that fits counts; the last one fits anything.
///
/// For close codes: RFC 6455 section 7.4.1, the IANA registry, and what servers do in fact; for statuses: RFC 9110
/// section 15.
#[rustfmt::skip]
pub(super) const TABLE: &[Row] = &[
    // A polite no to a login is about the login.
    row(close(1000, 1000), AuthenticationFailed, Reauthenticate).at(Stage::LoggingIn),
    row(close(1008, 1008), AuthenticationFailed, Reauthenticate).at(Stage::LoggingIn),
    row(close(1000, 1000), ConnectionFailed, Retry).at(Stage::Stable).on(Occasion::LongLived),
    // A goodbye of a peer that works: nothing that a deploy would bring about.
    at_its_word(row(close(1000, 1000), ConnectionFailed, Fatal).at(Stage::Stable)),
    row(close(1000, 1000), ConnectionFailed, Retry),
    row(close(1001, 1001), ServiceUnavailable, Retry),
    row(close(1012, 1014), ServiceUnavailable, Retry),
    row(http(500, 500), ServiceUnavailable, Retry),
    row(http(502, 504), ServiceUnavailable, Retry),
    row(close(1011, 1011), ServiceUnavailable, RetryAfter(Duration::from_secs(5))),
    // A login that is answered by losing the link three times may be a proxy's way to say no.
    row(close(1005, 1006), NetworkError, RetryFresh).at(Stage::LoggingIn).on(Occasion::ThirdLoss),
    row(Match::Broken, NetworkError, RetryFresh).at(Stage::LoggingIn).on(Occasion::ThirdLoss),
    row(close(1005, 1006), NetworkError, Retry),
    row(Match::Broken, NetworkError, Retry),
    row(Match::Unreachable, NetworkError, Retry),
    row(Match::Unresolved, NetworkError, Retry),
    // A proxy or a captive portal that answers in the server's place.
    row(http(200, 200), NetworkError, Retry),
    // A peer that does not keep to the protocol may be in the middle of a deploy; one that never does is broken.
    row(close(1002, 1002), ProtocolError, Fatal).on(Occasion::ThirdBreach),
    row(Match::Violation, ProtocolError, Fatal).on(Occasion::ThirdBreach),
    row(Match::Handshake, ProtocolError, Fatal).on(Occasion::ThirdBreach),
    row(Match::Nonsense, ProtocolError, Fatal).on(Occasion::ThirdBreach),
    row(close(1002, 1002), ProtocolError, Retry),
    row(Match::Violation, ProtocolError, Retry),
    row(Match::Handshake, ProtocolError, Retry),
    row(Match::Nonsense, ProtocolError, Retry),
    row(close(1003, 1003), ProtocolError, Fatal),
    row(close(1007, 1007), ProtocolError, Fatal),
    row(close(1009, 1010), ProtocolError, Fatal),
    row(Match::Unfit, ProtocolError, Fatal),
    // Venues answer too many requests with it.
    row(close(1008, 1008), ConnectionFailed, RetryAtCap),
    row(Match::Certificate, ConnectionFailed, Fatal),
    row(close(1015, 1015), ConnectionFailed, Retry),
    row(Match::Tls, ConnectionFailed, Retry),
    row(close(3000, 3000), AuthenticationFailed, Reauthenticate),
    row(close(4401, 4401), AuthenticationFailed, Reauthenticate),
    row(http(401, 401), AuthenticationFailed, Reauthenticate),
    row(Match::LoginRefused, AuthenticationFailed, Reauthenticate),
    // The host asks somebody else, who may be there again soon.
    row(Match::NoCredential, AuthenticationFailed, Retry),
    row(close(3003, 3003), AuthenticationFailed, Fatal),
    row(close(4403, 4403), AuthenticationFailed, Fatal),
    row(http(403, 403), AuthenticationFailed, Fatal),
    row(http(407, 407), AuthenticationFailed, Fatal),
    row(Match::Denied, AuthenticationFailed, Fatal),
    row(http(408, 408), Timeout, Retry),
    row(http(425, 425), Timeout, Retry),
    row(close(3008, 3008), Timeout, Retry),
    row(Match::CredentialTimeout, Timeout, Retry),
    row(Match::ConnectTimeout, Timeout, Retry),
    row(Match::LoginTimeout, Timeout, Retry),
    row(Match::RestoreTimeout, Timeout, Retry),
    row(Match::Silence, Timeout, Retry),
    row(http(429, 429), ServiceUnavailable, RetryAtCap),
    // A redirection that was not followed, and all that says that the request makes no sense.
    row(http(300, 499), ProtocolError, Fatal),
    row(http(501, 501), ProtocolError, Fatal),
    row(http(505, 505), ProtocolError, Fatal),
    // By its own words trying again would not help, whatever has worked before.
    at_its_word(row(Match::Impossible, ConnectionFailed, Fatal)),
    row(Match::Anything, ConnectionFailed, Retry),
];

const fn row(what: Match, kind: Kind, remedy: Remedy) -> Row {
    Row { what, stage: None, occasion: Occasion::Always, kind: Some(kind), remedy, is_final: false }
}

const fn at_its_word(row: Row) -> Row {
    Row { is_final: true, ..row }
}

const fn close(first: u16, last: u16) -> Match {
    Match::Close(Codes { first, last })
}

const fn http(first: u16, last: u16) -> Match {
    Match::Http(Codes { first, last })
}

/// The table of errors as Markdown, as it stands in the documentation of [`ErrorPolicy`](crate::ErrorPolicy).
///
/// ```
/// assert!(steadfast::error_table().contains("| HTTP 429 | | service_unavailable | Retry at the cap | |"));
/// ```
#[must_use]
pub fn error_table() -> String {
    let mut out = String::from("| what came | when | kind | recovery | once it has worked |\n|---|---|---|---|---|\n");
    for rows in TABLE.chunk_by(|a, b| Row { what: a.what, ..*b } == *a) {
        let row = rows[0];
        let kind = row.kind.map_or("", Kind::as_str);
        let _ = writeln!(
            out,
            "| {} |{} | {kind} | {} |{} |",
            whats(rows),
            padded(&when(&row)),
            row.remedy,
            padded(once_proven(&row))
        );
    }
    out
}

/// What the rows are for, with the codes of one sort in one list.
fn whats(rows: &[Row]) -> String {
    let mut out = String::new();
    let mut last = None;
    for Row { what, .. } in rows {
        let sort = mem::discriminant(what);
        let _ = match (last.replace(sort) == Some(sort), what) {
            (true, Match::Close(codes) | Match::Http(codes)) => write!(out, ", {codes}"),
            (_, what) if out.is_empty() => write!(out, "{what}"),
            (_, what) => write!(out, ", {what}"),
        };
    }
    out
}

fn when(row: &Row) -> String {
    let occasion = match row.occasion {
        Occasion::Always => "",
        Occasion::LongLived => "with `long_lived`",
        Occasion::ThirdBreach => "from the third without a stable link between",
        Occasion::ThirdLoss => "from the third in a row",
    };
    match row.stage {
        Some(stage) if occasion.is_empty() => format!("{stage}"),
        Some(stage) => format!("{stage}; {occasion}"),
        None => occasion.into(),
    }
}

fn once_proven(row: &Row) -> &'static str {
    match row.remedy {
        Fatal if row.is_final => "Fatal",
        Fatal => "Retry at the cap",
        Reauthenticate => "Retry at the cap instead of Fatal",
        Retry | RetryAfter(_) | RetryAtCap | RetryFresh => "",
    }
}

/// An empty cell is empty.
fn padded(cell: &str) -> String {
    if cell.is_empty() { String::new() } else { format!(" {cell}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_row_fits_anything_and_each_has_a_kind() {
        let last = TABLE.last().expect("rows");
        assert_eq!((last.what, last.stage, last.occasion), (Match::Anything, None, Occasion::Always));
        assert!(TABLE.iter().all(|row| row.kind.is_some()));
    }

    /// A row that stands behind a wider one would never count.
    #[test]
    fn no_row_hides_another() {
        for (at, later) in TABLE.iter().enumerate() {
            let hides = |row: &&Row| {
                row.what.covers(later.what)
                    && (row.stage.is_none() || row.stage == later.stage)
                    && (row.occasion == Occasion::Always || row.occasion == later.occasion)
            };
            assert_eq!(TABLE[..at].iter().find(hides), None, "{later:?}");
        }
    }
}
