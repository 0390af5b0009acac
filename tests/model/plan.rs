//! When the next dial is wanted: a wait, and what the host says of its network.
//!
//! What was drawn by chance is only known to lie between two times, until it is told.

use std::time::Duration;

use steadfast::Timestamp;

/// From when to when a time may be.
pub(crate) type Span = (Timestamp, Timestamp);

const NOW: Span = (Timestamp::ZERO, Timestamp::ZERO);

#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    wait: Option<Span>,
    /// Somebody asked for the wait, and it is not cut short.
    is_asked: bool,
    /// The network came back: nobody waits for longer on his own account.
    hurry: Option<Span>,
    /// It had been lost: nobody dials before that.
    was_held: bool,
    lost: Option<Lost>,
    /// What was told, and what was known without.
    told: Option<(Span, Timestamp)>,
}

/// The network is lost. The host may forget to say that it is back: it is tried after that.
#[derive(Clone, Copy, Debug)]
struct Lost {
    until: Timestamp,
    /// A link was online since.
    doubted: bool,
}

impl Plan {
    pub(crate) const fn at_once(&mut self) {
        (self.wait, self.is_asked) = (None, false);
    }

    pub(crate) const fn wait(&mut self, between: Span, is_asked: bool) {
        (self.wait, self.is_asked) = (Some(between), is_asked);
    }

    /// A failure: the hints were about what was before.
    pub(crate) const fn forget_hints(&mut self) {
        (self.hurry, self.was_held) = (None, false);
    }

    pub(crate) fn network_lost(&mut self, now: Timestamp, until: Timestamp) {
        if self.lost.is_none_or(|lost| lost.doubted && lost.until <= now) {
            self.lost = Some(Lost { until, doubted: false });
            self.forget_hints();
        }
    }

    pub(crate) fn network_back(&mut self, now: Timestamp, within: Duration) {
        self.was_held |= self.lost.take().is_some();
        self.hurry.get_or_insert((now, later(now, within)));
    }

    /// So it cannot have been lost for all that time.
    pub(crate) const fn online(&mut self) {
        if let Some(lost) = &mut self.lost {
            lost.doubted = true;
        }
    }

    /// The application knows better.
    pub(crate) fn overrule(&mut self) {
        *self = Self { wait: self.wait, is_asked: self.is_asked, ..Self::default() };
    }

    /// The session is over. Only what the server asked for outlives it.
    pub(crate) fn stop(&mut self) {
        *self = Self { wait: self.wait.filter(|_| self.is_asked), is_asked: self.is_asked, ..Self::default() };
    }

    /// When it is to be dialed, if no dial may be made before the floor.
    pub(crate) fn between(&self, floor: Timestamp) -> Span {
        let known = self.known(floor);
        let told = self.told.filter(|(of, _)| *of == known);
        told.map_or(known, |(_, at)| (at, at))
    }

    /// It was told, or nothing was told because it is still the same time. That says something of what was drawn.
    pub(crate) fn tell(&mut self, floor: Timestamp, at: Timestamp) {
        let (known, wait) = (self.known(floor), self.wait.unwrap_or(NOW));
        let (low, high) = self.between(floor);
        if low == high || at < low || high < at {
            return;
        }
        self.told = Some((known, at));
        let is_hidden = at <= floor || self.lost.is_some_and(|lost| at <= lost.until);
        match self.hurry {
            _ if is_hidden => {}
            None => self.wait = Some((at, at)),
            Some(_) if self.was_held && !self.is_asked => self.hurry = Some((at, at)),
            Some(_) if self.is_asked && !self.was_held => self.wait = Some((at, at)),
            Some(_) if !self.is_asked && wait.0 == wait.1 && at < wait.0 => self.hurry = Some((at, at)),
            Some(_) => {}
        }
    }

    fn known(&self, floor: Timestamp) -> Span {
        let wait = self.wait.unwrap_or(NOW);
        let (low, high) = match self.hurry {
            Some(hurry) if self.was_held && !self.is_asked => hurry,
            Some(hurry) if self.was_held => (wait.0.max(hurry.0), wait.1.max(hurry.1)),
            Some(hurry) if !self.is_asked => (wait.0.min(hurry.0), wait.1.min(hurry.1)),
            Some(_) | None => wait,
        };
        let least = self.lost.map_or(floor, |lost| lost.until.max(floor));
        (low.max(least), high.max(least))
    }
}

fn later(now: Timestamp, wait: Duration) -> Timestamp {
    now.after(wait).unwrap_or(Timestamp::MAX)
}
