//! What can be seen of a session from outside.

use alloc::vec::Vec;
use core::{fmt, time::Duration};

use super::{Dropped, Link, Outcome, Phase, Session, Stage, StopCause, seeing::Seeing};
use crate::{Level, Protocol, Text, Timestamp, part::Totals};

/// Counts since the session was made. They influence nothing.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Dials.
    pub dials: u64,
    /// Links that came online.
    pub online: u64,
    /// Failures, by kind: see [`crate::Kind`].
    pub errors: [u64; 6],
    /// Messages accepted.
    pub accepted: u64,
    /// Messages refused.
    pub refused: u64,
    /// Messages that ended written.
    pub written: u64,
    /// Messages that ended acknowledged.
    pub acked: u64,
    /// Messages that ended expired.
    pub expired: u64,
    /// Messages that ended dropped.
    pub dropped: u64,
    /// The same, by reason.
    pub drops: Drops,
    /// Messages that ended cancelled.
    pub cancelled: u64,
    /// Messages that the peer refused.
    pub failed: u64,
    /// Messages that ended in doubt.
    pub in_doubt: u64,
    /// Messages handed to transports; one that is sent again counts again.
    pub sent: u64,
    /// Messages that were sent again on a later link.
    pub resent: u64,
    /// Frames handed to transports.
    pub frames_out: u64,
    /// Bytes of their payloads.
    pub bytes_out: u64,
    /// Frames received.
    pub frames_in: u64,
    /// Bytes of their payloads.
    pub bytes_in: u64,
    /// Messages received.
    pub received: u64,
    /// Probes sent.
    pub pings: u64,
    /// Links dropped because the peer was silent.
    pub silent: u64,
    /// Reports of links that were gone.
    pub stale: u64,
    /// Answers that nobody waits for any more: a late reply, a second acknowledgement. What no peer says that follows the
    /// protocol, such as an answer to what was never said, is `bad` and an event.
    pub unexpected: u64,
    /// Answers of the host to a question that was no longer asked.
    pub late_answers: u64,
    /// Logins that could not be renewed before they ran out, at the time.
    pub refreshes_failed: u64,
    /// Frames that made no sense.
    pub bad: u64,
    /// Messages of the peer whose acknowledgement was given up, because too many waited or its id was too long.
    pub unacknowledged: u64,
    /// The most messages that were kept at once.
    pub queue_high: u64,
    /// Messages that were not sent, because they were the same as an earlier one.
    pub duplicates_out: u64,
    /// Messages of the peer that were not delivered, because their id had come before. They are not among those that
    /// were received.
    pub duplicates_in: u64,
    /// Gaps in topics that were told.
    pub gaps: u64,
    /// Topics that the peer dropped, or did not answer for in time.
    pub topics_lost: u64,
    /// Topics that the peer refused.
    pub topics_refused: u64,
    /// Topics that were called stale.
    pub topics_stale: u64,
    /// Signs of life and goodbyes that left though pacing had no slot for them: see [`PacingPolicy`](super::PacingPolicy).
    pub unpaced: u64,
    /// Requests accepted. They count as messages, too.
    pub requests: u64,
    /// Requests that were answered.
    pub answered: u64,
    /// Noes to requests that are to be asked again. Counted when the peer says no: until its next turn a request may
    /// still be answered or taken back.
    pub asked_again: u64,
    /// Answers to requests that had ended, or were asked on another link. They resolve nothing.
    pub late_replies: u64,
}

/// Messages that were dropped, by reason: see [`Dropped`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Drops {
    /// A newer message needed the room, or there was none for this one.
    pub overflow: u64,
    /// A newer message took its place.
    pub replaced: u64,
    /// It could leave on one link only, and that is gone.
    pub link_gone: u64,
    /// The session stopped.
    pub stopped: u64,
    /// The server does not take so large a message.
    pub too_big: u64,
    /// They were for another destination.
    pub elsewhere: u64,
}

/// What came and went lately: in the last minute, or since the session was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Rates {
    /// Messages received in a thousand seconds, because one in ten seconds is not none.
    pub messages_in: u64,
    /// Messages handed to the transport in a thousand seconds.
    pub messages_out: u64,
    /// Bytes received in a second.
    pub bytes_in: u64,
    /// Bytes handed to the transport in a second.
    pub bytes_out: u64,
    /// Errors among a thousand messages and errors. An error is a failed attempt or link, a frame that made no sense,
    /// or a message that the peer refused.
    pub errors: u32,
}

/// How a session does, in one value.
///
/// ```
/// use steadfast::{Commands, Config, Frame, Plain, Session, Timestamp};
///
/// let mut session = Session::new(Plain, Config::default(), 7)?;
/// let (now, mut actions) = (Timestamp::ZERO, Vec::new());
/// session.send(now, Frame::from("hello"), &mut actions)?;
/// session.connect(now, &mut actions);
/// let health = session.health(now);
/// assert_eq!((health.status.to_string().as_str(), health.attempts, health.queued), ("connecting", 1, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Health {
    /// The id of the client: given, made or, once there is one, assigned by the server.
    pub client_id: Option<Text>,
    /// [`Identity::kind`](crate::Identity::kind).
    pub kind: Text,
    /// [`Identity::metadata`](crate::Identity::metadata).
    pub metadata: Vec<(Text, Text)>,
    /// Where it stands.
    pub phase: Phase,
    /// The same for a user interface.
    pub status: Status,
    /// How good it is.
    pub level: Level,
    /// Attempts in a row since the last stable link.
    pub attempts: u64,
    /// How often it came online again.
    pub reconnects: u64,
    /// How long the present link has been online.
    pub uptime: Option<Duration>,
    /// Of a thousand parts of the time in which a link was wanted, those in which one was online, rounded down; `None`
    /// if none was ever wanted.
    pub availability: Option<u32>,
    /// When something was last received.
    pub last_seen: Option<Timestamp>,
    /// When it last came online again.
    pub last_reconnect: Option<Timestamp>,
    /// When a link that had been online was last lost by a failure.
    pub last_disconnect: Option<Timestamp>,
    /// The last failure, as text.
    pub last_error: Option<Text>,
    /// Failures by kind: see [`Kind::ALL`](crate::Kind::ALL).
    pub errors: [u64; 6],
    /// When the next attempt is made.
    pub retry_at: Option<Timestamp>,
    /// The time from the last answered probe to its answer. This and the next three are of the whole session.
    pub latency: Option<Duration>,
    /// The same, smoothed over many (RFC 6298's average).
    pub latency_smoothed: Option<Duration>,
    /// Half of the last 64 answers came within this time.
    pub latency_p50: Option<Duration>,
    /// All but the slowest of the last 64 answers came within this time.
    pub latency_p99: Option<Duration>,
    /// What came and went lately.
    pub rates: Rates,
    /// Messages kept: queued, with the transport, or waiting for their acknowledgement.
    pub queued: u64,
    /// Their bytes.
    pub queued_bytes: u64,
    /// The most messages that were kept at once.
    pub queue_high: u64,
    /// Half of the last 64 messages that were watched left within this time after they were accepted. One message is
    /// watched at a time.
    pub queue_time_p50: Option<Duration>,
    /// All but the slowest of them left within this time.
    pub queue_time_p99: Option<Duration>,
    /// How long the message that is watched now has been waiting to leave.
    pub waiting: Option<Duration>,
    /// Messages that were dropped, by reason.
    pub drops: Drops,
    /// Messages that ended in doubt.
    pub in_doubt: u64,
    /// Reports of links that were gone.
    pub stale: u64,
    /// Messages that were not sent, because they were the same as an earlier one.
    pub duplicates_out: u64,
    /// Messages of the peer that were not delivered, because their id had come before.
    pub duplicates_in: u64,
    /// Topics that are known: see [`Session::subscriptions`].
    pub topics: u64,
    /// Gaps in topics that were told.
    pub gaps: u64,
    /// Requests accepted.
    pub requests: u64,
    /// Requests that were answered.
    pub answered: u64,
    /// Answers to requests that had ended, or were asked on another link.
    pub late_replies: u64,
}

/// Where a session stands, in the words of a user interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// Not connected, and not trying.
    Disconnected,
    /// Connecting for the first time.
    Connecting,
    /// Connected.
    Connected,
    /// Connecting again; this is the attempt.
    Reconnecting(u64),
    /// Stopped by a failure.
    Error,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disconnected => f.write_str("disconnected"),
            Self::Connecting => f.write_str("connecting"),
            Self::Connected => f.write_str("connected"),
            Self::Reconnecting(attempt) => write!(f, "reconnecting-{attempt}"),
            Self::Error => f.write_str("error"),
        }
    }
}

impl Stats {
    /// Counts an outcome. `true` if it is not what the sender hoped for.
    pub(super) const fn count(&mut self, outcome: &Outcome) -> bool {
        let (counter, bad_news) = match outcome {
            Outcome::Written => (&mut self.written, false),
            Outcome::Acked => (&mut self.acked, false),
            Outcome::Expired => (&mut self.expired, true),
            Outcome::Dropped(why) => {
                *self.drops.of(*why) += 1;
                (&mut self.dropped, true)
            }
            Outcome::Cancelled => (&mut self.cancelled, true),
            Outcome::Failed(_) => (&mut self.failed, true),
            Outcome::InDoubt => (&mut self.in_doubt, true),
            Outcome::Duplicate(_) => (&mut self.duplicates_out, true),
        };
        *counter += 1;
        bad_news
    }
}

impl Drops {
    const fn of(&mut self, why: Dropped) -> &mut u64 {
        match why {
            Dropped::Overflow => &mut self.overflow,
            Dropped::Stopped => &mut self.stopped,
            Dropped::TooBig => &mut self.too_big,
            Dropped::Elsewhere => &mut self.elsewhere,
            Dropped::Replaced => &mut self.replaced,
            Dropped::LinkGone => &mut self.link_gone,
        }
    }
}

impl<P: Protocol> Session<P> {
    /// Where the session stands, in the words of a user interface.
    pub fn status(&self) -> Status {
        let attempt = self.link.as_ref().map_or(self.backoff.failures().saturating_add(1), |link| link.attempt);
        let first = attempt == 1 && !self.facts.was_online;
        match self.phase() {
            Phase::Idle | Phase::Suspended | Phase::Stopped(StopCause::User) => Status::Disconnected,
            Phase::Connecting | Phase::Authenticating | Phase::Restoring if first => Status::Connecting,
            Phase::Connecting | Phase::Authenticating | Phase::Restoring | Phase::Waiting => {
                Status::Reconnecting(attempt)
            }
            Phase::Draining if !self.link.as_deref().is_some_and(Link::is_online) => Status::Disconnected,
            Phase::Online | Phase::Draining => Status::Connected,
            Phase::Stopped(StopCause::Failed) => Status::Error,
        }
    }

    /// How the session does. Asking changes nothing.
    // A table: one field, one line.
    pub fn health(&self, now: Timestamp) -> Health {
        let Seeing { latency, queueing, presence, quality, .. } = &self.seeing;
        let (answers, waits, (queued, queued_bytes)) = (latency.percentiles(), queueing.percentiles(), self.kept());
        Health {
            client_id: self.ids.client_id().cloned(),
            kind: self.config.identity.kind.clone(),
            metadata: self.config.identity.metadata.clone(),
            phase: self.phase(),
            status: self.status(),
            level: quality.level(),
            attempts: self.link.as_ref().map_or(self.backoff.failures(), |link| link.attempt),
            reconnects: self.stats.online.saturating_sub(1),
            uptime: self.online_since().map(|since| now.since(since)),
            availability: presence.availability(now),
            last_seen: self.facts.last_seen,
            last_reconnect: self.facts.last_reconnect,
            last_disconnect: self.facts.last_disconnect,
            last_error: self.facts.last_error.clone(),
            errors: self.stats.errors,
            retry_at: self.retry_at().filter(|at| *at < Timestamp::MAX),
            latency: latency.last(),
            latency_smoothed: latency.smoothed(),
            latency_p50: answers.map(|found| found.p50),
            latency_p99: answers.map(|found| found.p99),
            rates: self.rates(now),
            queued,
            queued_bytes,
            queue_high: self.stats.queue_high,
            queue_time_p50: waits.map(|found| found.p50),
            queue_time_p99: waits.map(|found| found.p99),
            waiting: queueing.waiting(now),
            drops: self.stats.drops,
            in_doubt: self.stats.in_doubt,
            stale: self.stats.stale,
            duplicates_out: self.stats.duplicates_out,
            duplicates_in: self.stats.duplicates_in,
            topics: self.topics.len() as u64,
            gaps: self.stats.gaps,
            requests: self.stats.requests,
            answered: self.stats.answered,
            late_replies: self.stats.late_replies,
        }
    }

    fn online_since(&self) -> Option<Timestamp> {
        match self.link.as_ref()?.stage {
            Stage::Online { since, .. } => Some(since),
            Stage::Asking(_)
            | Stage::Dialing { .. }
            | Stage::LoggingIn(_)
            | Stage::Restoring { .. }
            | Stage::Closing { .. } => None,
        }
    }

    fn rates(&self, now: Timestamp) -> Rates {
        let passed = self.seeing.flow.passed(now, self.stats.totals());
        let Totals { messages_in, bytes_in, messages_out, bytes_out, .. } = passed.counts;
        Rates {
            messages_in: passed.a_second(messages_in),
            messages_out: passed.a_second(messages_out),
            bytes_in: passed.a_second(bytes_in) / 1_000,
            bytes_out: passed.a_second(bytes_out) / 1_000,
            errors: passed.error_rate(),
        }
    }
}
