//! A runtime whose clock moves only when nobody has anything to do: one thread that takes the tasks by lot, timers, and
//! streams in memory with a server behind them. All of it follows from a seed.
//!
//! It is also the whole of an adapter that brings its own clock: a [`Clock`], a [`Runtime`], a [`Sleep`] and a [`Dialer`].

#![allow(dead_code, unreachable_pub, reason = "each test file uses its part of it")]
#![allow(clippy::unwrap_used, reason = "tests")]

mod executor;
mod eye;
mod peer;
mod pipe;
mod wait;

use std::{
    collections::BTreeMap,
    future::Future,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll, Waker},
    time::Duration,
};

use steadfast::{Rng, Timestamp};
use steadfast_driver::{Clock, Runtime, Sleep};

pub use executor::Count;
pub use eye::Eye;
pub use peer::Server;
pub use pipe::Habits;

use executor::Task;

/// The start of the world.
pub const START: Timestamp = Timestamp::from_millis(1_000_000);

/// The runtime. Clones are the same one.
#[derive(Clone)]
pub struct Fake(Arc<Mutex<State>>);

struct State {
    now: Timestamp,
    rng: Rng,
    timers: BTreeMap<(Timestamp, u64), Waker>,
    next_timer: u64,
    tasks: Vec<Task>,
    /// How those were polled, and those that are over.
    counts: BTreeMap<&'static str, Count>,
    /// Each poll has a waker of its own, and only the last one wakes: so little is promised by a runtime.
    is_strict: bool,
    /// Somebody is polled to see whether there is something to do that nobody told it.
    is_probing: bool,
    /// Grows whenever something happens that can be seen.
    activity: u64,
    readings: u64,
}

impl Fake {
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let is_strict = rng.up_to(1) == 0;
        Self(Arc::new(Mutex::new(State {
            now: START,
            rng,
            timers: BTreeMap::new(),
            next_timer: 0,
            tasks: Vec::new(),
            counts: BTreeMap::new(),
            is_strict,
            is_probing: false,
            activity: 0,
            readings: 0,
        })))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Any number up to this one.
    pub fn up_to(&self, most: u64) -> u64 {
        self.lock().rng.up_to(most)
    }

    /// Whether something is so that is so once in so many cases.
    pub fn once_in(&self, cases: u64) -> bool {
        self.up_to(cases - 1) == 0
    }

    pub fn between(&self, low: Duration, high: Duration) -> Duration {
        self.lock().rng.between(low, high)
    }

    pub fn time(&self) -> Timestamp {
        self.lock().now
    }

    /// How often the clock was read.
    pub fn readings(&self) -> u64 {
        self.lock().readings
    }

    /// Something happens that can be seen.
    fn stir(&self) {
        self.lock().activity += 1;
    }

    /// Sets a timer for somebody else.
    fn wake_at(&self, at: Timestamp, timer: u64, waker: Waker) {
        let mut state = self.lock();
        if state.now < at {
            state.timers.insert((at, timer), waker);
        } else {
            drop(state);
            waker.wake();
        }
    }

    /// Waits for so long.
    pub fn pause(&self, time: Duration) -> impl Future<Output = ()> + use<> {
        let mut timer = self.sleep();
        timer.arm(self.time().after(time).unwrap());
        std::future::poll_fn(move |cx| timer.poll_due(cx))
    }
}

impl Clock for Fake {
    fn now(&self) -> Timestamp {
        let mut state = self.lock();
        state.readings += 1;
        state.now
    }
}

impl Runtime for Fake {
    type Sleep = Timer;

    fn sleep(&self) -> Timer {
        let mut state = self.lock();
        state.next_timer += 1;
        Timer { fake: self.clone(), number: state.next_timer, at: None }
    }
}

/// A timer, exact to the microsecond.
pub struct Timer {
    fake: Fake,
    number: u64,
    at: Option<Timestamp>,
}

impl Timer {
    fn disarm(&mut self) {
        if let Some(at) = self.at.take() {
            let waker = self.fake.lock().timers.remove(&(at, self.number));
            drop(waker);
        }
    }
}

impl Sleep for Timer {
    fn arm(&mut self, at: Timestamp) {
        self.disarm();
        self.at = Some(at);
    }

    fn poll_due(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(at) = self.at else { return Poll::Pending };
        let mut state = self.fake.lock();
        if at <= state.now {
            return Poll::Ready(());
        }
        state.timers.insert((at, self.number), cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.disarm();
    }
}
