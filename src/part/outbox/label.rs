//! What is known of a message, in two words.

use crate::{Class, OpId};

/// Where a message stands in the order of the queue: the id of the first message that stood there. It is the
/// message's own unless it has taken the place of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(crate) struct Place(pub(super) u64);

/// What is known of a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Label {
    pub(super) place: Place,
    pub(super) bytes: u32,
    pub(super) class: Class,
    pub(super) is: Is,
    /// Links that it was given to, and died.
    pub(super) attempts: u8,
    /// Links that the peer ended because of it, or of another one with it.
    pub(super) charges: u8,
}

/// What is so of a message, in a byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Is(pub(super) u8);

impl Place {
    pub(super) const FIRST: Self = Self(0);
    pub(super) const LAST: Self = Self(u64::MAX);

    /// Whose own it is.
    pub(crate) const fn owner(self) -> OpId {
        OpId(self.0)
    }

    /// Its own.
    #[inline]
    pub(crate) const fn of(id: OpId) -> Self {
        Self(id.0)
    }

    /// The id of the first message that stood there.
    pub(crate) const fn first(self) -> OpId {
        OpId(self.0)
    }

    pub(super) const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl Is {
    pub(super) const TRACKED: u8 = 1;
    pub(super) const SECRET: u8 = 2;
    pub(super) const EXPIRING: u8 = 4;
    /// There is an entry in `extras`.
    pub(super) const EXTRA: u8 = 8;
    /// It may have left, says the process that had it before.
    pub(super) const DOUBTFUL: u8 = 16;
    /// It is kept until it is answered, and nothing else ends it well.
    pub(super) const REQUEST: u8 = 32;

    pub(super) const fn new(tracked: bool, secret: bool) -> Self {
        Self((tracked as u8 * Self::TRACKED) | (secret as u8 * Self::SECRET))
    }

    pub(super) const fn any(self, of: u8) -> bool {
        self.0 & of != 0
    }
}
