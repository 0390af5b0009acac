//! How long until the next attempt?

use core::time::Duration;

use crate::{Jitter, RetryPolicy, Rng, time::micros};

/// Counts failures and turns the count into delays.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Backoff {
    failures: u64,
    last: Duration,
}

impl Backoff {
    /// After so many failures, as if in this life: what a former one left behind.
    pub(crate) const fn after(failures: u64) -> Self {
        Self { failures, last: Duration::ZERO }
    }

    /// Failures since the last reset.
    pub(crate) const fn failures(&self) -> u64 {
        self.failures
    }

    /// A link has held long enough: the next failure is the first again. Nothing else may call this. Resetting as
    /// soon as a link opens turns a server that accepts and drops into a storm: 14,142 connects in 5 s by ezsockets
    /// 0.7.2, 1,680 in 3 s by Python's websockets 17.
    pub(crate) const fn reset(&mut self) {
        *self = Self { failures: 0, last: Duration::ZERO };
    }

    /// One more failure; how long to wait, in `[floor, cap + additive]`.
    pub(crate) fn on_failure(&mut self, policy: &RetryPolicy, rng: &mut Rng) -> Duration {
        let delay = self.spread(self.plain_delay(policy), policy, rng).max(policy.floor);
        self.failures = self.failures.saturating_add(1);
        self.last = delay;
        delay
    }

    /// One more failure, after which the server said how long to wait; see [`directed`].
    pub(crate) fn on_directed(&mut self, asked: Duration, policy: &RetryPolicy, rng: &mut Rng) -> Duration {
        self.failures = self.failures.saturating_add(1);
        directed(asked, policy, rng)
    }

    /// `min(base * factor^failures, cap)`.
    fn plain_delay(&self, policy: &RetryPolicy) -> Duration {
        let exponent = u32::try_from(self.failures).unwrap_or(u32::MAX);
        let growth = u64::from(policy.factor).saturating_pow(exponent);
        Duration::from_micros(micros(policy.base).saturating_mul(growth)).min(policy.cap)
    }

    fn spread(&self, delay: Duration, policy: &RetryPolicy, rng: &mut Rng) -> Duration {
        match policy.jitter {
            Jitter::Full => rng.between(policy.floor, delay),
            Jitter::Equal => rng.between(delay / 2, delay),
            Jitter::Decorrelated => {
                let high = self.last.max(policy.base).saturating_mul(3).min(policy.cap);
                rng.between(policy.base, high)
            }
            Jitter::Additive(most) => delay.saturating_add(rng.between(Duration::ZERO, most)),
            Jitter::None => delay,
        }
    }
}

/// A wait that the server asked for: at least that, spread upwards by a tenth (at least by up to 1 s), within
/// `[floor, directed_cap]`.
pub(crate) fn directed(asked: Duration, policy: &RetryPolicy, rng: &mut Rng) -> Duration {
    let asked = asked.max(policy.floor);
    let spread = (asked / 10).max(Duration::from_secs(1));
    rng.between(asked, asked.saturating_add(spread)).min(policy.directed_cap)
}

#[cfg(test)]
mod tests {
    use super::*;

    const JITTERS: [Jitter; 5] =
        [Jitter::Full, Jitter::Equal, Jitter::Decorrelated, Jitter::Additive(Duration::from_secs(1)), Jitter::None];

    #[test]
    fn every_delay_is_legal_up_to_the_last_attempt_that_can_be_counted() {
        let mut rng = Rng::new(1);
        for jitter in JITTERS {
            let policy = RetryPolicy { jitter, ..RetryPolicy::default() };
            let most = policy.cap + Duration::from_secs(1);
            let late = [u64::from(u32::MAX) - 1, u64::from(u32::MAX), u64::MAX - 1, u64::MAX];
            for failures in (0..2_000).chain(late) {
                let mut backoff = Backoff { failures, last: policy.cap };
                let delay = backoff.on_failure(&policy, &mut rng);
                assert!((policy.floor..=most).contains(&delay), "{jitter:?} {failures}: {delay:?}");
            }
        }
    }

    #[test]
    fn without_jitter_it_doubles_to_the_cap() {
        let policy = RetryPolicy { jitter: Jitter::None, ..RetryPolicy::default() };
        let (mut backoff, mut rng) = (Backoff::default(), Rng::new(1));
        let got: [u64; 7] = core::array::from_fn(|_| backoff.on_failure(&policy, &mut rng).as_secs());
        assert_eq!(got, [1, 2, 4, 8, 16, 30, 30]);
        backoff.reset();
        assert_eq!(backoff.on_failure(&policy, &mut rng), policy.base);
    }

    /// socket.io-client 4.8.4 has all its clients wait exactly 5,000 ms from the fourth attempt on.
    #[test]
    fn jitter_survives_the_cap() {
        for jitter in [Jitter::Full, Jitter::Equal, Jitter::Decorrelated, Jitter::Additive(Duration::from_secs(1))] {
            let policy = RetryPolicy { jitter, ..RetryPolicy::default() };
            let mut rng = Rng::new(1);
            let mut delays: alloc::vec::Vec<_> =
                (0..50).map(|_| Backoff { failures: 40, last: policy.cap }.on_failure(&policy, &mut rng)).collect();
            delays.sort();
            delays.dedup();
            assert!(delays.len() > 10, "{jitter:?}: {delays:?}");
        }
    }

    #[test]
    fn what_the_server_asks_for_is_never_shortened() {
        let policy = RetryPolicy::default();
        let (mut backoff, mut rng) = (Backoff::default(), Rng::new(3));
        for seconds in [0, 1, 7, 60, 3_599] {
            for _ in 0..100 {
                let asked = Duration::from_secs(seconds);
                let delay = backoff.on_directed(asked, &policy, &mut rng);
                let most = asked.max(policy.floor) + (asked / 10).max(Duration::from_secs(1));
                assert!(delay >= asked.max(policy.floor) && delay <= most.min(policy.directed_cap), "{delay:?}");
            }
        }
        assert_eq!(backoff.on_directed(Duration::MAX, &policy, &mut rng), policy.directed_cap);
    }
}
