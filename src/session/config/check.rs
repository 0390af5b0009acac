//! What cannot work?

use core::{fmt, time::Duration};

use super::{Alike, Bucket, ClientId, Config, Overflow};
use crate::Match;

/// A setting that makes no sense, and what to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct BadConfig {
    /// The setting.
    pub field: &'static str,
    /// What is wrong with it and what to do.
    pub problem: &'static str,
}

impl fmt::Display for BadConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "config: {} {}", self.field, self.problem)
    }
}

impl core::error::Error for BadConfig {}

const MINUTE: Duration = Duration::from_secs(60);

/// The longest id of a client, in bytes. It stands in addresses and logs.
const LONGEST_ID: usize = 256;

/// The most limits that each message is held against.
const MOST_BUCKETS: usize = 16;

/// Whether something is wrong, where, and what.
type Problem = (bool, &'static str, &'static str);

impl Config {
    /// Looks for values that are zero where zero makes no sense, and for values that contradict each other.
    ///
    /// ```
    /// use core::time::Duration;
    /// use steadfast::Config;
    ///
    /// let mut config = Config::default();
    /// config.retry.cap = Duration::from_millis(500);
    /// let bad = config.check().expect_err("no delay could be both");
    /// assert_eq!(bad.to_string(), "config: retry.cap is below retry.base: raise it");
    /// ```
    ///
    /// # Errors
    ///
    /// The first such setting.
    pub fn check(&self) -> Result<(), BadConfig> {
        let problems = (self.retry_problems().into_iter())
            .chain(self.link_problems())
            .chain(self.size_problems())
            .chain(self.pace_problems())
            .chain(self.who_problems())
            .chain(self.dedup_problems())
            .chain(self.topic_problems());
        match { problems }.find(|(bad, ..)| *bad) {
            Some((_, field, problem)) => Err(BadConfig { field, problem }),
            None => Ok(()),
        }
    }

    fn retry_problems(&self) -> [Problem; 8] {
        let retry = &self.retry;
        let no_time = "is zero: it would give up at once; None has no limit";
        [
            (is_zero(retry.base), "retry.base", "is zero: set it above zero"),
            (retry.factor == 0, "retry.factor", "is zero: 1 keeps delays as they are, 2 doubles them"),
            (is_zero(retry.floor), "retry.floor", "is zero: without it a server that accepts and drops is stormed"),
            (retry.cap < retry.base, "retry.cap", "is below retry.base: raise it"),
            (retry.cap < retry.floor, "retry.cap", "is below retry.floor: raise it"),
            (retry.directed_cap < retry.floor, "retry.directed_cap", "is below retry.floor: raise it"),
            (
                retry.max_attempts == Some(0),
                "retry.max_attempts",
                "is zero: nothing would be dialled; None has no limit",
            ),
            (retry.max_elapsed.is_some_and(is_zero), "retry.max_elapsed", no_time),
        ]
    }

    fn link_problems(&self) -> [Problem; 11] {
        let (beat, off) = (&self.heartbeat, "is zero: Duration::MAX switches it off");
        let no_reset = "is zero: a server that accepts and drops would never be waited for";
        [
            (is_zero(beat.interval), "heartbeat.interval", off),
            (is_zero(beat.timeout), "heartbeat.timeout", "is zero: give the peer time to answer"),
            (is_zero(beat.keepalive), "heartbeat.keepalive", off),
            (is_zero(self.connect.idle_close), "connect.idle_close", off),
            (is_zero(self.connect_timeout), "connect_timeout", "is zero: no attempt could succeed"),
            (is_zero(self.greeting_timeout), "greeting_timeout", "is zero: no server could greet"),
            (is_zero(self.login_timeout), "login_timeout", "is zero: no login could succeed"),
            (is_zero(self.close_timeout), "close_timeout", "is zero: give the peer time to answer"),
            (self.close_timeout > MINUTE, "close_timeout", "is over a minute: a stop would not end"),
            (is_zero(self.stable_for), "stable_for", no_reset),
            (is_zero(self.requests.deadline), "requests.deadline", "is zero: every request would be over at once"),
        ]
    }

    fn size_problems(&self) -> [Problem; 9] {
        let (queue, no_sending) = (&self.queue, "is zero: nothing could be sent");
        [
            (queue.max_messages == 0, "queue.max_messages", no_sending),
            (queue.max_bytes == 0, "queue.max_bytes", no_sending),
            (queue.high > 100, "queue.high", "is over 100 per cent: the queue never holds more; 0 means no events"),
            (queue.low > 100, "queue.low", "is over 100 per cent: the queue never holds more"),
            (queue.high > 0 && queue.low > queue.high, "queue.low", "is above queue.high: lower it"),
            (self.window.frames == 0, "window.frames", no_sending),
            (self.window.bytes == 0, "window.bytes", no_sending),
            (self.max_message == 0, "max_message", no_sending),
            (self.heard_max == 0, "heard_max", "is zero: nothing could be received"),
        ]
    }

    fn dedup_problems(&self) -> [Problem; 3] {
        let (dedup, no_memory) =
            (&self.dedup, "is zero: nothing would be remembered; it is switched off by its directions");
        // One key cannot say that the newer message counts and that it is the same as the older.
        let replaces = self.queue.overflow == Overflow::ReplaceByKey && dedup.outgoing == Alike::ByKey;
        let one_of_two = "is by key, and so is queue.overflow: the newer message would be dropped and never replace; \
                          choose another of the two";
        [
            (dedup.is_on() && is_zero(dedup.within), "dedup.within", no_memory),
            (dedup.is_on() && dedup.count == 0, "dedup.count", no_memory),
            (replaces, "dedup.outgoing", one_of_two),
        ]
    }

    fn topic_problems(&self) -> [Problem; 4] {
        let topics = &self.subscriptions;
        let no_time = "is zero: give the peer time to answer";
        [
            (is_zero(topics.answer_timeout), "subscriptions.answer_timeout", no_time),
            (topics.batch == 0, "subscriptions.batch", "is zero: nothing could be asked for; 1 asks for each alone"),
            (topics.max_topics == 0, "subscriptions.max_topics", "is zero: nothing could be subscribed to"),
            (topics.held_max == 0, "subscriptions.held_max", "is zero: what comes before a snapshot would be lost"),
        ]
    }

    fn pace_problems(&self) -> [Problem; 8] {
        let (buckets, batching) = (&self.pacing.buckets, &self.batching);
        let any = |bad: fn(&Bucket) -> bool| buckets.iter().any(bad);
        let no_room = "keeps all of a limit in reserve: leave at least one slot to messages";
        [
            (buckets.len() > MOST_BUCKETS, "pacing.buckets", "are more than 16: leave out those that others imply"),
            (any(|bucket| bucket.limit == 0), "pacing.buckets", "has a limit of zero: nothing could be sent"),
            (any(|bucket| is_zero(bucket.per)), "pacing.buckets", "has a limit within no time: say within which"),
            (any(|bucket| bucket.reserve.is_some_and(|kept| kept >= bucket.limit)), "pacing.buckets", no_room),
            (any(|bucket| bucket.name.len() > LONGEST_ID), "pacing.buckets", "has a name over 256 bytes: shorten it"),
            (batching.count == 0, "batching.count", "is zero: nothing could be sent; batching.enabled switches it off"),
            (batching.bytes == 0, "batching.bytes", "is zero: nothing could be sent; batching.enabled switches it off"),
            (batching.linger == Duration::MAX, "batching.linger", "is never: the last messages would not be sent"),
        ]
    }

    fn who_problems(&self) -> [Problem; 7] {
        let (who, names) = (&self.identity, &self.identity.metadata);
        let no_id = matches!(&who.client_id, ClientId::Given(id) if id.is_empty());
        let long_id = matches!(&who.client_id, ClientId::Given(id) if id.len() > LONGEST_ID);
        let twice = (1..names.len()).any(|at| names[..at].iter().any(|(name, _)| *name == names[at].0));
        let no_name = names.iter().any(|(name, _)| name.is_empty());
        let no_patience = "is zero: every message would be given up; 1 gives up what one link was lost with";
        let backwards = self.errors.rows.iter().any(|row| is_backwards(row.what));
        let no_time = is_zero(self.credentials.answer_timeout);
        [
            (no_id, "identity.client_id", "is empty: give one, or leave it to the server"),
            (long_id, "identity.client_id", "is over 256 bytes: shorten it"),
            (no_name, "identity.metadata", "has an empty name: give it one"),
            (twice, "identity.metadata", "has a name twice: keep one of them"),
            (no_time, "credentials.answer_timeout", "is zero: give the host time to answer"),
            (self.errors.poison_limit == 0, "errors.poison_limit", no_patience),
            (backwards, "errors.rows", "has codes that end before they begin: change first and last"),
        ]
    }
}

/// What is below the resolution of the clock is nothing.
fn is_zero(d: Duration) -> bool {
    d < Duration::from_micros(1)
}

const fn is_backwards(what: Match) -> bool {
    matches!(what, Match::Close(codes) | Match::Http(codes) if codes.last < codes.first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Codes, Recovery, Row, Text};
    use alloc::{format, vec};

    /// What is said, and how to spoil a config so that it is.
    type Case = (&'static str, fn(&mut Config));

    #[test]
    fn the_defaults_are_sound() {
        assert_eq!(Config::default().check(), Ok(()));
    }

    /// One config for each way to be wrong.
    #[test]
    fn every_problem_is_named() {
        let cases: [Case; 50] = [
            ("requests.deadline is zero", |c| c.requests.deadline = Duration::ZERO),
            ("retry.base is zero", |c| c.retry.base = Duration::ZERO),
            ("retry.factor is zero", |c| c.retry.factor = 0),
            ("retry.floor is zero", |c| c.retry.floor = Duration::from_nanos(999)),
            ("retry.cap is below retry.base", |c| c.retry.cap = Duration::from_millis(999)),
            ("retry.cap is below retry.floor", |c| c.retry.floor = Duration::from_secs(31)),
            ("retry.directed_cap is below", |c| c.retry.directed_cap = Duration::from_millis(99)),
            ("retry.max_attempts is zero", |c| c.retry.max_attempts = Some(0)),
            ("retry.max_elapsed is zero", |c| c.retry.max_elapsed = Some(Duration::ZERO)),
            ("heartbeat.interval is zero", |c| c.heartbeat.interval = Duration::ZERO),
            ("heartbeat.timeout is zero", |c| c.heartbeat.timeout = Duration::ZERO),
            ("heartbeat.keepalive is zero", |c| c.heartbeat.keepalive = Duration::ZERO),
            ("connect.idle_close is zero", |c| c.connect.idle_close = Duration::ZERO),
            ("connect_timeout is zero", |c| c.connect_timeout = Duration::ZERO),
            ("greeting_timeout is zero", |c| c.greeting_timeout = Duration::ZERO),
            ("login_timeout is zero", |c| c.login_timeout = Duration::ZERO),
            ("close_timeout is zero", |c| c.close_timeout = Duration::ZERO),
            ("close_timeout is over a minute", |c| c.close_timeout = Duration::from_secs(61)),
            ("stable_for is zero", |c| c.stable_for = Duration::ZERO),
            ("queue.max_messages is zero", |c| c.queue.max_messages = 0),
            ("queue.max_bytes is zero", |c| c.queue.max_bytes = 0),
            ("queue.high is over 100", |c| c.queue.high = 101),
            ("queue.low is over 100", |c| (c.queue.high, c.queue.low) = (0, 101)),
            ("queue.low is above queue.high", |c| c.queue.low = 81),
            ("window.frames is zero", |c| c.window.frames = 0),
            ("window.bytes is zero", |c| c.window.bytes = 0),
            ("max_message is zero", |c| c.max_message = 0),
            ("heard_max is zero", |c| c.heard_max = 0),
            ("pacing.buckets are more than 16", |c| c.pacing.buckets = vec![Bucket::new(9, MINUTE); 17]),
            ("pacing.buckets has a limit of zero", |c| c.pacing.buckets = vec![Bucket::new(0, MINUTE)]),
            ("pacing.buckets has a limit within no time", |c| c.pacing.buckets = vec![Bucket::new(9, Duration::ZERO)]),
            ("pacing.buckets keeps all of a limit", |c| c.pacing.buckets = vec![Bucket::new(9, MINUTE).reserve(9)]),
            ("pacing.buckets has a name over 256 bytes", |c| {
                c.pacing.buckets = vec![Bucket::new(9, MINUTE).named("x".repeat(257).as_str())];
            }),
            ("batching.count is zero", |c| c.batching.count = 0),
            ("batching.bytes is zero", |c| c.batching.bytes = 0),
            ("batching.linger is never", |c| c.batching.linger = Duration::MAX),
            ("identity.client_id is empty", |c| c.identity.client_id = ClientId::Given(Text::default())),
            ("identity.client_id is over 256 bytes", |c| {
                c.identity.client_id = ClientId::Given("x".repeat(257).as_str().into());
            }),
            ("identity.metadata has an empty name", |c| c.identity.metadata = vec![("".into(), "x".into())]),
            ("identity.metadata has a name twice", |c| {
                c.identity.metadata =
                    vec![("a".into(), "1".into()), ("b".into(), "1".into()), ("a".into(), "2".into())];
            }),
            ("credentials.answer_timeout is zero", |c| c.credentials.answer_timeout = Duration::ZERO),
            ("errors.poison_limit is zero", |c| c.errors.poison_limit = 0),
            ("subscriptions.answer_timeout is zero", |c| c.subscriptions.answer_timeout = Duration::ZERO),
            ("subscriptions.batch is zero", |c| c.subscriptions.batch = 0),
            ("subscriptions.max_topics is zero", |c| c.subscriptions.max_topics = 0),
            ("subscriptions.held_max is zero", |c| c.subscriptions.held_max = 0),
            ("errors.rows has codes that end", |c| {
                c.errors.rows = vec![Row::close(Codes { first: 4009, last: 4000 }, Recovery::Retry)];
            }),
            ("dedup.within is zero", |c| (c.dedup.incoming, c.dedup.within) = (true, Duration::ZERO)),
            ("dedup.count is zero", |c| (c.dedup.outgoing, c.dedup.count) = (Alike::ByContent, 0)),
            ("dedup.outgoing is by key", |c| {
                (c.dedup.outgoing, c.queue.overflow) = (Alike::ByKey, Overflow::ReplaceByKey);
            }),
        ];
        let config = Config::default();
        let rows = config.retry_problems().len() + config.link_problems().len() + config.size_problems().len();
        let rows = rows
            + config.pace_problems().len()
            + config.who_problems().len()
            + config.dedup_problems().len()
            + config.topic_problems().len();
        assert_eq!(cases.len(), rows, "a case for each row");
        for (expected, spoil) in cases {
            let mut config = Config::default();
            spoil(&mut config);
            let said = format!("{}", config.check().expect_err(expected));
            assert!(said.starts_with(&format!("config: {expected}")), "{expected}: {said}");
            assert!(said.contains(": "), "{said} says what to do");
        }
    }
}
