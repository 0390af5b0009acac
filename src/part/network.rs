//! May we dial, as far as the host knows its network?
//!
//! Hints are levels, not events: the network is lost or it is there, the session is suspended or it is not. They only
//! move the time of the next dial. The floor to the last dial is applied after them, by the session, so hints that
//! come in a loop cannot make dials closer than it.

use core::time::Duration;

use crate::{Rng, Timestamp};

/// What the host said of the network.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Network {
    reach: Reach,
    suspended: bool,
    /// The network came back during this wait: dial then, if the wait is our own.
    hurry_at: Option<Timestamp>,
    /// It had held dials back: nobody dials before that time, or all would at once.
    was_held: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
enum Reach {
    /// Nobody says otherwise.
    #[default]
    There,
    /// Lost; from this time on it is tried all the same, because hosts forget to say that it is back. A link that was
    /// `online` since says it for them.
    Lost { until: Timestamp, online: bool },
}

/// A wait before a dial: the backoff's, or one that the server asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Until then, and not as long if the network comes back.
    Own(Timestamp),
    /// Until then in any case.
    Asked(Timestamp),
}

impl Network {
    /// The network is lost, says the host: no dials for so long, or until it is back. `true` if that is news; then the
    /// present link is worth a probe. Said again, it does not hold dials back for longer.
    pub(crate) fn on_lost(&mut self, now: Timestamp, hold: Duration) -> bool {
        let news = match self.reach {
            Reach::There => true,
            Reach::Lost { until, online } => online && until <= now,
        };
        if news {
            // Whoever has its place among those that come back does not come before it, if the hold is over earlier.
            let place = self.hurry_at.filter(|_| self.was_held).unwrap_or(Timestamp::ZERO);
            let until = now.after(hold).unwrap_or(Timestamp::MAX).max(place);
            self.reach = Reach::Lost { until, online: false };
            (self.hurry_at, self.was_held) = (None, false);
        }
        news
    }

    /// The network is back, or another one is there: a dial that is waited for comes within this time, anywhere in it,
    /// because all clients of that network hear the same. The present link, if there is one, is worth a probe.
    pub(crate) fn on_back(&mut self, now: Timestamp, within: Duration, rng: &mut Rng) {
        self.was_held |= self.reach != Reach::There;
        self.reach = Reach::There;
        if self.hurry_at.is_none() {
            self.hurry_at = now.after(rng.between(Duration::ZERO, within));
        }
    }

    /// A link is online.
    pub(crate) const fn on_online(&mut self) {
        if let Reach::Lost { online, .. } = &mut self.reach {
            *online = true;
        }
    }

    /// Whether dials are held back.
    pub(crate) fn holds(&self, now: Timestamp) -> bool {
        matches!(self.reach, Reach::Lost { until, .. } if now < until)
    }

    /// A link or an attempt has failed, and a new wait begins. What was said of the network before is no reason to cut
    /// it short.
    pub(crate) const fn on_failed(&mut self) {
        (self.hurry_at, self.was_held) = (None, false);
    }

    /// No link is wanted for a while, or it is wanted again.
    pub(crate) const fn suspend(&mut self, suspended: bool) {
        self.suspended = suspended;
    }

    pub(crate) const fn is_suspended(&self) -> bool {
        self.suspended
    }

    /// The application wants a dial now, whatever was said before.
    pub(crate) const fn overrule(&mut self) {
        (self.reach, self.suspended) = (Reach::There, false);
        (self.hurry_at, self.was_held) = (None, false);
    }

    /// When to dial at the end of this wait; `None` while suspended, [`Timestamp::MAX`] for never. The floor comes
    /// after this.
    pub(crate) fn dial_at(&self, wait: Wait) -> Option<Timestamp> {
        let at = match (wait, self.hurry_at) {
            (Wait::Own(_), Some(hurry)) if self.was_held => hurry,
            (Wait::Asked(at), Some(hurry)) if self.was_held => at.max(hurry),
            (Wait::Own(at), Some(hurry)) => at.min(hurry),
            (Wait::Own(at) | Wait::Asked(at), _) => at,
        };
        let held = match self.reach {
            Reach::There => at,
            Reach::Lost { until, .. } => at.max(until),
        };
        (!self.suspended).then_some(held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOLD: Duration = Duration::from_secs(60);
    const WITHIN: Duration = Duration::from_secs(1);

    const fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    #[test]
    fn a_lost_network_holds_dials_back_for_a_while() {
        let mut network = Network::default();
        assert_eq!(network.dial_at(Wait::Own(at(5))), Some(at(5)));
        assert!(network.on_lost(at(1), HOLD));
        assert_eq!(network.dial_at(Wait::Own(at(5))), Some(at(61)));
        assert_eq!(network.dial_at(Wait::Own(at(90))), Some(at(90)), "nothing comes earlier for it");
    }

    #[test]
    fn a_host_that_repeats_itself_does_not_keep_us_away_for_ever() {
        let mut network = Network::default();
        network.on_lost(at(0), HOLD);
        for second in 1..200 {
            assert!(!network.on_lost(at(second), HOLD));
        }
        assert_eq!(network.dial_at(Wait::Own(at(0))), Some(at(60)));
    }

    #[test]
    fn what_was_online_since_can_be_lost_anew_when_the_hold_is_over() {
        let mut network = Network::default();
        network.on_lost(at(1), HOLD);
        network.on_online();
        assert!(!network.on_lost(at(60), HOLD), "the hold that was begun is not begun again");
        assert!(network.on_lost(at(90), HOLD));
        assert_eq!(network.dial_at(Wait::Own(at(91))), Some(at(150)));
    }

    #[test]
    fn for_ever_means_until_it_is_back() {
        let mut network = Network::default();
        network.on_lost(at(0), Duration::MAX);
        assert_eq!(network.dial_at(Wait::Own(at(0))), Some(Timestamp::MAX));
        network.on_back(at(9), Duration::ZERO, &mut Rng::new(1));
        assert_eq!(network.dial_at(Wait::Own(at(20))), Some(at(9)));
    }

    #[test]
    fn a_network_that_is_back_cuts_our_own_wait_short_and_no_other() {
        let mut network = Network::default();
        network.on_back(at(10), WITHIN, &mut Rng::new(1));
        let hurried = network.dial_at(Wait::Own(at(30))).expect("not suspended");
        assert!((at(10)..=at(11)).contains(&hurried), "{hurried}");
        assert_eq!(network.dial_at(Wait::Own(at(9))), Some(at(9)), "what was due stays due");
        assert_eq!(network.dial_at(Wait::Asked(at(3_600))), Some(at(3_600)), "the server asked for it");
        network.on_failed();
        assert_eq!(network.dial_at(Wait::Own(at(30))), Some(at(30)), "it was said of another wait");
    }

    /// A thousand clients of one network hear of it in the same moment.
    #[test]
    fn clients_of_one_network_do_not_come_back_as_one() {
        let mut times: alloc::vec::Vec<_> = (0..100)
            .map(|seed| {
                let mut network = Network::default();
                network.on_back(at(0), WITHIN, &mut Rng::new(seed));
                network.dial_at(Wait::Own(at(30)))
            })
            .collect();
        times.sort();
        times.dedup();
        assert!(times.len() > 90, "{times:?}");
    }

    /// Of many draws the least would be no jitter at all.
    #[test]
    fn a_hint_that_is_repeated_is_drawn_once() {
        let (mut network, mut rng) = (Network::default(), Rng::new(1));
        network.on_back(at(0), WITHIN, &mut rng);
        let first = network.clone();
        for _ in 0..100 {
            network.on_back(at(0), WITHIN, &mut rng);
        }
        assert_eq!(network, first);
    }

    #[test]
    fn what_was_drawn_before_the_network_was_lost_is_over() {
        let (mut network, mut rng) = (Network::default(), Rng::new(1));
        network.on_back(at(0), WITHIN, &mut rng);
        network.on_lost(at(5), HOLD);
        network.on_back(at(20), WITHIN, &mut rng);
        assert!(network.dial_at(Wait::Own(at(30))) > Some(at(20)), "else they all come at once");
    }

    #[test]
    fn a_short_hold_does_not_bring_back_all_at_once() {
        for seed in 0..20 {
            let (mut network, mut rng) = (Network::default(), Rng::new(seed));
            network.on_lost(at(0), HOLD);
            network.on_back(at(20), WITHIN, &mut rng);
            let place = network.dial_at(Wait::Own(at(0)));
            network.on_lost(at(20), Duration::ZERO);
            assert_eq!(network.dial_at(Wait::Own(at(0))), place);
        }
    }

    /// The session's rule: never closer than the floor to the last dial, applied after the hints.
    #[test]
    fn lost_and_back_in_a_loop_dials_no_closer_than_the_floor() {
        const FLOOR: Duration = Duration::from_millis(100);
        let (mut network, mut rng) = (Network::default(), Rng::new(7));
        let (mut last, mut dials) = (Timestamp::ZERO, 0_u32);
        for millis in 1..10_000 {
            let now = Timestamp::from_millis(millis);
            if millis % 2 == 0 {
                network.on_lost(now, HOLD);
            } else {
                network.on_back(now, Duration::ZERO, &mut rng);
            }
            let wanted = network.dial_at(Wait::Own(Timestamp::MAX)).max(last.after(FLOOR));
            if wanted.is_some_and(|wanted| wanted <= now) {
                assert!(now.since(last) >= FLOOR, "{last} {now}");
                (last, dials) = (now, dials + 1);
                network.on_failed();
            }
        }
        assert!((50..=100).contains(&dials), "{dials}");
    }

    #[test]
    fn suspended_is_a_level() {
        let mut network = Network::default();
        network.suspend(true);
        network.on_back(at(1), WITHIN, &mut Rng::new(1));
        assert!(network.is_suspended());
        assert_eq!(network.dial_at(Wait::Own(at(0))), None);
        network.suspend(false);
        assert_eq!(network.dial_at(Wait::Own(at(0))), Some(at(0)));
    }

    #[test]
    fn whoever_wants_a_dial_now_gets_one() {
        let mut network = Network::default();
        network.suspend(true);
        network.on_lost(at(0), Duration::MAX);
        network.overrule();
        assert_eq!(network.dial_at(Wait::Own(at(0))), Some(at(0)));
    }
}
