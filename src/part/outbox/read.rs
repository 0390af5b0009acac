//! What has the peer certainly read? A pong proves that it read what came before its ping.

use super::Place;

/// What was written on this link, and what of it the peer is known to have read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Read {
    /// The last message that was handed over before the last ping.
    asked: Place,
    /// The last one that was flushed.
    told: Place,
    /// Messages that ended written since the last ping that was answered: up to that one, and after it.
    before: u64,
    after: u64,
}

impl Read {
    pub(super) const NEW: Self = Self { asked: Place::FIRST, told: Place::FIRST, before: 0, after: 0 };

    /// Up to which place the answer to the last ping would tell.
    pub(super) const fn asked(&self) -> Place {
        self.asked
    }

    /// Up to which place it is known what was written.
    pub(super) const fn told(&self) -> Place {
        self.told
    }

    /// So many messages ended written; all of them before the last ping, or all of them after it.
    #[inline]
    pub(super) fn on_written(&mut self, messages: u32, last: Place) {
        self.told = last;
        let count = if last > self.asked { &mut self.after } else { &mut self.before };
        *count += u64::from(messages);
    }

    /// A ping is written behind this message.
    pub(super) const fn on_ping(&mut self, last: Place) {
        (self.asked, self.before, self.after) = (last, self.before + self.after, 0);
    }

    /// The last ping was answered.
    pub(super) const fn on_pong(&mut self) {
        self.before = 0;
    }

    /// Messages that ended written, of which nothing proves that they were read.
    pub(super) const fn suspect(&self) -> u64 {
        self.before + self.after
    }
}
