//! What do we owe the peer, and what became of it?
//!
//! One queue in the order of acceptance. Before the cursor stands what this link has been given, from the cursor
//! on what waits; a second mark parts what of the former is with the operating system from what is only with the
//! transport. A message that ends in the middle leaves a tombstone, cleared from the front or by compaction, so
//! everything costs the same however much is queued. When a link dies the cursor goes back to the front and
//! normal sending goes on: there is no second queue for what must be sent again.

mod books;
mod ending;
mod expiries;
mod extras;
mod keeping;
mod label;
mod overflow;
mod read;
mod requests;
mod rests;
mod times;
mod waiting;

use alloc::{boxed::Box, collections::VecDeque, vec::Vec};

use books::{Books, Wanted};
use extras::Extra;
pub(crate) use label::Place;
use label::{Is, Label};
use overflow::Alarm;
pub(crate) use overflow::{Newcomer, Room};
use read::Read;
pub(crate) use requests::Answered;
use rests::Rests;
use times::Times;
use waiting::Waiting;

use crate::{Class, Dropped, OpId, Outcome, Rejected, Text, Timestamp, session::Rare};

/// The messages of a session that have no outcome yet.
#[derive(Clone, Debug)]
pub(crate) struct Outbox<M> {
    entries: VecDeque<Entry<M>>,
    /// Index of the first entry that this link has not been given.
    cursor: usize,
    /// Index of the first entry that is not known to be with the operating system. Never beyond the cursor.
    flushed: usize,
    /// Every message below may have left on an earlier link of this process.
    doubtful_below: Place,
    times: Times,
    /// What this link has proven.
    read: Read,
    /// The size of the largest message that ended written on this link.
    largest: u32,
    /// It was called high, and not low since then.
    is_high: bool,
    alarm: Alarm,
    books: Books<M>,
    /// Requests that the peer refused, and that are asked again.
    rests: Rests<M>,
}

#[derive(Clone, Debug)]
struct Entry<M> {
    /// `None` is a tombstone.
    message: Option<M>,
    label: Label,
}

/// A message that ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) id: OpId,
    pub(crate) tracked: bool,
    pub(crate) is_request: bool,
    pub(crate) outcome: Outcome,
    /// The host's note.
    pub(crate) label: Option<Text>,
}

/// The next message to hand over.
#[derive(Debug)]
pub(crate) struct Next<'a, M> {
    pub(crate) id: OpId,
    pub(crate) place: Place,
    pub(crate) message: &'a M,
    pub(crate) bytes: u32,
    pub(crate) secret: bool,
    /// Its acknowledgement is waited for.
    pub(crate) ack: bool,
    /// It may have left on an earlier link.
    pub(crate) again: bool,
    /// An answer is waited for.
    pub(crate) is_request: bool,
}

/// How a message is to be kept.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    pub(crate) now: Timestamp,
    pub(crate) class: Class,
    pub(crate) tracked: bool,
    pub(crate) secret: bool,
    pub(crate) rare: Option<Box<Rare>>,
}

impl<M> Outbox<M> {
    pub(crate) const fn new() -> Self {
        Self {
            entries: VecDeque::new(),
            cursor: 0,
            flushed: 0,
            doubtful_below: Place::FIRST,
            times: Times::new(),
            read: Read::NEW,
            largest: 0,
            is_high: false,
            alarm: overflow::ANY,
            books: Books::new(),
            rests: Rests::new(),
        }
    }

    /// Messages without an outcome.
    pub(crate) const fn len(&self) -> u32 {
        self.books.live
    }

    /// Their bytes.
    pub(crate) const fn bytes(&self) -> u64 {
        self.books.bytes
    }

    /// When the next message expires, or is put back.
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        let (expiry, rested) = (self.books.expiries.deadline(), self.rests.deadline());
        if rested.is_some() { expiry.into_iter().chain(rested).min() } else { expiry }
    }

    /// Takes a message, behind all others. Ids only ever grow.
    #[inline]
    pub(crate) fn push(&mut self, id: OpId, message: M, bytes: u32, standing: Standing) {
        let Standing { now, class, tracked, secret, rare } = standing;
        let (place, mut is) = (Place::of(id), Is::new(tracked, secret));
        if let Some(rare) = rare {
            is.0 |= self.books.note(place, rare.expires(now), Extra::new(id, class, *rare, None));
        }
        self.append(now, message, Label { place, bytes, class, is, attempts: 0, charges: 0 });
    }

    #[inline(always)]
    fn append(&mut self, now: Timestamp, message: M, label: Label) {
        self.times.on_pushed(now, label.place, || self.entries.front().map(|entry| entry.label.place));
        self.entries.push_back(Entry { message: Some(message), label });
        self.books.live += 1;
        self.books.bytes += u64::from(label.bytes);
    }

    /// Takes a message in the place of another, which ends replaced.
    #[cold]
    pub(crate) fn replace(
        &mut self,
        place: Place,
        id: OpId,
        message: M,
        bytes: u32,
        standing: Standing,
        end: &mut impl FnMut(Ended),
    ) {
        let Some(at) = self.at(place) else { return self.push(id, message, bytes, standing) };
        let Standing { now, class, tracked, secret, rare } = standing;
        self.end_in_place(at, Outcome::Dropped(Dropped::Replaced), end);
        let mut is = Is::new(tracked, secret);
        let rare = rare.map(|rare| *rare).unwrap_or_default();
        is.0 |= self.books.note(place, rare.expires(now), Extra::new(id, class, rare, Some(now)));
        let label = Label { place, bytes, class, is, attempts: 0, charges: 0 };
        self.entries[at] = Entry { message: Some(message), label };
        self.books.live += 1;
        self.books.bytes += u64::from(bytes);
        self.books.droppable.on_replaced(&label);
    }

    /// The next message to hand over.
    #[inline]
    pub(crate) fn next(&mut self) -> Option<Next<'_, M>> {
        while let Some(Entry { message, label }) = self.entries.get(self.cursor) {
            if let Some(message) = message {
                let id = self.books.id_of(label);
                let (place, bytes, secret) = (label.place, label.bytes, label.is.any(Is::SECRET));
                let (is_request, again) = (label.is.any(Is::REQUEST), self.is_doubtful(label));
                let ack = label.class == Class::AtLeastOnce && !is_request;
                return Some(Next { id, place, message, bytes, secret, ack, again, is_request });
            }
            self.cursor += 1;
        }
        None
    }

    /// What waits, oldest first, and whether it has a bucket or a weight of its own.
    pub(crate) fn waiting(&self) -> Waiting<'_, M> {
        let (entries, books) = (self.entries.range(self.cursor..), &self.books);
        Waiting { entries, books, doubtful_below: self.doubtful_below }
    }

    /// Since when the message that [`next`](Self::next) showed has been waiting, or the one whose place it took; up to a
    /// millisecond before that.
    pub(crate) fn waits_since(&self) -> Timestamp {
        self.entries.get(self.cursor).map_or(Timestamp::MAX, |entry| self.times.at(entry.label.place))
    }

    /// What the message that [`next`](Self::next) showed draws on beside what all do, and how many slots it takes.
    pub(crate) fn next_draw(&self) -> (Option<Text>, u32) {
        let extra = self.entries.get(self.cursor).and_then(|entry| self.books.extra(&entry.label));
        extra.map_or((None, 1), |extra| (extra.bucket.clone(), extra.slots))
    }

    /// The message that [`next`](Self::next) showed was handed over.
    #[inline]
    pub(crate) fn on_handed(&mut self) {
        debug_assert!(self.cursor < self.entries.len(), "there was one to show");
        self.cursor += 1;
    }

    /// The message that [`next`](Self::next) showed is not handed over, now or later. One that may have left on an
    /// earlier link is in doubt.
    #[cold]
    pub(crate) fn drop_next(&mut self, why: Dropped, end: &mut impl FnMut(Ended)) {
        let outcome = if self.is_here(self.cursor) { Outcome::Dropped(why) } else { Outcome::InDoubt };
        self.end(self.cursor, outcome, end);
    }

    /// All that this link was given up to this message is with the operating system.
    pub(crate) fn on_flushed(&mut self, up_to: Place, end: &mut impl FnMut(Ended)) {
        if self.read.asked() > self.read.told() {
            self.flush_what_was_asked(up_to, end);
        }
        self.flush(up_to, end);
        self.tidy();
    }

    /// What was handed over before the last ping is counted by itself.
    #[cold]
    #[inline(never)]
    fn flush_what_was_asked(&mut self, up_to: Place, end: &mut impl FnMut(Ended)) {
        self.flush(up_to.min(self.read.asked()), end);
    }

    #[inline(always)]
    fn flush(&mut self, up_to: Place, end: &mut impl FnMut(Ended)) {
        let live = self.books.live;
        for entry in self.entries.range_mut(self.flushed..self.cursor) {
            if entry.label.place > up_to {
                break;
            }
            if entry.label.class != Class::AtLeastOnce && !entry.label.is.any(Is::REQUEST) {
                self.largest = self.largest.max(entry.label.bytes);
                self.books.end(entry, Outcome::Written, end);
            }
            self.flushed += 1;
        }
        self.read.on_written(live - self.books.live, up_to);
    }

    /// A ping is written behind all that this link was given.
    pub(crate) fn on_ping(&mut self) {
        let last = self.cursor.checked_sub(1).and_then(|at| self.entries.get(at));
        self.read.on_ping(last.map_or(Place::FIRST, |entry| entry.label.place));
    }

    /// The last ping was answered.
    pub(crate) const fn on_pong(&mut self) {
        self.read.on_pong();
    }

    /// Messages that ended written on this link, of which no pong proves that the peer has read them.
    pub(crate) const fn suspect(&self) -> u64 {
        self.read.suspect()
    }

    /// The peer says that it has a message. `false`: nothing that waits for it has left. (A request waits for more.)
    pub(crate) fn on_acked(&mut self, id: OpId, end: &mut impl FnMut(Ended)) -> bool {
        let at = self.find_away(id);
        at.filter(|at| !self.is_request(*at)).into_iter().for_each(|at| self.end(at, Outcome::Acked, end));
        at.is_some()
    }

    /// The peer says that it will not have a message, and why. `Err`: nothing that waits for it has left.
    pub(crate) fn on_rejected(
        &mut self,
        id: OpId,
        why: Box<Rejected>,
        end: &mut impl FnMut(Ended),
    ) -> Result<(), Box<Rejected>> {
        match self.find_away(id).filter(|at| !self.is_request(*at) || *at < self.cursor) {
            Some(at) => {
                self.end(at, Outcome::Failed(why), end);
                Ok(())
            }
            None => Err(why),
        }
    }

    /// Keeps no more room than is used.
    pub(crate) fn shrink(&mut self) {
        self.entries.shrink_to_fit();
        self.times.shrink();
        self.books.dead.shrink_to_fit();
    }

    /// The messages that ended and were not taken yet.
    pub(crate) const fn dead(&mut self) -> &mut Vec<M> {
        &mut self.books.dead
    }

    /// Where a message stands that may have left.
    fn find_away(&self, id: OpId) -> Option<usize> {
        self.find(id).filter(|at| !self.is_here(*at))
    }

    /// Whether it has certainly not left.
    fn is_here(&self, at: usize) -> bool {
        at >= self.cursor && !self.is_doubtful(&self.entries[at].label)
    }

    /// Whether it may have left on an earlier link.
    #[inline]
    const fn is_doubtful(&self, label: &Label) -> bool {
        label.place.0 < self.doubtful_below.0 || label.is.any(Is::DOUBTFUL)
    }

    /// Where a message stands, if it has not ended.
    fn find(&self, id: OpId) -> Option<usize> {
        self.at(self.books.extras.place_of(id)).filter(|at| self.id_at(*at) == id)
    }

    fn id_at(&self, at: usize) -> OpId {
        self.books.id_of(&self.entries[at].label)
    }

    /// The index of a place, if somebody stands there. Places are in order and mostly without holes.
    fn at(&self, place: Place) -> Option<usize> {
        let first = self.entries.front()?.label.place;
        let guess = usize::try_from(place.0.checked_sub(first.0)?).ok()?;
        let at = match self.entries.get(guess) {
            Some(entry) if entry.label.place == place => guess,
            Some(_) | None => self.entries.binary_search_by_key(&place, |entry| entry.label.place).ok()?,
        };
        self.entries[at].message.is_some().then_some(at)
    }

    fn end(&mut self, at: usize, outcome: Outcome, end: &mut impl FnMut(Ended)) {
        self.end_in_place(at, outcome, end);
        self.tidy();
    }

    /// Ends a message and leaves a tombstone.
    #[inline(never)]
    fn end_in_place(&mut self, at: usize, outcome: Outcome, end: &mut impl FnMut(Ended)) {
        self.books.end(&mut self.entries[at], outcome, end);
    }

    /// Clears tombstones: from the front, and everywhere once they are the larger half.
    fn tidy(&mut self) {
        if self.books.live == 0 {
            self.entries.clear();
            (self.cursor, self.flushed) = (0, 0);
        }
        while self.entries.front().is_some_and(|entry| entry.message.is_none()) {
            self.entries.pop_front();
            self.cursor = self.cursor.saturating_sub(1);
            self.flushed = self.flushed.saturating_sub(1);
        }
        if self.entries.len() >= 64 && self.entries.len() / 2 > self.books.live as usize {
            self.compact();
        }
    }

    #[cold]
    fn compact(&mut self) {
        let live_before = |at| self.entries.iter().take(at).filter(|entry: &&Entry<M>| entry.message.is_some()).count();
        (self.cursor, self.flushed) = (live_before(self.cursor), live_before(self.flushed));
        self.entries.retain(|entry| entry.message.is_some());
        self.times.keep(self.entries.iter().map(|entry| entry.label.place));
    }
}

const _: () = assert!(size_of::<Entry<crate::Frame>>() <= 56);

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;
    use crate::{Overflow, QueuePolicy, Ttl, error::Charge};

    const POLICY: QueuePolicy =
        QueuePolicy { max_messages: 4, max_bytes: 100, overflow: Overflow::Refuse, high: 80, low: 50 };

    /// An outbox beside the list of all that ended in it.
    struct Book {
        outbox: Outbox<&'static str>,
        ended: Vec<(u64, Outcome)>,
        last: u64,
    }

    impl Book {
        fn new() -> Self {
            Self { outbox: Outbox::new(), ended: Vec::new(), last: 0 }
        }

        fn with<R>(&mut self, f: impl FnOnce(&mut Outbox<&'static str>, &mut dyn FnMut(Ended)) -> R) -> R {
            let ended = &mut self.ended;
            f(&mut self.outbox, &mut |end: Ended| ended.push((end.id.0, end.outcome)))
        }

        fn push(&mut self, class: Class, expires: Option<u64>) -> OpId {
            let ttl = expires.map(|millis| Ttl::new(Duration::from_millis(millis - self.last)));
            self.put(class, 10, ttl.map(|ttl| Rare { ttl: Some(ttl), ..Rare::default() }))
        }

        fn put(&mut self, class: Class, bytes: u32, rare: Option<Rare>) -> OpId {
            let (now, rare) = (Timestamp::from_millis(self.last), rare.map(Box::new));
            self.last += 1;
            let standing = Standing { now, class, tracked: true, secret: false, rare };
            self.outbox.push(OpId(self.last), "m", bytes, standing);
            OpId(self.last)
        }

        /// As a session does it: where there is room.
        fn offer(&mut self, policy: QueuePolicy, class: Class, bytes: u32, key: &'static str) -> Room {
            let key = (!key.is_empty()).then(|| Text::from_static(key));
            let new = Newcomer { class, bytes, key: key.as_ref() };
            let room = self.with(|outbox, mut end| outbox.find_room(&policy, &new, &mut end));
            let rare = key.clone().map(|key| Rare { key: Some(key), ..Rare::default() });
            match room {
                Room::Behind => drop(self.put(class, bytes, rare)),
                Room::Instead(place) => {
                    self.last += 1;
                    let (id, now, rare) = (OpId(self.last), Timestamp::from_millis(self.last), rare.map(Box::new));
                    let standing = Standing { now, class, tracked: true, secret: false, rare };
                    self.with(|outbox, mut end| outbox.replace(place, id, "new", bytes, standing, &mut end));
                }
                Room::Beside | Room::Gone | Room::No => {}
            }
            room
        }

        fn hand(&mut self) -> Option<(u64, bool)> {
            let next = self.outbox.next().map(|next| (next.id.0, next.again));
            self.outbox.on_handed();
            next
        }

        fn flushed(&mut self, id: OpId) {
            self.with(|outbox, mut end| outbox.on_flushed(Place::of(id), &mut end));
        }

        fn acked(&mut self, id: OpId) -> bool {
            self.with(|outbox, mut end| outbox.on_acked(id, &mut end))
        }

        fn lost(&mut self, first_unsent: Option<OpId>) {
            self.with(|outbox, mut end| outbox.on_lost(first_unsent.map(Place::of), &mut end));
        }

        fn cancel(&mut self, id: OpId) -> Option<&'static str> {
            self.with(|outbox, mut end| outbox.cancel(id, &mut end))
        }

        fn room(&mut self, policy: QueuePolicy, bytes: u32) -> bool {
            let new = Newcomer { class: Class::AtMostOnce, bytes, key: None };
            self.with(|outbox, mut end| outbox.find_room(&policy, &new, &mut end)) != Room::No
        }

        fn due(&mut self, millis: u64) {
            self.with(|outbox, mut end| outbox.on_due(Timestamp::from_millis(millis), &mut end));
        }
    }

    #[test]
    fn at_most_once_ends_with_the_flush() {
        let mut book = Book::new();
        let id = book.push(Class::AtMostOnce, None);
        assert_eq!(book.hand(), Some((1, false)));
        book.flushed(id);
        book.flushed(id);
        assert_eq!(book.ended, [(1, Outcome::Written)]);
        assert_eq!((book.outbox.len(), book.outbox.bytes()), (0, 0));
    }

    #[test]
    fn a_lost_link_sorts_what_it_was_given() {
        let mut book = Book::new();
        for class in [Class::AtMostOnce, Class::AtLeastOnce, Class::AtMostOnce, Class::AtLeastOnce] {
            book.push(class, None);
            book.hand();
        }
        book.lost(Some(OpId(3)));
        assert_eq!(book.ended, [(1, Outcome::InDoubt)]);
        assert_eq!([book.hand(), book.hand(), book.hand()], [Some((2, true)), Some((3, false)), Some((4, false))]);
    }

    #[test]
    fn an_ack_counts_only_for_what_has_left() {
        let mut book = Book::new();
        let id = book.push(Class::AtLeastOnce, None);
        assert!(!book.acked(id), "never handed over");
        book.hand();
        book.lost(None);
        assert!(book.acked(id), "it had left on the old link");
        assert!(!book.acked(id), "only once");
        assert_eq!(book.ended, [(1, Outcome::Acked)]);
    }

    #[test]
    fn what_may_have_left_cannot_be_taken_back() {
        let mut book = Book::new();
        let (first, second) = (book.push(Class::AtLeastOnce, None), book.push(Class::AtLeastOnce, None));
        book.hand();
        assert_eq!(book.cancel(first), None);
        assert_eq!(book.cancel(second), Some("m"));
        book.lost(None);
        assert_eq!(book.cancel(first), None);
        assert_eq!(book.ended, [(2, Outcome::Cancelled)]);
    }

    #[test]
    fn time_runs_out_before_and_after_leaving() {
        let mut book = Book::new();
        book.push(Class::AtMostOnce, Some(10));
        book.hand();
        book.push(Class::AtMostOnce, Some(5));
        book.push(Class::AtMostOnce, None);
        assert_eq!(book.outbox.deadline(), Some(Timestamp::from_millis(5)));
        book.due(10);
        assert_eq!(book.ended, [(2, Outcome::Expired), (1, Outcome::InDoubt)]);
        book.flushed(OpId(1));
        assert_eq!(book.ended.len(), 2, "one outcome each");
        assert_eq!(book.outbox.deadline(), None);
    }

    #[test]
    fn at_the_bound_it_refuses_and_says_when_there_is_room() {
        let mut book = Book::new();
        for _ in 0..4 {
            book.push(Class::AtMostOnce, None);
        }
        assert!(!book.room(POLICY, 1));
        assert!(!book.outbox.take_room(&POLICY));
        book.cancel(OpId(2));
        assert!(book.outbox.take_room(&POLICY));
        assert!(!book.outbox.take_room(&POLICY), "once");
        assert!(!book.room(POLICY, 71), "bytes are bounded too");
    }

    #[test]
    fn the_oldest_makes_room_but_never_what_may_have_left() {
        let policy = QueuePolicy { overflow: Overflow::DropOldest, ..POLICY };
        let mut book = Book::new();
        for _ in 0..4 {
            book.push(Class::AtLeastOnce, None);
        }
        book.hand();
        assert!(book.room(policy, 10));
        book.lost(None);
        book.push(Class::AtMostOnce, None);
        assert!(book.room(policy, 10));
        assert_eq!(book.ended, [(2, Outcome::Dropped(Dropped::Overflow)), (3, Outcome::Dropped(Dropped::Overflow))]);
        assert!(!book.room(policy, 101), "what can never fit empties nothing");
        assert!(!book.room(policy, 91), "nor does what would not fit even so");
        assert_eq!(book.outbox.len(), 3);
    }

    /// A peer that acknowledges all but the first must not make the queue grow.
    #[test]
    fn tombstones_behind_a_straggler_are_cleared() {
        let mut book = Book::new();
        book.push(Class::AtLeastOnce, None);
        book.hand();
        for _ in 0..10_000 {
            let id = book.push(Class::AtLeastOnce, None);
            book.hand();
            assert!(book.acked(id));
        }
        assert!(book.outbox.entries.len() <= 64, "{}", book.outbox.entries.len());
        let id = book.push(Class::AtLeastOnce, None);
        assert_eq!(book.hand(), Some((id.0, false)), "the cursor stands right");
    }

    #[test]
    fn the_end_names_what_may_have_left() {
        let mut book = Book::new();
        book.push(Class::AtLeastOnce, None);
        book.hand();
        book.push(Class::AtMostOnce, None);
        book.lost(None);
        book.with(|outbox, mut end| outbox.end_all(&mut end));
        assert_eq!(book.ended, [(2, Outcome::Dropped(Dropped::Stopped)), (1, Outcome::InDoubt)]);
    }

    const LATEST: Class = Class::Latest;

    #[test]
    fn the_latest_takes_the_place_of_what_waits() {
        let mut book = Book::new();
        book.offer(POLICY, LATEST, 10, "a");
        book.push(Class::AtMostOnce, None);
        assert_eq!(book.offer(POLICY, LATEST, 10, "a"), Room::Instead(Place::of(OpId(1))));
        assert_eq!(book.offer(POLICY, LATEST, 10, "b"), Room::Behind, "another key");
        assert_eq!(book.ended, [(1, Outcome::Dropped(Dropped::Replaced))]);
        assert_eq!([book.hand(), book.hand(), book.hand()], [Some((3, false)), Some((2, false)), Some((4, false))]);
        assert_eq!(book.offer(POLICY, LATEST, 10, "a"), Room::Behind, "one that was handed over is not replaced");
    }

    #[test]
    fn whoever_took_a_place_is_found_by_its_own_id() {
        let mut book = Book::new();
        book.offer(POLICY, LATEST, 10, "a");
        book.push(Class::AtMostOnce, None);
        book.offer(POLICY, LATEST, 10, "a");
        assert_eq!(book.cancel(OpId(1)), None, "it has ended, and another stands there");
        assert_eq!(book.cancel(OpId(3)), Some("new"));
        assert_eq!(book.cancel(OpId(3)), None);
        assert_eq!(book.outbox.len(), 1);
    }

    #[test]
    fn the_latest_needs_no_room_of_its_own() {
        let policy = QueuePolicy { max_messages: 1, ..POLICY };
        let mut book = Book::new();
        book.offer(policy, LATEST, 10, "a");
        assert_eq!(book.offer(policy, LATEST, 100, "a"), Room::Instead(Place::of(OpId(1))));
        assert_eq!(book.offer(policy, LATEST, 101, "a"), Room::No, "bytes are bounded too");
        assert_eq!(book.offer(policy, LATEST, 10, "b"), Room::No);
    }

    #[test]
    fn the_lowest_makes_room_and_of_it_the_oldest() {
        let policy = QueuePolicy { overflow: Overflow::DropLowest, max_messages: 5, ..POLICY };
        let mut book = Book::new();
        for (class, key) in [(Class::AtLeastOnce, ""), (Class::AtMostOnce, ""), (LATEST, "a"), (LATEST, "b")] {
            book.offer(policy, class, 10, key);
        }
        book.push(Class::AtMostOnce, None);
        assert_eq!(book.offer(policy, Class::AtMostOnce, 10, ""), Room::Behind);
        assert_eq!(book.offer(policy, LATEST, 10, "c"), Room::Behind);
        assert_eq!(book.offer(policy, Class::AtLeastOnce, 10, ""), Room::Behind);
        for _ in 0..3 {
            assert_eq!(book.offer(policy, Class::AtLeastOnce, 10, ""), Room::Behind);
        }
        let dropped: Vec<u64> = book.ended.iter().map(|(id, _)| *id).collect();
        assert_eq!(dropped, [3, 4, 7, 2, 5, 6], "the latest, then what is sent at most once, oldest first");
        assert_eq!(book.offer(policy, Class::AtMostOnce, 10, ""), Room::No, "nothing is as low");
    }

    #[test]
    fn the_newest_with_the_same_key_gives_its_place_at_the_bound() {
        let policy = QueuePolicy { overflow: Overflow::ReplaceByKey, max_messages: 3, ..POLICY };
        let mut book = Book::new();
        for (class, key) in [(Class::AtMostOnce, "a"), (Class::AtMostOnce, "a"), (Class::AtLeastOnce, "b")] {
            book.offer(policy, class, 10, key);
        }
        assert_eq!(book.offer(policy, Class::AtMostOnce, 10, "a"), Room::Instead(Place::of(OpId(2))));
        assert_eq!(book.offer(policy, Class::AtMostOnce, 10, "b"), Room::No, "what is kept gives way to nothing");
        assert_eq!(book.offer(policy, Class::AtMostOnce, 10, ""), Room::No);
        assert_eq!([book.hand(), book.hand(), book.hand()], [Some((1, false)), Some((4, false)), Some((3, false))]);
    }

    #[test]
    fn what_is_taken_back_says_when_it_came_and_how_often_it_was_tried() {
        let mut book = Book::new();
        let first = book.push(Class::AtMostOnce, None);
        book.push(Class::AtMostOnce, None);
        book.hand();
        book.lost(Some(first));
        book.push(Class::AtLeastOnce, None);
        let taken = book.with(|outbox, mut end| outbox.take_waiting(&mut end));
        let seen: Vec<_> =
            taken.iter().map(|one| (one.id.0, one.enqueued_at.as_micros() / 1_000, one.attempts)).collect();
        assert_eq!(seen, [(1, 0, 1), (2, 1, 0), (3, 2, 0)]);
        assert_eq!(book.outbox.len(), 0);
    }

    #[test]
    fn times_are_noted_for_what_is_there_only() {
        let mut book = Book::new();
        book.push(Class::AtLeastOnce, None);
        book.hand();
        for _ in 0..10_000 {
            let id = book.push(Class::AtLeastOnce, None);
            book.hand();
            assert!(book.acked(id));
        }
        assert!(book.outbox.times.notes() <= 65, "{}", book.outbox.times.notes());
    }

    #[test]
    fn the_third_link_that_it_takes_down_is_the_last() {
        let mut book = Book::new();
        let kept = book.push(Class::AtLeastOnce, None);
        for charges in 1..=3 {
            book.push(Class::AtMostOnce, None);
            book.hand();
            book.hand();
            book.with(|outbox, mut end| outbox.on_charged(Charge::Each, 3, None, &mut end));
            let failed = book.ended.iter().any(|(id, outcome)| *id == kept.0 && matches!(outcome, Outcome::Failed(_)));
            assert_eq!(failed, charges == 3, "after {charges}");
            book.lost(None);
        }
        assert_eq!(book.outbox.len(), 0, "what is sent at most once is in doubt");
    }

    #[test]
    fn too_large_is_the_largest_at_once() {
        let mut book = Book::new();
        for (class, bytes) in [(Class::AtLeastOnce, 20), (Class::AtLeastOnce, 30), (Class::AtMostOnce, 25)] {
            book.put(class, bytes, None);
            book.hand();
        }
        book.with(|outbox, mut end| outbox.on_charged(Charge::Largest, 3, None, &mut end));
        assert!(matches!(book.ended[..], [(2, Outcome::Failed(_))]), "{:?}", book.ended);
        book.flushed(OpId(3));
        book.with(|outbox, mut end| outbox.on_charged(Charge::Largest, 3, None, &mut end));
        assert_eq!(book.ended.len(), 2, "the largest of the rest was written, and is gone");
    }

    #[test]
    fn a_pong_speaks_for_what_was_written_before_its_ping() {
        let mut book = Book::new();
        let ids: Vec<OpId> = (0..4).map(|_| book.push(Class::AtMostOnce, None)).collect();
        book.hand();
        book.hand();
        book.outbox.on_ping();
        book.hand();
        book.flushed(ids[2]);
        assert_eq!(book.outbox.suspect(), 3);
        book.outbox.on_pong();
        assert_eq!(book.outbox.suspect(), 1);
        book.lost(None);
        assert_eq!(book.outbox.suspect(), 0);
    }
}
