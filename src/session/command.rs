//! Commands: what the application wants.

use core::time::Duration;

use bytes::Bytes;

use crate::{Frame, LinkId, OpId, Secret};

/// What the application wants. Every command is legal in every phase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command<M> {
    /// Be online. Changes nothing while a link is there or on its way; starts a stopped session again.
    Connect,
    /// Be online, and do not wait out the backoff: dial now (at the floor after the last dial).
    ConnectNow,
    /// Stop. What has not left is dropped, the link is closed politely; what is with the transport has
    /// until `Config::close_timeout` to be written.
    Stop,
    /// Accept nothing more, send what was accepted, wait for its acknowledgements, then stop; after
    /// `within` stop in any case.
    Drain {
        /// How long it may take.
        within: Duration,
    },
    /// Send a message.
    Send {
        /// The message.
        message: M,
        /// How.
        options: SendOptions,
    },
    /// Take a message back that has not left.
    Cancel(OpId),
    /// From now on log in with this.
    Authenticate(Option<Secret>),
    /// The application has taken a message that wanted an acknowledgement ([`crate::Mark::wants_ack`]).
    Taken {
        /// The link it came on.
        link: LinkId,
        /// Its id.
        id: Bytes,
    },
}

/// How a message is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct SendOptions {
    /// What is promised.
    pub class: Class,
    /// Whether its outcome is told in any case. Without it only bad news are.
    pub tracked: bool,
    /// How long it makes sense to send it; `None` is for ever.
    pub ttl: Option<Ttl>,
}

/// What is promised for a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[non_exhaustive]
pub enum Class {
    /// Sent once. If the link dies while it is on its way it ends in doubt.
    #[default]
    AtMostOnce,
    /// Kept until the peer acknowledges it; sent again, with the same id, on every new link until then.
    /// Refused where the protocol has no acknowledgements.
    AtLeastOnce,
}

/// How long it makes sense to send a message: a duration of at least a microsecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ttl(core::num::NonZeroU64);

impl Ttl {
    /// A time to live; nothing under a microsecond.
    #[must_use]
    pub fn new(ttl: Duration) -> Self {
        let micros = crate::time::micros(ttl);
        Self(core::num::NonZeroU64::new(micros).unwrap_or(core::num::NonZeroU64::MIN))
    }

    /// As a duration.
    #[must_use]
    pub const fn duration(self) -> Duration {
        Duration::from_micros(self.0.get())
    }
}

const _: () = assert!(size_of::<Command<Frame>>() <= 64);
