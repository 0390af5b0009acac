//! What the application wants done differently.

use alloc::vec::Vec;
use core::time::Duration;

use super::Row;

/// What is done about failures, where it differs from the table.
///
/// A failure is judged by the first who says something: the host (its verdict comes with
/// [`Down`](crate::Down)), the protocol, the [`rows`](Self::rows) here, the table.
///
/// # What has worked before
///
/// A wrong path is answered with 404, and so is the right one while a deploy goes wrong. The two are told apart by
/// what was before. Until the endpoint has led to `Online` in this session, a fatal row of the table is fatal at once
/// (for the rows of kind `authentication_failed`: until the credential has). After that it means to try again at
/// [`RetryPolicy::cap`](crate::RetryPolicy::cap), [`proven_limit`](Self::proven_limit) times in a row without a stable
/// link between, of which those within [`proven_gap`](Self::proven_gap) count as one. With the defaults twenty-five
/// minutes of 404 are survived, and half an hour is not.
///
/// A link vouches for those that come after it, and for its own end only once it is stable: a server that opens every
/// link and then says that we are not welcome has proven nothing.
///
/// # The table
///
/// The first row that fits counts; *when* is any time where nothing else is said. Whoever is asked to wait waits for
/// that long where it says Retry, and for the longest of several times that were asked for. A Close frame without a
/// reason is told as "Connection closed", the end of a connection without a Close frame as "Network error".
///
#[doc = include_str!("table.md")]
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
#[non_exhaustive]
pub struct ErrorPolicy {
    /// Whether fatal is fatal, whatever has worked before. **false**
    pub strict: bool,
    /// How many fatal failures in a row are forgiven to what has worked before. **5**
    pub proven_limit: u32,
    /// Failures closer than this to the last one that counted do not count. Zero counts each. **5 min**
    #[cfg_attr(feature = "serde", serde(with = "crate::written::span"))]
    pub proven_gap: Duration,
    /// How many links a message may take down with it before it is given up. **3**
    pub poison_limit: u32,
    /// Whether the protocol tells the server of a failure after the next login, if it can. **false**
    pub tell_server: bool,
    /// Rows that come before the table. The first that fits counts, at its word. **none**
    pub rows: Vec<Row>,
}

impl Default for ErrorPolicy {
    fn default() -> Self {
        Self {
            strict: false,
            proven_limit: 5,
            proven_gap: Duration::from_secs(300),
            poison_limit: 3,
            tell_server: false,
            rows: Vec::new(),
        }
    }
}
