//! What became of my message?

use std::{
    collections::VecDeque,
    fmt,
    future::Future,
    mem::{replace, swap},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use steadfast::{OpId, Outcome, Protocol};

use crate::shared::Shared;

/// The outcome of one message, to be awaited. Made by [`Client::send_tracked`](crate::Client::send_tracked).
///
/// Every ticket resolves: when the session stops, the messages that have not left end `Dropped`, and those
/// on their way `InDoubt`; so they do when the driver is dropped. With
/// [`Config::keep_on_stop`](steadfast::Config::keep_on_stop) a stop leaves them and their tickets pending until the next
/// start; the end of the driver does not.
///
/// ```
/// # use steadfast::{Outcome, Plain, SendOptions};
/// # use steadfast_driver::Client;
/// # #[expect(dead_code)]
/// async fn is_there(client: &Client<Plain>, order: &str) -> Option<bool> {
///     let ticket = client.send_tracked(order, SendOptions::default()).ok()?;
///     match ticket.await {
///         Outcome::Acked => Some(true),
///         Outcome::Written | Outcome::InDoubt => None, // nobody can know
///         Outcome::Expired | Outcome::Dropped(_) | Outcome::Cancelled | Outcome::Failed(_) => Some(false),
///         _ => None,
///     }
/// }
/// ```
///
/// Dropping a ticket does not take the message back. It makes it one that was sent without a ticket: only
/// bad news of it are told, as an event.
#[must_use = "to send without a ticket, use `send`"]
pub struct Ticket<P: Protocol> {
    shared: Arc<Shared<P>>,
    id: OpId,
    is_over: bool,
}

impl<P: Protocol> Ticket<P> {
    pub(crate) fn new(shared: Arc<Shared<P>>, id: OpId) -> Self {
        Self { shared, id, is_over: false }
    }

    /// The id of the message, to [cancel](crate::Client::cancel) it.
    #[must_use]
    pub fn id(&self) -> OpId {
        self.id
    }
}

impl<P: Protocol> Future for Ticket<P> {
    type Output = Outcome;

    /// # Panics
    ///
    /// If it is polled after it was ready.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome> {
        assert!(!self.is_over, "a ticket was polled after it was ready");
        // Cloned before and dropped after the lock: a waker is somebody else's code.
        let mut waker = Some(cx.waker().clone());
        let outcome = self.shared.look().tickets.poll(self.id, &mut waker);
        self.is_over = outcome.is_ready();
        outcome
    }
}

impl<P: Protocol> Drop for Ticket<P> {
    fn drop(&mut self) {
        if !self.is_over {
            let forgotten = self.shared.look().tickets.forget(self.id);
            drop(forgotten);
        }
    }
}

impl<P: Protocol> fmt::Debug for Ticket<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The open tickets. Ids grow and tickets are opened in the same turn as their messages are accepted, so
/// a queue sorted by id is the whole of it: no allocation a ticket.
#[derive(Debug, Default)]
pub(crate) struct Tickets {
    slots: VecDeque<Slot>,
    /// How many slots are [`State::Over`] and wait to be cleared away.
    over: usize,
}

#[derive(Debug)]
struct Slot {
    id: OpId,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Not known yet; the waker of who waits for it.
    Open(Option<Waker>),
    /// Not known yet, and nobody waits.
    Forgotten,
    /// Known, to be collected.
    Known(Outcome),
    /// Collected.
    Over,
}

/// Below this many slots nothing is gained by clearing.
const FEW: usize = 32;

impl Tickets {
    pub(crate) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// A ticket for a message that was just accepted.
    pub(crate) fn open(&mut self, id: OpId) {
        debug_assert!(self.slots.back().is_none_or(|last| last.id < id), "ids grow");
        self.slots.push_back(Slot { id, state: State::Open(None) });
    }

    /// The outcome of a message is known. It comes back if it is to be told as an event: nobody has a ticket
    /// for it, or the ticket was forgotten and the news are bad.
    pub(crate) fn resolve(&mut self, id: OpId, outcome: Outcome, woken: &mut Vec<Waker>) -> Option<Outcome> {
        let Some(slot) = self.find(id) else { return Some(outcome) };
        match replace(&mut slot.state, State::Over) {
            State::Open(waker) => {
                slot.state = State::Known(outcome);
                woken.extend(waker);
                None
            }
            State::Forgotten => {
                self.clear();
                (!is_good(&outcome)).then_some(outcome)
            }
            settled @ (State::Known(_) | State::Over) => {
                slot.state = settled;
                Some(outcome)
            }
        }
    }

    /// Takes the outcome, or leaves the waker and gives the former one back.
    fn poll(&mut self, id: OpId, waker: &mut Option<Waker>) -> Poll<Outcome> {
        let Some(slot) = self.find(id) else { return Poll::Ready(Outcome::InDoubt) };
        match replace(&mut slot.state, State::Over) {
            State::Open(mut former) => {
                swap(&mut former, waker);
                slot.state = State::Open(former);
                Poll::Pending
            }
            State::Known(outcome) => {
                self.clear();
                Poll::Ready(outcome)
            }
            // No ticket is left to ask; to know nothing is to be in doubt.
            State::Forgotten | State::Over => Poll::Ready(Outcome::InDoubt),
        }
    }

    fn forget(&mut self, id: OpId) -> Option<State> {
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
                slot.state = State::Known(Outcome::InDoubt);
            }
        }
    }

    fn find(&mut self, id: OpId) -> Option<&mut Slot> {
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

/// Whether it is what the application hoped for.
pub(crate) fn is_good(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Written | Outcome::Acked)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collect(tickets: &mut Tickets, id: u64) -> Poll<Outcome> {
        tickets.poll(OpId(id), &mut Some(Waker::noop().clone()))
    }

    #[test]
    fn an_outcome_waits_for_its_ticket() {
        let (mut tickets, mut woken) = (Tickets::default(), Vec::new());
        tickets.open(OpId(3));
        assert_eq!(collect(&mut tickets, 3), Poll::Pending);
        assert_eq!(tickets.resolve(OpId(3), Outcome::Acked, &mut woken), None);
        assert_eq!(woken.len(), 1);
        assert_eq!(collect(&mut tickets, 3), Poll::Ready(Outcome::Acked));
        assert!(tickets.is_empty());
    }

    #[test]
    fn an_outcome_without_a_ticket_comes_back() {
        let (mut tickets, mut woken) = (Tickets::default(), Vec::new());
        tickets.open(OpId(3));
        assert_eq!(tickets.resolve(OpId(2), Outcome::Written, &mut woken), Some(Outcome::Written));
    }

    #[test]
    fn of_a_forgotten_ticket_only_bad_news_are_told() {
        let (mut tickets, mut woken) = (Tickets::default(), Vec::new());
        for id in [1, 2] {
            tickets.open(OpId(id));
            tickets.forget(OpId(id));
        }
        assert_eq!(tickets.resolve(OpId(1), Outcome::Written, &mut woken), None);
        assert_eq!(tickets.resolve(OpId(2), Outcome::InDoubt, &mut woken), Some(Outcome::InDoubt));
        assert!(tickets.is_empty() && woken.is_empty());
    }

    #[test]
    fn one_that_nobody_collects_does_not_hold_up_the_storage() {
        let (mut tickets, mut woken) = (Tickets::default(), Vec::new());
        tickets.open(OpId(0));
        for id in 1..10_000 {
            tickets.open(OpId(id));
            tickets.resolve(OpId(id), Outcome::Written, &mut woken);
            assert_eq!(collect(&mut tickets, id), Poll::Ready(Outcome::Written));
        }
        assert!(tickets.slots.len() <= 2 * FEW + 2, "{}", tickets.slots.len());
        assert_eq!(collect(&mut tickets, 0), Poll::Pending);
    }

    #[test]
    fn at_the_end_each_is_in_doubt() {
        let (mut tickets, mut woken) = (Tickets::default(), Vec::new());
        tickets.open(OpId(1));
        assert_eq!(collect(&mut tickets, 1), Poll::Pending);
        tickets.end(&mut woken);
        assert_eq!(woken.len(), 1);
        assert_eq!(collect(&mut tickets, 1), Poll::Ready(Outcome::InDoubt));
    }
}
