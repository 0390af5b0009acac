//! Was a deadline slept through?
//!
//! With the computer, or behind a busy thread: then what came meanwhile may be unread still, and nobody is to be judged by
//! the clock alone. But a driver that is always late must not put off a judgement for ever, so each is put off once.

use core::time::Duration;

use crate::Timestamp;

/// A deadline that is looked at more than this late was slept through. What was put off gets as long again.
pub(crate) const LATE: Duration = Duration::from_secs(1);

/// Whether this deadline was slept through.
pub(crate) fn slept_through(due: Timestamp, now: Timestamp) -> bool {
    now.since(due) > LATE
}

/// Puts off a judgement that comes too late, once.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Mercy {
    spent: bool,
}

impl Mercy {
    /// Whether the deadline, which has come, is put off.
    pub(crate) fn spares(&mut self, due: Timestamp, now: Timestamp) -> bool {
        let spares = !self.spent && slept_through(due, now);
        self.spent |= spares;
        spares
    }

    /// Whether one was put off.
    pub(crate) const fn is_spent(&self) -> bool {
        self.spent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    #[test]
    fn what_was_slept_through_is_spared_once_and_what_is_on_time_never() {
        let mut mercy = Mercy::default();
        assert!(!mercy.spares(at(5), at(6)) && !mercy.is_spent(), "a second late is on time");
        assert!(mercy.spares(at(5), at(28_800)));
        assert!(!mercy.spares(at(28_801), at(60_000)), "always late");
    }
}
