//! How something is asked of the peer, and what comes of it.

use alloc::{boxed::Box, vec::Vec};
use core::{num::NonZeroU32, time::Duration};

use super::{Class, OpId, Outcome, RequestPolicy, SendOptions, options::Rare};
use crate::{LinkId, Mark, Recovery, Rejected, Rng, Text, Timestamp, Ttl};

/// How something is asked of the peer. Made from the default, and then grown:
///
/// ```
/// use core::time::Duration;
/// use steadfast::{RequestOptions, RequestRetry};
///
/// let menu = RequestOptions::default().idempotent().deadline(Duration::from_secs(3));
/// let order = RequestOptions::default().retry(RequestRetry::default()).label("table 4");
/// let rates = RequestOptions::default().answered_by("rates").failed_by("rates_error");
/// let depth = RequestOptions::default().weight(10);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
pub struct RequestOptions {
    /// How long after its acceptance it ends without an answer. `Duration::MAX`: never. `None`: as
    /// [`RequestPolicy::deadline`] says.
    #[cfg_attr(feature = "serde", serde(with = "crate::written::span::option"))]
    pub deadline: Option<Duration>,
    /// Whether it does no harm if it is carried out twice. Then it is sent again, with the same id, when a link is lost
    /// on which it may have left; without this it ends in doubt.
    pub idempotent: bool,
    /// Whether no log and no trace may show it. (Its answer is the peer's.)
    pub secret: bool,
    /// Whether it is asked again when the peer says no, and how often. **It is not**
    pub retry: Option<RequestRetry>,
    /// The name of the message that answers it, where answers have no ids.
    pub answered_by: Option<Text>,
    /// The name of the message that says no to it, where answers have no ids.
    pub failed_by: Option<Text>,
    /// A note of the host's own that comes back with the answer.
    pub label: Option<Text>,
    /// The name of the buckets that it draws on beside those of all. **none**
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub bucket: Option<Text>,
    /// How many slots it takes of each bucket that it draws on. **1**
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub weight: Option<NonZeroU32>,
}

/// When the peer says no: how often, after how long and for which reasons a request is asked again. It keeps its id and
/// its deadline, and goes behind all that was accepted meanwhile. One for which there would be no time left ends with
/// what the peer said. An answer that comes before it is asked again, on the link that said no, is its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
pub struct RequestRetry {
    /// How often it is asked at most, the first time included. **3**
    pub attempts: u32,
    /// How long to wait before it is asked the second time; then twice as long each time. Half of each wait is left to
    /// chance. Never shorter than what the peer asks for. **500 ms**
    #[cfg_attr(feature = "serde", serde(with = "crate::written::span"))]
    pub base: Duration,
    /// The longest own wait. **5 s**
    #[cfg_attr(feature = "serde", serde(with = "crate::written::span"))]
    pub cap: Duration,
    /// For which reasons. **those for which the peer asks for it**
    pub on: RetryOn,
}

/// For which reasons of the peer's a request is asked again.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum RetryOn {
    /// Those with which the peer, or the protocol, says that trying again helps: [`Rejected::retry_after`], or a
    /// [`Rejected::recovery`] that is [`Recovery::Retry`] or [`Recovery::RetryAfter`].
    #[default]
    Asked,
    /// Those with one of these codes.
    Codes(Vec<Text>),
    /// Any.
    Any,
}

/// The end of a request: each accepted one has exactly one, and it is always told.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Reply<I> {
    /// Which request.
    pub id: OpId,
    /// The host's note: [`RequestOptions::label`].
    pub label: Option<Text>,
    /// What came with the answer, where it came by its name: [`Mark::wants_ack`] is to be heeded as with any message.
    pub mark: Mark,
    /// The answer, or `None` if the peer answered without saying anything. Otherwise what became of the request:
    /// `Failed` with what the peer said, `InDoubt` if it may have it, and `Expired`, `Dropped` or `Cancelled` if it
    /// certainly does not.
    pub result: Result<Option<I>, Outcome>,
}

/// What is noted of a request in the queue, beside what any message has.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Asked {
    pub(crate) retry: Option<RequestRetry>,
    pub(crate) answered_by: Option<Text>,
    pub(crate) failed_by: Option<Text>,
    /// How often the peer said no.
    pub(crate) failures: u32,
    /// On which link it did so last, and was asked again after that: what it says there is about this request still.
    pub(crate) refused_on: Option<LinkId>,
}

impl Default for RequestRetry {
    fn default() -> Self {
        let (base, cap) = (Duration::from_millis(500), Duration::from_secs(5));
        Self { attempts: 3, base, cap, on: RetryOn::Asked }
    }
}

impl RequestRetry {
    /// How often it is asked at most.
    #[must_use]
    pub const fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    /// The first wait, and the longest.
    #[must_use]
    pub const fn backoff(mut self, base: Duration, cap: Duration) -> Self {
        (self.base, self.cap) = (base, cap);
        self
    }

    /// For which reasons.
    #[must_use]
    pub fn on(mut self, on: RetryOn) -> Self {
        self.on = on;
        self
    }

    /// When it is asked again after the peer has said no so often before; `None` if it is not.
    pub(crate) fn again(&self, now: Timestamp, before: u32, why: &Rejected, rng: &mut Rng) -> Option<Timestamp> {
        if before.saturating_add(1) >= self.attempts || !self.on.includes(why) {
            return None;
        }
        let grown = self.base.checked_mul(1_u32.checked_shl(before).unwrap_or(u32::MAX));
        let own = grown.unwrap_or(self.cap).min(self.cap);
        let theirs = match why.recovery {
            Some(Recovery::RetryAfter(wait)) => why.retry_after.max(Some(wait)),
            Some(Recovery::Retry | Recovery::Reauthenticate | Recovery::Fatal) | None => why.retry_after,
        };
        now.after(rng.between(own / 2, own).max(theirs.unwrap_or_default()))
    }
}

impl RetryOn {
    fn includes(&self, why: &Rejected) -> bool {
        match self {
            Self::Asked => {
                why.retry_after.is_some() || matches!(why.recovery, Some(Recovery::Retry | Recovery::RetryAfter(_)))
            }
            Self::Codes(codes) => why.code.as_ref().is_some_and(|code| codes.contains(code)),
            Self::Any => true,
        }
    }
}

impl RequestOptions {
    /// How long after its acceptance it ends without an answer.
    #[must_use]
    pub const fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// It does no harm if it is carried out twice.
    #[must_use]
    pub const fn idempotent(mut self) -> Self {
        self.idempotent = true;
        self
    }

    /// No log and no trace shows it. Its names and its label are shown.
    #[must_use]
    pub const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    /// It is asked again when the peer says no.
    #[must_use]
    pub fn retry(mut self, retry: RequestRetry) -> Self {
        self.retry = Some(retry);
        self
    }

    /// Its answer is the next message of this name, for protocols whose answers have no ids. Where several requests
    /// wait for the same name they are answered in the order in which they were sent.
    #[must_use]
    pub fn answered_by(mut self, name: impl Into<Text>) -> Self {
        self.answered_by = Some(name.into());
        self
    }

    /// A message of this name says no to it, for protocols whose answers have no ids: to the oldest that waits for it.
    #[must_use]
    pub fn failed_by(mut self, name: impl Into<Text>) -> Self {
        self.failed_by = Some(name.into());
        self
    }

    /// A note of the host's own that comes back with the answer. Nobody else reads it.
    #[must_use]
    pub fn label(mut self, label: impl Into<Text>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// It draws on the buckets of this name too, each time that it is asked: see [`SendOptions::bucket`]. Refused if there
    /// is none.
    #[must_use]
    pub fn bucket(mut self, name: impl Into<Text>) -> Self {
        self.bucket = Some(name.into());
        self
    }

    /// How many slots it takes of the buckets it draws on: see [`SendOptions::weight`]. At least one, which is the
    /// default. Refused if no bucket ever has so many.
    #[must_use]
    pub const fn weight(mut self, slots: u32) -> Self {
        self.weight = NonZeroU32::new(slots);
        self
    }

    /// As the queue takes it.
    pub(super) fn into_send(self, policy: &RequestPolicy) -> SendOptions {
        let Self { deadline, idempotent, secret, retry, answered_by, failed_by, label, bucket, weight } = self;
        let deadline = deadline.unwrap_or(policy.deadline);
        let ttl = (deadline != Duration::MAX).then(|| Ttl::new(deadline));
        let asked = Some(Asked { retry, answered_by, failed_by, failures: 0, refused_on: None });
        let class = if idempotent { Class::AtLeastOnce } else { Class::AtMostOnce };
        let rare = Rare { ttl, key: None, label, bucket, weight, asked };
        SendOptions { class, tracked: true, secret, rare: Some(Box::new(rare)) }
    }
}

impl Asked {
    /// The names that it waits for.
    pub(crate) fn names(&self) -> [Option<Text>; 2] {
        [self.answered_by.clone(), self.failed_by.clone()]
    }

    /// Whether there is anything to be noted.
    pub(crate) const fn is_plain(&self) -> bool {
        self.retry.is_none() && self.answered_by.is_none() && self.failed_by.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rejected(after: Option<u64>) -> Rejected {
        Rejected { retry_after: after.map(Duration::from_millis), ..Rejected::default() }
    }

    #[test]
    fn waits_grow_up_to_the_cap_and_never_below_what_the_peer_asks_for() {
        let retry = RequestRetry::default().attempts(40).on(RetryOn::Any);
        let mut rng = Rng::new(7);
        for (before, own) in [(0, 500), (1, 1_000), (3, 4_000), (4, 5_000), (38, 5_000)] {
            let at = retry.again(Timestamp::ZERO, before, &rejected(None), &mut rng).expect("any reason will do");
            assert!((own / 2..=own).contains(&(at.as_micros() / 1_000)), "{before}: {at}");
            let at = retry.again(Timestamp::ZERO, before, &rejected(Some(9_000)), &mut rng);
            assert_eq!(at, Some(Timestamp::from_millis(9_000)));
        }
        assert_eq!(retry.again(Timestamp::ZERO, 39, &rejected(None), &mut rng), None, "often enough");
    }

    #[test]
    fn only_certain_reasons_are_reasons() {
        let mut rng = Rng::new(7);
        let mut is_again = |on: RetryOn, why: &Rejected| {
            RequestRetry::default().on(on).again(Timestamp::ZERO, 0, why, &mut rng).is_some()
        };
        let busy = Rejected { code: Some("busy".into()), ..Rejected::default() };
        let of = |recovery| Rejected { recovery: Some(recovery), ..Rejected::default() };
        assert!(!is_again(RetryOn::Asked, &busy) && is_again(RetryOn::Any, &busy));
        assert!(is_again(RetryOn::Asked, &rejected(Some(1))) && is_again(RetryOn::Asked, &of(Recovery::Retry)));
        assert!(!is_again(RetryOn::Asked, &of(Recovery::Fatal)));
        let codes = RetryOn::Codes(alloc::vec!["busy".into()]);
        assert!(is_again(codes.clone(), &busy) && !is_again(codes, &rejected(Some(1))));
    }
}
