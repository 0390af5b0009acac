//! All that can be set, as plain data.

mod batch;
mod check;
mod connect;
mod credentials;
mod dedup;
mod fields;
mod heartbeat;
mod identity;
mod lint;
mod pacing;
mod presets;
mod queue;
mod requests;
mod retry;
#[cfg(all(feature = "serde", test))]
mod serde_tests;
mod subscriptions;
#[cfg(test)]
mod table;

use core::time::Duration;

pub use batch::BatchPolicy;
pub use check::BadConfig;
pub use connect::ConnectPolicy;
pub use credentials::{CredentialPolicy, CredentialUse};
pub use dedup::{Alike, DedupPolicy};
pub use fields::{Changed, Counts};
pub use heartbeat::HeartbeatPolicy;
pub use identity::{ClientId, Identity};
pub use lint::Finding;
pub use pacing::{Bucket, PacingPolicy};
pub use queue::{Overflow, QueuePolicy, Window};
pub use requests::RequestPolicy;
pub use retry::{FirstAttempt, Jitter, RetryPolicy};
pub use subscriptions::{Restore, SubscriptionPolicy};

use crate::ErrorPolicy;

/// The settings of a session. Plain data: comparable, printable, cloneable.
///
/// ```
/// use core::time::Duration;
/// use steadfast::{Config, Jitter};
///
/// let mut config = Config::default();
/// config.retry.base = Duration::from_millis(200);
/// config.retry.jitter = Jitter::Equal;
/// assert!(config.check().is_ok());
/// ```
///
/// [`check`](Self::check) finds what cannot work; a session is not made of it. [`lint`](Self::lint) finds what works,
/// but hardly as it was meant. [`presets`](Self::presets) are good places to start from.
///
/// # Change while running
///
/// Every setting can be changed while a session runs, and a change is checked like the settings at the beginning. The
/// rule: **what is under way is not disturbed**. A wait that was announced, a deadline that runs, a link that is open
/// keep what they began with; what is looked at anew each time counts at once. [`changes`](Self::changes) says of each
/// setting that differs which of the two it is, and the table of [`presets`](Self::presets) says it of all.
///
/// # In files
///
/// With the feature `serde` a config can be read and written. Names are those of the fields, enums are in snake case. A
/// field that is missing has its default; one that does not exist is an error. A duration is text, a whole number with
/// its unit (`h`, `min`, `s`, `ms`, `us`, `ns`), so that nobody has to guess it, and `never` is `Duration::MAX`:
///
/// ```toml
/// login_timeout = "5 s"
/// [retry]
/// base = "250 ms"
/// jitter = { additive = "1 s" }
/// [heartbeat]
/// keepalive = "never"
/// [identity.metadata]
/// region = "eu"
/// ```
///
/// What was read is not checked yet; a session checks it when it is made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
#[non_exhaustive]
pub struct Config {
    /// How long to wait between attempts, and when to give up.
    pub retry: RetryPolicy,
    /// How a dead link is found.
    pub heartbeat: HeartbeatPolicy,
    /// How much is kept for the peer.
    pub queue: QueuePolicy,
    /// How much may be with the transport at once.
    pub window: Window,
    /// When there is a link at all.
    pub connect: ConnectPolicy,
    /// When a credential is used, and where it comes from.
    pub credentials: CredentialPolicy,
    /// How fast we speak.
    pub pacing: PacingPolicy,
    /// What leaves together.
    pub batching: BatchPolicy,
    /// What is done about failures, where it differs from the table.
    pub errors: ErrorPolicy,
    /// What is done about topics.
    pub subscriptions: SubscriptionPolicy,
    /// Who this session is.
    pub identity: Identity,
    /// What counts as the same message twice.
    pub dedup: DedupPolicy,
    /// How long answers are waited for.
    pub requests: RequestPolicy,
    /// How long an attempt may take until the transport is open. **10 s**
    #[cfg_attr(feature = "serde", serde(with = "crate::written::span"))]
    pub connect_timeout: Duration,
    /// How long the server's greeting may take, where the login waits for one. **10 s**
    #[cfg_attr(feature = "serde", serde(with = "crate::written::span"))]
    pub greeting_timeout: Duration,
    /// How long the login may take: from the greeting on, where it waits for one. **10 s**
    #[cfg_attr(feature = "serde", serde(with = "crate::written::span"))]
    pub login_timeout: Duration,
    /// How long to wait for the peer's answer to our Close. **2 s**
    #[cfg_attr(feature = "serde", serde(with = "crate::written::span"))]
    pub close_timeout: Duration,
    /// How long a link must have been online before the count of failures starts anew. **5 s**
    #[cfg_attr(feature = "serde", serde(with = "crate::written::span"))]
    pub stable_for: Duration,
    /// After so long without a link the session is called degraded, for hosts that have another way meanwhile. Zero: at
    /// once. `Duration::MAX`: never. **30 s**
    #[cfg_attr(feature = "serde", serde(with = "crate::written::span"))]
    pub degraded_after: Duration,
    /// Whether a normal closure (1000) by the peer is followed by a reconnect, as it is within
    /// [`stable_for`](Self::stable_for) in any case. **false**
    pub long_lived: bool,
    /// Whether messages that have not left when the session stops wait for the next connect command, instead of being
    /// dropped. Changed to `false` while the session is stopped, what was kept ends there and then: with the answer to
    /// the command come its outcomes, the only events of a stopped session beside those of a message that is taken
    /// back. **false**
    pub keep_on_stop: bool,
    /// The largest message in either direction, in bytes. **16 MiB**
    pub max_message: u32,
    /// How many meanings one frame may have. **4,096**
    pub heard_max: u32,
    /// How many phase changes the history keeps. **64**
    pub history: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            retry: RetryPolicy::default(),
            heartbeat: HeartbeatPolicy::default(),
            queue: QueuePolicy::default(),
            window: Window::default(),
            connect: ConnectPolicy::default(),
            credentials: CredentialPolicy::default(),
            pacing: PacingPolicy::default(),
            batching: BatchPolicy::default(),
            errors: ErrorPolicy::default(),
            subscriptions: SubscriptionPolicy::default(),
            identity: Identity::default(),
            dedup: DedupPolicy::default(),
            requests: RequestPolicy::default(),
            connect_timeout: Duration::from_secs(10),
            greeting_timeout: Duration::from_secs(10),
            login_timeout: Duration::from_secs(10),
            close_timeout: Duration::from_secs(2),
            stable_for: Duration::from_secs(5),
            degraded_after: Duration::from_secs(30),
            long_lived: false,
            keep_on_stop: false,
            max_message: 16 << 20,
            heard_max: 4_096,
            history: 64,
        }
    }
}
