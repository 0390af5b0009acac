//! How good a session says it is: from the list of its failures and the time since which it is missing.

use std::time::Duration;

use steadfast::{Level, StopCause, Timestamp};

const HELD: Duration = Duration::from_secs(10);
const REMEMBERED: Duration = Duration::from_secs(60);

#[derive(Clone, Debug)]
pub(crate) struct Sight {
    patience: Duration,
    failures: Vec<Timestamp>,
    missing_since: Option<Timestamp>,
    degraded: bool,
    /// The queue was above its high mark, and not below its low one since.
    crowded: bool,
    level: Level,
    /// Since when it has been better than its level, and the worst it has been since then.
    better: Option<(Timestamp, Level)>,
    stopped: bool,
}

impl Sight {
    pub(crate) const fn new(patience: Duration) -> Self {
        Self {
            patience,
            failures: Vec::new(),
            missing_since: None,
            degraded: false,
            crowded: false,
            level: Level::Good,
            better: None,
            stopped: false,
        }
    }

    pub(crate) fn failed(&mut self, now: Timestamp) {
        self.failures.push(now);
    }

    /// So many messages are kept, as hundredths of what may be.
    pub(crate) const fn kept(&mut self, share: u32, high: u32, low: u32) {
        self.crowded = if self.crowded { share > low } else { share >= high };
    }

    /// Whether it was told to be degraded, or no longer; and the new level.
    pub(crate) fn turn(
        &mut self,
        now: Timestamp,
        wanted: bool,
        online: bool,
        stopped: Option<StopCause>,
    ) -> (Option<bool>, Option<Level>) {
        self.stopped = stopped.is_some();
        self.missing_since = if wanted && !online { self.missing_since.or(Some(now)) } else { None };
        let was_degraded = self.degraded;
        let too_long = self.missing_since.is_some_and(|since| now.since(since) >= self.patience);
        self.degraded = wanted && !online && (self.degraded || too_long);
        let shift = (wanted && self.degraded != was_degraded).then_some(self.degraded);
        let level = if stopped == Some(StopCause::User) { None } else { self.look(now, stopped.is_some()) };
        (shift, level)
    }

    pub(crate) fn deadlines(&self) -> impl Iterator<Item = Timestamp> {
        let degraded = self.missing_since.filter(|_| !self.degraded).and_then(|since| since.after(self.patience));
        let level = match self.better {
            Some((since, _)) => since.after(HELD),
            None => self.failures.first().and_then(|at| at.after(REMEMBERED)),
        };
        degraded.into_iter().chain(level).filter(|_| !self.stopped)
    }

    fn look(&mut self, now: Timestamp, given_up: bool) -> Option<Level> {
        self.failures.drain(..self.failures.len().saturating_sub(3));
        self.failures.retain(|at| now.since(*at) < REMEMBERED);
        let looks = match self.failures.len() {
            _ if self.degraded || given_up => Level::Bad,
            0 if !self.crowded => Level::Good,
            1 | 2 if self.crowded => Level::Bad,
            0..=2 => Level::Shaky,
            _ => Level::Bad,
        };
        let was = self.level;
        if looks >= was {
            (self.level, self.better) = (looks, None);
        } else {
            let (since, worst) = self.better.map_or((now, looks), |(since, worst)| (since, worst.max(looks)));
            self.better = Some((since, worst));
            if now.since(since) >= HELD {
                self.level = worst;
                self.better = (looks < worst).then_some((now, looks));
            }
        }
        (self.level != was).then_some(self.level)
    }
}
