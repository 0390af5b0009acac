//! Is the login about to run out?
//!
//! Some time before it does the host is asked for a fresh credential, and we log in with it on the link that is
//! there. This lives and dies with that link. Nothing that goes wrong here ends it: the old login still holds, so a
//! refresh that fails is tried again when half of what is left has passed, and when nothing is left it is for the
//! server to say so.

use core::time::Duration;

use bytes::Bytes;

use super::{Login, credentials::Ask};
use crate::{Secret, Timestamp};

/// Two refreshes are not closer than this. A login that lives shorter cannot be kept fresh.
const LEAST: Duration = Duration::from_secs(5);

/// When the login of a link runs out, and what is done about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refresh {
    expires: Timestamp,
    step: Step,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// There is time until then; `None` if there is nothing more to be done.
    Waiting(Option<Timestamp>),
    /// The host is asked.
    Asking(Ask),
    /// The server is.
    LoggingIn(Login),
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Overdue {
    /// The host is to be asked.
    Ask,
    /// The host, or the server, did not answer; it is tried again later.
    Unanswered,
}

impl Refresh {
    /// The peer accepted a login that runs out at this time. A time that has passed already means that a clock is
    /// wrong, and is no reason to log in again and again.
    pub(crate) fn new(now: Timestamp, expires: Timestamp, before: Duration) -> Self {
        Self { expires, step: Step::Waiting(next(now, expires, before)) }
    }

    /// When something is due.
    pub(crate) const fn deadline(&self) -> Option<Timestamp> {
        match &self.step {
            Step::Waiting(at) => *at,
            Step::Asking(ask) => ask.deadline(),
            Step::LoggingIn(login) => login.deadline(),
        }
    }

    /// Something is due: what?
    pub(crate) fn on_due(&mut self, now: Timestamp) -> Option<Overdue> {
        self.deadline().filter(|due| *due <= now)?;
        let waited = matches!(self.step, Step::Waiting(_));
        self.put_off(now);
        Some(if waited { Overdue::Ask } else { Overdue::Unanswered })
    }

    /// The host was asked.
    pub(crate) fn on_asked(&mut self, ask: Ask) {
        self.step = Step::Asking(ask);
    }

    /// Whether the host is asked, and this is the number of the question.
    pub(crate) fn is_answered_by(&self, number: u64) -> bool {
        matches!(&self.step, Step::Asking(ask) if ask.number() == number)
    }

    /// There is a fresh credential: log in with it, until then.
    pub(crate) fn log_in(&mut self, deadline: Option<Timestamp>) {
        self.step = Step::LoggingIn(Login::new(deadline, false));
    }

    /// Whether an answer of the server to a login is one to ours.
    pub(crate) const fn is_logging_in(&self) -> bool {
        matches!(self.step, Step::LoggingIn(_))
    }

    /// The server asks for one more step. `false` if it was not asked anything.
    pub(crate) fn on_challenge(&mut self, challenge: Bytes) -> bool {
        let Step::LoggingIn(login) = &mut self.step else { return false };
        login.on_challenge(challenge);
        true
    }

    /// The login that is under way.
    pub(crate) const fn login_mut(&mut self) -> Option<&mut Login> {
        if let Step::LoggingIn(login) = &mut self.step { Some(login) } else { None }
    }

    /// What is to be said now, once: a login, with the challenge if there is one.
    pub(crate) fn take_step(&mut self, present: Option<&Secret>) -> Option<Option<Bytes>> {
        if let Step::LoggingIn(login) = &mut self.step { login.take_step(present) } else { None }
    }

    /// What the login that is under way began with.
    pub(crate) const fn credential(&self) -> Option<&Secret> {
        match &self.step {
            Step::LoggingIn(login) => login.credential(),
            Step::Waiting(_) | Step::Asking(_) => None,
        }
    }

    /// It did not work this time: the host has nothing fresh, or the server did not like it.
    pub(crate) fn put_off(&mut self, now: Timestamp) {
        self.step = Step::Waiting(next(now, self.expires, Duration::MAX));
    }
}

/// So long before the end, but not before half the time is over, and not at once.
fn next(now: Timestamp, expires: Timestamp, before: Duration) -> Option<Timestamp> {
    let left = expires.since(now);
    let wait = left.saturating_sub(before.min(left / 2)).max(LEAST);
    now.after(wait).filter(|at| *at < expires)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CredentialPolicy, part::Credentials};

    const BEFORE: Duration = Duration::from_secs(60);

    const fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    /// The only way to a question: a host that is asked.
    fn ask(now: u64) -> Ask {
        let policy = CredentialPolicy { asked: true, ..CredentialPolicy::default() };
        Credentials::default().ask_again(at(now), &policy).expect("the host is asked")
    }

    #[test]
    fn the_time_depends_on_how_long_the_login_lives() {
        for (expires, before, due) in [
            (3_600, BEFORE, Some(3_540)),
            (120, BEFORE, Some(60)),
            (30, BEFORE, Some(15)),
            (8, BEFORE, Some(5)),
            (5, BEFORE, None),
            (0, BEFORE, None),
            (3_600, Duration::ZERO, None),
            (3_600, Duration::MAX, Some(1_800)),
        ] {
            let refresh = Refresh::new(at(100), at(100 + expires), before);
            assert_eq!(refresh.deadline(), due.map(|due| at(100 + due)), "{expires} s, {before:?}");
        }
        assert_eq!(Refresh::new(at(100), at(50), BEFORE).deadline(), None, "a clock is wrong");
        assert!(Refresh::new(at(100), Timestamp::MAX, BEFORE).deadline().is_some());
    }

    #[test]
    fn it_asks_the_host_and_logs_in() {
        let mut refresh = Refresh::new(at(0), at(600), BEFORE);
        assert_eq!(refresh.on_due(at(539)), None);
        assert_eq!(refresh.on_due(at(540)), Some(Overdue::Ask));
        refresh.on_asked(ask(540));
        assert_eq!(refresh.deadline(), Some(at(570)));
        assert!(!refresh.is_answered_by(2) && refresh.is_answered_by(1));
        assert_eq!(refresh.take_step(None), None);
        refresh.log_in(Some(at(555)));
        assert!(refresh.is_logging_in() && !refresh.is_answered_by(1), "an answer counts once");
        assert_eq!((refresh.take_step(None), refresh.take_step(None)), (Some(None), None));
        assert!(refresh.on_challenge(Bytes::from_static(b"nonce")));
        assert_eq!(refresh.take_step(None), Some(Some(Bytes::from_static(b"nonce"))));
        assert_eq!(refresh.deadline(), Some(at(555)));
    }

    #[test]
    fn silence_of_either_side_puts_it_off() {
        let mut refresh = Refresh::new(at(0), at(600), BEFORE);
        refresh.on_due(at(540));
        refresh.on_asked(ask(540));
        assert_eq!(refresh.on_due(at(570)), Some(Overdue::Unanswered));
        assert!(!refresh.is_answered_by(1), "too late");
        assert_eq!(refresh.deadline(), Some(at(585)));
        refresh.log_in(Some(at(580)));
        assert_eq!(refresh.on_due(at(580)), Some(Overdue::Unanswered));
        assert!(!refresh.is_logging_in() && !refresh.on_challenge(Bytes::new()));
    }

    /// A host that never has anything fresh is asked a handful of times, and each time later than at once.
    #[test]
    fn it_does_not_spin_whatever_fails() {
        for life in [6, 30, 60, 600, 1_000_000] {
            let mut refresh = Refresh::new(at(0), at(life), BEFORE);
            let (mut now, mut asks) = (at(0), 0);
            while let Some(due) = refresh.deadline() {
                assert!(due.since(now) >= LEAST && due < at(life), "{life} s: {due} after {now}");
                now = due;
                assert_eq!(refresh.on_due(now), Some(Overdue::Ask));
                asks += 1;
            }
            assert!((1..=6).contains(&asks), "{life} s: {asks}");
        }
    }

    /// Tokens of 30 s, for ten minutes.
    #[test]
    fn a_short_lived_login_is_refreshed_at_half_its_time_and_not_in_a_loop() {
        let (mut now, mut logins) = (at(0), 0);
        while now < at(600) {
            let mut refresh = Refresh::new(now, now.after(Duration::from_secs(30)).expect("a time"), BEFORE);
            now = refresh.deadline().expect("it runs out");
            assert_eq!(refresh.on_due(now), Some(Overdue::Ask));
            logins += 1;
        }
        assert_eq!(logins, 40);
    }
}
