//! What waits for one reader, in the order in which it came.
//!
//! Messages and the rest wait in two queues, so that the oldest message can go without a search; each of
//! the rest remembers how many messages came before it.

use std::{
    collections::VecDeque,
    mem::{swap, take},
};

use crate::{Lagged, Mailbox, mailbox::EVENTS_BYTES_MAX};

pub(crate) struct Queue<M, R> {
    messages: VecDeque<Letter<M>>,
    /// The bytes of all of them.
    bytes: u64,
    /// How many messages came out so far, taken or dropped.
    passed: u64,
    rest: VecDeque<Other<R>>,
    /// About how many bytes they hold.
    rest_bytes: usize,
    /// What was dropped and not yet told.
    lagged: Lagged,
}

/// A message and how many bytes it counts for. (A whole word: half of one would be copied as a whole one, and waited
/// for.)
pub(crate) type Letter<M> = (M, u64);

/// What is no message.
struct Other<R> {
    /// How many messages came before it.
    place: u64,
    bytes: usize,
    item: R,
}

/// What a reader takes.
pub(crate) enum Next<M, R> {
    Message(M),
    Other(R),
    Lagged(Lagged),
}

impl<M, R> Queue<M, R> {
    pub(crate) const fn new() -> Self {
        Self {
            messages: VecDeque::new(),
            bytes: 0,
            passed: 0,
            rest: VecDeque::new(),
            rest_bytes: 0,
            lagged: Lagged { messages: 0, events: 0 },
        }
    }

    /// How many messages wait.
    pub(crate) fn len(&self) -> usize {
        self.messages.len()
    }

    /// How many bytes they count for.
    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn is_full(&self, limits: &Mailbox) -> bool {
        self.messages.len() >= limits.messages as usize || self.bytes >= limits.bytes
    }

    pub(crate) fn has_caught_up(&self, limits: &Mailbox) -> bool {
        self.messages.len() <= limits.messages as usize / 2 && self.bytes <= limits.bytes / 2
    }

    pub(crate) fn push(&mut self, message: M, bytes: u64) {
        self.bytes += bytes;
        self.messages.push_back((message, bytes));
    }

    /// All of these, at once.
    pub(crate) fn append(&mut self, messages: &mut VecDeque<Letter<M>>) {
        self.bytes += messages.iter().map(|(_, bytes)| bytes).sum::<u64>();
        if self.messages.is_empty() {
            // The reader keeps up: the two trade places, and no message is moved.
            swap(&mut self.messages, messages);
        } else {
            self.messages.append(messages);
        }
    }

    /// The place behind all messages that are there.
    pub(crate) fn place(&self) -> u64 {
        self.passed + self.messages.len() as u64
    }

    pub(crate) fn push_other(&mut self, place: u64, item: R, bytes: usize) {
        self.rest_bytes += bytes;
        self.rest.push_back(Other { place, bytes, item });
    }

    /// The newest message stays, however large it is. The others are to be dropped outside the lock.
    pub(crate) fn drop_oldest(&mut self, limits: &Mailbox, mut dead: impl FnMut(Letter<M>)) {
        while self.messages.len() > 1 && (self.messages.len() > limits.messages as usize || self.bytes > limits.bytes) {
            if let Some(letter) = self.pop_message() {
                dead(letter);
            }
            self.lagged.messages += 1;
        }
    }

    /// The same for the rest, if so many were left lying that nobody can be reading.
    pub(crate) fn drop_oldest_other(&mut self, most: usize, dead: &mut Vec<R>) {
        while self.rest.len() > most || self.rest_bytes > EVENTS_BYTES_MAX {
            dead.extend(self.pop_other());
            self.lagged.events += 1;
        }
    }

    /// All messages, in exchange for an empty queue.
    pub(crate) fn trade(&mut self, empty: &mut VecDeque<Letter<M>>) {
        swap(&mut self.messages, empty);
        self.passed += empty.len() as u64;
        self.bytes = 0;
    }

    /// So many messages, at most as many as there are. To be taken to the last.
    pub(crate) fn drain(&mut self, count: usize) -> impl Iterator<Item = Letter<M>> {
        self.passed += count as u64;
        let bytes = &mut self.bytes;
        self.messages.drain(..count).inspect(move |(_, weight)| *bytes -= weight)
    }

    /// How many messages come next, with nothing else before or between them.
    pub(crate) fn run(&self) -> usize {
        if self.lagged.events > 0 || self.lagged.messages > 0 {
            return 0;
        }
        let Some(other) = self.rest.front() else { return self.messages.len() };
        usize::try_from(other.place.saturating_sub(self.passed)).unwrap_or(usize::MAX)
    }

    /// The next item, in the order in which they came.
    pub(crate) fn next(&mut self) -> Option<Next<M, R>> {
        let is_other = self.rest.front().is_some_and(|other| other.place <= self.passed);
        if self.lagged.events > 0 || (self.lagged.messages > 0 && !is_other) {
            return Some(Next::Lagged(take(&mut self.lagged)));
        }
        if is_other {
            return self.pop_other().map(Next::Other);
        }
        self.pop_message().map(|(message, _)| Next::Message(message))
    }

    /// All that waits, to be dropped outside the lock.
    pub(crate) fn take_all(&mut self) -> Self {
        let passed = self.place();
        std::mem::replace(self, Self { passed, ..Self::new() })
    }

    pub(crate) fn shrink_to(&mut self, few: usize) {
        self.messages.shrink_to(few);
        self.rest.shrink_to(few);
    }

    fn pop_other(&mut self) -> Option<R> {
        let other = self.rest.pop_front()?;
        self.rest_bytes -= other.bytes;
        Some(other.item)
    }

    fn pop_message(&mut self) -> Option<Letter<M>> {
        let letter = self.messages.pop_front()?;
        self.bytes -= letter.1;
        self.passed += 1;
        Some(letter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(queue: &mut Queue<u32, &'static str>) -> Vec<String> {
        std::iter::from_fn(|| queue.next())
            .map(|next| match next {
                Next::Message(message) => message.to_string(),
                Next::Other(other) => other.to_owned(),
                Next::Lagged(lagged) => format!("{} lost", lagged.messages),
            })
            .collect()
    }

    #[test]
    fn what_is_no_message_keeps_its_place_when_messages_are_dropped() {
        let mut queue = Queue::new();
        for n in 1..=6 {
            queue.push(n, 10);
            if n == 2 || n == 5 {
                queue.push_other(queue.place(), "news", 0);
            }
        }
        let mut dead = Vec::new();
        queue.drop_oldest(&Mailbox::lag(2, 1_000), |(message, _)| dead.push(message));
        assert_eq!(dead, [1, 2, 3, 4]);
        assert_eq!(all(&mut queue), ["news", "4 lost", "5", "news", "6"]);
        assert_eq!((queue.len(), queue.bytes()), (0, 0));
    }

    #[test]
    fn the_newest_message_stays_however_large_it_is() {
        let mut queue = Queue::<_, &'static str>::new();
        queue.push(1, 10);
        queue.push(2, 1_000);
        queue.drop_oldest(&Mailbox::lag(9, 100), |_| {});
        assert_eq!(all(&mut queue), ["1 lost", "2"]);
    }

    #[test]
    fn a_run_ends_where_something_else_comes() {
        let mut queue = Queue::new();
        queue.push(1, 10);
        queue.push(2, 10);
        queue.push_other(queue.place(), "news", 7);
        queue.push(3, 10);
        assert_eq!(queue.run(), 2);
        assert_eq!(queue.drain(2).map(|(message, _)| message).collect::<Vec<_>>(), [1, 2]);
        assert_eq!((queue.run(), queue.bytes()), (0, 10));
        assert_eq!(all(&mut queue), ["news", "3"]);
    }
}
