//! How do messages end that are not simply delivered?

use alloc::{boxed::Box, vec::Vec};

use super::{Ended, Entry, Outbox, Place};
use crate::{Class, Dropped, OpId, Outcome, Rejected, TakenBack, Text, Timestamp, error::Charge};

impl<M> Outbox<M> {
    /// The link is gone. What it was given before `first_unsent` may have left, the rest has not and goes back to
    /// the head of the queue; but what is volatile does not wait.
    pub(crate) fn on_lost(&mut self, first_unsent: Option<Place>, end: &mut impl FnMut(Ended)) {
        for at in 0..self.cursor {
            if self.entries[at].message.is_none() {
                continue;
            }
            let may_have_left = self.may_have_left(at, first_unsent);
            let label = &mut self.entries[at].label;
            label.attempts = label.attempts.saturating_add(1);
            if may_have_left {
                self.doubtful_below = self.doubtful_below.max(label.place.next());
            }
            match (label.class, may_have_left) {
                (Class::AtLeastOnce, _) | (Class::Latest | Class::AtMostOnce | Class::Bypass, false) => {}
                (Class::Volatile, false) => self.end_in_place(at, Outcome::Dropped(Dropped::LinkGone), end),
                (Class::Volatile | Class::Latest | Class::AtMostOnce | Class::Bypass, true) => {
                    self.end_in_place(at, Outcome::InDoubt, end);
                }
            }
        }
        (self.cursor, self.flushed) = (0, 0);
        (self.books.droppable, self.read, self.largest) = Default::default();
        self.tidy();
    }

    /// The peer ended the link because of something that it could not take, and says so. What may have left on it is
    /// charged; a message that was charged so often is not sent again. (What is sent at most once is not sent again
    /// in any case, and ends in doubt.)
    pub(crate) fn on_charged(
        &mut self,
        charge: Charge,
        limit: u32,
        first_unsent: Option<Place>,
        end: &mut impl FnMut(Ended),
    ) {
        let charged = |at: &usize| self.entries[*at].message.is_some() && self.may_have_left(*at, first_unsent);
        let suspects = (0..self.cursor).filter(charged);
        match charge {
            Charge::Each => {
                for at in suspects.collect::<Vec<_>>() {
                    let label = &mut self.entries[at].label;
                    label.charges = label.charges.saturating_add(1);
                    if u32::from(label.charges) >= limit.min(u8::MAX.into()) {
                        self.end_poisonous(at, end);
                    }
                }
            }
            Charge::Largest => {
                let largest = suspects.max_by_key(|at| self.entries[*at].label.bytes);
                // It may have been one that ended as written.
                if let Some(at) = largest.filter(|at| self.entries[*at].label.bytes >= self.largest) {
                    self.end_poisonous(at, end);
                }
            }
        }
    }

    fn end_poisonous(&mut self, at: usize, end: &mut impl FnMut(Ended)) {
        if self.entries[at].label.class == Class::AtLeastOnce {
            let why = Rejected {
                code: Some(Text::from_static("poison")),
                message: Text::from_static("the peer ended the link because of what it was sent"),
                ..Rejected::default()
            };
            self.end_in_place(at, Outcome::Failed(Box::new(why)), end);
        }
    }

    /// Whether a message that this link was given may have left.
    fn may_have_left(&self, at: usize, first_unsent: Option<Place>) -> bool {
        at < self.flushed || first_unsent.is_none_or(|unsent| self.entries[at].label.place < unsent)
    }

    /// Takes a message back. `None` if it is unknown, ended, or may have left.
    pub(crate) fn cancel(&mut self, id: OpId, end: &mut impl FnMut(Ended)) -> Option<M> {
        let Some(at) = self.find(id).filter(|at| self.is_here(*at)) else {
            return self.end_rest(id, Outcome::Cancelled, end).map(|rest| rest.message);
        };
        self.end(at, Outcome::Cancelled, end);
        self.books.dead.pop()
    }

    /// Takes back all that has not left, oldest first.
    pub(crate) fn take_waiting(&mut self, end: &mut impl FnMut(Ended)) -> Vec<TakenBack<M>> {
        let mut taken = Vec::new();
        for at in self.cursor..self.entries.len() {
            if self.entries[at].message.is_none() || !self.is_here(at) {
                continue;
            }
            let label = self.entries[at].label;
            let extra = self.books.extra(&label);
            let enqueued_at = extra.and_then(|extra| extra.since).unwrap_or_else(|| self.times.at(label.place));
            let (id, note) = (self.id_at(at), extra.and_then(|extra| extra.label.clone()));
            self.end_in_place(at, Outcome::Cancelled, end);
            taken.extend(self.books.dead.pop().map(|message| TakenBack {
                id,
                class: label.class,
                bytes: label.bytes,
                enqueued_at,
                attempts: label.attempts.into(),
                label: note,
                message,
            }));
        }
        self.tidy();
        self.take_rests(&mut taken, end);
        taken
    }

    /// The time of some messages is up: those that never left have expired, of the others nobody knows.
    pub(crate) fn on_due(&mut self, now: Timestamp, end: &mut impl FnMut(Ended)) {
        while let Some(place) = self.books.expiries.take_due(now) {
            let Some(at) = self.at(place) else { continue };
            self.end(at, if self.is_here(at) { Outcome::Expired } else { Outcome::InDoubt }, end);
        }
    }

    /// What was to leave at once and could not, because the link was lost in the same turn.
    pub(crate) fn drop_volatile(&mut self, end: &mut impl FnMut(Ended)) {
        if self.has_volatile() {
            self.end(self.entries.len() - 1, Outcome::Dropped(Dropped::LinkGone), end);
        }
    }

    /// Whether the last message is to leave at once or not at all.
    pub(crate) fn has_volatile(&self) -> bool {
        let is_volatile = |entry: &Entry<M>| entry.label.class == Class::Volatile && entry.message.is_some();
        self.cursor < self.entries.len() && self.entries.back().is_some_and(is_volatile)
    }

    /// What waits and may have left on an earlier link is not sent again.
    pub(crate) fn end_doubtful(&mut self, end: &mut impl FnMut(Ended)) {
        for at in self.cursor..self.entries.len() {
            if self.entries[at].message.is_some() && !self.is_here(at) {
                self.end_in_place(at, Outcome::InDoubt, end);
            }
        }
        self.tidy();
    }

    /// What was accepted up to this message is not for the next link, and no link has it any more.
    pub(crate) fn end_up_to(&mut self, last: OpId, why: Dropped, end: &mut impl FnMut(Ended)) {
        debug_assert_eq!(self.cursor, 0, "no link has anything");
        let to = self.entries.partition_point(|entry| entry.label.place <= Place::of(last));
        for at in 0..to {
            // A newer one can have taken the place of an older one.
            if self.entries[at].message.is_some() && self.id_at(at) <= last {
                let outcome = if self.is_here(at) { Outcome::Dropped(why) } else { Outcome::InDoubt };
                self.end_in_place(at, outcome, end);
            }
        }
        self.tidy();
    }

    /// Nothing more is sent: what never left is dropped.
    pub(crate) fn drop_waiting(&mut self, end: &mut impl FnMut(Ended)) {
        for at in self.cursor..self.entries.len() {
            if self.entries[at].message.is_some() && self.is_here(at) {
                self.end_in_place(at, Outcome::Dropped(Dropped::Stopped), end);
            }
        }
        self.end_rests(Dropped::Stopped, end);
        self.tidy();
    }

    /// Everything is over, and no link is left: what may have left is in doubt.
    pub(crate) fn end_all(&mut self, end: &mut impl FnMut(Ended)) {
        self.drop_waiting(end);
        for at in 0..self.entries.len() {
            if self.entries[at].message.is_some() {
                self.end_in_place(at, Outcome::InDoubt, end);
            }
        }
        self.tidy();
    }
}
