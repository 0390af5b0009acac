//! How fast may we speak?

use alloc::vec::Vec;
use core::time::Duration;

use super::{
    Config,
    lint::{NEVER, Rule},
};
use crate::Text;

/// The least slack of a bucket that names none.
const LEAST_SLACK: Duration = Duration::from_millis(20);

/// Whoever looks at something notices that it waits (Nielsen, Usability Engineering, 1993: after a second the thread of
/// thought is lost).
const LONG_LINGER: Duration = Duration::from_secs(1);

/// How fast we speak. Nothing is limited by default.
///
/// Servers that limit their clients count what arrives within a time, and close a link that passes the limit, often with
/// 1008. A [`Bucket`] is such a limit; several hold side by side. What may not leave yet waits in its queue, in order.
///
/// ```
/// use core::time::Duration;
/// use steadfast::{Bucket, Config, SendOptions};
///
/// let mut config = Config::default();
/// config.pacing.buckets = vec![
///     Bucket::new(5, Duration::from_secs(1)),
///     Bucket::new(100, Duration::from_secs(60)).named("orders"),
/// ];
/// assert!(config.check().is_ok());
/// let order = SendOptions::at_least_once().bucket("orders").weight(2);
/// ```
///
/// Each frame of what we say takes a slot, also what the protocol says for itself (logins, acknowledgements, probes) and pings and
/// pongs of the WebSocket, because there are servers that count those (Binance: five a second of PING, PONG and JSON). The
/// Close frame takes none.
///
/// Signs of life and goodbyes are never held back, for a link must not die of being polite; they take their slots like
/// the rest and are counted in [`Stats::unpaced`](crate::Stats::unpaced) if there was none. The
/// [`reserve`](Bucket::reserve) sees to it that there is.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
#[non_exhaustive]
pub struct PacingPolicy {
    /// The least time between handing over one thing and the next, so that what we say comes evenly. What the network does
    /// with it afterwards is another matter: a limit that somebody enforces belongs into a bucket. Zero: none. **0 s**
    #[cfg_attr(feature = "serde", serde(with = "crate::written::span"))]
    pub gap: Duration,
    /// The limits: at most 16. **none**
    pub buckets: Vec<Bucket>,
    /// Whether the server counts by connection, so that a new link may begin anew. Otherwise what was said on the last one
    /// counts as long as it takes: most servers count by account or address. **false**
    pub per_link: bool,
}

/// So much within such a time. The window slides: within *any* time of that length the limit is kept, as the server would
/// see it if everything took equally long to get there. (A bucket with tokens, which is refilled and may be emptied in one
/// go, lets twice as much pass within the time.)
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
#[non_exhaustive]
pub struct Bucket {
    /// Who draws on it: without a name all do; otherwise those messages alone that name it (see
    /// [`SendOptions::bucket`](crate::SendOptions::bucket)), and they draw on those without a name as well. Several with
    /// the same name hold side by side. **none**
    #[cfg_attr(feature = "serde", serde(default))]
    pub name: Text,
    /// How many slots.
    pub limit: u32,
    /// Within which time.
    #[cfg_attr(feature = "serde", serde(with = "crate::written::span"))]
    pub per: Duration,
    /// How much longer a slot stays taken, because not everything takes equally long to get there. It counts from the time
    /// at which the slot's frame was flushed. **a twentieth of `per`, at least 20 ms**
    #[cfg_attr(feature = "serde", serde(default, with = "crate::written::span::option"))]
    pub slack: Option<Duration>,
    /// How many slots messages of the application leave to the session itself; half of them are for signs of life and
    /// goodbyes alone. A bucket with a name has none, for the session names none. **a tenth of `limit`, at least 2, and
    /// always less than `limit`**
    #[cfg_attr(feature = "serde", serde(default))]
    pub reserve: Option<u32>,
}

impl Bucket {
    /// So many within this time, whoever speaks.
    #[must_use]
    pub const fn new(limit: u32, per: Duration) -> Self {
        Self { name: Text::from_static(""), limit, per, slack: None, reserve: None }
    }

    /// The same, for those messages alone that name it.
    #[must_use]
    pub fn named(mut self, name: impl Into<Text>) -> Self {
        self.name = name.into();
        self
    }

    /// The same, with this slack.
    #[must_use]
    pub const fn slack(mut self, slack: Duration) -> Self {
        self.slack = Some(slack);
        self
    }

    /// The same, with this reserve.
    #[must_use]
    pub const fn reserve(mut self, reserve: u32) -> Self {
        self.reserve = Some(reserve);
        self
    }

    /// How long a slot stays taken after its frame was flushed.
    #[must_use]
    pub fn holds(&self) -> Duration {
        self.per.saturating_add(self.slack.unwrap_or_else(|| (self.per / 20).max(LEAST_SLACK)))
    }

    /// How many slots messages leave to the session itself.
    #[must_use]
    pub fn kept_back(&self) -> u32 {
        if !self.name.is_empty() {
            return 0;
        }
        self.reserve.unwrap_or_else(|| (self.limit / 10).max(2)).min(self.limit.saturating_sub(1))
    }

    /// How many of those are for signs of life alone.
    #[must_use]
    pub fn kept_for_life(&self) -> u32 {
        self.kept_back() / 2
    }
}

impl Config {
    // A table: one rule, one row.
    pub(super) fn pace_rules(&self) -> [Rule; 8] {
        let (pacing, beat, batching) = (&self.pacing, &self.heartbeat, &self.batching);
        let every = beat.interval.min(beat.keepalive);
        let any = |found: &dyn Fn(&Bucket) -> bool| pacing.buckets.iter().any(found);
        [
            (
                any(&|bucket| bucket.name.is_empty() && bucket.kept_for_life() < beats_within(bucket.holds(), every)),
                &["pacing.buckets", "heartbeat.interval", "heartbeat.keepalive"],
                "half of the reserve is less than the signs of life that fall into the time of a limit, which they then pass",
                "raise the reserve, or have the heart beat less often",
            ),
            (
                pacing.gap > every,
                &["pacing.gap", "heartbeat.interval", "heartbeat.keepalive"],
                "signs of life wait for nothing and fall into the gaps, so that messages hardly get their turn",
                "set it well below both",
            ),
            (
                any(&|bucket| bucket.slack.is_some_and(|slack| slack.is_zero())),
                &["pacing.buckets"],
                "without slack a limit is passed as soon as the network delivers one frame faster than another",
                "leave it to the default, or give it what the network's delay varies by",
            ),
            (
                any(&|bucket| !bucket.name.is_empty() && bucket.reserve.is_some()),
                &["pacing.buckets"],
                "a reserve of a bucket with a name does nothing, for the session itself draws on none",
                "leave it out",
            ),
            (
                pacing.buckets.iter().any(|inner| any(&|outer| is_idle(inner, outer))),
                &["pacing.buckets"],
                "a limit for some messages is never reached, because one for all that is shorter or as long is tighter",
                "leave it out, or lower it",
            ),
            (
                batching.enabled && batching.count == 1,
                &["batching.count", "batching.enabled"],
                "a batch of one is none, and messages wait for nothing",
                "raise the count, or switch it off",
            ),
            (
                batching.enabled && batching.bytes > self.window.bytes,
                &["batching.bytes", "window.bytes"],
                "a batch of that size leaves only when nothing else is with the transport",
                "lower it below the window",
            ),
            (
                batching.enabled && batching.linger > LONG_LINGER,
                &["batching.linger"],
                "a message may wait for seconds for others that do not come",
                "choose some tens or hundreds of milliseconds",
            ),
        ]
    }
}

/// How many signs of life fall into this time if there is one every so often.
fn beats_within(time: Duration, every: Duration) -> u32 {
    let beats = time.as_micros() / every.as_micros().max(1);
    u32::try_from(beats).unwrap_or(u32::MAX).saturating_add(u32::from(every != NEVER))
}

/// Whether what draws on the one meets the limit of the other first, always.
fn is_idle(inner: &Bucket, outer: &Bucket) -> bool {
    !inner.name.is_empty() && outer.name.is_empty() && inner.limit >= outer.limit && inner.per <= outer.per
}
