//! Is it worth going on?
//!
//! Counted are failed attempts (rounds, where there are several endpoints) and the time since the first failure, both
//! since the last link that held. The loss of such a link starts the clock and is not an attempt: with five attempts
//! a lost link is dialed five times.

use super::Mercy;
use crate::{FirstAttempt, RetryPolicy, Text, Timestamp};

/// The longest text of a cause that is kept, in bytes.
const LONGEST_TEXT: usize = 256;

/// What was too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum Limit {
    /// The first attempt failed: [`FirstAttempt::FailFast`].
    First,
    /// So many failed attempts in a row: [`RetryPolicy::max_attempts`].
    Attempts,
    /// So much time without a link that held: [`RetryPolicy::max_elapsed`].
    Elapsed,
}

/// A failure that is named at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Blame {
    /// Its number; see [`Error::number`](crate::Error::number).
    pub number: u64,
    /// What happened, for people; of a long text the beginning.
    pub message: Text,
}

/// The failures since the last link that held.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Patience {
    attempts: u32,
    /// The first failure.
    since: Option<Timestamp>,
    /// The deadline was slept through: only another failure can be the last.
    mercy: Mercy,
    /// A link was online since the start.
    began: bool,
    first: Option<Blame>,
    last: Option<Blame>,
}

impl Patience {
    /// A link is ready for data.
    pub(crate) const fn on_online(&mut self) {
        self.began = true;
    }

    /// A link has held: what was before is forgiven.
    pub(crate) fn on_stable(&mut self) {
        *self = Self { began: true, ..Self::default() };
    }

    /// The application wants to start anew, perhaps after giving up.
    pub(crate) fn restart(&mut self) {
        *self = Self::default();
    }

    /// A link was lost, or an attempt has failed. `attempt` says whether that ends an attempt: not if the link had
    /// held, nor if the round has more endpoints to try.
    pub(crate) fn on_failed(&mut self, now: Timestamp, number: u64, message: &Text, attempt: bool) {
        // A copy: it may be a piece of a frame, and would keep all of it.
        let blame = Blame { number, message: message.clone().cut(LONGEST_TEXT).as_str().into() };
        self.attempts = self.attempts.saturating_add(attempt.into());
        self.since.get_or_insert(now);
        self.first.get_or_insert_with(|| blame.clone());
        self.last = Some(blame);
        self.mercy = Mercy::default();
    }

    /// Whether this failure was the last. To be asked after [`on_failed`](Self::on_failed).
    pub(crate) fn is_over(&self, now: Timestamp, policy: &RetryPolicy) -> Option<Limit> {
        let first_must_succeed = policy.first == FirstAttempt::FailFast && !self.began;
        match policy {
            _ if first_must_succeed && self.attempts > 0 => Some(Limit::First),
            RetryPolicy { max_attempts: Some(most), .. } if self.attempts >= *most => Some(Limit::Attempts),
            _ if self.ends_at(policy).is_some_and(|at| at <= now) => Some(Limit::Elapsed),
            _ => None,
        }
    }

    /// When the time is up, while the next dial is waited for. An attempt that is under way, and a link, may try.
    pub(crate) fn deadline(&self, policy: &RetryPolicy) -> Option<Timestamp> {
        self.ends_at(policy).filter(|_| !self.mercy.is_spent())
    }

    /// The time is up: was that it?
    pub(crate) fn on_due(&mut self, now: Timestamp, policy: &RetryPolicy) -> Option<Limit> {
        let due = self.deadline(policy).filter(|due| *due <= now)?;
        // One more attempt is due by then.
        (!self.mercy.spares(due, now)).then_some(Limit::Elapsed)
    }

    /// The first and the last failure since a link last held.
    pub(crate) const fn blames(&self) -> (Option<&Blame>, Option<&Blame>) {
        (self.first.as_ref(), self.last.as_ref())
    }

    fn ends_at(&self, policy: &RetryPolicy) -> Option<Timestamp> {
        self.since?.after(policy.max_elapsed?)
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;

    fn policy() -> RetryPolicy {
        RetryPolicy::default()
    }

    fn attempts(most: u32) -> RetryPolicy {
        RetryPolicy { max_attempts: Some(most), ..policy() }
    }

    fn elapsed(seconds: u64) -> RetryPolicy {
        RetryPolicy { max_elapsed: Some(Duration::from_secs(seconds)), ..policy() }
    }

    const fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    fn fail(patience: &mut Patience, second: u64, attempt: bool) {
        let message = alloc::format!("at {second}");
        patience.on_failed(at(second), second, &message.as_str().into(), attempt);
    }

    #[test]
    fn without_limits_it_goes_on_for_ever() {
        let mut patience = Patience { attempts: u32::MAX, ..Patience::default() };
        fail(&mut patience, 1, true);
        assert_eq!(patience.attempts, u32::MAX);
        assert_eq!(patience.is_over(Timestamp::MAX, &policy()), None);
        assert_eq!(patience.deadline(&policy()), None);
    }

    #[test]
    fn a_lost_link_is_dialed_as_often_as_there_are_attempts() {
        let mut patience = Patience::default();
        patience.on_stable();
        fail(&mut patience, 1, false);
        for dial in 1..=4 {
            fail(&mut patience, 1 + dial, true);
            assert_eq!(patience.is_over(at(1 + dial), &attempts(5)), None);
        }
        fail(&mut patience, 6, true);
        assert_eq!(patience.is_over(at(6), &attempts(5)), Some(Limit::Attempts));
    }

    #[test]
    fn an_endpoint_of_several_is_not_an_attempt() {
        let mut patience = Patience::default();
        for round in 0..4 {
            fail(&mut patience, round, false);
            fail(&mut patience, round, true);
        }
        assert_eq!(patience.is_over(at(9), &attempts(5)), None);
        fail(&mut patience, 5, false);
        assert_eq!(patience.is_over(at(9), &attempts(5)), None);
        fail(&mut patience, 5, true);
        assert_eq!(patience.is_over(at(9), &attempts(5)), Some(Limit::Attempts));
    }

    #[test]
    fn one_attempt_means_one() {
        let mut patience = Patience::default();
        patience.on_stable();
        fail(&mut patience, 1, false);
        assert_eq!(patience.is_over(at(1), &attempts(1)), None, "the loss is not an attempt");
        fail(&mut patience, 2, true);
        assert_eq!(patience.is_over(at(2), &attempts(1)), Some(Limit::Attempts));
        patience.on_stable();
        fail(&mut patience, 3, false);
        assert_eq!(patience.is_over(at(3), &attempts(1)), None, "a link that held ends the row");
    }

    #[test]
    fn the_time_counts_from_the_first_failure() {
        let mut patience = Patience::default();
        fail(&mut patience, 10, true);
        fail(&mut patience, 30, true);
        assert_eq!(patience.deadline(&elapsed(60)), Some(at(70)));
        assert_eq!(patience.is_over(at(69), &elapsed(60)), None);
        assert_eq!(patience.on_due(at(69), &elapsed(60)), None);
        assert_eq!(patience.on_due(at(70), &elapsed(60)), Some(Limit::Elapsed));
        fail(&mut patience, 70, true);
        assert_eq!(patience.is_over(at(70), &elapsed(60)), Some(Limit::Elapsed));
    }

    #[test]
    fn a_link_that_holds_forgives_and_one_that_only_opens_does_not() {
        let mut patience = Patience::default();
        fail(&mut patience, 10, true);
        patience.on_online();
        assert_eq!(patience.deadline(&elapsed(60)), Some(at(70)));
        patience.on_stable();
        assert_eq!((patience.deadline(&elapsed(60)), patience.blames()), (None, (None, None)));
        fail(&mut patience, 100, false);
        assert_eq!(patience.deadline(&elapsed(60)), Some(at(160)));
    }

    /// A laptop that wakes after a night tries again before it despairs.
    #[test]
    fn a_deadline_that_was_slept_through_spares_one_attempt() {
        let mut patience = Patience::default();
        fail(&mut patience, 10, true);
        assert_eq!(patience.on_due(at(28_800), &elapsed(60)), None);
        assert_eq!(patience.deadline(&elapsed(60)), None, "and does not spin");
        fail(&mut patience, 28_810, true);
        assert_eq!(patience.is_over(at(28_810), &elapsed(60)), Some(Limit::Elapsed));
        assert_eq!(
            patience.deadline(&elapsed(86_400)),
            Some(at(86_410)),
            "it is there again for those who wait longer"
        );
    }

    #[test]
    fn the_first_attempt_can_be_asked_to_succeed() {
        let first = RetryPolicy { first: FirstAttempt::FailFast, ..policy() };
        let mut patience = Patience::default();
        fail(&mut patience, 1, false);
        assert_eq!(patience.is_over(at(1), &first), None, "there are other endpoints");
        fail(&mut patience, 1, true);
        assert_eq!(patience.is_over(at(1), &first), Some(Limit::First));
        patience.restart();
        patience.on_online();
        fail(&mut patience, 2, true);
        assert_eq!(patience.is_over(at(2), &first), None, "it did succeed, for a while");
    }

    #[test]
    fn the_first_and_the_last_are_remembered() {
        let mut patience = Patience::default();
        for second in [3, 4, 5] {
            fail(&mut patience, second, true);
        }
        let told = |blame: Option<&Blame>| blame.map(|blame| (blame.number, blame.message.clone()));
        let (first, last) = patience.blames();
        assert_eq!((told(first), told(last)), (Some((3, "at 3".into())), Some((5, "at 5".into()))));
        patience.on_failed(at(6), 6, &"ü".repeat(200).as_str().into(), true);
        let (_, last) = patience.blames();
        assert_eq!(last.map(|blame| blame.message.len()), Some(LONGEST_TEXT));
    }

    #[test]
    fn an_elapsed_time_that_cannot_be_named_is_no_limit() {
        let forever = RetryPolicy { max_elapsed: Some(Duration::MAX), ..policy() };
        let mut patience = Patience::default();
        fail(&mut patience, 1, true);
        assert_eq!((patience.deadline(&forever), patience.is_over(Timestamp::MAX, &forever)), (None, None));
    }
}
