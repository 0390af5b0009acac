//! What a round brought, where some of it is for subscribers of topics.

use std::{mem::take, task::Poll};

use steadfast::{Command, Event, Input, Protocol};

use super::Driver;
use crate::{
    Dialer, Item, Runtime,
    desk::{After, Key, Mail},
    inbox::Room,
};

/// What the session says, in order, and who joins where.
pub(super) struct Sorting<I, T> {
    /// Whether there is anybody to sort for.
    pub(super) is_needed: bool,
    mail: Vec<Mail<I, T>>,
    /// From which action on each new subscriber is one.
    joins: Vec<(usize, Key)>,
    /// How many of them are in the mail.
    joined: usize,
    pub(super) after: After<I, T>,
}

impl<I, T> Sorting<I, T> {
    /// With the lock of the core, when actions are taken.
    pub(super) fn begin(&mut self, subscribers: usize, joins: &mut Vec<(usize, Key)>) {
        self.is_needed = subscribers > 0;
        if !joins.is_empty() {
            self.joins.append(joins);
        }
        if !self.is_needed {
            // They have left again.
            self.joins.clear();
        }
    }

    pub(super) fn message(&mut self, index: usize, event: Event<I, T>, bytes: u32) {
        self.join_until(index);
        self.mail.push(Mail::Message(event, bytes));
    }

    pub(super) fn other(&mut self, index: usize, item: Item<I, T>) {
        self.join_until(index);
        self.mail.push(Mail::Other(item));
    }

    fn join_until(&mut self, index: usize) {
        while let Some((_, key)) = self.joins.get(self.joined).filter(|(from, _)| *from <= index) {
            self.mail.push(Mail::Join(*key));
            self.joined += 1;
        }
    }

    pub(super) fn shrink(&mut self) {
        self.mail.shrink_to_fit();
        self.joins.shrink_to_fit();
        self.after.dead.shrink_to_fit();
    }
}

impl<I, T> Default for Sorting<I, T> {
    fn default() -> Self {
        Self { is_needed: false, mail: Vec::new(), joins: Vec::new(), joined: 0, after: After::default() }
    }
}

impl<P: Protocol, R: Runtime, D: Dialer> Driver<P, R, D> {
    /// Gives to subscribers what is theirs; the rest is brought to the inbox.
    pub(super) fn sort(&mut self) {
        let sorting = &mut self.sorting;
        sorting.join_until(usize::MAX);
        sorting.joins.clear();
        sorting.joined = 0;
        if sorting.mail.is_empty() {
            return;
        }
        self.shared.desk.sort(&mut sorting.mail, &mut self.brought, &mut sorting.after, &mut self.woken);
        sorting.after.dead.clear();
        if sorting.after.is_owed() {
            self.settle();
        }
    }

    /// Tells the session of topics that ended subscribers want no longer, and of messages that count as taken.
    pub(super) fn settle(&mut self) {
        let After { unwanted, taken, .. } = &mut self.sorting.after;
        let (unwanted, taken) = (take(unwanted), take(taken));
        let Some(mut core) = self.shared.lock() else { return };
        let now = self.shared.now();
        let unwanted = unwanted.into_iter().map(|topic| Command::Unsubscribe { topic });
        let taken = taken.into_iter().map(|id| Command::Taken { id });
        for command in unwanted.chain(taken) {
            core.handle(now, Input::Command(command));
        }
    }
}

/// The room that is left where both are to be heeded.
pub(super) fn with_trays(inbox: Poll<Room>, trays: Poll<Room>) -> Poll<Room> {
    let (Poll::Ready(inbox), Poll::Ready(trays)) = (inbox, trays) else { return Poll::Pending };
    let bytes = [inbox.bytes, trays.bytes].into_iter().flatten().min();
    Poll::Ready(Room { frames: inbox.frames.min(trays.frames), bytes })
}
