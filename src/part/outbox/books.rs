//! What is counted over all messages, and what is noted of few.

use alloc::vec::Vec;

use super::{
    Ended, Entry, Is, Label, Place,
    expiries::Expiries,
    extras::{Extra, Extras},
};
use crate::{OpId, Outcome, Text, Timestamp, session::Rare};

/// What is counted over all messages.
#[derive(Clone, Debug)]
pub(super) struct Books<M> {
    /// Entries without a tombstone, and their bytes.
    pub(super) live: u32,
    pub(super) bytes: u64,
    pub(super) expiries: Expiries,
    pub(super) extras: Extras,
    /// A message was refused for want of room, and since then something has ended.
    pub(super) wanted: Wanted,
    /// Messages that ended: for the driver, to be dropped where that can do no harm.
    pub(super) dead: Vec<M>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    No,
    Refused,
    Freed,
}

impl<M> Books<M> {
    pub(super) const fn new() -> Self {
        Self {
            live: 0,
            bytes: 0,
            expiries: Expiries::new(),
            extras: Extras::new(),
            wanted: Wanted::No,
            dead: Vec::new(),
        }
    }

    /// Notes what few messages have; says what is so of this one.
    #[cold]
    pub(super) fn note(&mut self, place: Place, id: OpId, rare: Rare, now: Timestamp, since: Option<Timestamp>) -> u8 {
        let slots = rare.slots();
        let Rare { ttl, key, label, bucket, weight } = rare;
        let mut is = 0;
        if let Some(at) = ttl.and_then(|ttl| now.after(ttl.duration())) {
            self.expiries.insert(place, at);
            is |= Is::EXPIRING;
        }
        let draws = bucket.is_some() || weight.is_some();
        if key.is_some() || label.is_some() || since.is_some() || draws {
            self.extras.insert(place, Extra { id, since, key, label, bucket, slots });
            is |= Is::EXTRA;
        }
        is
    }

    pub(super) fn extra(&self, label: &Label) -> Option<&Extra> {
        if label.is.any(Is::EXTRA) { self.extras.at(label.place) } else { None }
    }

    #[inline]
    pub(super) fn id_of(&self, label: &Label) -> OpId {
        self.extra(label).map_or(OpId(label.place.0), |extra| extra.id)
    }

    /// Ends a message, and leaves a tombstone.
    #[inline(always)]
    pub(super) fn end(&mut self, entry: &mut Entry<M>, outcome: Outcome, end: &mut impl FnMut(Ended)) {
        let Some(message) = entry.message.take() else { return };
        self.dead.push(message);
        let Label { place, bytes, is, .. } = entry.label;
        self.live -= 1;
        self.bytes -= u64::from(bytes);
        if self.wanted == Wanted::Refused {
            self.wanted = Wanted::Freed;
        }
        let tracked = is.any(Is::TRACKED);
        if is.any(Is::EXPIRING | Is::EXTRA) {
            return self.end_noted(place, tracked, outcome, end);
        }
        end(Ended { id: OpId(place.0), tracked, outcome, label: None });
    }

    #[cold]
    fn end_noted(&mut self, place: Place, tracked: bool, outcome: Outcome, end: &mut impl FnMut(Ended)) {
        let (id, label) = self.forget(place);
        end(Ended { id, tracked, outcome, label });
    }

    /// What was noted of the message at this place is of no use any more; says its id and its label.
    #[cold]
    pub(super) fn forget(&mut self, place: Place) -> (OpId, Option<Text>) {
        self.expiries.remove(place);
        self.extras.remove(place).map_or((OpId(place.0), None), |extra| (extra.id, extra.label))
    }
}
