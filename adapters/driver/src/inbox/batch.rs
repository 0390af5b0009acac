//! What the reader has in hand.

use std::{
    collections::VecDeque,
    mem::{forget, replace, swap},
};

use steadfast::Event;

use crate::{Item, queue::Letter};

/// How many items the reader takes of those that wait.
pub(super) const SOME: usize = 64;
/// So many messages or fewer it takes all at once, if nothing else waits between them: a round of the driver's.
pub(super) const ALL: usize = 512;

/// What the reader has taken out of the inbox and not handed out.
pub(crate) struct Batch<I, T> {
    pub(super) messages: VecDeque<Letter<Event<I, T>>>,
    /// How many of them were handed out. They are emptied where they lie, as the driver does it in `perform`.
    handed: usize,
    /// What comes after them.
    pub(super) items: VecDeque<Item<I, T>>,
}

impl<I, T> Batch<I, T> {
    pub(crate) const fn new() -> Self {
        Self { messages: VecDeque::new(), handed: 0, items: VecDeque::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.messages.len() - self.handed + self.items.len()
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.handed == self.messages.len() && self.items.is_empty()
    }

    /// The next message of those that were taken all at once.
    #[inline]
    pub(crate) fn next_message(&self) -> Option<&Event<I, T>> {
        self.messages.get(self.handed).map(|(event, _)| event)
    }

    #[inline]
    pub(crate) fn pop_message(&mut self) -> Option<Item<I, T>> {
        let (event, _) = self.messages.get_mut(self.handed)?;
        self.handed += 1;
        Some(Item::Event(replace(event, Event::Room)))
    }

    /// The next item behind those.
    pub(crate) fn pop_item(&mut self) -> Option<Item<I, T>> {
        self.items.pop_front()
    }

    /// All was handed out, so there is nothing left to be dropped; and to look for it in each takes time.
    pub(super) fn clear(&mut self) {
        debug_assert!(self.is_empty(), "what was not handed out would be lost");
        self.messages.drain(..).for_each(forget);
        self.handed = 0;
    }

    /// The reader waits: its memory is where it can be given back meanwhile.
    pub(super) const fn lend_to(&mut self, lent: &mut VecDeque<Letter<Event<I, T>>>) {
        swap(lent, &mut self.messages);
    }

    /// It waits no longer.
    pub(super) fn take_back(&mut self, lent: &mut VecDeque<Letter<Event<I, T>>>) {
        if self.messages.capacity() == 0 {
            swap(lent, &mut self.messages);
        }
    }
}
