//! How long to wait between attempts, and when to give up?

use core::time::Duration;

/// How long to wait between attempts: `min(base * factor^n, cap)`, spread by the jitter, never below the
/// floor; and after how many the session gives up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
#[non_exhaustive]
pub struct RetryPolicy {
    /// The first delay. **1 s**
    #[cfg_attr(feature = "serde", serde(with = "crate::written::span"))]
    pub base: Duration,
    /// What each further delay is multiplied with. **2**
    pub factor: u32,
    /// The longest delay of our own. **30 s**
    #[cfg_attr(feature = "serde", serde(with = "crate::written::span"))]
    pub cap: Duration,
    /// How delays are spread. **full**
    pub jitter: Jitter,
    /// No two dials are closer than this. **100 ms**
    #[cfg_attr(feature = "serde", serde(with = "crate::written::span"))]
    pub floor: Duration,
    /// The longest delay that a server can ask for. **1 h**
    #[cfg_attr(feature = "serde", serde(with = "crate::written::span"))]
    pub directed_cap: Duration,
    /// After so many failed attempts in a row, without a stable link between, the session gives up. The loss of a stable
    /// link is not one of them: with 5 it is dialled for five times. **none**
    pub max_attempts: Option<u32>,
    /// So long after the first failure without a stable link since, the session gives up. The loss of a stable link is
    /// such a failure. **none**
    #[cfg_attr(feature = "serde", serde(with = "crate::written::span::option"))]
    pub max_elapsed: Option<Duration>,
    /// What happens when the very first attempt fails. **retry**
    pub first: FirstAttempt,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            base: Duration::from_secs(1),
            factor: 2,
            cap: Duration::from_secs(30),
            jitter: Jitter::Full,
            floor: Duration::from_millis(100),
            directed_cap: Duration::from_secs(3_600),
            max_attempts: None,
            max_elapsed: None,
            first: FirstAttempt::Retry,
        }
    }
}

/// How delays are spread, so that a thousand clients do not come back at the same moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Jitter {
    /// Anywhere from the floor to the delay.
    #[default]
    Full,
    /// Anywhere in the upper half of the delay.
    Equal,
    /// Anywhere from the base to three times the last delay, at most the cap.
    Decorrelated,
    /// The delay and up to this much more.
    Additive(#[cfg_attr(feature = "serde", serde(with = "crate::written::span"))] Duration),
    /// None: exactly the delay.
    None,
}

/// What happens when the first attempt of a session fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum FirstAttempt {
    /// The same as after any other. Who starts before the server does is served by this.
    #[default]
    Retry,
    /// The session gives up at once, whatever the failure. For programs in which a person waits in front of a
    /// mistyped address. Once a link has been online, failures are retried as usual.
    FailFast,
}
