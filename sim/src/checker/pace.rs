//! When may the session dial?

use std::time::Duration;

use steadfast::{Config, Error, Jitter, Recovery, RetryPolicy, Timestamp};

/// The delays of a session and its count of attempts.
#[derive(Clone, Debug, Default)]
pub(super) struct Pace {
    dialled_at: Option<Timestamp>,
    /// When the next dial was said to come; forgotten with a command that hurries it.
    announced: Option<Timestamp>,
    attempt: u64,
    failed_at: Timestamp,
    /// A failure since the last dial is to be waited for, and no connect command came after it.
    waits: bool,
    has_failed: bool,
    /// It was in the middle of a round, which counts if it is gone through to its end.
    in_round: bool,
    was_stable: bool,
    /// Attempts since the last dial that ended with the host, before they dialled.
    undialled: u64,
    /// An endpoint has asked us to stay away, and the round goes on without it.
    passes_over: bool,
    last: Option<(u64, Option<Duration>)>,
    /// By which the wait was chosen.
    policy: RetryPolicy,
    /// The server asked for it.
    is_asked: bool,
    /// How many endpoints a round has, and which of them was dialled last. None is one, the dialer's own.
    endpoints: usize,
    place: usize,
    /// It was none of them: the server had named it.
    is_guest: bool,
    /// The server has named where to go: there a round begins.
    is_sent: bool,
    suspended: bool,
    /// The network is lost, and until when that is believed.
    lost: Option<Timestamp>,
    /// It had held dials back, and is there again: the next is somewhere before that time, if no wait is longer.
    spread_until: Option<Timestamp>,
    /// A link was online since.
    online: bool,
}

impl Pace {
    pub(super) fn failed(&mut self, now: Timestamp, error: &Error, config: &Config) {
        self.policy = config.retry;
        self.failed_at = now;
        self.announced = None;
        self.waits = error.recovery != Recovery::Fatal;
        self.has_failed |= error.recovery != Recovery::Fatal;
        let asked = match error.recovery {
            Recovery::RetryAfter(asked) => Some(asked),
            // One of several endpoints asks for itself, and so does one that is none of them: whether the next has asked,
            // too, is not told.
            Recovery::Retry | Recovery::Reauthenticate | Recovery::Fatal if self.endpoints > 1 || self.is_guest => None,
            Recovery::Retry | Recovery::Reauthenticate | Recovery::Fatal => error.retry_after,
        };
        self.is_asked = asked.is_some();
        self.passes_over |= self.endpoints > 1 && error.retry_after.is_some();
        // A wait that was asked for is a step of its own, and so is the loss of a link that held.
        self.in_round = asked.is_none() && !self.was_stable && self.place + 1 < self.endpoints;
        self.last = Some((error.number, asked));
    }

    /// Where the dial goes.
    pub(super) const fn goes_to(&mut self, is_guest: bool) {
        self.is_guest = is_guest;
    }

    /// Whether it went to none of the list.
    pub(super) const fn is_guest(&self) -> bool {
        self.is_guest
    }

    /// The server has named where to go next.
    pub(super) const fn sent(&mut self) {
        self.is_sent = true;
    }

    /// An attempt begins with a question to the host; the dial follows. The wait is over, even if nothing is dialled.
    pub(super) fn ask(&mut self, now: Timestamp) -> Result<(), String> {
        self.waits = false;
        match self.announced.take().filter(|at| *at > now) {
            Some(at) => Err(format!("pace: asks before {at}, the time that was announced")),
            None => Ok(()),
        }
    }

    /// It ended there.
    pub(super) const fn not_dialled(&mut self) {
        self.undialled += 1;
        self.in_round = false;
    }

    pub(super) const fn hurry(&mut self) {
        (self.waits, self.is_asked) = (false, false);
        self.announced = None;
    }

    /// Another list of endpoints: no wait belongs to them.
    pub(super) const fn elsewhere(&mut self, endpoints: usize) {
        self.has_failed &= !self.in_round;
        self.in_round = false;
        // Where in the old list its round had got to is not known for certain.
        self.passes_over |= self.endpoints > 1;
        (self.endpoints, self.place) = (endpoints, 0);
        self.hurry();
    }

    /// It counts at once, where nothing else is waited for.
    pub(super) const fn floor_changes(&mut self) {
        if !self.waits || self.place + 1 < self.endpoints {
            self.announced = None;
        }
    }

    /// A whole round begins.
    pub(super) const fn restart(&mut self) {
        self.has_failed &= !self.in_round;
        self.in_round = false;
        self.place = 0;
    }

    pub(super) fn lost(&mut self, now: Timestamp, hold: Duration) {
        // A hold that is over, and had a link after it, is followed by another one.
        let is_past = self.online && self.lost.is_some_and(|until| until <= now);
        if self.lost.is_none() || is_past {
            (self.lost, self.online) = (Some(now.after(hold).unwrap_or(Timestamp::MAX)), false);
        }
    }

    /// A link is online.
    pub(super) const fn online(&mut self) {
        self.online = true;
    }

    /// A wait of our own is over, or nearly. One that was asked for goes on, and no longer than it was asked for.
    pub(super) fn back(&mut self, now: Timestamp, config: &Config) {
        let was_held = self.lost.take().is_some();
        if was_held {
            self.spread_until = now.after(config.retry.base);
        }
        let Some((_, Some(asked))) = self.last.filter(|_| self.is_asked) else { return self.hurry() };
        if was_held {
            let least = self.failed_at.after(asked.clamp(config.retry.floor, config.retry.directed_cap));
            self.announced = self.announced.min(least);
        }
    }

    pub(super) const fn suspend(&mut self, suspended: bool) {
        self.suspended = suspended;
    }

    pub(super) const fn is_suspended(&self) -> bool {
        self.suspended
    }

    /// A dial is wanted whatever was said before.
    pub(super) const fn overrule(&mut self) {
        (self.suspended, self.lost) = (false, None);
    }

    /// The link has been online for `stable_for`.
    pub(super) const fn stable(&mut self) {
        self.was_stable = true;
    }

    /// Failures are counted since the last stable link. One that stops the session is not among them, and a link
    /// that was left on purpose is none.
    pub(super) fn dial(&mut self, now: Timestamp, attempt: u64, config: &Config) -> Result<(), String> {
        let before = self.dialled_at.replace(now);
        self.spread_until = None;
        let was = std::mem::replace(&mut self.attempt, attempt);
        self.waits = false;
        if self.suspended || self.lost.is_some_and(|until| now < until) {
            return Err(format!("hints: dials while suspended ({}) or lost ({:?})", self.suspended, self.lost));
        }
        if let Some(at) = self.announced.take().filter(|at| *at > now) {
            return Err(format!("pace: dials before {at}, the time that was announced"));
        }
        let stable = std::mem::take(&mut self.was_stable);
        let first = if stable || was == 0 { 1 } else { was };
        let failed = std::mem::take(&mut self.has_failed);
        self.in_round = false;
        let most = first.saturating_add(failed.into());
        // Of the attempts that did not come to a dial each was a failure, or was broken off.
        let undialled = std::mem::take(&mut self.undialled);
        // Where there is a list, what was broken off may or may not have ended a round.
        let is_unsure = self.endpoints > 1 || std::mem::take(&mut self.passes_over);
        let (least, most) = if is_unsure { (first, first.saturating_add(1)) } else { (most, most) };
        let expected = least - undialled.min(1).min(least)..=most.saturating_add(undialled);
        if failed && attempt == first && self.place + 1 < self.endpoints {
            self.place += 1;
        } else if expected.contains(&attempt) {
            // After a link that held and was left on purpose a whole round begins.
            self.place = if failed || stable { 0 } else { self.place };
        } else {
            return Err(format!("pace: attempt {attempt} after attempt {was}, which was stable: {stable}"));
        }
        if std::mem::take(&mut self.is_sent) {
            self.place = 0;
        }
        match before {
            Some(before) if before <= now && now.since(before) < config.retry.floor => {
                Err(format!("pace: dials {:?} after the last dial", now.since(before)))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// An announced dial: after our own delay, or after one that the server asked for; where there is
    /// nothing to wait for, as soon as the floor allows. The last link's goodbye may have asked for a wait, too.
    pub(super) fn announce(
        &mut self,
        now: Timestamp,
        at: Timestamp,
        error: u64,
        goodbye: Option<Option<Duration>>,
        config: &Config,
    ) -> Result<(), String> {
        self.announced = Some(at);
        let floor = self.dialled_at.and_then(|last| last.after(config.retry.floor));
        // As soon as it may be, where there is nothing to wait for but a network that is lost.
        let soonest = floor.max(self.lost).max(self.spread_until);
        if !self.waits || (self.place + 1 < self.endpoints && Some(at) <= soonest) {
            return if floor <= Some(at) { Ok(()) } else { Err(format!("pace: dials at {at}, before {floor:?}")) };
        }
        let retry = &self.policy;
        let delay = at.since(self.failed_at);
        let held = self.lost.max(self.spread_until).map_or(Duration::ZERO, |until| until.since(self.failed_at));
        let asked = self.last.filter(|(number, _)| *number == error).and_then(|(_, asked)| asked);
        let directed = |asked: Duration| {
            let low = asked.clamp(retry.floor, retry.directed_cap);
            (low, low.saturating_add((low / 10).max(Duration::from_secs(1))))
        };
        // A link that is being left may say goodbye after its failure.
        let is_kept = asked.is_none_or(|asked| directed(asked).0 <= delay);
        if is_kept && goodbye.flatten().map(directed).is_some_and(|(low, high)| (low..=high).contains(&at.since(now))) {
            return Ok(());
        }
        let (low, high) = match asked {
            Some(asked) => directed(asked),
            None if goodbye.is_some() || self.passes_over => {
                (retry.floor, retry.directed_cap + retry.directed_cap / 10)
            }
            None => (retry.floor, retry.cap.saturating_add(additive(retry.jitter))),
        };
        if low <= delay && delay <= high.max(held) {
            return Ok(());
        }
        Err(format!("pace: waits {delay:?} after error {error}, and {low:?} to {high:?} are allowed"))
    }
}

const fn additive(jitter: Jitter) -> Duration {
    match jitter {
        Jitter::Additive(most) => most,
        Jitter::Full | Jitter::Equal | Jitter::Decorrelated | Jitter::None => Duration::ZERO,
    }
}
