//! What works, but hardly as it was meant?

use alloc::vec::Vec;
use core::{fmt, time::Duration};

use super::{Config, CredentialUse, FirstAttempt, Jitter, Restore};
use crate::{Codes, ErrorPolicy, Match, Occasion, Remedy, Row};

/// Settings that are legal and hardly meant together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Finding {
    /// The settings; the first is the one to look at.
    pub fields: &'static [&'static str],
    /// What follows from them.
    pub consequence: &'static str,
    /// What to do about it.
    pub advice: &'static str,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, field) in self.fields.iter().enumerate() {
            write!(f, "{}{field}", if at == 0 { "" } else { ", " })?;
        }
        write!(f, ": {}; {}", self.consequence, self.advice)
    }
}

/// After so much silence middle boxes drop a connection: nginx (`proxy_read_timeout`) and the load balancers of AWS
/// have it as their default, and many exchanges allow their clients no more.
const PEERS_PATIENCE: Duration = Duration::from_secs(60);

/// How long an access token commonly lives (the example of RFC 6749, section 5.1).
const TOKEN_LIFE: Duration = Duration::from_secs(3_600);

pub(super) const NEVER: Duration = Duration::MAX;

/// Whether it was found, which settings, what follows, what to do.
pub(super) type Rule = (bool, &'static [&'static str], &'static str, &'static str);

impl Config {
    /// Looks for settings that are legal and hardly meant together. A host that reads its config from a file should show
    /// them to whoever wrote it. That a single message's time to live is shorter than a wait is not seen here: it is a
    /// matter of that message.
    ///
    /// ```
    /// use steadfast::{Config, Jitter};
    ///
    /// let mut config = Config::default();
    /// assert!(config.lint().is_empty());
    /// config.retry.jitter = Jitter::None;
    /// assert_eq!(config.lint()[0].fields, ["retry.jitter"]);
    /// ```
    #[must_use]
    pub fn lint(&self) -> Vec<Finding> {
        let found =
            |&(found, fields, consequence, advice): &Rule| found.then_some(Finding { fields, consequence, advice });
        self.all_rules().iter().filter_map(found).collect()
    }

    fn all_rules(&self) -> Vec<Rule> {
        (self.delay_rules().into_iter())
            .chain(self.giving_up_rules())
            .chain(self.link_rules())
            .chain(self.heartbeat_rules())
            .chain(self.size_rules())
            .chain(self.pace_rules())
            .chain(self.credential_rules())
            .chain(self.error_rules())
            .chain(self.dedup_rules())
            .chain(self.topic_rules())
            .chain(self.request_rules())
            .collect()
    }

    // A table: one rule, one row.
    fn delay_rules(&self) -> [Rule; 5] {
        let retry = &self.retry;
        [
            (
                matches!(retry.jitter, Jitter::None | Jitter::Additive(Duration::ZERO)),
                &["retry.jitter"],
                "clients that lose the same server come back in the same moment",
                "choose full, unless this client is the only one",
            ),
            (
                retry.factor == 1 && retry.cap > retry.base && retry.jitter != Jitter::Decorrelated,
                &["retry.factor", "retry.cap"],
                "delays do not grow, so that a server in trouble gets no rest and the cap means nothing",
                "choose 2, or set the cap to the base",
            ),
            (
                retry.floor >= retry.base,
                &["retry.floor", "retry.base"],
                "the floor decides the first delays, and nothing spreads them",
                "set the base to twice the floor, or more",
            ),
            (
                retry.directed_cap < retry.cap,
                &["retry.directed_cap", "retry.cap"],
                "a server that asks for time gets less than one that says nothing",
                "set it to at least the cap",
            ),
            (
                self.stable_for < retry.base,
                &["stable_for", "retry.base"],
                "a server that accepts and soon drops is dialled at the pace of the base for ever",
                "set it to at least the base",
            ),
        ]
    }

    // A table: one rule, one row.
    fn giving_up_rules(&self) -> [Rule; 5] {
        let (retry, fails_fast) = (&self.retry, self.retry.first == FirstAttempt::FailFast);
        let ends_before = |wait: Duration| retry.max_elapsed.is_some_and(|most| most < wait);
        [
            (
                ends_before(retry.base),
                &["retry.max_elapsed", "retry.base"],
                "the time is up before the first delay is over, so that nothing is retried",
                "raise it to several delays",
            ),
            (
                !ends_before(retry.base) && ends_before(self.connect_timeout),
                &["retry.max_elapsed", "connect_timeout"],
                "one attempt that is not answered may use up the time of all",
                "set it to several times the timeout",
            ),
            (
                self.degraded_after != NEVER && ends_before(self.degraded_after),
                &["degraded_after", "retry.max_elapsed"],
                "the session gives up before it is called degraded",
                "lower it below max_elapsed",
            ),
            (
                self.stable_for == NEVER,
                &["stable_for"],
                "no link ever counts as stable: delays only grow, and attempts are counted over the whole life",
                "choose some seconds",
            ),
            (
                fails_fast && self.keep_on_stop,
                &["keep_on_stop", "retry.first"],
                "what was sent before a first attempt that failed stays without an outcome until somebody connects",
                "leave one of the two out",
            ),
        ]
    }

    // A table: one rule, one row.
    fn link_rules(&self) -> [Rule; 7] {
        let (connect, interval) = (&self.connect, self.heartbeat.interval);
        [
            (
                self.connect_timeout == NEVER,
                &["connect_timeout"],
                "an attempt that nobody answers is waited for as long as the transport likes, often minutes",
                "choose some seconds",
            ),
            (
                self.greeting_timeout == NEVER,
                &["greeting_timeout"],
                "a server that does not greet is waited for for ever",
                "choose some seconds",
            ),
            (
                self.login_timeout == NEVER,
                &["login_timeout"],
                "a login that nobody answers is waited for for ever",
                "choose some seconds",
            ),
            (
                connect.idle_close < self.stable_for,
                &["connect.idle_close", "stable_for"],
                "a link without messages is closed before it counts as stable",
                "set it to at least stable_for",
            ),
            (
                (self.stable_for..=interval).contains(&connect.idle_close) && interval != NEVER,
                &["connect.idle_close", "heartbeat.interval"],
                "a link without messages is closed before its first probe, so that the heartbeat does nothing",
                "set it to several intervals, or switch the heartbeat off",
            ),
            (
                connect.network_wait == NEVER,
                &["connect.network_wait"],
                "a hint that the network is lost which is not taken back stops the session for ever",
                "choose about a minute",
            ),
            (
                connect.lazy && self.retry.first == FirstAttempt::FailFast,
                &["connect.lazy", "retry.first"],
                "the first attempt is made for the first message, and both end with its failure",
                "leave one of the two out",
            ),
        ]
    }

    // A table: one rule, one row.
    fn heartbeat_rules(&self) -> [Rule; 4] {
        let beat = &self.heartbeat;
        let (judges, is_long) = (beat.interval != NEVER && beat.timeout != NEVER, |d| d > PEERS_PATIENCE);
        [
            (
                !judges,
                &["heartbeat.interval", "heartbeat.timeout"],
                "a peer that vanished is not noticed before the operating system does, in a quarter of an hour or never",
                "set both, unless something else watches the peer",
            ),
            (
                judges && beat.timeout > beat.interval,
                &["heartbeat.timeout", "heartbeat.interval"],
                "most of the time until a dead peer is noticed is spent waiting for one answer",
                "lower it below the interval",
            ),
            (
                is_long(beat.interval.min(beat.keepalive)),
                &["heartbeat.interval", "heartbeat.keepalive"],
                "proxies, load balancers and exchanges commonly drop a connection after a minute without traffic",
                "set one of them below 60 s",
            ),
            (
                is_long(beat.keepalive) && !is_long(beat.interval) && beat.keepalive != NEVER,
                &["heartbeat.keepalive"],
                "peers that drop clients which only listen commonly do so after a minute",
                "set it below 60 s, or to never if the peer does not mind",
            ),
        ]
    }

    // A table: one rule, one row.
    fn size_rules(&self) -> [Rule; 4] {
        let (queue, window) = (&self.queue, &self.window);
        [
            (
                u64::from(window.bytes) > queue.max_bytes || window.frames > queue.max_messages,
                &["window", "queue"],
                "all that the queue may hold can be with the transport, so that a lost link leaves all of it in doubt",
                "lower the window, or raise the queue",
            ),
            (
                u64::from(self.max_message) > queue.max_bytes,
                &["max_message", "queue.max_bytes"],
                "a message of that size can come, but not go: it never fits into the queue",
                "lower it, or raise the queue",
            ),
            (
                queue.high > 0 && queue.low == queue.high,
                &["queue.low", "queue.high"],
                "a queue at this height goes from high to low and back with every message",
                "lower it well below queue.high",
            ),
            (
                queue.high == 100,
                &["queue.high"],
                "the queue is called high only when it is full, too late to slow down",
                "choose about 80",
            ),
        ]
    }

    // A table: one rule, one row.
    fn credential_rules(&self) -> [Rule; 3] {
        let own = &self.credentials;
        let refreshes = own.when != CredentialUse::Never && own.refresh_before > Duration::ZERO;
        [
            (
                own.asked && own.when == CredentialUse::Never,
                &["credentials.asked", "credentials.when"],
                "credentials are to be asked for and never used, so that nobody is asked",
                "say when they are used",
            ),
            (
                own.asked && refreshes && own.refresh_before < own.answer_timeout,
                &["credentials.refresh_before", "credentials.answer_timeout"],
                "a credential may expire while the host still looks for the next one",
                "set it to at least the timeout",
            ),
            (
                refreshes && own.refresh_before >= TOKEN_LIFE,
                &["credentials.refresh_before"],
                "tokens commonly live for an hour, and all such would be refreshed when half of their time is over",
                "choose a minute or a few",
            ),
        ]
    }

    // A table: one rule, one row.
    fn topic_rules(&self) -> [Rule; 2] {
        let topics = &self.subscriptions;
        let (before, found_after) =
            (topics.restore == Restore::Before, self.heartbeat.interval.saturating_add(self.heartbeat.timeout));
        [
            (
                topics.answer_timeout == NEVER,
                &["subscriptions.answer_timeout"],
                "a server that forgets one answer is waited for as long as it answers pings",
                "give it a time, such as the 10 s that it has by default",
            ),
            (
                before && topics.answer_timeout < NEVER && topics.answer_timeout > found_after,
                &["subscriptions.answer_timeout", "heartbeat.interval", "heartbeat.timeout"],
                "the queue waits longer for one missing answer than it takes to find a dead link",
                "lower it, or restore alongside",
            ),
        ]
    }

    // A table: one rule, one row.
    fn error_rules(&self) -> [Rule; 5] {
        let (errors, usual) = (&self.errors, ErrorPolicy::default());
        let cut = |row: &Row| matches!(row.remedy, Remedy::RetryAfter(wait) if wait > self.retry.directed_cap);
        [
            (
                errors.strict && (errors.proven_limit, errors.proven_gap) != (usual.proven_limit, usual.proven_gap),
                &["errors.proven_limit", "errors.proven_gap", "errors.strict"],
                "the strict table forgives nothing to what has worked before, so that its limits mean nothing",
                "leave one of the two out",
            ),
            (
                !errors.strict && errors.proven_limit == 0,
                &["errors.proven_limit"],
                "nothing is forgiven to what has worked before: one bad deploy stops a fleet for good",
                "raise it, or say that it is meant with errors.strict",
            ),
            (
                is_one_hidden(&errors.rows),
                &["errors.rows"],
                "a row stands behind one that fits all that it fits, and never counts",
                "put the narrower row first",
            ),
            (
                errors.rows.iter().any(|row| !exists(row.what)),
                &["errors.rows"],
                "a row is for codes that do not exist: close codes are 1000 to 4999, statuses 100 to 599",
                "see whether a status was taken for a close code",
            ),
            (
                errors.rows.iter().any(cut),
                &["errors.rows", "retry.directed_cap"],
                "a row waits longer than the cap for such waits, which cuts it",
                "raise the cap",
            ),
        ]
    }

    fn dedup_rules(&self) -> [Rule; 1] {
        let dedup = &self.dedup;
        [(
            dedup.incoming && dedup.within < self.retry.cap,
            &["dedup.within", "retry.cap"],
            "what the server sends again after a long wait is not known any more, and is delivered twice",
            "set it to at least the cap",
        )]
    }
}

/// Whether a row stands behind one that takes everything from it.
fn is_one_hidden(rows: &[Row]) -> bool {
    let hides = |first: &Row, then: &Row| {
        first.what.covers(then.what)
            && (first.stage.is_none() || first.stage == then.stage)
            && (first.occasion == Occasion::Always || first.occasion == then.occasion)
    };
    (1..rows.len()).any(|at| rows[..at].iter().any(|before| hides(before, &rows[at])))
}

/// Whether there are such codes.
fn exists(what: Match) -> bool {
    let within = |codes: Codes, first, last| first <= codes.first && codes.last <= last;
    match what {
        Match::Close(codes) => within(codes, 1000, 4999),
        Match::Http(statuses) => within(statuses, 100, 599),
        Match::Broken
        | Match::Unreachable
        | Match::Unresolved
        | Match::Denied
        | Match::Certificate
        | Match::Tls
        | Match::Handshake
        | Match::Violation
        | Match::Impossible
        | Match::ConnectTimeout
        | Match::NoCredential
        | Match::CredentialTimeout
        | Match::LoginTimeout
        | Match::RestoreTimeout
        | Match::Silence
        | Match::LoginRefused
        | Match::Unfit
        | Match::Nonsense
        | Match::Anything => true,
    }
}

#[cfg(test)]
mod tests {
    use super::{super::Bucket, *};
    use crate::Recovery;
    use alloc::{string::ToString, vec};

    const HOUR: Duration = Duration::from_secs(3_600);

    /// What is found, and how to spoil a config so that it is.
    type Case = (&'static str, fn(&mut Config));

    fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    /// One config for each finding, which has this one and no other.
    #[test]
    #[rustfmt::skip] // a table
    fn each_rule_has_a_config_that_breaks_only_it() {
        let cases: &[Case] = &[
            ("retry.jitter", |c| c.retry.jitter = Jitter::None),
            ("retry.jitter", |c| c.retry.jitter = Jitter::Additive(Duration::ZERO)),
            ("retry.factor, retry.cap", |c| c.retry.factor = 1),
            ("retry.floor, retry.base", |c| c.retry.floor = secs(1)),
            ("retry.directed_cap, retry.cap", |c| c.retry.directed_cap = secs(29)),
            ("stable_for, retry.base", |c| c.stable_for = Duration::from_millis(999)),
            ("retry.max_elapsed, retry.base", |c| { c.retry.max_elapsed = Some(Duration::from_millis(999)); c.degraded_after = Duration::ZERO; }),
            ("retry.max_elapsed, connect_timeout", |c| { c.retry.max_elapsed = Some(secs(9)); c.degraded_after = secs(9); }),
            ("degraded_after, retry.max_elapsed", |c| c.retry.max_elapsed = Some(secs(29))),
            ("stable_for", |c| (c.stable_for, c.connect.idle_close) = (NEVER, NEVER)),
            ("keep_on_stop, retry.first", |c| (c.keep_on_stop, c.retry.first) = (true, FirstAttempt::FailFast)),
            ("connect_timeout", |c| c.connect_timeout = NEVER),
            ("greeting_timeout", |c| c.greeting_timeout = NEVER),
            ("login_timeout", |c| c.login_timeout = NEVER),
            ("connect.idle_close, stable_for", |c| c.connect.idle_close = secs(4)),
            ("connect.idle_close, heartbeat.interval", |c| c.connect.idle_close = secs(25)),
            ("heartbeat.interval, heartbeat.timeout", |c| (c.heartbeat.interval, c.connect.idle_close) = (NEVER, secs(25))),
            ("connect.network_wait", |c| c.connect.network_wait = NEVER),
            ("connect.lazy, retry.first", |c| (c.connect.lazy, c.retry.first) = (true, FirstAttempt::FailFast)),
            ("heartbeat.interval, heartbeat.timeout", |c| c.heartbeat.interval = NEVER),
            ("heartbeat.interval, heartbeat.timeout", |c| c.heartbeat.timeout = NEVER),
            ("heartbeat.timeout, heartbeat.interval", |c| c.heartbeat.timeout = secs(26)),
            ("heartbeat.interval, heartbeat.keepalive", |c| (c.heartbeat.interval, c.heartbeat.keepalive) = (secs(61), secs(61))),
            ("heartbeat.keepalive", |c| c.heartbeat.keepalive = secs(61)),
            ("window, queue", |c| c.window.frames = 16_385),
            ("window, queue", |c| (c.queue.max_bytes, c.max_message) = (65_535, 65_535)),
            ("max_message, queue.max_bytes", |c| c.max_message += 1),
            ("queue.low, queue.high", |c| c.queue.low = 80),
            ("queue.high", |c| c.queue.high = 100),
            ("pacing.buckets, heartbeat.interval, heartbeat.keepalive", |c| c.pacing.buckets = vec![Bucket::new(5, secs(60))]),
            ("pacing.buckets, heartbeat.interval, heartbeat.keepalive", |c| c.pacing.buckets = vec![Bucket::new(5, secs(1)).reserve(1)]),
            ("pacing.gap, heartbeat.interval, heartbeat.keepalive", |c| c.pacing.gap = secs(26)),
            ("pacing.buckets", |c| c.pacing.buckets = vec![Bucket::new(5, secs(1)).slack(Duration::ZERO)]),
            ("pacing.buckets", |c| c.pacing.buckets = vec![Bucket::new(5, secs(1)).named("orders").reserve(1)]),
            ("pacing.buckets", |c| c.pacing.buckets = vec![Bucket::new(5, secs(1)), Bucket::new(5, secs(1)).named("orders")]),
            ("batching.count, batching.enabled", |c| (c.batching.enabled, c.batching.count) = (true, 1)),
            ("batching.bytes, window.bytes", |c| (c.batching.enabled, c.batching.bytes) = (true, 65_537)),
            ("batching.linger", |c| (c.batching.enabled, c.batching.linger) = (true, Duration::from_millis(1_001))),
            ("credentials.asked, credentials.when", |c| (c.credentials.asked, c.credentials.when) = (true, CredentialUse::Never)),
            ("credentials.refresh_before, credentials.answer_timeout", |c| (c.credentials.asked, c.credentials.refresh_before) = (true, secs(29))),
            ("credentials.refresh_before", |c| c.credentials.refresh_before = HOUR),
            ("errors.proven_limit, errors.proven_gap, errors.strict", |c| (c.errors.strict, c.errors.proven_limit) = (true, 6)),
            ("errors.proven_limit, errors.proven_gap, errors.strict", |c| (c.errors.strict, c.errors.proven_gap) = (true, HOUR)),
            ("errors.proven_limit", |c| c.errors.proven_limit = 0),
            ("errors.rows", |c| c.errors.rows = vec![Row::close(4000..=4009, Recovery::Fatal), Row::close(4005, Recovery::Retry)]),
            ("errors.rows", |c| c.errors.rows = vec![Row::close(404, Recovery::Fatal)]),
            ("errors.rows", |c| c.errors.rows = vec![Row::http(4401, Recovery::Fatal)]),
            ("dedup.within, retry.cap", |c| (c.dedup.incoming, c.dedup.within) = (true, secs(29))),
            ("subscriptions.answer_timeout", |c| c.subscriptions.answer_timeout = NEVER),
            ("subscriptions.answer_timeout, heartbeat.interval, heartbeat.timeout", |c| c.subscriptions.answer_timeout = secs(36)),
            ("requests.deadline", |c| c.requests.deadline = NEVER),
            ("requests.grace", |c| c.requests.grace = NEVER),
            ("errors.rows, retry.directed_cap", |c| c.errors.rows = vec![Row::http(420, Recovery::RetryAfter(HOUR * 2))]),
        ];
        for (fields, spoil) in cases {
            let mut config = Config::default();
            spoil(&mut config);
            assert_eq!(config.check(), Ok(()), "{fields}: what is found is legal");
            let found = config.lint();
            assert_eq!(found.len(), 1, "{fields}: {found:?}");
            assert!(found[0].to_string().starts_with(&alloc::format!("{fields}: ")), "{fields}: {}", found[0]);
        }
        let rules = Config::default().all_rules();
        let missed = |(_, rule, ..): &&Rule| !cases.iter().any(|(fields, _)| *fields == rule.join(", "));
        assert_eq!(rules.iter().find(missed), None);
    }

    #[test]
    fn a_row_behind_another_one_counts_where_the_other_does_not() {
        let at = |stage| Row::close(1008, Recovery::Fatal).at(stage);
        let mut config = Config::default();
        config.errors.rows =
            vec![at(crate::Stage::LoggingIn), at(crate::Stage::Young), Row::close(1008, Recovery::Retry)];
        assert_eq!(config.lint(), []);
    }

    #[test]
    fn presets_fit_together() {
        for (name, config) in Config::presets() {
            let found: Vec<_> = config.lint().iter().map(ToString::to_string).collect();
            match name {
                "no_jitter" => assert!(found.len() == 1 && found[0].starts_with("retry.jitter: "), "{found:?}"),
                _ => assert!(found.is_empty(), "{name}: {found:?}"),
            }
        }
    }
}
