//! What of the queue outlives its process?

use super::{Outbox, Standing};
use crate::{Class, OpId, Timestamp};

/// A message that another process may send.
#[derive(Debug)]
pub(crate) struct Keeping<'a, M> {
    pub(crate) id: OpId,
    pub(crate) message: &'a M,
    pub(crate) at_least_once: bool,
    /// It may have left.
    pub(crate) may_have_left: bool,
    pub(crate) expires: Option<Timestamp>,
}

impl<M> Outbox<M> {
    /// What has not left, and what is kept until it is acknowledged: oldest first. What may have left and is to be sent
    /// at most once is in doubt, whoever asks.
    pub(crate) fn kept(&self) -> impl Iterator<Item = Keeping<'_, M>> {
        self.entries.iter().enumerate().filter_map(|(at, entry)| {
            let (message, id) = (entry.message.as_ref()?, entry.label.id);
            let (at_least_once, may_have_left) = (entry.label.class == Class::AtLeastOnce, !self.is_here(at));
            let expires = self.books.expiries.of(id);
            (at_least_once || !may_have_left).then_some(Keeping { id, message, at_least_once, may_have_left, expires })
        })
    }

    /// Takes a message of an earlier process. They come before all others, in their order.
    pub(crate) fn restore(&mut self, id: OpId, message: M, bytes: u32, standing: Standing, may_have_left: bool) {
        self.push(id, message, bytes, standing);
        if may_have_left {
            self.doubtful_below = OpId(id.0 + 1);
        }
    }
}
