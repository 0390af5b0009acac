//! Where items wait for the application, under a lock of their own.

mod batch;

use std::{
    collections::VecDeque,
    mem::{replace, take},
    sync::PoisonError,
    task::{Context, Poll, Waker},
};

use steadfast::Event;

pub(crate) use batch::Batch;
use batch::{ALL, SOME};

use crate::{
    Item, Mailbox,
    mailbox::Slow,
    queue::{Letter, Next, Queue},
    sync::{Mutex, MutexGuard},
    weights::weight_of,
};

pub(crate) struct Inbox<I, T> {
    pub(crate) limits: Mailbox,
    /// How many items that are no messages may wait.
    rest_max: usize,
    state: Mutex<State<I, T>>,
}

struct State<I, T> {
    queue: Queue<Event<I, T>, Item<I, T>>,
    /// What the reader holds messages in, while it waits: nobody knows how long that will be.
    lent: VecDeque<Letter<Event<I, T>>>,
    reader: Option<Waker>,
    /// The driver, if it waits for the reader to catch up.
    driver: Option<Waker>,
    is_paused: bool,
    stage: Stage,
}

/// How much may be read.
#[derive(Clone, Copy)]
pub(crate) struct Room {
    pub(crate) frames: usize,
    /// No frame is begun once so many bytes are read; `None` if they do not matter.
    pub(crate) bytes: Option<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Open,
    /// Nothing more comes.
    Ended,
    /// Nobody reads.
    Deserted,
}

impl<I, T> Inbox<I, T> {
    pub(crate) fn new(limits: Mailbox, rest_max: usize) -> Self {
        let state = State {
            queue: Queue::new(),
            lent: VecDeque::new(),
            reader: None,
            driver: None,
            is_paused: false,
            stage: Stage::Open,
        };
        Self { limits, rest_max, state: Mutex::new(state) }
    }

    /// Takes what a round brought, all at once, and wakes the reader.
    pub(crate) fn put(&self, brought: &mut Brought<I, T>) {
        let mut dead = Vec::new();
        let mut state = self.lock();
        if state.stage == Stage::Open {
            // Before the new ones are there: what comes at once is never too much, only what was left lying.
            state.queue.drop_oldest_other(self.rest_max, &mut dead);
            state.append(brought);
            if self.limits.slow == Slow::Lag {
                state.queue.drop_oldest(&self.limits, |letter| brought.messages.push_back(letter));
            }
        }
        let reader = state.reader.take();
        drop(state);
        drop(dead);
        brought.clear();
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    /// How much may be read from the link; pending while the reader has to catch up.
    pub(crate) fn poll_room(&self, cx: &Context<'_>, most: usize) -> Poll<Room> {
        if self.limits.slow == Slow::Lag {
            return Poll::Ready(Room { frames: most, bytes: None });
        }
        let waker = cx.waker().clone();
        let mut state = self.lock();
        state.is_paused = match state.is_paused {
            true => !state.has_caught_up(&self.limits),
            false => state.is_full(&self.limits),
        };
        // When nobody reads any more there is room for everything.
        if state.stage != Stage::Open {
            return Poll::Ready(Room { frames: most, bytes: None });
        }
        if state.is_paused {
            let former = state.driver.replace(waker);
            drop(state);
            drop(former);
            return Poll::Pending;
        }
        let frames = (self.limits.messages as usize).saturating_sub(state.queue.len()).clamp(1, most);
        Poll::Ready(Room { frames, bytes: Some(self.limits.bytes.saturating_sub(state.queue.bytes())) })
    }

    /// Moves some items into `batch`, which is empty; `Ready(false)` if nothing more comes.
    pub(crate) fn poll_take(&self, cx: Option<&Context<'_>>, batch: &mut Batch<I, T>) -> Poll<bool> {
        let waker = cx.map(|cx| cx.waker().clone());
        let mut state = self.lock();
        state.take(batch);
        let is_empty = batch.is_empty();
        let former = if is_empty { replace(&mut state.reader, waker) } else { None };
        let driver = if state.has_caught_up(&self.limits) { state.driver.take() } else { None };
        let stage = state.stage;
        drop(state);
        drop(former);
        if let Some(driver) = driver {
            driver.wake();
        }
        match stage {
            Stage::Open if is_empty => Poll::Pending,
            Stage::Open | Stage::Ended | Stage::Deserted => Poll::Ready(!is_empty),
        }
    }

    /// Nothing more comes.
    pub(crate) fn end(&self) {
        self.leave(Stage::Ended);
    }

    /// Nobody reads any more: what waits is dropped, and so is all that comes.
    pub(crate) fn desert(&self) {
        let mut state = self.lock();
        let left = state.queue.take_all();
        drop(state);
        drop(left);
        self.leave(Stage::Deserted);
    }

    /// Gives back the memory of a burst.
    pub(crate) fn shrink(&self) {
        let mut state = self.lock();
        state.queue.shrink_to(0);
        state.lent.shrink_to_fit();
    }

    fn leave(&self, stage: Stage) {
        let mut state = self.lock();
        state.stage = stage;
        let wakers = [state.reader.take(), state.driver.take()];
        drop(state);
        wakers.into_iter().flatten().for_each(Waker::wake);
    }

    /// No code of the user's runs under this lock, so a panic under it is out of memory, if anything.
    fn lock(&self) -> MutexGuard<'_, State<I, T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<I, T> State<I, T> {
    fn append(&mut self, brought: &mut Brought<I, T>) {
        let before = self.queue.place();
        self.queue.append(&mut brought.messages);
        for (place, item) in brought.rest.drain(..) {
            let bytes = weight_of(&item);
            self.queue.push_other(before + place, item, bytes);
        }
    }

    /// Moves items into `batch`, which is empty, in the order in which they came.
    fn take(&mut self, batch: &mut Batch<I, T>) {
        batch.clear();
        batch.take_back(&mut self.lent);
        let run = self.queue.run();
        if run == self.queue.len() && (1..=ALL).contains(&run) {
            // The reader keeps up: the two trade places, and no message is moved.
            self.queue.trade(&mut batch.messages);
        } else if run > 0 {
            batch.messages.extend(self.queue.drain(run.min(SOME)));
        } else {
            self.take_some(&mut batch.items);
        }
        if batch.is_empty() {
            batch.lend_to(&mut self.lent);
        }
    }

    /// Moves items into `items` until it holds some.
    fn take_some(&mut self, items: &mut VecDeque<Item<I, T>>) {
        while items.len() < SOME {
            let run = self.queue.run().min(SOME - items.len());
            if run > 0 {
                items.extend(self.queue.drain(run).map(|(message, _)| Item::Event(message)));
            } else {
                let Some(next) = self.queue.next() else { break };
                items.push_back(match next {
                    Next::Message(message) => Item::Event(message),
                    Next::Other(item) => item,
                    Next::Lagged(lagged) => Item::Lagged(lagged),
                });
            }
        }
    }

    fn is_full(&self, limits: &Mailbox) -> bool {
        self.stage == Stage::Open && self.queue.is_full(limits)
    }

    fn has_caught_up(&self, limits: &Mailbox) -> bool {
        self.stage != Stage::Open || self.queue.has_caught_up(limits)
    }
}

/// What a round brought, gathered outside the lock.
pub(crate) struct Brought<I, T> {
    messages: VecDeque<Letter<Event<I, T>>>,
    /// With the number of messages before it.
    rest: Vec<(u64, Item<I, T>)>,
}

impl<I, T> Brought<I, T> {
    #[inline]
    pub(crate) fn message(&mut self, message: Event<I, T>, bytes: u32) {
        self.messages.push_back((message, bytes.into()));
    }

    pub(crate) fn other(&mut self, item: Item<I, T>) {
        self.rest.push((self.messages.len() as u64, item));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.messages.is_empty() && self.rest.is_empty()
    }

    pub(crate) fn has_other(&self) -> bool {
        !self.rest.is_empty()
    }

    /// Keeps of what is no message only what `keep` gives back.
    pub(crate) fn filter(&mut self, mut keep: impl FnMut(Item<I, T>) -> Option<Item<I, T>>) {
        let rest = take(&mut self.rest);
        self.rest.extend(rest.into_iter().filter_map(|(place, item)| Some((place, keep(item)?))));
    }

    pub(crate) fn shrink(&mut self) {
        self.messages.shrink_to_fit();
        self.rest.shrink_to_fit();
    }

    fn clear(&mut self) {
        self.messages.clear();
        self.rest.clear();
    }
}

impl<I, T> Default for Brought<I, T> {
    fn default() -> Self {
        Self { messages: VecDeque::new(), rest: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use steadfast::{Frame, Never, Rejected};

    use super::*;
    use crate::{Lagged, mailbox::EVENTS_BYTES_MAX};

    fn refusal(bytes: usize) -> Item<Frame, Never> {
        let data = Some(Bytes::from(vec![0; bytes]));
        Item::Event(Event::Trouble(Box::new(Rejected { data, ..Rejected::default() })))
    }

    fn take_all(inbox: &Inbox<Frame, Never>) -> VecDeque<Item<Frame, Never>> {
        let (mut all, mut batch) = (VecDeque::new(), Batch::new());
        while inbox.poll_take(None, &mut batch) == Poll::Ready(true) {
            all.extend(std::iter::from_fn(|| batch.pop_message().or_else(|| batch.pop_item())));
        }
        all
    }

    #[test]
    fn what_the_peer_says_with_refusals_is_bounded_in_bytes() {
        let inbox = Inbox::new(Mailbox::lag(10, 1_000), 65_536);
        for _ in 0..2_000 {
            let mut brought = Brought::default();
            brought.other(refusal(64 << 10));
            inbox.put(&mut brought);
        }
        let most = EVENTS_BYTES_MAX / (64 << 10) + 1;
        let batch = take_all(&inbox);
        assert_eq!(batch.front(), Some(&Item::Lagged(Lagged { messages: 0, events: 2_000 - most as u64 })));
        assert_eq!(batch.len(), most + 1);
    }

    #[test]
    fn what_comes_at_once_is_never_too_much() {
        let inbox = Inbox::new(Mailbox::lag(10, 1_000), 100);
        let mut brought = Brought::default();
        (0..1_000).for_each(|_| brought.other(refusal(64 << 10)));
        inbox.put(&mut brought);
        assert_eq!(take_all(&inbox).len(), 1_000);
    }
}
