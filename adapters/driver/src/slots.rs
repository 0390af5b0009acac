//! Who waits for what becomes of a message?

use std::{
    collections::VecDeque,
    mem::{replace, swap},
    task::{Poll, Waker},
};

use steadfast::OpId;

/// Those who wait for what becomes of something. Ids grow and a slot is opened in the same turn in which its message is
/// accepted, so a queue sorted by id is the whole of it: no allocation each.
#[derive(Debug)]
pub(crate) struct Slots<V> {
    slots: VecDeque<Slot<V>>,
    /// How many slots are [`State::Over`] and wait to be cleared away.
    over: usize,
}

#[derive(Debug)]
struct Slot<V> {
    id: OpId,
    state: State<V>,
}

#[derive(Debug)]
pub(crate) enum State<V> {
    /// Not known yet; the waker of who waits for it.
    Open(Option<Waker>),
    /// Not known yet, and nobody waits.
    Forgotten,
    /// Known, to be collected.
    Known(V),
    /// Collected, or never to be known.
    Over,
}

/// What comes of telling what became of something.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Told<V> {
    /// Somebody waited for it.
    Collected,
    /// Somebody did, and does no longer.
    Forgotten(V),
    /// Nobody ever did.
    Unclaimed(V),
}

/// Below this many slots nothing is gained by clearing.
const FEW: usize = 32;

impl<V> Slots<V> {
    pub(crate) const fn new() -> Self {
        Self { slots: VecDeque::new(), over: 0 }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// A slot for a message that was just accepted.
    pub(crate) fn open(&mut self, id: OpId) {
        debug_assert!(self.slots.back().is_none_or(|last| last.id < id), "ids grow");
        self.slots.push_back(Slot { id, state: State::Open(None) });
    }

    /// What became of it is known. It comes back if nobody waits for it.
    pub(crate) fn resolve(&mut self, id: OpId, value: V, woken: &mut Vec<Waker>) -> Told<V> {
        let Some(slot) = self.find(id) else { return Told::Unclaimed(value) };
        match replace(&mut slot.state, State::Over) {
            State::Open(waker) => {
                slot.state = State::Known(value);
                woken.extend(waker);
                Told::Collected
            }
            State::Forgotten => {
                self.clear();
                Told::Forgotten(value)
            }
            settled @ (State::Known(_) | State::Over) => {
                slot.state = settled;
                Told::Unclaimed(value)
            }
        }
    }

    /// Takes what is known, or leaves the waker and gives the former one back. `None` if it will never be known.
    pub(crate) fn poll(&mut self, id: OpId, waker: &mut Option<Waker>) -> Poll<Option<V>> {
        let Some(slot) = self.find(id) else { return Poll::Ready(None) };
        match replace(&mut slot.state, State::Over) {
            State::Open(mut former) => {
                swap(&mut former, waker);
                slot.state = State::Open(former);
                Poll::Pending
            }
            State::Known(value) => {
                self.clear();
                Poll::Ready(Some(value))
            }
            State::Forgotten | State::Over => Poll::Ready(None),
        }
    }

    /// Nobody waits any more. What was known comes back, to be dropped outside the lock.
    pub(crate) fn forget(&mut self, id: OpId) -> Option<State<V>> {
        let slot = self.find(id)?;
        let next = match slot.state {
            State::Open(_) => State::Forgotten,
            State::Known(_) => State::Over,
            State::Forgotten | State::Over => return None,
        };
        let forgotten = replace(&mut slot.state, next);
        if matches!(forgotten, State::Known(_)) {
            self.clear();
        }
        Some(forgotten)
    }

    /// The session is gone without a word about these.
    pub(crate) fn end(&mut self, woken: &mut Vec<Waker>) {
        for slot in &mut self.slots {
            if let State::Open(waker) = &mut slot.state {
                woken.extend(waker.take());
                slot.state = State::Over;
                self.over += 1;
            }
        }
    }

    fn find(&mut self, id: OpId) -> Option<&mut Slot<V>> {
        let index = self.slots.binary_search_by_key(&id, |slot| slot.id).ok()?;
        self.slots.get_mut(index)
    }

    /// One more slot is over. Those in front go at once; those between living ones when they are the
    /// majority, so that each is moved once on average.
    fn clear(&mut self) {
        self.over += 1;
        while self.slots.front().is_some_and(|slot| matches!(slot.state, State::Over)) {
            self.slots.pop_front();
            self.over -= 1;
        }
        if self.over > FEW && self.over > self.slots.len() / 2 {
            self.slots.retain(|slot| !matches!(slot.state, State::Over));
            self.over = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use steadfast::Outcome;

    use super::*;

    type Tickets = Slots<Outcome>;

    fn collect(tickets: &mut Tickets, id: u64) -> Poll<Option<Outcome>> {
        tickets.poll(OpId(id), &mut Some(Waker::noop().clone()))
    }

    #[test]
    fn an_outcome_waits_for_its_ticket() {
        let (mut tickets, mut woken) = (Tickets::new(), Vec::new());
        tickets.open(OpId(3));
        assert_eq!(collect(&mut tickets, 3), Poll::Pending);
        assert_eq!(tickets.resolve(OpId(3), Outcome::Acked, &mut woken), Told::Collected);
        assert_eq!(woken.len(), 1);
        assert_eq!(collect(&mut tickets, 3), Poll::Ready(Some(Outcome::Acked)));
        assert!(tickets.is_empty());
    }

    #[test]
    fn an_outcome_without_a_ticket_comes_back() {
        let (mut tickets, mut woken) = (Tickets::new(), Vec::new());
        tickets.open(OpId(3));
        assert_eq!(tickets.resolve(OpId(2), Outcome::Written, &mut woken), Told::Unclaimed(Outcome::Written));
    }

    #[test]
    fn of_one_that_was_forgotten_it_is_said() {
        let (mut tickets, mut woken) = (Tickets::new(), Vec::new());
        tickets.open(OpId(1));
        tickets.forget(OpId(1));
        let told = tickets.resolve(OpId(1), Outcome::InDoubt, &mut woken);
        assert_eq!(told, Told::Forgotten(Outcome::InDoubt));
        assert!(tickets.is_empty() && woken.is_empty());
    }

    #[test]
    fn one_that_nobody_collects_does_not_hold_up_the_storage() {
        let (mut tickets, mut woken) = (Tickets::new(), Vec::new());
        tickets.open(OpId(0));
        for id in 1..10_000 {
            tickets.open(OpId(id));
            tickets.resolve(OpId(id), Outcome::Written, &mut woken);
            assert_eq!(collect(&mut tickets, id), Poll::Ready(Some(Outcome::Written)));
        }
        assert!(tickets.slots.len() <= 2 * FEW + 2, "{}", tickets.slots.len());
        assert_eq!(collect(&mut tickets, 0), Poll::Pending);
    }

    #[test]
    fn at_the_end_nothing_will_be_known() {
        let (mut tickets, mut woken) = (Tickets::new(), Vec::new());
        tickets.open(OpId(1));
        assert_eq!(collect(&mut tickets, 1), Poll::Pending);
        tickets.end(&mut woken);
        assert_eq!(woken.len(), 1);
        assert_eq!(collect(&mut tickets, 1), Poll::Ready(None));
    }
}
