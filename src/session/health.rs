//! What can be seen of a session from outside.

use alloc::vec::Vec;
use core::{fmt, time::Duration};

use super::{Link, Outcome, Phase, Session, Stage, StopCause};
use crate::{Protocol, Text, Timestamp};

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
    /// Messages that ended cancelled.
    pub cancelled: u64,
    /// Messages that the peer refused.
    pub failed: u64,
    /// Messages that ended in doubt.
    pub in_doubt: u64,
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
    /// Meanings that fit nothing we asked for: a late reply, an acknowledgement of what was not sent.
    pub unexpected: u64,
    /// Frames that made no sense.
    pub bad: u64,
    /// Messages of the peer whose acknowledgement was given up, because too many waited or its id was too long.
    pub unacknowledged: u64,
    /// The most messages that were kept at once.
    pub queue_high: u64,
}

/// How a session does, in one value.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Health {
    /// Where it stands.
    pub phase: Phase,
    /// The same for a user interface.
    pub status: Status,
    /// Attempts in a row since the last stable link.
    pub attempts: u64,
    /// How often it came online again.
    pub reconnects: u64,
    /// How long the present link has been online.
    pub uptime: Option<Duration>,
    /// When something was last received.
    pub last_seen: Option<Timestamp>,
    /// When it last came online again.
    pub last_reconnect: Option<Timestamp>,
    /// When a link was last lost.
    pub last_disconnect: Option<Timestamp>,
    /// The last failure, as text.
    pub last_error: Option<Text>,
    /// When the next attempt is made.
    pub retry_at: Option<Timestamp>,
    /// The time from the last answered probe to its answer.
    pub latency: Option<Duration>,
    /// The same, smoothed over many (RFC 6298's average).
    pub latency_smoothed: Option<Duration>,
    /// Messages kept: queued, with the transport, or waiting for their acknowledgement.
    pub queued: u64,
    /// Their bytes.
    pub queued_bytes: u64,
    /// Who the session is: the id that was given, made or, once there is one, assigned by the server.
    pub client_id: Option<Text>,
    /// What kind of session it is; see [`Identity`](crate::Identity).
    pub kind: Text,
    /// What else is to be known of it.
    pub metadata: Vec<(Text, Text)>,
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
            Outcome::Dropped(_) => (&mut self.dropped, true),
            Outcome::Cancelled => (&mut self.cancelled, true),
            Outcome::Failed(_) => (&mut self.failed, true),
            Outcome::InDoubt => (&mut self.in_doubt, true),
        };
        *counter += 1;
        bad_news
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
            Phase::Draining if !self.link.as_ref().is_some_and(Link::is_online) => Status::Disconnected,
            Phase::Online | Phase::Draining => Status::Connected,
            Phase::Stopped(StopCause::Failed) => Status::Error,
        }
    }

    /// How the session does. Asking changes nothing.
    pub fn health(&self, now: Timestamp) -> Health {
        let online_since = self.link.as_ref().and_then(|link| match link.stage {
            Stage::Online { since, .. } => Some(since),
            Stage::Dialing { .. } | Stage::LoggingIn(_) | Stage::Closing { .. } => None,
        });
        Health {
            phase: self.phase(),
            status: self.status(),
            attempts: self.link.as_ref().map_or(self.backoff.failures(), |link| link.attempt),
            reconnects: self.stats.online.saturating_sub(1),
            uptime: online_since.map(|since| now.since(since)),
            last_seen: self.facts.last_seen,
            last_reconnect: self.facts.last_reconnect,
            last_disconnect: self.facts.last_disconnect,
            last_error: self.facts.last_error.clone(),
            retry_at: self.retry_at().filter(|at| *at < Timestamp::MAX),
            latency: self.facts.latency,
            latency_smoothed: self.facts.latency_smoothed,
            queued: u64::from(self.outbox.len()),
            queued_bytes: self.outbox.bytes(),
            kind: self.config.identity.kind.clone(),
            metadata: self.config.identity.metadata.clone(),
            client_id: self.ids.client_id().cloned(),
        }
    }
}
