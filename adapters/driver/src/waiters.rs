//! Who waits, and in which order?

use std::{collections::VecDeque, mem::take, task::Waker};

/// A queue of tasks that wait for something. Wakers are put in and handed out, never cloned, woken or
/// dropped here, because this lies under a lock.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    queue: VecDeque<Waiter>,
    next: u64,
}

/// A place in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place(u64);

#[derive(Debug)]
struct Waiter {
    place: Place,
    /// Taken out when it is called.
    waker: Option<Waker>,
}

impl Waiters {
    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Takes a place at the end.
    pub(crate) fn join(&mut self, waker: Waker) -> Place {
        let place = Place(self.next);
        self.next += 1;
        self.queue.push_back(Waiter { place, waker: Some(waker) });
        place
    }

    /// Waits (again) in the same place. The former waker comes back, to be dropped outside the lock; so
    /// does the new one if the place is gone.
    pub(crate) fn wait(&mut self, place: Place, waker: Waker) -> Option<Waker> {
        match self.find(place) {
            Some(index) => self.queue[index].waker.replace(waker),
            None => Some(waker),
        }
    }

    /// Whether it was called and has not answered yet, by waiting again or by leaving.
    pub(crate) fn is_called(&self, place: Place) -> bool {
        self.find(place).is_none_or(|index| self.queue[index].waker.is_none())
    }

    /// Calls the first. `None` if nobody waits or the first was called already.
    pub(crate) fn call(&mut self) -> Option<Waker> {
        self.queue.front_mut()?.waker.take()
    }

    /// Calls all of them.
    pub(crate) fn call_all(&mut self, woken: &mut Vec<Waker>) {
        woken.extend(self.queue.iter_mut().filter_map(|waiter| waiter.waker.take()));
    }

    /// Leaves the queue, with its waker if it was not called.
    pub(crate) fn leave(&mut self, place: Place) -> Option<Waker> {
        let index = self.find(place)?;
        self.queue.remove(index)?.waker
    }

    /// Everybody leaves.
    pub(crate) fn dismiss(&mut self, woken: &mut Vec<Waker>) {
        woken.extend(take(&mut self.queue).into_iter().filter_map(|waiter| waiter.waker));
    }

    fn find(&self, place: Place) -> Option<usize> {
        self.queue.binary_search_by_key(&place, |waiter| waiter.place).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waker() -> Waker {
        Waker::noop().clone()
    }

    #[test]
    fn the_first_is_called_first_and_once() {
        let mut waiters = Waiters::default();
        let (a, b) = (waiters.join(waker()), waiters.join(waker()));
        assert!(waiters.call().is_some());
        assert!(waiters.is_called(a) && !waiters.is_called(b));
        assert!(waiters.call().is_none(), "a was called and has not answered");
        assert!(waiters.leave(a).is_none());
        assert!(waiters.call().is_some());
        assert!(waiters.is_called(b));
    }

    #[test]
    fn who_waits_again_keeps_its_place() {
        let mut waiters = Waiters::default();
        let (a, b) = (waiters.join(waker()), waiters.join(waker()));
        waiters.call();
        assert!(waiters.wait(a, waker()).is_none());
        waiters.call();
        assert!(waiters.is_called(a) && !waiters.is_called(b));
    }

    #[test]
    fn who_leaves_from_the_middle_is_not_missed() {
        let mut waiters = Waiters::default();
        let places = [waiters.join(waker()), waiters.join(waker()), waiters.join(waker())];
        assert!(waiters.leave(places[1]).is_some());
        assert!(waiters.leave(places[1]).is_none());
        let mut woken = Vec::new();
        waiters.call_all(&mut woken);
        assert_eq!(woken.len(), 2);
    }
}
