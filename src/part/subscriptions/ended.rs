//! What may the peer still say of an operation that it has answered, or that is over?

use alloc::{collections::BTreeMap, vec::Vec};

use super::{Standings, Step, TopicNo};
use crate::OpId;

/// Operations that ended before their last frame was flushed: whoever answers them late has read it.
#[derive(Clone, Debug)]
pub(crate) struct Ended {
    last_frames: BTreeMap<OpId, u64>,
    flushed: u64,
}

impl Ended {
    pub(super) const fn new() -> Self {
        Self { last_frames: BTreeMap::new(), flushed: 0 }
    }

    /// An operation is over.
    pub(super) fn add(&mut self, op: OpId, last_frame: u64) {
        if last_frame > self.flushed {
            self.last_frames.insert(op, last_frame);
        }
    }

    /// So many frames are flushed, one way or another.
    #[inline]
    pub(crate) fn on_flushed(&mut self, frames: u64) {
        self.flushed = frames;
        // They were said in the order of their numbers.
        while self.last_frames.first_key_value().is_some_and(|(_, last)| *last <= frames) {
            self.last_frames.pop_first();
        }
    }

    /// The last frame of this operation, if it is over and that was not flushed.
    pub(crate) fn last_frame(&self, op: OpId) -> Option<u64> {
        self.last_frames.get(&op).copied()
    }
}

impl<I> Standings<I> {
    /// The topics that this operation was confirmed for.
    pub(crate) fn topics_in(&self, op: OpId) -> Vec<TopicNo> {
        let topics = self.ops.get(&op).map(|known| known.topics.iter()).unwrap_or_default();
        topics.copied().filter(|no| self.step(*no) == Step::In(Some(op))).collect()
    }
}
