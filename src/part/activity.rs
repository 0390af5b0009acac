//! Is the link needed?
//!
//! A session that dials on the first send sleeps until then; one that closes when idle falls asleep after so long
//! without a message either way. Probes and pongs are no messages. What has been accepted and not ended keeps it awake;
//! that is the session's to know.

use core::time::Duration;

use crate::Timestamp;

/// When messages last passed, and whether the session sleeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Activity {
    last: Timestamp,
    asleep: bool,
}

impl Activity {
    /// Awake, or `lazy`: asleep until there is something to send.
    pub(crate) const fn new(lazy: bool) -> Self {
        Self { last: Timestamp::ZERO, asleep: lazy }
    }

    /// Whether no link is needed.
    pub(crate) const fn is_asleep(&self) -> bool {
        self.asleep
    }

    /// A message came, or was flushed; or the link has come online, from when on the silence counts.
    #[inline]
    pub(crate) const fn on_message(&mut self, now: Timestamp) {
        self.last = now;
    }

    /// There is something to send, or a command wants the link.
    #[inline]
    pub(crate) const fn wake(&mut self) {
        self.asleep = false;
    }

    /// The silence was long enough: the link is to be closed, politely.
    pub(crate) const fn fall_asleep(&mut self) {
        self.asleep = true;
    }

    /// When the silence is long enough, while a link is online. It only ever moves back.
    pub(crate) fn deadline(&self, idle_close: Duration) -> Option<Timestamp> {
        if self.asleep { None } else { self.last.after(idle_close) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: Duration = Duration::from_secs(60);

    const fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    #[test]
    fn silence_is_counted_from_the_last_message() {
        let mut activity = Activity::new(false);
        activity.on_message(at(1));
        assert_eq!(activity.deadline(IDLE), Some(at(61)));
        activity.on_message(at(50));
        assert_eq!(activity.deadline(IDLE), Some(at(110)));
        assert_eq!(activity.deadline(Duration::MAX), None, "switched off");
    }

    #[test]
    fn it_sleeps_until_it_is_woken() {
        let mut activity = Activity::new(true);
        assert!(activity.is_asleep());
        activity.on_message(at(5));
        assert!(activity.is_asleep(), "a late message of the old link wakes nobody");
        assert_eq!(activity.deadline(IDLE), None);
        activity.wake();
        assert!(!activity.is_asleep());
        activity.fall_asleep();
        assert!(activity.is_asleep());
    }
}
