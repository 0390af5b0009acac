//! What of the queue outlives its process?

use alloc::vec::Vec;

use super::{Is, Label, Outbox, Place, Standing, extras::Extra};
use crate::{Class, OpId, Text, Timestamp};

/// A message that another process may send.
#[derive(Debug)]
pub(crate) struct Keeping<'a, M> {
    pub(crate) id: OpId,
    pub(crate) message: &'a M,
    pub(crate) at_least_once: bool,
    pub(crate) secret: bool,
    /// It may have left.
    pub(crate) may_have_left: bool,
    pub(crate) expires: Option<Timestamp>,
    /// What it draws on beside what all do, and how many slots it takes.
    pub(crate) bucket: Option<&'a Text>,
    pub(crate) slots: u32,
}

impl<M> Outbox<M> {
    /// What has not left, and what is kept until it is acknowledged: oldest first. What may have left and is to be sent
    /// at most once is in doubt, whoever asks. Of requests nothing is kept: who waits for the answer goes with the
    /// process. Whoever has taken the place of an older message stands where its own id
    /// says.
    pub(crate) fn kept(&self) -> Vec<Keeping<'_, M>> {
        let keeping = |at: usize| {
            let (message, label) = (self.entries[at].message.as_ref()?, &self.entries[at].label);
            let (at_least_once, may_have_left) = (label.class == Class::AtLeastOnce, !self.is_here(at));
            let (id, secret, expires) = (self.id_at(at), label.is.any(Is::SECRET), self.books.expiries.of(label.place));
            let extra = self.books.extra(label);
            let (bucket, slots) = extra.map_or((None, 1), |extra| (extra.bucket.as_ref(), extra.slots));
            let keeping = Keeping { id, message, at_least_once, secret, may_have_left, expires, bucket, slots };
            ((at_least_once || !may_have_left) && !self.is_request(at)).then_some(keeping)
        };
        let mut kept: Vec<_> = (0..self.entries.len()).filter_map(keeping).collect();
        kept.sort_by_key(|keeping| keeping.id);
        kept
    }

    /// Takes a message of an earlier process. They come before all others, in their order.
    pub(crate) fn restore(
        &mut self,
        id: OpId,
        message: M,
        bytes: u32,
        standing: Standing,
        expires: Option<Timestamp>,
        may_have_left: bool,
    ) {
        let Standing { now, class, tracked, secret, rare } = standing;
        let (place, mut is) = (Place::of(id), Is::new(tracked, secret));
        let rare = rare.map(|rare| *rare).unwrap_or_default();
        is.0 |= self.books.note(place, expires, Extra::new(id, class, rare, None));
        if may_have_left {
            is.0 |= Is::DOUBTFUL;
        }
        self.append(now, message, Label { place, bytes, class, is, attempts: 0, charges: 0 });
    }
}
