//! What time is it, for a session on a computer that sleeps?

use std::time::{Duration, SystemTime};

use steadfast::Timestamp;

use crate::Clock;

/// A clock that is set by the system's when it is made, and from then on counts as a wristwatch does: on Linux the time
/// in which the computer sleeps is included, and it never goes backwards.
#[derive(Clone, Copy, Debug)]
pub struct Wristwatch {
    /// The Unix time at which the counter stood at zero.
    zero: Duration,
    counter: Counter,
}

impl Wristwatch {
    /// A clock that starts with what the system's shows.
    #[must_use]
    pub fn new() -> Self {
        let counter = Counter::start();
        let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self { zero: unix.saturating_sub(counter.elapsed()), counter }
    }
}

impl Default for Wristwatch {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for Wristwatch {
    fn now(&self) -> Timestamp {
        let micros = (self.zero + self.counter.elapsed()).as_micros();
        Timestamp::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
    }
}

/// Counts since the computer was started, its sleep included. Rust's own `Instant` leaves that out.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[derive(Clone, Copy, Debug)]
struct Counter;

#[cfg(any(target_os = "linux", target_os = "android"))]
impl Counter {
    const fn start() -> Self {
        Self
    }

    fn elapsed(self) -> Duration {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        Duration::try_from(time).expect("the time since the start of the computer is not negative")
    }
}

/// Counts since it was made; whether the computer's sleep is included depends on the system.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
#[derive(Clone, Copy, Debug)]
struct Counter(std::time::Instant);

#[cfg(not(any(target_os = "linux", target_os = "android")))]
impl Counter {
    fn start() -> Self {
        Self(std::time::Instant::now())
    }

    fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_starts_with_the_time_of_the_system() {
        let system = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_micros();
        let (system, ours) = (system(), u128::from(Wristwatch::new().now().as_micros()));
        assert!(system.abs_diff(ours) < 10_000_000, "{system} {ours}");
    }

    #[test]
    fn it_goes_on_and_never_back() {
        let clock = Wristwatch::new();
        let start = clock.now();
        let mut last = start;
        while clock.now() < start.after(Duration::from_millis(1)).expect("a time to come") {
            let now = clock.now();
            assert!(now >= last);
            last = now;
        }
    }
}
