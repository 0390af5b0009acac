//! How long are answers waited for?

use core::time::Duration;

use super::{
    Config,
    lint::{NEVER, Rule},
};

/// How long answers are waited for, where a request does not say it itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
#[non_exhaustive]
pub struct RequestPolicy {
    /// How long after its acceptance a request ends without an answer, whatever the links do meanwhile.
    /// `Duration::MAX`: never. **10 s**
    #[cfg_attr(feature = "serde", serde(with = "crate::written::span"))]
    pub deadline: Duration,
    /// For how long after its deadline, or after it was cancelled, the answer to a request is still expected where answers have no ids: the next
    /// message of that name is taken for it, and not for the answer to the request behind it. `Duration::MAX`: for as
    /// long as the link holds. **10 s**
    #[cfg_attr(feature = "serde", serde(with = "crate::written::span"))]
    pub grace: Duration,
}

impl Default for RequestPolicy {
    fn default() -> Self {
        Self { deadline: Duration::from_secs(10), grace: Duration::from_secs(10) }
    }
}

impl Config {
    // A table: one rule, one row.
    pub(super) fn request_rules(&self) -> [Rule; 2] {
        let requests = &self.requests;
        [
            (
                requests.deadline == NEVER,
                &["requests.deadline"],
                "a request that the peer forgets is waited for for ever, and takes room in the queue",
                "choose some seconds, and Duration::MAX for the few that may take any time",
            ),
            (
                requests.grace == NEVER,
                &["requests.grace"],
                "one answer by name that never comes shifts all that follow, to the end of the link",
                "choose some seconds",
            ),
        ]
    }
}
