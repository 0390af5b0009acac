//! How much room is there in all trays that must not overflow?

use super::tray::Tray;
use crate::least::Least;

/// The room in all trays that must not overflow.
pub(super) struct Rooms {
    messages: Least,
    bytes: Least,
    /// How many are full.
    pub(super) full: usize,
}

impl Rooms {
    pub(super) const fn new() -> Self {
        Self { messages: Least::new(), bytes: Least::new(), full: 0 }
    }

    /// The least number of messages that one has room for, or a little less; `None` if none has to be heeded.
    pub(super) fn messages(&self) -> Option<u64> {
        self.messages.get()
    }

    /// The same in bytes.
    pub(super) fn bytes(&self) -> Option<u64> {
        self.bytes.get()
    }

    /// Before something of the tray changes.
    pub(super) fn leave<I, T>(&mut self, tray: &Tray<I, T>) {
        match tray.room() {
            Some(_) if tray.is_full => self.full -= 1,
            Some((messages, bytes)) => {
                self.messages.remove(messages);
                self.bytes.remove(bytes);
            }
            None => {}
        }
    }

    /// After it: one that is full is so until half of it is taken.
    pub(super) fn enter<I, T>(&mut self, tray: &mut Tray<I, T>) {
        let Some((messages, bytes)) = tray.room() else { return };
        tray.is_full = match tray.is_full {
            true => !tray.queue.has_caught_up(&tray.limits),
            false => tray.queue.is_full(&tray.limits),
        };
        if tray.is_full {
            self.full += 1;
        } else {
            self.messages.insert(messages);
            self.bytes.insert(bytes);
        }
    }
}
