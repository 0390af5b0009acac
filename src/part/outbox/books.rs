//! What is counted over all messages, and what is noted of few.

use alloc::vec::Vec;

use super::{
    Ended, Entry, Is, Label, Place,
    expiries::Expiries,
    extras::{Extra, Extras},
    overflow::Droppable,
};
use crate::{OpId, Outcome, Text, Timestamp};

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
    pub(super) droppable: Droppable,
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
            droppable: Droppable::NEW,
            dead: Vec::new(),
        }
    }

    /// Notes what few messages have; says what is so of this one.
    #[cold]
    pub(super) fn note(&mut self, place: Place, expires: Option<Timestamp>, extra: Extra) -> u8 {
        let mut is = 0;
        if extra.is_request {
            is |= Is::REQUEST;
        }
        if let Some(at) = expires {
            self.expiries.insert(place, at);
            is |= Is::EXPIRING;
        }
        if !extra.is_plain() {
            self.extras.insert(place, extra);
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
        self.release(bytes);
        self.droppable.on_ended(&entry.label);
        let tracked = is.any(Is::TRACKED);
        if is.any(Is::EXPIRING | Is::EXTRA | Is::REQUEST) {
            return self.end_noted(place, is, outcome, end);
        }
        end(Ended { id: OpId(place.0), tracked, is_request: false, outcome, label: None });
    }

    /// One message less, and its bytes.
    #[inline(always)]
    pub(super) fn release(&mut self, bytes: u32) {
        self.live -= 1;
        self.bytes -= u64::from(bytes);
        self.on_freed();
    }

    /// What was refused may find room.
    #[inline]
    pub(super) const fn on_freed(&mut self) {
        if matches!(self.wanted, Wanted::Refused) {
            self.wanted = Wanted::Freed;
        }
    }

    #[cold]
    fn end_noted(&mut self, place: Place, is: Is, outcome: Outcome, end: &mut impl FnMut(Ended)) {
        let (id, label) = self.forget(place);
        let (tracked, is_request) = (is.any(Is::TRACKED), is.any(Is::REQUEST));
        end(Ended { id, tracked, is_request, outcome, label });
    }

    /// What was noted of the message at this place is of no use any more; says its id and its label.
    #[cold]
    pub(super) fn forget(&mut self, place: Place) -> (OpId, Option<Text>) {
        self.expiries.remove(place);
        self.extras.remove(place).map_or((OpId(place.0), None), |extra| (extra.id, extra.label))
    }
}
