//! When is it time?

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use steadfast::Timestamp;
use steadfast_driver::{Clock, Sleep};
use tokio::time::Instant;

use crate::Tokio;

/// The longest that tokio is asked to wait at once, so that no deadline is too far for its arithmetic. A
/// timer that is set further is set anew then.
const FARTHEST: Duration = Duration::from_secs(365 * 24 * 3_600);

/// A timer on tokio's wheel.
///
/// # Panics
///
/// When it is armed outside a tokio runtime, or in one that was built without timers.
pub struct Timer {
    clock: Tokio,
    at: Timestamp,
    /// Made when it is first needed, because that must happen inside the runtime.
    sleep: Option<Pin<Box<tokio::time::Sleep>>>,
}

impl Timer {
    pub(crate) const fn new(clock: Tokio) -> Self {
        Self { clock, at: Timestamp::MAX, sleep: None }
    }

    fn set(&mut self) {
        let until = Instant::now() + self.at.since(self.clock.now()).min(FARTHEST);
        match &mut self.sleep {
            Some(sleep) => sleep.as_mut().reset(until),
            None => self.sleep = Some(Box::pin(tokio::time::sleep_until(until))),
        }
    }
}

impl Sleep for Timer {
    fn arm(&mut self, at: Timestamp) {
        self.at = at;
        self.set();
    }

    fn poll_due(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let Some(sleep) = &mut self.sleep else { return Poll::Pending };
            ready!(sleep.as_mut().poll(cx));
            if self.clock.now() >= self.at {
                return Poll::Ready(());
            }
            self.set();
        }
    }
}

impl fmt::Debug for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timer").field("at", &self.at).field("armed", &self.sleep.is_some()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, task::Waker};

    use steadfast_driver::Runtime;

    use super::*;

    fn poll_now(timer: &mut Timer) -> Poll<()> {
        timer.poll_due(&mut Context::from_waker(Waker::noop()))
    }

    fn later(clock: Tokio, millis: u64) -> Timestamp {
        clock.now().after(Duration::from_millis(millis)).expect("a time to come")
    }

    #[tokio::test]
    async fn it_fires_at_its_time_and_not_before() {
        let clock = Tokio::new();
        let mut timer = clock.sleep();
        let at = later(clock, 5);
        timer.arm(at);
        poll_fn(|cx| timer.poll_due(cx)).await;
        assert!(clock.now() >= at);
    }

    #[tokio::test]
    async fn it_can_be_moved_in_both_directions() {
        let clock = Tokio::new();
        let mut timer = clock.sleep();
        timer.arm(later(clock, 3_600_000));
        assert!(poll_now(&mut timer).is_pending());
        timer.arm(clock.now());
        poll_fn(|cx| timer.poll_due(cx)).await;
        timer.arm(later(clock, 3_600_000));
        assert!(poll_now(&mut timer).is_pending());
    }

    #[tokio::test]
    async fn what_is_not_armed_or_too_far_never_fires() {
        let mut timer = Tokio::new().sleep();
        assert!(poll_now(&mut timer).is_pending());
        timer.arm(Timestamp::MAX);
        assert!(poll_now(&mut timer).is_pending());
    }

    #[test]
    fn it_can_be_made_outside_a_runtime() {
        let mut timer = Tokio::new().sleep();
        assert!(poll_now(&mut timer).is_pending());
    }
}
