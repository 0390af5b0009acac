//! Who waited for what a round brought?

use std::task::Waker;

use steadfast::{Event, OpId, Outcome, Phase, Protocol, Reply};

use super::Driver;
use crate::{Dialer, Item, Runtime, shared::Core, slots::Told, ticket::is_good};

impl<P: Protocol, R: Runtime, D: Dialer> Driver<P, R, D> {
    /// Hands out what happened: to subscribers, to those who wait for it, and the rest to the inbox in one go.
    pub(super) fn deliver(&mut self) {
        if self.sorting.is_needed {
            self.sort();
        }
        if self.is_awaited && self.brought.has_other() {
            self.answer();
        }
        if !self.brought.is_empty() {
            self.shared.inbox.put(&mut self.brought);
        }
        self.woken.drain(..).for_each(Waker::wake);
    }

    /// Gives outcomes to tickets, answers to requests, and room to those who wait for it; what is left is for the inbox.
    fn answer(&mut self) {
        let (woken, mut unwanted) = (&mut self.woken, Vec::new());
        let mut core = self.shared.look();
        self.brought.filter(|item| match item {
            Item::Event(Event::Outcome { id, outcome, label }) => {
                let outcome = core.tell_outcome(id, outcome, woken)?;
                Some(Item::Event(Event::Outcome { id, outcome, label }))
            }
            Item::Event(Event::Reply(reply)) => {
                let reply = core.tell_reply(reply, &mut unwanted, woken)?;
                Some(Item::Event(Event::Reply(reply)))
            }
            Item::Event(Event::Room) if !core.senders.is_empty() => {
                woken.extend(core.senders.call());
                None
            }
            Item::Event(Event::Phase(change)) => {
                // Who waits for room now waits in vain, and is to learn it.
                if matches!(change.to, Phase::Draining | Phase::Stopped(_)) {
                    core.senders.call_all(woken);
                }
                Some(Item::Event(Event::Phase(change)))
            }
            item @ (Item::Event(_) | Item::Error(_) | Item::Lagged(_)) => Some(item),
        });
        drop(core);
        // Nobody takes them, and the peer need not send them again.
        let ids = unwanted.iter().filter_map(|reply| reply.mark.wants_ack().cloned());
        self.sorting.after.taken.extend(ids);
        if self.sorting.after.is_owed() {
            self.settle();
        }
    }
}

impl<P: Protocol> Core<P> {
    /// It comes back if it is to be told as an event.
    fn tell_outcome(&mut self, id: OpId, outcome: Outcome, woken: &mut Vec<Waker>) -> Option<Outcome> {
        match self.tickets.resolve(id, outcome, woken) {
            Told::Collected => None,
            // Nobody has the ticket any more; then only bad news are told.
            Told::Forgotten(outcome) => (!is_good(&outcome)).then_some(outcome),
            Told::Unclaimed(outcome) => Some(outcome),
        }
    }

    /// It comes back if it is to be told as an event. Who dropped a request wants to hear nothing of it.
    fn tell_reply(
        &mut self,
        reply: Box<Reply<P::Incoming>>,
        unwanted: &mut Vec<Box<Reply<P::Incoming>>>,
        woken: &mut Vec<Waker>,
    ) -> Option<Box<Reply<P::Incoming>>> {
        match self.requests.resolve(reply.id, reply, woken) {
            Told::Collected => None,
            Told::Forgotten(reply) => {
                unwanted.push(reply);
                None
            }
            Told::Unclaimed(reply) => Some(reply),
        }
    }
}
