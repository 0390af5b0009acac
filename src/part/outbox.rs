//! What do we owe the peer, and what became of it?
//!
//! One queue in the order of acceptance. Before the cursor stands what this link has been given, from the cursor
//! on what waits; a second mark parts what of the former is with the operating system from what is only with the
//! transport. A message that ends in the middle leaves a tombstone, cleared from the front or by compaction, so
//! everything costs the same however much is queued. When a link dies the cursor goes back to the front and
//! normal sending goes on: there is no second queue for what must be sent again.

mod expiries;
mod keeping;

use alloc::{boxed::Box, collections::VecDeque, vec::Vec};

use expiries::Expiries;

use crate::{Class, Dropped, OpId, Outcome, Overflow, QueuePolicy, Rejected, Timestamp};

/// The messages of a session that have no outcome yet.
#[derive(Clone, Debug)]
pub(crate) struct Outbox<M> {
    entries: VecDeque<Entry<M>>,
    /// Index of the first entry that this link has not been given.
    cursor: usize,
    /// Index of the first entry that is not known to be with the operating system. Never beyond the cursor.
    flushed: usize,
    /// Every message below may have left on an earlier link.
    doubtful_below: OpId,
    /// Everything that never left and is older has been dropped: where to look for the next.
    droppable_from: OpId,
    books: Books<M>,
}

/// What is counted over all messages.
#[derive(Clone, Debug)]
struct Books<M> {
    /// Entries without a tombstone, and their bytes.
    live: u32,
    bytes: u64,
    expiries: Expiries,
    /// A message was refused for want of room, and since then something has ended.
    wanted: Wanted,
    /// Messages that ended: for the driver, to be dropped where that can do no harm.
    dead: Vec<M>,
}

#[derive(Clone, Debug)]
struct Entry<M> {
    /// `None` is a tombstone.
    message: Option<M>,
    label: Label,
}

/// What is known of a message.
#[derive(Clone, Copy, Debug)]
struct Label {
    id: OpId,
    bytes: u32,
    class: Class,
    tracked: bool,
    expires: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    No,
    Refused,
    Freed,
}

/// A message that ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) id: OpId,
    pub(crate) tracked: bool,
    pub(crate) outcome: Outcome,
}

/// The next message to hand over.
#[derive(Debug)]
pub(crate) struct Next<'a, M> {
    pub(crate) id: OpId,
    pub(crate) message: &'a M,
    pub(crate) bytes: u32,
    /// Its acknowledgement is waited for.
    pub(crate) ack: bool,
    /// It may have left on an earlier link.
    pub(crate) again: bool,
}

/// How a message is to be kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    pub(crate) class: Class,
    pub(crate) tracked: bool,
    pub(crate) expires: Option<Timestamp>,
}

impl<M> Outbox<M> {
    pub(crate) const fn new() -> Self {
        Self {
            entries: VecDeque::new(),
            cursor: 0,
            flushed: 0,
            doubtful_below: OpId(0),
            droppable_from: OpId(0),
            books: Books { live: 0, bytes: 0, expiries: Expiries::new(), wanted: Wanted::No, dead: Vec::new() },
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

    /// When the next message expires.
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        self.books.expiries.deadline()
    }

    /// Makes room for a message of this size, as the policy says. `false`: it has to be refused.
    #[inline]
    pub(crate) fn make_room(&mut self, policy: &QueuePolicy, bytes: u32, end: &mut impl FnMut(Ended)) -> bool {
        let fits = self.books.live < policy.max_messages && self.books.bytes + u64::from(bytes) <= policy.max_bytes;
        fits || self.at_the_bound(policy, bytes, end)
    }

    #[cold]
    fn at_the_bound(&mut self, policy: &QueuePolicy, bytes: u32, end: &mut impl FnMut(Ended)) -> bool {
        let messages = (u64::from(self.books.live) + 1).saturating_sub(policy.max_messages.into());
        let bytes = (self.books.bytes + u64::from(bytes)).saturating_sub(policy.max_bytes);
        let until = match policy.overflow {
            Overflow::Refuse => None,
            Overflow::DropOldest => self.enough_to_drop(messages, bytes),
            Overflow::DropNewest | Overflow::DropLowest | Overflow::ReplaceByKey => None,
        };
        let Some((from, to)) = until else {
            self.books.wanted = Wanted::Refused;
            return false;
        };
        for at in from..to {
            self.end_in_place(at, Outcome::Dropped(Dropped::Overflow), end);
        }
        self.droppable_from = self.entries[to - 1].label.id;
        self.tidy();
        true
    }

    /// From where to where the oldest messages that never left stand that make so much room; `None` if all of them
    /// do not. Nothing is dropped in vain.
    fn enough_to_drop(&self, mut messages: u64, mut bytes: u64) -> Option<(usize, usize)> {
        let oldest = self.doubtful_below.max(self.droppable_from);
        let from = self.entries.partition_point(|entry| entry.label.id < oldest).max(self.cursor);
        for at in from..self.entries.len() {
            if self.entries[at].message.is_some() {
                messages = messages.saturating_sub(1);
                bytes = bytes.saturating_sub(self.entries[at].label.bytes.into());
            }
            if (messages, bytes) == (0, 0) {
                return Some((from, at + 1));
            }
        }
        None
    }

    /// Takes a message. Ids only ever grow.
    #[inline]
    pub(crate) fn push(&mut self, id: OpId, message: M, bytes: u32, standing: Standing) {
        let Standing { class, tracked, expires } = standing;
        if let Some(at) = expires {
            self.books.expiries.insert(id, at);
        }
        let label = Label { id, bytes, class, tracked, expires: expires.is_some() };
        self.entries.push_back(Entry { message: Some(message), label });
        self.books.live += 1;
        self.books.bytes += u64::from(bytes);
    }

    /// The next message to hand over.
    #[inline]
    pub(crate) fn next(&mut self) -> Option<Next<'_, M>> {
        while let Some(Entry { message, label }) = self.entries.get(self.cursor) {
            if let Some(message) = message {
                let (ack, again) = (label.class == Class::AtLeastOnce, label.id < self.doubtful_below);
                return Some(Next { id: label.id, message, bytes: label.bytes, ack, again });
            }
            self.cursor += 1;
        }
        None
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
    pub(crate) fn on_flushed(&mut self, up_to: OpId, end: &mut impl FnMut(Ended)) {
        for entry in self.entries.range_mut(self.flushed..self.cursor) {
            if entry.label.id > up_to {
                break;
            }
            if entry.label.class == Class::AtMostOnce {
                self.books.end(entry, Outcome::Written, end);
            }
            self.flushed += 1;
        }
        self.tidy();
    }

    /// The peer says that it has a message. `false`: nothing that waits for it has left.
    pub(crate) fn on_acked(&mut self, id: OpId, end: &mut impl FnMut(Ended)) -> bool {
        let at = self.find_away(id);
        at.into_iter().for_each(|at| self.end(at, Outcome::Acked, end));
        at.is_some()
    }

    /// The peer says that it will not have a message, and why. `Err`: nothing that waits for it has left.
    pub(crate) fn on_rejected(
        &mut self,
        id: OpId,
        why: Box<Rejected>,
        end: &mut impl FnMut(Ended),
    ) -> Result<(), Box<Rejected>> {
        match self.find_away(id) {
            Some(at) => {
                self.end(at, Outcome::Failed(why), end);
                Ok(())
            }
            None => Err(why),
        }
    }

    /// The link is gone. What it was given before `first_unsent` may have left, the rest has not and goes back to
    /// the head of the queue.
    pub(crate) fn on_lost(&mut self, first_unsent: Option<OpId>, end: &mut impl FnMut(Ended)) {
        let unsent = first_unsent.unwrap_or(OpId(u64::MAX));
        for at in 0..self.cursor {
            let Entry { label: Label { id, class, .. }, ref message } = self.entries[at];
            let stayed = at >= self.flushed && id >= unsent;
            if message.is_none() || stayed {
                continue;
            }
            self.doubtful_below = self.doubtful_below.max(OpId(id.0 + 1));
            if class == Class::AtMostOnce {
                self.end_in_place(at, Outcome::InDoubt, end);
            }
        }
        (self.cursor, self.flushed, self.droppable_from) = (0, 0, OpId(0));
        self.tidy();
    }

    /// Takes a message back. `None` if it is unknown, ended, or may have left.
    pub(crate) fn cancel(&mut self, id: OpId, end: &mut impl FnMut(Ended)) -> Option<M> {
        let at = self.find(id)?;
        if !self.is_here(at) {
            return None;
        }
        self.end(at, Outcome::Cancelled, end);
        self.books.dead.pop()
    }

    /// The time of some messages is up: those that never left have expired, of the others nobody knows.
    pub(crate) fn on_due(&mut self, now: Timestamp, end: &mut impl FnMut(Ended)) {
        while let Some(id) = self.books.expiries.take_due(now) {
            let Some(at) = self.find(id) else { continue };
            self.end(at, if self.is_here(at) { Outcome::Expired } else { Outcome::InDoubt }, end);
        }
    }

    /// What waits goes back to where it came from. What may have left on an earlier link is in doubt.
    pub(crate) fn take_waiting(&mut self, end: &mut impl FnMut(Ended)) -> Vec<(OpId, M)> {
        let mut back = Vec::new();
        for at in self.cursor..self.entries.len() {
            let Entry { label: Label { id, .. }, ref message } = self.entries[at];
            if message.is_none() {
                continue;
            }
            let outcome = if self.is_here(at) { Outcome::Cancelled } else { Outcome::InDoubt };
            let comes_back = outcome == Outcome::Cancelled;
            self.end_in_place(at, outcome, end);
            if comes_back {
                back.extend(self.books.dead.pop().map(|message| (id, message)));
            }
        }
        self.tidy();
        back
    }

    /// What was accepted up to this message is not for the next link, and no link has it any more.
    pub(crate) fn end_up_to(&mut self, last: OpId, why: Dropped, end: &mut impl FnMut(Ended)) {
        debug_assert_eq!(self.cursor, 0, "no link has anything");
        let to = self.entries.partition_point(|entry| entry.label.id <= last);
        for at in 0..to {
            if self.entries[at].message.is_some() {
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

    /// True once when there is room again after a refusal: a quarter of both bounds.
    #[inline]
    pub(crate) fn take_room(&mut self, policy: &QueuePolicy) -> bool {
        let roomy = self.books.wanted == Wanted::Freed
            && self.books.live <= policy.max_messages - policy.max_messages.div_ceil(4)
            && self.books.bytes <= policy.max_bytes - policy.max_bytes.div_ceil(4);
        if roomy {
            self.books.wanted = Wanted::No;
        }
        roomy
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
        at >= self.cursor && self.entries[at].label.id >= self.doubtful_below
    }

    /// Where a message stands, if it has not ended. Ids are in order and mostly without holes.
    fn find(&self, id: OpId) -> Option<usize> {
        let first = self.entries.front()?.label.id;
        let guess = usize::try_from(id.0.checked_sub(first.0)?).ok()?;
        let at = match self.entries.get(guess) {
            Some(entry) if entry.label.id == id => guess,
            Some(_) | None => self.entries.binary_search_by_key(&id, |entry| entry.label.id).ok()?,
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
            let live_before =
                |at| self.entries.iter().take(at).filter(|entry: &&Entry<M>| entry.message.is_some()).count();
            (self.cursor, self.flushed) = (live_before(self.cursor), live_before(self.flushed));
            self.entries.retain(|entry| entry.message.is_some());
        }
    }
}

impl<M> Books<M> {
    /// Ends a message, and leaves a tombstone.
    #[inline(always)]
    fn end(&mut self, entry: &mut Entry<M>, outcome: Outcome, end: &mut impl FnMut(Ended)) {
        let Some(message) = entry.message.take() else { return };
        self.dead.push(message);
        let Label { id, bytes, class: _, tracked, expires } = entry.label;
        if expires {
            self.expiries.remove(id);
        }
        self.live -= 1;
        self.bytes -= u64::from(bytes);
        if self.wanted == Wanted::Refused {
            self.wanted = Wanted::Freed;
        }
        end(Ended { id, tracked, outcome });
    }
}

const _: () = assert!(size_of::<Entry<crate::Frame>>() <= 56);

#[cfg(test)]
mod tests {
    use super::*;

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
            self.last += 1;
            let expires = expires.map(Timestamp::from_millis);
            self.outbox.push(OpId(self.last), "m", 10, Standing { class, tracked: true, expires });
            OpId(self.last)
        }

        fn hand(&mut self) -> Option<(u64, bool)> {
            let next = self.outbox.next().map(|next| (next.id.0, next.again));
            self.outbox.on_handed();
            next
        }

        fn flushed(&mut self, id: OpId) {
            self.with(|outbox, mut end| outbox.on_flushed(id, &mut end));
        }

        fn acked(&mut self, id: OpId) -> bool {
            self.with(|outbox, mut end| outbox.on_acked(id, &mut end))
        }

        fn lost(&mut self, first_unsent: Option<OpId>) {
            self.with(|outbox, mut end| outbox.on_lost(first_unsent, &mut end));
        }

        fn cancel(&mut self, id: OpId) -> Option<&'static str> {
            self.with(|outbox, mut end| outbox.cancel(id, &mut end))
        }

        fn room(&mut self, policy: QueuePolicy, bytes: u32) -> bool {
            self.with(|outbox, mut end| outbox.make_room(&policy, bytes, &mut end))
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
}
