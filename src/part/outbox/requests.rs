//! How do requests end, and who is asked again?

use alloc::vec::Vec;

use super::{Ended, Entry, Is, Label, Outbox, Place, extras::Extra, rests::Rest};
use crate::{
    Dropped, LinkId, OpId, Outcome, TakenBack, Text, Timestamp,
    session::{Asked, Rare},
};

/// A request that was answered.
#[derive(Debug)]
pub(crate) struct Answered {
    /// The host's note.
    pub(crate) label: Option<Text>,
    /// The names that it was waiting for.
    pub(crate) names: [Option<Text>; 2],
}

impl<M> Outbox<M> {
    pub(super) fn is_request(&self, at: usize) -> bool {
        self.entries[at].label.is.any(Is::REQUEST)
    }

    /// The peer has answered a request on this link. `None`: none of this id was given to it and still waits. One that
    /// waits for its next try was, if it was refused there.
    pub(crate) fn on_replied(&mut self, id: OpId, link: LinkId) -> Option<Answered> {
        let Some(at) = self.find(id).filter(|at| self.was_given(*at, link)) else {
            return self.on_rest_replied(id, link);
        };
        let extra = self.books.extra(&self.entries[at].label);
        let names = extra.and_then(|extra| extra.asked.as_deref()).map(Asked::names).unwrap_or_default();
        let mut answered = Answered { label: None, names };
        // No outcome is told of it: the answer is.
        self.end(at, Outcome::Acked, &mut |ended| answered.label = ended.label);
        Some(answered)
    }

    /// Its names were forgotten when it was refused.
    fn on_rest_replied(&mut self, id: OpId, link: LinkId) -> Option<Answered> {
        self.rests.of(id).filter(|rest| rest.extra.was_refused_on(link))?;
        let mut answered = Answered { label: None, names: [None, None] };
        let rest = self.end_rest(id, Outcome::Acked, &mut |ended| answered.label = ended.label)?;
        self.books.dead.push(rest.message);
        Some(answered)
    }

    fn was_given(&self, at: usize, link: LinkId) -> bool {
        let was_refused = || self.books.extra(&self.entries[at].label).is_some_and(|extra| extra.was_refused_on(link));
        self.is_request(at) && (at < self.cursor || was_refused())
    }

    /// Nobody wants the answer any more to a request that may have left: it is in doubt. `Some(true)`: this link was
    /// given it.
    pub(crate) fn forgo(&mut self, id: OpId, end: &mut impl FnMut(Ended)) -> Option<bool> {
        let at = self.find_away(id).filter(|at| self.is_request(*at))?;
        let given = at < self.cursor;
        self.end(at, Outcome::InDoubt, end);
        Some(given)
    }

    /// What is noted of a request that this link was given, and its deadline.
    pub(crate) fn asked(&self, id: OpId) -> Option<(&Asked, Option<Timestamp>)> {
        let label = &self.entries[self.find_given(id)?].label;
        let asked = self.books.extra(label)?.asked.as_deref()?;
        Some((asked, self.books.expiries.of(label.place)))
    }

    /// The same of the one that [`next`](Self::next) showed.
    pub(crate) fn asked_next(&self) -> Option<(&Asked, Option<Timestamp>)> {
        let label = &self.entries.get(self.cursor)?.label;
        let asked = self.books.extra(label)?.asked.as_deref()?;
        Some((asked, self.books.expiries.of(label.place)))
    }

    /// The peer said no on this link to a request that it was given. It is put back at this time, which is before its
    /// deadline.
    pub(crate) fn rest(&mut self, id: OpId, link: LinkId, until: Timestamp) {
        let Some(at) = self.find_given(id) else { return };
        let Entry { message, label } = &mut self.entries[at];
        let (Some(message), place) = (message.take(), label.place) else { return };
        let since = self.times.at(place);
        let expires = self.books.expiries.of(place);
        self.books.expiries.remove(place);
        self.books.droppable.on_ended(label);
        let noted = self.books.extras.remove(place);
        let mut extra = noted.unwrap_or_else(|| Extra::new(id, label.class, Rare::default(), None));
        extra.since = extra.since.or(Some(since));
        if let Some(asked) = &mut extra.asked {
            (asked.failures, asked.refused_on) = (asked.failures.saturating_add(1), Some(link));
        }
        self.rests.insert(Rest { message, label: *label, extra, until, expires });
        self.tidy();
    }

    /// The next request that has waited long enough.
    pub(crate) fn rested(&self, now: Timestamp) -> Option<OpId> {
        self.rests.due(now)
    }

    /// It goes behind all others, to a place of its own.
    pub(crate) fn put_back(&mut self, id: OpId, place: Place) {
        let Some(Rest { message, label, extra, expires, until: _ }) = self.rests.remove(id) else { return };
        let mut is = Is(label.is.0 | Is::EXTRA);
        if let Some(at) = expires {
            is.0 |= Is::EXPIRING;
            self.books.expiries.insert(place, at);
        }
        self.books.extras.insert(place, extra);
        self.entries.push_back(Entry { message: Some(message), label: Label { place, is, ..label } });
    }

    /// Ends one that waits for its next try.
    pub(super) fn end_rest(&mut self, id: OpId, outcome: Outcome, end: &mut impl FnMut(Ended)) -> Option<Rest<M>> {
        let rest = self.rests.remove(id)?;
        self.books.release(rest.label.bytes);
        let (tracked, is_request) = (rest.label.is.any(Is::TRACKED), true);
        end(Ended { id, tracked, is_request, outcome, label: rest.extra.label.clone() });
        Some(rest)
    }

    pub(super) fn end_rests(&mut self, why: Dropped, end: &mut impl FnMut(Ended)) {
        while let Some(rest) = self.rests.oldest().and_then(|id| self.end_rest(id, Outcome::Dropped(why), end)) {
            self.books.dead.push(rest.message);
        }
    }

    pub(super) fn take_rests(&mut self, taken: &mut Vec<TakenBack<M>>, end: &mut impl FnMut(Ended)) {
        while let Some(rest) = self.rests.oldest().and_then(|id| self.end_rest(id, Outcome::Cancelled, end)) {
            let Rest { message, label, extra, .. } = rest;
            let enqueued_at = extra.since.unwrap_or_default();
            let (id, class, bytes, attempts) = (extra.id, label.class, label.bytes, label.attempts.into());
            taken.push(TakenBack { id, class, bytes, enqueued_at, attempts, label: extra.label, message });
        }
    }

    /// Where a request stands that this link was given.
    fn find_given(&self, id: OpId) -> Option<usize> {
        self.find(id).filter(|at| *at < self.cursor && self.is_request(*at))
    }
}
