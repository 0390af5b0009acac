//! Is the peer alive?
//!
//! Death is judged by silence alone: nothing came within the timeout of a probe. Sending judges nothing, and
//! nothing here waits for a write; clients that reset the watchdog when they send, or check it behind a flush,
//! never notice a dead link while the application is busy (alloy 2.5, twilight 0.18).

use core::time::Duration;

use super::slept_through;
use crate::{HeartbeatPolicy, Pings, Rng, Timestamp, time::earlier};

/// The shortest and the longest time that a server's greeting can ask for.
const LEAST_ASKED: Duration = Duration::from_secs(1);
const MOST_ASKED: Duration = Duration::from_secs(600);

/// How a link's heart beats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Beat {
    /// We probe, or only listen, or do nothing.
    probes: Probes,
    interval: Duration,
    timeout: Duration,
    keepalive: Duration,
    pong_only: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Probes {
    Sent,
    Expected,
    Off,
}

impl Beat {
    /// How a link beats by this policy; `can_ping` says whether the transport has ping frames.
    pub(crate) fn new(policy: &HeartbeatPolicy, pings: Pings, can_ping: bool, rng: &mut Rng) -> Self {
        let probes = match pings {
            Pings::Ours => Probes::Sent,
            Pings::Frames if can_ping => Probes::Sent,
            Pings::Frames => Probes::Off,
            Pings::Theirs => Probes::Expected,
        };
        // Only ever earlier: a silent peer is found within interval + timeout, whatever the seed.
        let interval = match policy.interval {
            Duration::MAX => Duration::MAX,
            interval => interval.saturating_sub(rng.between(Duration::ZERO, interval / 10)),
        };
        let HeartbeatPolicy { timeout, keepalive, pong_only, .. } = *policy;
        // Where nobody is asked, nothing is an answer.
        let pong_only = pong_only && probes == Probes::Sent;
        Self { probes, interval, timeout, keepalive, pong_only }
    }

    /// Takes over what the server's greeting asks for, within reason: a greeting must not make us probe without pause,
    /// nor wait for ever. Where we probe, it can only have us probe more often.
    fn tune(&mut self, every: Option<Duration>, timeout: Option<Duration>) {
        let within_reason = |asked: Option<Duration>| {
            asked.filter(|asked| !asked.is_zero()).map(|asked| asked.clamp(LEAST_ASKED, MOST_ASKED))
        };
        match (self.probes, within_reason(every), within_reason(timeout)) {
            (Probes::Expected, every, timeout) => {
                self.interval = every.unwrap_or(self.interval);
                self.timeout = timeout.unwrap_or(self.timeout);
            }
            (Probes::Sent | Probes::Off, Some(every), _) => {
                self.interval = self.interval.min(every);
                self.keepalive = self.keepalive.min(every);
            }
            (Probes::Sent | Probes::Off, None, _) => {}
        }
    }
}

/// The liveness of one link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Heartbeat {
    beat: Beat,
    heard_at: Timestamp,
    said_at: Timestamp,
    probe: Option<Probe>,
    asked: u64,
    asked_at: Option<Timestamp>,
    paused: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Probe {
    at: Timestamp,
    /// A judgement that came too late has been put off already.
    second: bool,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pulse {
    /// Send a probe.
    Ping,
    /// The peer is gone.
    Dead,
}

impl Heartbeat {
    /// A heart that starts to beat now.
    pub(crate) const fn new(beat: Beat, paused: bool, now: Timestamp) -> Self {
        Self { beat, heard_at: now, said_at: now, probe: None, asked: 0, asked_at: None, paused }
    }

    /// The server asks for another beat.
    pub(crate) fn tune(&mut self, every: Option<Duration>, timeout: Option<Duration>) {
        self.beat.tune(every, timeout);
    }

    /// Something came. `true` if it ended a probe.
    pub(crate) const fn on_heard(&mut self, now: Timestamp) -> bool {
        let probed = self.probe.is_some() && !self.beat.pong_only;
        if !self.beat.pong_only {
            self.on_alive(now);
        }
        probed
    }

    /// A pong came: to the probe of this number, or to one that cannot be told. How long did it take?
    pub(crate) fn on_pong(&mut self, now: Timestamp, number: Option<u64>) -> Option<Duration> {
        if number.is_some_and(|number| number > self.asked) {
            return None;
        }
        self.on_alive(now);
        if number.is_some_and(|number| number != self.asked) {
            return None;
        }
        self.asked_at.take().map(|asked| now.since(asked))
    }

    const fn on_alive(&mut self, now: Timestamp) {
        self.heard_at = now;
        self.probe = None;
    }

    /// A blocked write has moved: the kernel frees its buffer only when the peer's host acknowledges. Or a part of a frame
    /// came: a long one, over a slow network, may take longer than any silence is borne.
    pub(crate) const fn on_progress(&mut self, now: Timestamp) {
        self.on_heard(now);
    }

    /// A frame went out.
    pub(crate) const fn on_said(&mut self, now: Timestamp) {
        self.said_at = now;
    }

    /// A probe goes out; the number that its pong carries back.
    pub(crate) const fn on_asked(&mut self, now: Timestamp) -> u64 {
        self.asked = self.asked.wrapping_add(1);
        self.asked_at = Some(now);
        self.asked
    }

    /// Something happened that the link may not have survived. `true` if a probe is to be sent now: one that is under
    /// way will do, and silence means nothing while reading is held back or nobody asked us to listen for it.
    pub(crate) fn on_doubt(&mut self, now: Timestamp) -> bool {
        let probes = self.beat.probes == Probes::Sent && self.beat.interval != Duration::MAX;
        let is_new = probes && !self.paused && self.probe.is_none();
        if is_new {
            self.probe = Some(Probe { at: now, second: false });
        }
        is_new
    }

    /// Reading is held back, and silence means nothing; or it goes on, and the wait starts anew.
    pub(crate) fn on_held_back(&mut self, now: Timestamp, paused: bool) {
        if self.paused && !paused {
            (self.heard_at, self.probe) = (now, None);
        }
        self.paused = paused;
    }

    /// When something is due.
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        earlier(self.silence_deadline(), self.keepalive_deadline())
    }

    /// Something is due: what?
    pub(crate) fn on_due(&mut self, now: Timestamp) -> Option<Pulse> {
        if self.silence_deadline().is_some_and(|due| due <= now) {
            return self.on_silence(now);
        }
        if self.keepalive_deadline().is_some_and(|due| due <= now) {
            // It proves as much as any probe, so it counts as one where none is under way.
            if !self.paused && self.beat.interval != Duration::MAX {
                self.probe.get_or_insert(Probe { at: now, second: false });
            }
            self.said_at = now;
            return Some(Pulse::Ping);
        }
        None
    }

    fn on_silence(&mut self, now: Timestamp) -> Option<Pulse> {
        let due = self.silence_deadline()?;
        let judges = self.probe.is_some() || self.beat.probes == Probes::Expected;
        let late = slept_through(due, now);
        match self.probe {
            None if !judges => self.probe = Some(Probe { at: now, second: false }),
            None if late => self.probe = Some(Probe { at: now, second: true }),
            Some(Probe { second: false, .. }) if late => self.probe = Some(Probe { at: now, second: true }),
            None | Some(_) => return Some(Pulse::Dead),
        }
        // Even if there is no room to write it: else the keepalive would be due in the same turn, for ever.
        self.said_at = now;
        (self.beat.probes == Probes::Sent).then_some(Pulse::Ping)
    }

    fn silence_deadline(&self) -> Option<Timestamp> {
        if self.paused {
            return None;
        }
        let Beat { interval, timeout, .. } = self.beat;
        match (self.beat.probes, self.probe) {
            (Probes::Off, _) => None,
            (Probes::Sent | Probes::Expected, Some(probe)) => probe.at.after(timeout),
            (Probes::Sent, None) => self.heard_at.after(interval),
            (Probes::Expected, None) => self.heard_at.after(interval.saturating_add(timeout)),
        }
    }

    fn keepalive_deadline(&self) -> Option<Timestamp> {
        match self.beat.probes {
            Probes::Sent => self.said_at.after(self.beat.keepalive),
            Probes::Expected | Probes::Off => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn heart(pings: Pings) -> Heartbeat {
        let policy = HeartbeatPolicy {
            interval: Duration::from_millis(1_000),
            timeout: Duration::from_millis(300),
            keepalive: Duration::MAX,
            pong_only: false,
        };
        let mut beat = Beat::new(&policy, pings, true, &mut Rng::new(1));
        beat.interval = policy.interval;
        Heartbeat::new(beat, false, ms(0))
    }

    #[test]
    fn silence_is_probed_and_then_judged() {
        let mut heart = heart(Pings::Frames);
        assert_eq!(heart.deadline(), Some(ms(1_000)));
        assert_eq!(heart.on_due(ms(1_000)), Some(Pulse::Ping));
        assert_eq!(heart.deadline(), Some(ms(1_300)));
        assert_eq!(heart.on_due(ms(1_300)), Some(Pulse::Dead));
    }

    #[test]
    fn any_sign_of_life_ends_the_probe() {
        let mut heart = heart(Pings::Ours);
        heart.on_due(ms(1_000));
        let number = heart.on_asked(ms(1_000));
        heart.on_heard(ms(1_100));
        assert_eq!(heart.deadline(), Some(ms(2_100)));
        assert_eq!(heart.on_pong(ms(1_120), Some(number + 1)), None, "an answer to something else");
        assert_eq!(heart.on_pong(ms(1_150), Some(number)), Some(Duration::from_millis(150)));
        assert_eq!(heart.on_pong(ms(1_160), Some(number)), None, "answered already");
    }

    #[test]
    fn a_judge_who_comes_too_late_asks_again_and_only_once() {
        let mut heart = heart(Pings::Frames);
        heart.on_due(ms(1_000));
        assert_eq!(heart.on_due(ms(3_600_000)), Some(Pulse::Ping));
        assert_eq!(heart.deadline(), Some(ms(3_600_300)));
        assert_eq!(heart.on_due(ms(7_200_000)), Some(Pulse::Dead));
    }

    #[test]
    fn sending_judges_nothing() {
        let mut heart = heart(Pings::Frames);
        for at in (50..1_000).step_by(50) {
            heart.on_said(ms(at));
        }
        assert_eq!(heart.deadline(), Some(ms(1_000)));
    }

    #[test]
    fn while_reading_is_held_back_nothing_is_judged() {
        let mut heart = heart(Pings::Frames);
        heart.on_due(ms(1_000));
        heart.on_held_back(ms(1_100), true);
        assert_eq!(heart.deadline(), None);
        heart.on_held_back(ms(9_000), false);
        assert_eq!(heart.deadline(), Some(ms(10_000)));
    }

    #[test]
    fn something_goes_out_for_those_who_drop_silent_clients() {
        let mut heart = heart(Pings::Frames);
        heart.beat.keepalive = Duration::from_millis(400);
        heart.on_heard(ms(350));
        assert_eq!(heart.on_due(ms(400)), Some(Pulse::Ping));
        heart.on_heard(ms(500));
        assert_eq!(heart.deadline(), Some(ms(800)));
    }

    #[test]
    fn where_the_server_pings_silence_is_enough() {
        let mut heart = heart(Pings::Theirs);
        assert_eq!(heart.deadline(), Some(ms(1_300)));
        assert_eq!(heart.on_due(ms(1_300)), Some(Pulse::Dead));
        let mut sleeper = heart.clone();
        assert_eq!(sleeper.on_due(ms(9_000)), None, "late: wait once more");
        assert_eq!(sleeper.deadline(), Some(ms(9_300)));
        assert_eq!(sleeper.on_due(ms(9_300)), Some(Pulse::Dead));
    }

    #[test]
    fn a_pong_may_be_the_only_proof() {
        let mut heart = heart(Pings::Frames);
        heart.beat.pong_only = true;
        heart.on_heard(ms(900));
        assert_eq!(heart.on_due(ms(1_000)), Some(Pulse::Ping));
        heart.on_heard(ms(1_100));
        assert_eq!(heart.on_due(ms(1_300)), Some(Pulse::Dead));
    }

    /// RFC 6455 section 5.5.3: it may come unasked, and then answers nothing.
    #[test]
    fn a_pong_that_nobody_asked_for_answers_nothing() {
        let mut heart = heart(Pings::Frames);
        heart.beat.pong_only = true;
        heart.on_due(ms(1_000));
        let number = heart.on_asked(ms(1_000));
        assert_eq!(heart.on_pong(ms(1_100), Some(number + 1)), None);
        assert_eq!(heart.deadline(), Some(ms(1_300)), "and is no proof where only answers are");
        assert_eq!(heart.on_pong(ms(1_100), Some(number)), Some(Duration::from_millis(100)));
    }

    #[test]
    fn where_the_server_pings_no_pong_can_be_asked_for() {
        let policy = HeartbeatPolicy { pong_only: true, ..HeartbeatPolicy::default() };
        let beat = Beat::new(&policy, Pings::Theirs, true, &mut Rng::new(1));
        let mut heart = Heartbeat::new(beat, false, ms(0));
        let first = heart.deadline();
        heart.on_heard(ms(20_000));
        assert_eq!(heart.deadline(), first.and_then(|at| at.after(Duration::from_secs(20))));
    }

    #[test]
    fn a_transport_without_pings_is_not_judged() {
        let mut rng = Rng::new(1);
        let beat = Beat::new(&HeartbeatPolicy::default(), Pings::Frames, false, &mut rng);
        assert_eq!(Heartbeat::new(beat, false, ms(0)).deadline(), None);
    }

    #[test]
    fn a_greeting_can_ask_for_much_but_not_for_nonsense() {
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        let mut ours = heart(Pings::Ours);
        ours.beat.interval = Duration::from_secs(25);
        for (every, timeout) in [(seconds(0), seconds(0)), (None, seconds(1 << 40))] {
            ours.tune(every, timeout);
            assert_eq!((ours.beat.interval, ours.beat.timeout), (Duration::from_secs(25), Duration::from_millis(300)));
        }
        ours.tune(Some(Duration::from_millis(1)), None);
        assert_eq!(ours.beat.interval, LEAST_ASKED);
        let mut theirs = heart(Pings::Theirs);
        theirs.tune(seconds(25), seconds(1 << 40));
        assert_eq!((theirs.beat.interval, theirs.beat.timeout), (Duration::from_secs(25), MOST_ASKED));
    }

    #[test]
    fn switched_off_it_keeps_alive_and_judges_nobody() {
        let mut heart = heart(Pings::Frames);
        (heart.beat.interval, heart.beat.keepalive) = (Duration::MAX, Duration::from_millis(400));
        for at in (400..10_000).step_by(400) {
            assert_eq!(heart.on_due(ms(at)), Some(Pulse::Ping));
        }
    }
}
