//! One link of the simulated network: the client's transport, the way, and what has become of it.

use std::collections::VecDeque;
use std::time::Duration;

use steadfast::{Cause, CloseCode, Frame, Rng, Timestamp};

use crate::Network;

/// What travels.
#[derive(Clone, Debug)]
pub(crate) enum Parcel {
    /// A frame.
    Frame(Frame),
    /// The end, as the other side will see it.
    End(Cause),
}

/// One link.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wire {
    /// Handed to the transport and not written yet.
    fed: VecDeque<Frame>,
    /// How many frames were handed over since the link is up.
    pub(crate) count: u64,
    /// The code of the Close that is to follow.
    pub(crate) closing: Option<CloseCode>,
    /// Whether the client still listens.
    pub(crate) has_client: bool,
    /// What passes before this time waits for it; `None` within is for ever.
    frozen: Option<Option<Timestamp>>,
    /// What would be written before this time waits for it.
    blocked: Option<Timestamp>,
    /// Whether a write had to wait.
    pub(crate) has_waited: bool,
    /// What reaches the server after this time is lost.
    pub(crate) lost_after: Option<Timestamp>,
    last_to_server: Timestamp,
    last_to_client: Timestamp,
}

impl Wire {
    pub(crate) fn new() -> Self {
        Self { has_client: true, ..Self::default() }
    }

    pub(crate) fn feed(&mut self, frame: Frame) {
        self.count += 1;
        self.fed.push_back(frame);
    }

    /// Up to `most` of what was fed leaves.
    pub(crate) fn write(&mut self, most: u64) -> Vec<Frame> {
        let most = usize::try_from(most).map_or(self.fed.len(), |most| most.min(self.fed.len()));
        self.fed.drain(..most).collect()
    }

    /// How many frames have not been written.
    pub(crate) fn unwritten(&self) -> u64 {
        self.fed.len() as u64
    }

    /// The client is gone: what is stuck on the way is not sent again.
    pub(crate) fn drop_frozen(&mut self, now: Timestamp) {
        if !matches!(self.passage(now), Passage::Now) {
            self.lost_after = Some(now);
        }
    }

    /// `None`: until for ever. A shorter freeze does not end a longer one, for nothing overtakes.
    pub(crate) fn freeze(&mut self, until: Option<Timestamp>) {
        self.frozen = match (self.frozen, until) {
            (Some(None), _) | (_, None) => Some(None),
            (Some(Some(before)), Some(until)) => Some(Some(before.max(until))),
            (None, Some(until)) => Some(Some(until)),
        };
    }

    pub(crate) fn block(&mut self, until: Timestamp) {
        self.blocked = Some(until);
    }

    /// Whether writes are blocked, and until when.
    pub(crate) fn blocked_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.blocked.filter(|until| *until > now)
    }

    /// Whether what should pass now is lost, passes, or waits.
    pub(crate) fn passage(&self, now: Timestamp) -> Passage {
        match self.frozen {
            Some(None) => Passage::Never,
            Some(Some(until)) if until > now => Passage::At(until),
            Some(Some(_)) | None => Passage::Now,
        }
    }

    /// When something that leaves now reaches the server: never before what left earlier.
    pub(crate) fn reaches_server_at(&mut self, now: Timestamp, network: &Network, rng: &mut Rng) -> Timestamp {
        self.last_to_server = later(now, network.delay(rng)).max(self.last_to_server);
        self.last_to_server
    }

    /// When something that the server says now reaches the client.
    pub(crate) fn reaches_client_at(&mut self, now: Timestamp, network: &Network, rng: &mut Rng) -> Timestamp {
        self.last_to_client = later(now, network.delay(rng)).max(self.last_to_client);
        self.last_to_client
    }
}

/// What becomes of something that should pass now.
pub(crate) enum Passage {
    Now,
    At(Timestamp),
    Never,
}

impl Network {
    pub(crate) fn delay(&self, rng: &mut Rng) -> Duration {
        rng.between(self.fastest, self.slowest)
    }
}

pub(crate) fn later(now: Timestamp, wait: Duration) -> Timestamp {
    now.after(wait).unwrap_or(Timestamp::MAX)
}
