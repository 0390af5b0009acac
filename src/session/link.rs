//! Everything that dies with a connection. Dropping the value is the reset.

use alloc::{boxed::Box, collections::VecDeque};

use bytes::Bytes;

use crate::{
    Abilities, Comeback, Error, Limits, LinkId, OpId, Secret, Timestamp, Tuning,
    part::{Ask, Flights, Heartbeat, Lane, Login, Mercy, Names, Refresh, Standings},
};

/// One attempt and the connection that comes of it. `L` is what the protocol knows of it, `M` its messages, `I`
/// those that come.
#[derive(Clone, Debug)]
pub(super) struct Link<L, M, I> {
    pub(super) id: LinkId,
    /// Which attempt in a row.
    pub(super) attempt: u64,
    pub(super) stage: Stage,
    /// The credential that it stands and falls with: the one at its dial, then the one that its login began with, which
    /// may be none. What the peer says on it is said to that one, whatever has been set since.
    pub(super) credential: Option<Secret>,
    pub(super) abilities: Abilities,
    /// What the transport and the protocol have been told.
    pub(super) limits: Limits,
    pub(super) protocol: L,
    pub(super) flights: Flights,
    /// What belongs to this link alone.
    pub(super) lane: Lane<M>,
    pub(super) owed: Owed,
    /// What it was asked for of topics, and has.
    pub(super) topics: Standings<I>,
    /// Who waits for an answer without an id.
    pub(super) names: Names,
    /// What the server's greeting asked for.
    pub(super) tuning: Tuning,
    /// Whether the transport has ping frames.
    pub(super) can_ping: bool,
    /// Reading is held back, because the application is slow.
    pub(super) paused: bool,
    /// A flush was asked for and not reported yet.
    pub(super) flushing: bool,
    /// The server was told of an earlier failure on it.
    pub(super) has_reported: bool,
    /// A deadline that was slept through has been put off.
    pub(super) mercy: Mercy,
    /// When the server wants us back, by its own word.
    pub(super) comeback: Comeback,
    /// Logins to renew the one we have that took too long. Their answers may still come.
    pub(super) unanswered_logins: u32,
}

/// How far a link has come. Each stage owns what only it needs.
#[derive(Clone, Debug)]
pub(super) enum Stage {
    /// The host is asked for a credential. There is no transport yet.
    Asking(Ask),
    /// The transport is on its way.
    Dialing {
        deadline: Option<Timestamp>,
    },
    LoggingIn(Login),
    /// Topics are being asked for; the queue waits.
    Restoring {
        heartbeat: Heartbeat,
        refresh: Option<Box<Refresh>>,
    },
    Online {
        heartbeat: Heartbeat,
        since: Timestamp,
        /// When it counts as stable; `None` once it does.
        stable_at: Option<Timestamp>,
        /// The login runs out, and is renewed before.
        refresh: Option<Box<Refresh>>,
    },
    /// We said goodbye.
    Closing {
        deadline: Option<Timestamp>,
        was_logged_in: bool,
        /// What had been written without proof that it was read, when we did.
        suspect: u64,
    },
}

/// Control frames that are to be written as soon as there is room. One of each kind is enough.
#[derive(Clone, Debug, Default)]
pub(super) struct Owed {
    pub(super) ping: bool,
    pub(super) pong: Option<Bytes>,
    /// One more step of the login that renews the present one.
    pub(super) login: bool,
    /// An earlier failure that the server is to be told of.
    pub(super) report: Option<Box<Error>>,
    /// Requests whose answers are no longer wanted.
    pub(super) cancels: VecDeque<OpId>,
}

impl Owed {
    pub(super) fn is_empty(&self) -> bool {
        // One branch: every turn comes by here.
        !(self.ping | self.login | self.pong.is_some() | self.report.is_some() | !self.cancels.is_empty())
    }
}

impl<L, M, I> Link<L, M, I> {
    pub(super) const fn is_dialing(&self) -> bool {
        matches!(self.stage, Stage::Dialing { .. })
    }

    /// Whether the transport is open, and so has to be closed.
    pub(super) const fn is_open(&self) -> bool {
        !matches!(self.stage, Stage::Asking(_) | Stage::Dialing { .. })
    }

    /// Whether there is a transport, or one on its way, that can say something of it.
    pub(super) const fn has_transport(&self) -> bool {
        !matches!(self.stage, Stage::Asking(_))
    }

    /// Whether its login has succeeded, so that what comes is for the application.
    pub(super) const fn was_logged_in(&self) -> bool {
        matches!(
            self.stage,
            Stage::Online { .. } | Stage::Restoring { .. } | Stage::Closing { was_logged_in: true, .. }
        )
    }

    /// The same, and it is not being left.
    pub(super) const fn is_logged_in(&self) -> bool {
        matches!(self.stage, Stage::Online { .. } | Stage::Restoring { .. })
    }

    /// Whether this server has said that it does not take so much. A message that was accepted before would cost the link.
    #[inline]
    pub(super) fn is_too_big(&self, bytes: u32) -> bool {
        self.tuning.max_message.is_some_and(|most| bytes > most)
    }

    /// Keeps no more room than is used.
    pub(super) fn shrink(&mut self) {
        self.flights.shrink();
        self.lane.shrink();
    }

    pub(super) const fn is_online(&self) -> bool {
        matches!(self.stage, Stage::Online { .. })
    }

    /// Something is to be flushed, and nobody has been told yet.
    pub(super) const fn needs_flush(&self) -> bool {
        self.flights.is_busy() && !self.flushing
    }

    /// The login that is under way: the one that the link begins with, or one that renews it.
    pub(super) fn login(&mut self) -> Option<&mut Login> {
        match &mut self.stage {
            Stage::LoggingIn(login) => Some(login),
            Stage::Online { refresh, .. } | Stage::Restoring { refresh, .. } => refresh.as_mut()?.login_mut(),
            Stage::Asking(_) | Stage::Dialing { .. } | Stage::Closing { .. } => None,
        }
    }

    pub(super) const fn heartbeat(&mut self) -> Option<&mut Heartbeat> {
        match &mut self.stage {
            Stage::Online { heartbeat, .. } | Stage::Restoring { heartbeat, .. } => Some(heartbeat),
            Stage::Asking(_) | Stage::Dialing { .. } | Stage::LoggingIn(_) | Stage::Closing { .. } => None,
        }
    }
}
