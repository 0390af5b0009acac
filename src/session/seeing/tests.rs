//! What people see of a session, one promise each.

#![expect(clippy::wildcard_enum_match_arm, reason = "a test looks for one thing")]

use alloc::vec::Vec;
use core::time::Duration;

use crate::session::{
    tests::{Lines, Talk, refused},
    *,
};
use crate::{Cause, Frame, Level, Plain};

const SECOND: u64 = 1_000;

impl<P: Protocol<Message = Frame, Incoming = Frame, Topic = crate::Never>> Talk<P> {
    fn with(protocol: P, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::default();
        change(&mut config);
        let mut talk = Self::new(protocol);
        talk.session = Session::new(talk.session.protocol, config, 1).expect("a sound configuration");
        talk.command(Command::Connect);
        talk
    }

    fn health(&self) -> Health {
        self.session.health(Timestamp::from_millis(self.now))
    }

    /// What was told of the peer's absence and of the level in the last turn.
    fn told(&self) -> Vec<&Event<Frame, crate::Never>> {
        let matters = |event: &&Event<_, _>| matches!(event, Event::Degraded | Event::Recovered | Event::Level(_));
        let events = self.out.iter().filter_map(|action| match action {
            Action::Emit(event) => Some(event),
            _ => None,
        });
        events.filter(matters).collect()
    }

    fn wake_at(&mut self, now: u64) {
        self.now = now;
        self.handle(Input::Wake);
    }

    /// A server that refuses every dial until then.
    fn refuse_until(&mut self, end: u64) -> Vec<(u64, bool)> {
        let mut told = Vec::new();
        loop {
            if let Some(link) = self.session.link.as_ref().map(|link| link.id) {
                self.down(link.0, refused(), 0);
            } else if self.session.next_deadline().is_none_or(|at| at >= Timestamp::from_millis(end)) {
                self.now = end;
                return told;
            } else {
                self.wake();
            }
            let shifts = self.told().into_iter().filter(|event| !matches!(event, Event::Level(_)));
            told.extend(shifts.map(|event| (self.now, *event == Event::Degraded)));
        }
    }
}

/// A server that is away for a minute, and ten attempts: the host is told once, after 30 s, and once when it is back.
#[test]
fn a_host_learns_once_that_the_peer_has_been_missing_for_thirty_seconds_and_once_that_it_is_back() {
    let mut talk = Talk::new(Plain);
    let told = talk.refuse_until(60 * SECOND);
    assert_eq!(told, [(30 * SECOND, true)]);
    talk.wait_for(Timer::Dial);
    let link = talk.session.last_link;
    talk.up(link);
    assert_eq!(talk.told(), [&Event::Recovered]);
    assert_eq!(talk.session.phase(), Phase::Online);
}

#[test]
fn with_no_patience_a_session_without_a_link_is_degraded_at_once() {
    let mut talk = Talk::with(Plain, |config| config.degraded_after = Duration::ZERO);
    assert_eq!(talk.told(), [&Event::Degraded, &Event::Level(Level::Bad)], "while the first dial is under way");
    talk.up(1);
    assert_eq!(talk.told(), [&Event::Recovered]);
    talk.down(1, Cause::Ended, 0);
    assert_eq!(talk.told(), [&Event::Degraded]);
}

#[test]
fn who_stopped_the_session_does_not_miss_the_peer() {
    let mut talk = Talk::new(Plain);
    talk.refuse_until(29 * SECOND);
    talk.command(Command::Stop);
    assert_eq!(talk.session.next_deadline(), None);
    talk.wake_at(3_600 * SECOND);
    assert!(talk.out.is_empty(), "{:?}", talk.out);
}

#[test]
fn who_suspended_the_session_does_not_miss_the_peer_either() {
    let mut talk = Talk::new(Plain);
    talk.up(1);
    talk.command(Command::Suspend);
    talk.down(1, Cause::Ended, 0);
    talk.now += 3_600 * SECOND;
    talk.handle(Input::Wake);
    assert_eq!((talk.session.phase(), talk.told()), (Phase::Suspended, Vec::new()));
    talk.command(Command::Resume);
    talk.wake_at(talk.now + SECOND);
    assert_eq!(talk.told(), Vec::<&Event<_, _>>::new(), "a new absence begins");
}

/// A link that is lost is a failure; a minute and ten seconds later it is forgotten, by a timer of its own.
#[test]
fn a_failure_makes_it_shaky_for_a_minute_and_three_of_them_bad() {
    let mut talk = Talk::with(Plain, |config| {
        (config.heartbeat.interval, config.heartbeat.keepalive) = (Duration::MAX, Duration::MAX);
    });
    assert_eq!(talk.health().level, Level::Good);
    talk.down(1, refused(), 0);
    assert_eq!(talk.told(), [&Event::Level(Level::Shaky)]);
    for link in [2, 3] {
        talk.wait_for(Timer::Dial);
        talk.down(link, refused(), 0);
    }
    assert_eq!(talk.told(), [&Event::Level(Level::Bad)]);
    talk.wait_for(Timer::Dial);
    talk.up(4);
    let (mut told, last_failure) = (Vec::new(), talk.now);
    while talk.session.next_deadline().is_some() {
        talk.wake();
        told.extend(talk.told().into_iter().map(|event| (event.clone(), talk.now / SECOND)));
    }
    let levels: Vec<_> = told.iter().map(|(event, _)| event).collect();
    assert_eq!(levels, [&Event::Level(Level::Shaky), &Event::Level(Level::Good)], "and then nothing wakes it");
    assert!(told[0].1 >= 70 && talk.now >= last_failure + 60 * SECOND, "{told:?}");
}

/// A link that is lost every five seconds, for ten minutes: the level goes down in two steps and stays there.
#[test]
fn a_link_that_comes_and_goes_does_not_make_the_level_flap() {
    let mut talk = Talk::new(Plain);
    let mut told = Vec::new();
    for link in 1..=120 {
        talk.up(link);
        talk.now += 5 * SECOND;
        talk.down(link, Cause::Ended, 0);
        told.extend(talk.told().into_iter().cloned());
        talk.command(Command::ConnectNow);
        if talk.session.link.is_none() {
            talk.wait_for(Timer::Dial);
        }
        told.extend(talk.told().into_iter().cloned());
    }
    assert_eq!(told, [Event::Level(Level::Shaky), Event::Level(Level::Bad)]);
}

#[test]
fn a_session_that_gave_up_is_bad_and_says_no_more() {
    let mut talk = Talk::new(Plain);
    let gone = crate::HttpAnswer { status: 410, ..crate::HttpAnswer::default() };
    talk.down(1, Cause::Http(gone.into()), 0);
    assert_eq!(talk.told(), [&Event::Level(Level::Bad)]);
    assert!(
        matches!(talk.out.last(), Some(Action::Emit(Event::Phase(change))) if change.to == Phase::Stopped(StopCause::Failed))
    );
    assert_eq!((talk.health().status, talk.session.next_deadline()), (Status::Error, None));
}

#[test]
fn the_times_to_the_answers_are_told_with_their_percentiles() {
    let mut talk = Talk::new(Lines);
    talk.up(1);
    talk.hear(1, "ok");
    assert_eq!((talk.health().latency, talk.health().latency_p50), (None, None), "nothing was asked yet");
    for took in (1..=64).map(|n| n * 10) {
        talk.wait_for(Timer::Heartbeat);
        assert_eq!(talk.sent(), ["ping"]);
        talk.now += took;
        talk.hear(1, "pong");
    }
    let (health, millis) = (talk.health(), |n| Some(Duration::from_millis(n)));
    assert_eq!((health.latency, health.latency_p50, health.latency_p99), (millis(640), millis(320), millis(630)));
    assert!(millis(500) < health.latency_smoothed && health.latency_smoothed < millis(640), "{health:?}");
}

/// A pong that comes before the first probe, and one that comes twice, took no time that could be told.
#[test]
fn an_answer_to_nothing_is_no_measurement() {
    let mut talk = Talk::new(Lines);
    talk.up(1);
    talk.hear(1, "ok");
    talk.now += 9 * SECOND;
    talk.hear(1, "pong");
    assert_eq!(talk.health().latency, None);
    talk.wait_for(Timer::Heartbeat);
    talk.now += 40;
    talk.hear(1, "pong");
    talk.now += 9 * SECOND;
    talk.hear(1, "pong");
    assert_eq!(talk.health().latency, Some(Duration::from_millis(40)));
}

/// Ten seconds offline, ninety online: 900 of 1,000. An hour after the user has stopped it, it is the same.
#[test]
fn availability_is_a_share_of_the_time_in_which_it_was_wanted() {
    let mut talk = Talk::new(Plain);
    assert_eq!(talk.health().availability, None);
    talk.now += 10 * SECOND - 1;
    talk.up(1);
    talk.now += 90 * SECOND;
    talk.report(1, Report::Frame("alive".into()));
    assert_eq!((talk.health().availability, talk.health().uptime), (Some(900), Some(Duration::from_secs(90))));
    talk.command(Command::Stop);
    talk.down(1, Cause::Ended, 0);
    talk.now += 3_600 * SECOND;
    assert_eq!((talk.health().availability, talk.health().uptime), (Some(900), None));
}

/// Two messages of six bytes a second out, one of eleven in, for a minute; and one that makes no sense.
#[test]
fn rates_are_of_the_last_minute() {
    let mut talk = Talk::new(Lines);
    talk.up(1);
    talk.hear(1, "ok");
    let start = talk.now;
    for second in 1..=120 {
        talk.now = start + second * SECOND;
        talk.hear(1, "what a day!");
        for _ in 0..2 {
            talk.send("hello!", Class::AtMostOnce);
        }
        let frames = talk.session.stats().frames_out;
        talk.report(1, Report::Flushed { frames });
    }
    let rates = talk.health().rates;
    assert!((980..=1_020).contains(&rates.messages_in) && (1_960..=2_040).contains(&rates.messages_out), "{rates:?}");
    assert!((10..=11).contains(&rates.bytes_in) && (11..=12).contains(&rates.bytes_out), "{rates:?}");
    assert_eq!(rates.errors, 0);
    talk.hear(1, "bad");
    assert!(talk.health().rates.errors > 0);
    talk.now += 3_600 * SECOND;
    assert_eq!(talk.health().rates, Rates::default(), "an hour later");
}

/// What waits for a link shows while it waits, and after it has left; what was taken back shows nothing.
#[test]
fn a_message_that_waits_for_a_link_is_seen_waiting() {
    let mut talk = Talk::new(Plain);
    let taken_back = talk.send("taken back", Class::AtMostOnce);
    talk.command(Command::Cancel(taken_back));
    assert_eq!(talk.health().waiting, None);
    talk.send("waits", Class::AtMostOnce);
    talk.now += 4 * SECOND;
    assert_eq!((talk.health().waiting, talk.health().queue_time_p50), (Some(Duration::from_secs(4)), None));
    talk.up(1);
    talk.now += SECOND;
    talk.report(1, Report::Flushed { frames: 1 });
    let health = talk.health();
    assert_eq!((health.waiting, health.queue_time_p99), (None, Some(Duration::from_secs(5))));
    assert_eq!((health.queued, health.queue_high), (0, 1));
}

#[test]
fn drops_are_counted_by_reason() {
    let mut talk = Talk::with(Plain, |config| {
        (config.queue.max_messages, config.queue.overflow) = (2, Overflow::DropOldest);
    });
    for text in ["1", "2", "3", "4", "5"] {
        talk.send(text, Class::AtMostOnce);
    }
    talk.command(Command::Stop);
    let drops = talk.health().drops;
    assert_eq!((drops.overflow, drops.stopped, drops.too_big), (3, 2, 0));
    assert_eq!(talk.session.stats().dropped, 5);
}

#[test]
fn the_history_says_when_why_and_which_attempt() {
    let mut talk = Talk::new(Plain);
    talk.down(1, refused(), 0);
    let last = talk.session.history().last().expect("a change");
    assert_eq!((last.to, last.at, last.attempt), (Phase::Waiting, Timestamp::ZERO, 1));
    assert_eq!((last.error, last.cause.as_ref().map(Text::as_str)), (Some(1), Some("refused")));
    talk.wait_for(Timer::Dial);
    let last = talk.session.history().last().expect("a change");
    assert_eq!((last.to, last.attempt, last.error, last.cause.as_ref()), (Phase::Connecting, 2, None, None));
}

#[test]
fn a_refused_dial_is_no_disconnect() {
    let mut talk = Talk::new(Plain);
    talk.down(1, refused(), 0);
    assert_eq!(talk.health().last_disconnect, None);
    talk.wait_for(Timer::Dial);
    talk.up(2);
    talk.now += 1;
    talk.down(2, Cause::Ended, 0);
    assert_eq!(talk.health().last_disconnect, Some(Timestamp::from_millis(talk.now)));
}

/// Asked a thousand times, at any time, it says the same and is the same as before.
#[test]
fn to_ask_how_it_does_changes_nothing() {
    let mut talk = Talk::new(Plain);
    talk.send("waits", Class::AtMostOnce);
    talk.down(1, refused(), 0);
    let (before, seeing) = (talk.health(), talk.session.seeing.clone());
    for at in [0, 1, 999, u64::MAX / 2, u64::MAX].map(Timestamp::from_micros) {
        let _ = talk.session.health(at);
    }
    assert_eq!((talk.health(), &talk.session.seeing), (before, &seeing));
}

/// What a session costs while nothing happens: rings of samples are made when the first sample comes.
#[test]
fn an_idle_session_keeps_no_rings() {
    let talk = Talk::new(Plain);
    assert_eq!(talk.session.seeing.latency, Default::default());
    assert_eq!(
        talk.session.seeing.flow.passed(Timestamp::from_millis(1), Stats::default().totals()).counts,
        Default::default()
    );
    assert!(size_of::<crate::session::seeing::Seeing>() <= 320, "{}", size_of::<crate::session::seeing::Seeing>());
}
