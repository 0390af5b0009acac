//! When there is a link, and where to: endpoints, hints, sleep, patience, settings that change. Each test is a promise
//! that others break, with the numbers with which they break it where there are any.

use std::time::Duration;

use bytes::Bytes;
use steadfast::{
    Action, Answer, BadEndpoints, Cause, Change, Class, ClientId, CloseCode, Command, Config, Dropped, Event,
    FirstAttempt, Frame, HttpAnswer, Input, Jitter, Limit, LinkId, Machine, OpId, Outcome, Phase, Pings, Queued,
    Recovery, Report, SendOptions, Session, Status, StopCause, Text, Timer, Timestamp,
};
use steadfast_sim::{Checked, Toy};

/// A session, and the world around it.
struct Talk {
    session: Checked<Session<Toy>, Toy>,
    now: Timestamp,
    link: LinkId,
    said: Vec<Action<Text, Text>>,
    dials: Vec<(Timestamp, Option<String>)>,
    handed: u64,
}

impl Talk {
    fn new(config: Config) -> Self {
        Self::with(Toy::default(), config)
    }

    fn with(toy: Toy, config: Config) -> Self {
        let session = Session::new(toy, config.clone(), 7).expect("a sound configuration");
        Self {
            session: Checked::new(session, toy, config),
            now: at(1_000),
            link: LinkId(0),
            said: Vec::new(),
            dials: Vec::new(),
            handed: 0,
        }
    }

    fn connected(config: Config) -> Self {
        let mut talk = Self::new(config);
        talk.command(Command::Connect);
        talk.online();
        talk
    }

    fn turn(&mut self, input: Input<Text, Text>) -> Answer<Text> {
        self.said.clear();
        let answer = self.session.handle(self.now, input, &mut self.said);
        for action in &self.said {
            if let Action::Connect(attempt) = action {
                (self.link, self.handed) = (attempt.link, 0);
                self.dials.push((self.now, attempt.endpoint.as_ref().map(ToString::to_string)));
            }
            self.handed += u64::from(matches!(action, Action::Send { .. }));
        }
        self.session.assert_sound();
        answer
    }

    fn command(&mut self, command: Command<Text, Text>) -> Answer<Text> {
        self.turn(Input::Command(command))
    }

    fn report(&mut self, report: Report) {
        assert_ne!(self.turn(Input::Report(self.link, report)), Answer::Stale);
    }

    fn hear(&mut self, line: &str) {
        self.report(Report::Frame(Frame::from(line)));
    }

    fn online(&mut self) {
        self.report(Report::Up(Box::default()));
        self.hear("ok");
        self.flushed();
        assert_eq!(self.phase(), Phase::Online);
    }

    fn flushed(&mut self) {
        let frames = self.handed;
        self.report(Report::Flushed { frames });
    }

    fn down(&mut self, cause: Cause) {
        self.report(Report::Down(steadfast_sim_down(cause, 0)));
    }

    /// The link says goodbye back.
    fn closed(&mut self) {
        self.down(Cause::Closed { code: CloseCode::NORMAL, reason: Text::default() });
    }

    fn refused(&mut self) {
        self.down(Cause::Unreachable("refused".into()));
    }

    fn send(&mut self, text: &'static str, class: Class) -> OpId {
        let mut options = SendOptions::default();
        (options.class, options.tracked) = (class, true);
        let answer = self.command(Command::Send { message: Text::from_static(text), options });
        let Answer::Accepted(id) = answer else { panic!("{answer:?}") };
        id
    }

    fn after(&mut self, wait: Duration) -> &mut Self {
        self.now = self.now.after(wait).expect("far from the end");
        self
    }

    fn wake(&mut self) {
        self.turn(Input::Wake);
    }

    /// The driver wakes the session at its deadlines, until something is dialled.
    fn until_dialled(&mut self) {
        let before = self.dials.len();
        while self.dials.len() == before {
            self.now = self.session.next_deadline().expect("something to wait for");
            self.wake();
        }
    }

    /// The driver wakes the session at its deadlines, for so long.
    fn wait(&mut self, long: Duration) {
        let until = self.now.after(long).expect("far from the end");
        while let Some(deadline) = self.session.next_deadline().filter(|deadline| *deadline <= until) {
            self.now = deadline;
            self.wake();
        }
        self.now = until;
        self.wake();
    }

    fn phase(&self) -> Phase {
        self.session.machine().phase()
    }

    fn change(&self) -> &Change {
        let change = |action| if let &Action::Emit(Event::Phase(ref change)) = action { Some(&**change) } else { None };
        self.said.iter().find_map(change).expect("a change of phase")
    }

    /// The ping that was sent.
    fn pinged(&self) -> Option<Bytes> {
        self.said.iter().find_map(|action| {
            let Action::Send { frame: Frame::Ping(number), .. } = action else { return None };
            Some(number.clone())
        })
    }

    fn error(&self) -> &steadfast::Error {
        let mut errors = self.said.iter().filter_map(|action| {
            let Action::EmitError(error) = action else { return None };
            Some(&**error)
        });
        errors.next().expect("an error")
    }

    fn frames(&self) -> Vec<String> {
        let line = |action: &Action<Text, Text>| {
            let Action::Send { frame, .. } = action else { return None };
            match frame {
                Frame::Text(text) => Some(text.to_string()),
                Frame::Ping(_) => Some("ping".into()),
                Frame::Binary(_) | Frame::Pong(_) => None,
            }
        };
        self.said.iter().filter_map(line).collect()
    }

    fn outcomes(&self) -> Vec<(u64, Outcome)> {
        let outcome = |action: &Action<Text, Text>| {
            let Action::Emit(Event::Outcome { id, outcome, .. }) = action else { return None };
            Some((id.0, outcome.clone()))
        };
        self.said.iter().filter_map(outcome).collect()
    }

    fn says(&self, is: impl Fn(&Action<Text, Text>) -> bool) -> bool {
        self.said.iter().any(is)
    }

    fn gaps(&self) -> Vec<Duration> {
        self.dials.windows(2).map(|two| two[1].0.since(two[0].0)).collect()
    }

    fn endpoints(&mut self, list: &[&str], queued: Queued) -> Answer<Text> {
        let list = list.iter().map(|to| Text::from(*to)).collect();
        self.command(Command::Endpoints { list, queued })
    }

    fn dialled(&self) -> Vec<&str> {
        self.dials.iter().map(|(_, to)| to.as_deref().unwrap_or("own")).collect()
    }
}

fn steadfast_sim_down(cause: Cause, left: u64) -> Box<steadfast::Down> {
    Box::new(steadfast::Down { cause, left, verdict: None })
}

const fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn hours(hours: u64) -> Duration {
    Duration::from_secs(3_600 * hours)
}

fn config(change: impl FnOnce(&mut Config)) -> Config {
    let mut config = Config::default();
    change(&mut config);
    config
}

fn answered(status: u16) -> Cause {
    Cause::Http(Box::new(HttpAnswer { status, ..HttpAnswer::default() }))
}

const FLOOR: Duration = Duration::from_millis(100);

// Connecting

/// partysocket 1.1 and Phoenix 1.8: "connect" while it waits does nothing, and it waits on, up to their cap.
#[test]
fn connect_now_during_a_wait_dials_at_the_floor() {
    let mut talk = Talk::new(config(|config| config.retry.jitter = Jitter::None));
    talk.command(Command::Connect);
    for _ in 0..6 {
        talk.refused();
        talk.until_dialled();
    }
    talk.refused();
    assert_eq!(talk.change().retry_at, talk.now.after(seconds(30)));
    talk.command(Command::ConnectNow);
    talk.until_dialled();
    assert_eq!(talk.gaps().last(), Some(&FLOOR));
}

/// partysocket: nothing happens after giving up. reconnecting-websocket 4.4: locked for ever after one provider of an
/// address has failed.
#[test]
fn a_connect_after_giving_up_dials_however_it_was_given_up() {
    type GiveUp = fn(&mut Talk);
    let ways: [(Config, GiveUp); 6] = [
        (Config::default(), |talk| talk.down(answered(404))),
        (Config::default(), |talk| talk.down(Cause::Impossible("no address".into()))),
        (config(|config| config.retry.first = FirstAttempt::FailFast), Talk::refused),
        (config(|config| config.retry.max_attempts = Some(1)), Talk::refused),
        (config(|config| config.retry.max_elapsed = Some(seconds(1))), |talk| {
            talk.refused();
            while talk.phase() != Phase::Stopped(StopCause::Failed) {
                talk.now = talk.session.next_deadline().expect("a deadline");
                talk.wake();
                if talk.phase() == Phase::Connecting {
                    talk.refused();
                }
            }
        }),
        (Config::default(), |talk| {
            for _ in 0..2 {
                talk.report(Report::Up(Box::default()));
                talk.hear("no password");
                talk.closed();
                if talk.phase() == Phase::Waiting {
                    talk.until_dialled();
                }
            }
        }),
    ];
    for (number, (config, give_up)) in ways.into_iter().enumerate() {
        for command in [Command::Connect, Command::ConnectNow] {
            let mut talk = Talk::new(config.clone());
            talk.command(Command::Connect);
            give_up(&mut talk);
            assert_eq!(talk.phase(), Phase::Stopped(StopCause::Failed), "{number}");
            assert_eq!(talk.session.next_deadline(), None, "{number}");
            talk.after(FLOOR).command(command.clone());
            assert!(talk.says(|action| matches!(action, Action::Connect(_))), "{number} {command:?}: {:?}", talk.said);
        }
    }
}

/// The last failure comes on a link that is open, and its goodbye takes a while.
#[test]
fn a_connect_during_the_last_goodbye_after_giving_up_starts_anew() {
    for command in [Command::Connect, Command::ConnectNow] {
        let mut talk = Talk::new(config(|config| config.retry.max_elapsed = Some(seconds(5))));
        talk.command(Command::Connect);
        talk.refused();
        talk.until_dialled();
        talk.report(Report::Up(Box::default()));
        talk.after(seconds(5)).hear("no way");
        assert_eq!(talk.phase(), Phase::Draining, "given up, and not gone yet");
        talk.command(command.clone());
        talk.closed();
        talk.until_dialled();
        talk.refused();
        assert_eq!(talk.phase(), Phase::Waiting, "{command:?}: its time counts from now");
    }
}

/// graphql-ws 6, SignalR 8, Azure Web PubSub 1: who starts before the server does never comes online.
#[test]
fn the_first_attempt_is_like_any_other_unless_it_shall_fail_fast() {
    let mut talk = Talk::new(Config::default());
    talk.command(Command::Connect);
    talk.refused();
    assert_eq!(talk.phase(), Phase::Waiting);
    assert_eq!(talk.session.machine().status(), Status::Reconnecting(2));
    let mut talk = Talk::new(config(|config| config.retry.first = FirstAttempt::FailFast));
    talk.command(Command::Connect);
    talk.refused();
    let gave_up = talk.change().gave_up.as_ref().expect("why");
    assert_eq!((gave_up.limit, gave_up.last.message.as_str()), (Some(Limit::First), "refused"));
    let mut talk = Talk::connected(config(|config| config.retry.first = FirstAttempt::FailFast));
    talk.down(Cause::Ended);
    assert_eq!(talk.phase(), Phase::Waiting, "it was online once");
}

#[test]
fn endpoints_are_tried_in_turn_at_the_floor_and_the_backoff_counts_rounds() {
    let mut talk = Talk::new(config(|config| config.retry.jitter = Jitter::None));
    assert_eq!(talk.endpoints(&["ws://a", "ws://b", "ws://c"], Queued::GoAlong), Answer::Done);
    talk.command(Command::Connect);
    for _ in 0..8 {
        talk.refused();
        talk.until_dialled();
    }
    let (a, b, c) = ("ws://a", "ws://b", "ws://c");
    assert_eq!(talk.dialled(), [a, b, c, a, b, c, a, b, c]);
    let gaps = [FLOOR, FLOOR, seconds(1), FLOOR, FLOOR, seconds(2), FLOOR, FLOOR];
    assert_eq!(talk.gaps(), gaps);
}

#[test]
fn after_a_stable_link_the_round_begins_with_the_endpoint_that_was_good() {
    let mut talk = Talk::new(Config::default());
    talk.endpoints(&["ws://a", "ws://b", "ws://c"], Queued::GoAlong);
    talk.command(Command::Connect);
    talk.refused();
    talk.until_dialled();
    talk.online();
    talk.wait(seconds(6));
    talk.down(Cause::Ended);
    talk.until_dialled();
    talk.refused();
    talk.until_dialled();
    assert_eq!(talk.dialled(), ["ws://a", "ws://b", "ws://b", "ws://c"]);
}

/// The link that was good was left on purpose: that it was good says nothing of the dial that comes after it.
#[test]
fn after_a_stable_link_that_was_left_on_purpose_the_others_are_tried_too() {
    let mut talk = Talk::new(config(|config| config.retry.max_attempts = Some(1)));
    talk.endpoints(&["ws://a", "ws://b", "ws://c"], Queued::GoAlong);
    talk.command(Command::Connect);
    talk.online();
    talk.wait(seconds(6));
    talk.command(Command::Suspend);
    talk.closed();
    talk.command(Command::Resume);
    for phase in [Phase::Waiting, Phase::Waiting, Phase::Stopped(StopCause::Failed)] {
        talk.refused();
        assert_eq!(talk.phase(), phase);
        if phase == Phase::Waiting {
            talk.until_dialled();
        }
    }
    assert_eq!(talk.dialled(), ["ws://a", "ws://a", "ws://b", "ws://c"]);
}

/// What has worked at one address says nothing of another.
#[test]
fn an_endpoint_does_not_vouch_for_another() {
    let mut talk = Talk::new(Config::default());
    talk.endpoints(&["ws://a", "ws://b"], Queued::GoAlong);
    talk.command(Command::Connect);
    talk.online();
    talk.wait(seconds(6));
    talk.down(Cause::Ended);
    talk.until_dialled();
    talk.down(answered(404));
    assert_eq!(talk.phase(), Phase::Waiting, "it has worked before");
    talk.until_dialled();
    talk.down(answered(404));
    assert_eq!(talk.phase(), Phase::Stopped(StopCause::Failed));
}

#[test]
fn another_destination_takes_the_queue_along_or_gives_it_back() {
    for queued in [Queued::GoAlong, Queued::ComeBack] {
        let mut talk = Talk::new(config(|config| config.window.frames = 2));
        talk.endpoints(&["ws://a"], Queued::GoAlong);
        talk.command(Command::Connect);
        talk.online();
        for text in ["1", "2", "3"] {
            talk.send(text, Class::AtMostOnce);
        }
        let answer = talk.endpoints(&["ws://b"], queued);
        assert!(talk.says(|action| matches!(action, Action::Close { .. })));
        match queued {
            Queued::GoAlong => assert_eq!(answer, Answer::Done),
            Queued::ComeBack => {
                let Answer::CameBack(back) = answer else { panic!("{answer:?}") };
                let back: Vec<_> = back.into_iter().map(|one| (one.id, one.message)).collect();
                assert_eq!(back, [(OpId(3), "3".into())]);
                assert_eq!(talk.outcomes(), [(3, Outcome::Cancelled)]);
            }
        }
        // The second of the two that the transport had has not left.
        let cause = Cause::Closed { code: CloseCode::NORMAL, reason: Text::default() };
        talk.report(Report::Down(steadfast_sim_down(cause, 2)));
        let stays = (2, Outcome::Dropped(Dropped::Elsewhere));
        let ended = [(1, Outcome::InDoubt), stays];
        assert_eq!(talk.outcomes(), ended[..if queued == Queued::ComeBack { 2 } else { 1 }]);
        if talk.dials.len() == 1 {
            talk.until_dialled();
        }
        talk.online_with(if queued == Queued::GoAlong { &["m 2 2"] } else { &[] });
        assert_eq!(talk.dialled(), ["ws://a", "ws://b"]);
    }
}

impl Talk {
    /// Comes online, and says these.
    fn online_with(&mut self, lines: &[&str]) {
        self.report(Report::Up(Box::default()));
        self.hear("ok");
        assert_eq!(self.frames(), lines);
    }
}

#[test]
fn a_list_that_makes_no_sense_is_refused_and_changes_nothing() {
    let mut talk = Talk::connected(Config::default());
    assert_eq!(talk.endpoints(&["ws://a", ""], Queued::ComeBack), Answer::BadEndpoints(BadEndpoints::Empty));
    assert!(talk.said.is_empty());
    assert_eq!(talk.phase(), Phase::Online);
}

#[test]
fn a_goodbye_that_names_an_address_is_followed_unless_it_shall_not_be() {
    for follow in [true, false] {
        let mut talk = Talk::new(config(|config| config.connect.follow_goaway = follow));
        talk.endpoints(&["wss://a", "wss://b"], Queued::GoAlong);
        talk.command(Command::Connect);
        talk.online();
        talk.wait(seconds(6));
        talk.hear("go wss://elsewhere");
        talk.hear("go ws://in-the-clear");
        talk.down(Cause::Closed { code: CloseCode(1_001), reason: Text::default() });
        talk.until_dialled();
        assert_eq!(talk.dialled()[1], if follow { "wss://elsewhere" } else { "wss://a" });
    }
}

/// Nobody said that the dialer's own endpoint is one without encryption.
#[test]
fn a_goodbye_leads_nobody_from_the_dialers_own_endpoint_into_the_clear() {
    for (named, follows) in [("ws://evil", false), ("wss://other", true)] {
        let mut talk = Talk::connected(Config::default());
        talk.hear(&format!("go {named}"));
        talk.down(Cause::Ended);
        talk.until_dialled();
        assert_eq!(talk.dialled(), ["own", if follows { named } else { "own" }]);
    }
}

fn busy(long: Duration) -> Cause {
    Cause::Http(Box::new(HttpAnswer { status: 503, retry_after: Some(long), ..HttpAnswer::default() }))
}

/// One that answers 503 for an hour, beside one that works.
#[test]
fn a_busy_endpoint_does_not_hold_back_the_others() {
    let mut talk = Talk::new(Config::default());
    talk.endpoints(&["ws://a", "ws://b"], Queued::GoAlong);
    talk.command(Command::Connect);
    let since = talk.now;
    talk.down(busy(hours(1)));
    assert_eq!(talk.error().recovery, Recovery::Retry, "b did not ask for it");
    talk.until_dialled();
    assert_eq!((talk.dialled(), talk.now.since(since)), (vec!["ws://a", "ws://b"], Config::default().retry.floor));
    while talk.now.since(since) < hours(1) {
        talk.refused();
        talk.until_dialled();
    }
    let first_again = talk.dials.iter().skip(1).find(|(_, address)| address.as_deref() == Some("ws://a"));
    assert!(first_again.is_none_or(|(at, _)| at.since(since) >= hours(1)), "{first_again:?}");
    assert!(talk.dials.len() > 60, "and b is tried all the while: {}", talk.dials.len());
}

#[test]
fn when_all_endpoints_are_busy_the_first_that_will_have_us_back_is_waited_for() {
    let mut talk = Talk::new(Config::default());
    talk.endpoints(&["ws://a", "ws://b"], Queued::GoAlong);
    talk.command(Command::Connect);
    talk.down(busy(hours(1)));
    talk.until_dialled();
    let since = talk.now;
    talk.down(busy(seconds(600)));
    assert_eq!(talk.error().recovery, Recovery::RetryAfter(seconds(600)));
    talk.until_dialled();
    assert!((seconds(600)..=seconds(660)).contains(&talk.now.since(since)), "{}", talk.now);
    assert_eq!(talk.dialled().last(), Some(&"ws://b"));
}

/// It may hold a password, or a token in its query.
#[test]
fn of_an_endpoint_no_credential_is_printed() {
    let mut talk = Talk::new(Config::default());
    let list = vec!["wss://user:hunter2@a/path?token=hunter2".into()];
    let command = Command::Endpoints { list, queued: Queued::GoAlong };
    let mut shown = format!("{command:?}");
    talk.command(command);
    talk.command(Command::Connect);
    shown += &format!("{:?}", talk.said);
    talk.online();
    talk.wait(seconds(10));
    let session = talk.session.machine();
    shown += &format!("{session:?} {:?} {:?}", session.health(talk.now), session.save(|_| None));
    assert!(shown.matches("wss://..@a/path?..").count() == 3 && !shown.contains("hunter2"), "{shown}");
}

/// c takes the place of b in the list, and a has asked for an hour.
#[test]
fn a_new_list_leads_nobody_to_an_endpoint_that_is_busy() {
    for (list, expected) in [(["ws://a", "ws://c"], "ws://c"), (["ws://a", "ws://a"], "ws://a")] {
        let mut talk = Talk::new(Config::default());
        talk.endpoints(&["ws://a", "ws://b"], Queued::GoAlong);
        talk.command(Command::Connect);
        let since = talk.now;
        talk.down(busy(hours(1)));
        talk.until_dialled();
        talk.endpoints(&list, Queued::GoAlong);
        talk.until_dialled();
        assert_eq!(talk.dialled(), ["ws://a", "ws://b", expected]);
        assert_eq!(talk.now.since(since) >= hours(1), expected == "ws://a", "{:?}", talk.now.since(since));
    }
}

/// A server that goes down says it twice: when to come back, and then where.
#[test]
fn a_goodbye_without_a_time_takes_back_no_time_that_was_said() {
    let mut talk = Talk::connected(Config::default());
    talk.hear("away 3600000 deploy");
    talk.hear("go wss://b");
    let since = talk.now;
    talk.down(Cause::Ended);
    talk.until_dialled();
    assert!((hours(1)..hours(2)).contains(&talk.now.since(since)), "{:?}", talk.now.since(since));
    assert_eq!(talk.dialled(), ["own", "wss://b"]);
}

/// How somebody leaves, and comes back.
type Way = fn(&mut Talk);

#[test]
fn whoever_leaves_before_the_server_does_comes_back_when_it_said_unless_it_goes_elsewhere() {
    let idle = config(|config| config.connect.idle_close = seconds(300));
    let ways: [(Way, bool); 5] = [
        (
            |talk| {
                talk.command(Command::Suspend);
                talk.closed();
                talk.command(Command::Resume);
            },
            true,
        ),
        (
            |talk| {
                talk.command(Command::Stop);
                talk.closed();
                talk.command(Command::Connect);
            },
            true,
        ),
        (
            |talk| {
                talk.command(Command::Drain { within: seconds(2) });
                talk.closed();
                talk.command(Command::Connect);
            },
            true,
        ),
        (
            |talk| {
                while talk.phase() == Phase::Online {
                    talk.now = talk.session.next_deadline().expect("a deadline");
                    talk.wake();
                    talk.hear("pong");
                }
                talk.closed();
                talk.send("wakes it", Class::AtMostOnce);
            },
            true,
        ),
        (
            |talk| {
                talk.endpoints(&["ws://other"], Queued::GoAlong);
                talk.closed();
            },
            false,
        ),
    ];
    for (leave, waits) in ways {
        let mut talk = Talk::connected(idle.clone());
        talk.hear("away 3600000 deploy");
        let since = talk.now;
        leave(&mut talk);
        if talk.dials.len() == 1 {
            talk.until_dialled();
        }
        let took = talk.now.since(since);
        assert_eq!(took >= hours(1), waits, "{took:?}");
    }
}

/// Its goodbye and ours cross.
#[test]
fn a_link_that_is_left_may_still_say_when_the_server_wants_us_back() {
    for (elsewhere, waits) in [(false, true), (true, false)] {
        let mut talk = Talk::connected(Config::default());
        let since = talk.now;
        talk.command(Command::Suspend);
        if elsewhere {
            talk.endpoints(&["ws://other"], Queued::GoAlong);
        }
        talk.hear("away 3600000 deploy");
        talk.closed();
        talk.command(Command::Resume);
        if talk.dials.len() == 1 {
            talk.until_dialled();
        }
        assert_eq!(talk.now.since(since) >= hours(1), waits, "{:?}", talk.now.since(since));
    }
}

#[test]
fn the_hosts_verdict_comes_before_what_the_server_said_when_it_went() {
    let mut talk = Talk::connected(Config::default());
    talk.hear("away 3600000 deploy");
    let since = talk.now;
    let mut down = steadfast_sim_down(Cause::Ended, 0);
    down.verdict = Some(Recovery::Retry);
    talk.report(Report::Down(down));
    assert_eq!((talk.error().recovery, talk.error().retry_after), (Recovery::Retry, None));
    talk.until_dialled();
    assert!(talk.now.since(since) <= seconds(1), "{:?}", talk.now.since(since));
}

#[test]
fn a_lazy_session_dials_with_the_first_message() {
    let mut talk = Talk::new(config(|config| config.connect.lazy = true));
    talk.command(Command::Connect);
    talk.wait(hours(24));
    assert_eq!((talk.dials.len(), talk.phase()), (0, Phase::Idle));
    assert_eq!(talk.session.machine().status(), Status::Disconnected);
    talk.send("1", Class::AtMostOnce);
    assert_eq!(talk.dials.len(), 1);
    talk.online_with(&["m 1 1"]);
}

#[test]
fn a_lazy_session_that_lost_its_link_waits_for_the_next_message() {
    let mut talk = Talk::new(config(|config| config.connect.lazy = true));
    talk.command(Command::Connect);
    talk.send("1", Class::AtMostOnce);
    talk.report(Report::Up(Box::default()));
    talk.hear("ok");
    talk.flushed();
    talk.after(seconds(10)).down(Cause::Ended);
    let change = talk.change().clone();
    assert_eq!((change.to, change.error, change.retry_at), (Phase::Idle, Some(1), None));
    talk.wait(hours(24));
    assert_eq!(talk.dials.len(), 1, "nothing is to be sent");
    talk.send("2", Class::AtLeastOnce);
    assert_eq!(talk.dials.len(), 2);
    talk.report(Report::Up(Box::default()));
    talk.hear("ok");
    talk.flushed();
    talk.down(Cause::Ended);
    talk.until_dialled();
    assert_eq!(talk.dials.len(), 3, "it is not acknowledged");
}

#[test]
fn a_session_that_closes_when_idle_comes_back_with_the_next_message_and_signs_of_life_are_none() {
    let mut talk = Talk::connected(config(|config| config.connect.idle_close = seconds(300)));
    talk.after(seconds(10)).hear("m hello");
    let since = talk.now;
    while !talk.says(|action| matches!(action, Action::Close { .. })) {
        talk.now = talk.session.next_deadline().expect("a deadline");
        talk.wake();
        if let Some(ping) = talk.pinged() {
            talk.flushed();
            talk.report(Report::Frame(Frame::Pong(ping)));
        }
    }
    assert_eq!(talk.now.since(since), seconds(300));
    talk.closed();
    assert_eq!((talk.phase(), talk.session.next_deadline()), (Phase::Idle, None));
    talk.after(hours(24)).send("1", Class::AtMostOnce);
    assert_eq!(talk.dials.len(), 2);
}

#[test]
fn what_is_not_acknowledged_keeps_an_idle_session_awake() {
    let mut talk = Talk::connected(config(|config| {
        (config.connect.idle_close, config.heartbeat.interval) = (seconds(300), Duration::MAX);
        config.heartbeat.keepalive = Duration::MAX;
    }));
    talk.send("1", Class::AtLeastOnce);
    talk.flushed();
    talk.wait(seconds(3_000));
    assert_eq!(talk.phase(), Phase::Online);
    talk.hear("got 1");
    talk.wait(seconds(301));
    assert!(talk.phase() == Phase::Idle, "{}", talk.phase());
}

#[test]
fn a_session_that_fell_asleep_wakes_when_it_is_no_longer_to_sleep_or_is_told_to_connect() {
    let idle = |idle| {
        config(|config| {
            (config.connect.idle_close, config.heartbeat.interval) = (idle, Duration::MAX);
            config.heartbeat.keepalive = Duration::MAX;
        })
    };
    let ways = [
        (Command::Connect, true),
        (Command::Configure(Box::new(idle(Duration::MAX))), true),
        (Command::Configure(Box::new(idle(seconds(600)))), true),
        (Command::Configure(Box::new(idle(seconds(60)))), false),
        (Command::NetworkBack, false),
    ];
    for (command, wakes) in ways {
        let mut talk = Talk::connected(idle(seconds(300)));
        talk.wait(seconds(300));
        talk.closed();
        assert_eq!((talk.phase(), talk.dials.len()), (Phase::Idle, 1));
        talk.command(command.clone());
        assert_eq!(talk.dials.len(), if wakes { 2 } else { 1 }, "{command:?}");
    }
    let lazy = config(|config| (config.connect.idle_close, config.connect.lazy) = (seconds(300), true));
    let mut talk = Talk::new(lazy);
    talk.command(Command::Connect);
    talk.command(Command::Connect);
    assert_eq!(talk.dials.len(), 0, "who is lazy waits for a message");
}

#[test]
fn a_lost_network_is_probed_and_holds_dials_back_until_it_is_back() {
    let mut talk = Talk::connected(Config::default());
    talk.after(seconds(3)).command(Command::NetworkLost);
    assert_eq!(talk.frames(), ["ping"]);
    talk.command(Command::NetworkLost);
    assert_eq!(talk.frames(), [""; 0], "said again it is no news");
    talk.flushed();
    talk.wait(seconds(10));
    assert_eq!(talk.phase(), Phase::Waiting, "nobody answered the probe within ten seconds");
    talk.wait(seconds(40));
    assert_eq!(talk.dials.len(), 1);
    talk.command(Command::NetworkBack);
    let back = talk.now;
    talk.until_dialled();
    assert!(talk.now.since(back) <= seconds(1));
}

#[test]
fn a_network_of_which_nobody_says_that_it_is_back_is_tried_after_a_minute() {
    let mut talk = Talk::new(Config::default());
    talk.command(Command::NetworkLost);
    talk.command(Command::Connect);
    assert_eq!(talk.phase(), Phase::Waiting);
    talk.until_dialled();
    assert_eq!(talk.now, at(61_000));
}

/// Hosts forget to say that the network is back; the link that came online since says it for them.
#[test]
fn a_network_that_is_lost_again_after_a_link_was_online_is_lost_anew() {
    let mut talk = Talk::new(Config::default());
    talk.command(Command::NetworkLost);
    talk.command(Command::Connect);
    talk.until_dialled();
    talk.online();
    talk.now = at(90_000);
    talk.command(Command::NetworkLost);
    assert_eq!(talk.frames(), ["ping"]);
    talk.down(Cause::Ended);
    talk.until_dialled();
    assert_eq!(talk.now, at(150_000));
}

#[test]
fn a_stop_forgets_that_the_network_was_lost() {
    let mut talk = Talk::connected(Config::default());
    talk.command(Command::NetworkLost);
    talk.command(Command::Stop);
    talk.closed();
    talk.after(FLOOR).command(Command::Connect);
    assert_eq!(talk.phase(), Phase::Connecting);
}

#[test]
fn a_network_that_comes_and_goes_in_a_loop_is_dialled_no_closer_than_the_floor() {
    let mut talk = Talk::new(config(|config| config.retry.base = Duration::from_millis(1)));
    talk.command(Command::Connect);
    for _ in 0..10_000 {
        talk.after(Duration::from_millis(1));
        if talk.phase() == Phase::Connecting {
            talk.refused();
        }
        talk.command(Command::NetworkLost);
        talk.command(Command::NetworkBack);
        talk.after(Duration::from_millis(1)).wake();
    }
    assert!(talk.dials.len() > 50, "{}", talk.dials.len());
    assert!(talk.gaps().iter().all(|gap| *gap >= FLOOR), "{:?}", talk.gaps());
}

#[test]
fn what_the_server_asked_for_is_not_cut_short_by_a_network_that_is_back() {
    let mut talk = Talk::new(Config::default());
    talk.command(Command::Connect);
    let busy = HttpAnswer { status: 503, retry_after: Some(seconds(60)), ..HttpAnswer::default() };
    talk.down(Cause::Http(Box::new(busy)));
    talk.command(Command::NetworkBack);
    talk.until_dialled();
    assert!(talk.now >= at(61_000));
}

/// Stop and connect in a loop would storm a server that has asked for a minute. Whoever knows better says "connect now".
#[test]
fn what_the_server_asked_for_outlives_a_stop() {
    for (command, least, most) in [(Command::Connect, 61_000, 67_000), (Command::ConnectNow, 1_100, 1_100)] {
        let mut talk = Talk::new(Config::default());
        talk.command(Command::Connect);
        let busy = HttpAnswer { status: 503, retry_after: Some(seconds(60)), ..HttpAnswer::default() };
        talk.down(Cause::Http(Box::new(busy)));
        talk.command(Command::Stop);
        assert_eq!((talk.phase(), talk.session.next_deadline()), (Phase::Stopped(StopCause::User), None));
        talk.command(command);
        talk.until_dialled();
        assert!((at(least)..=at(most)).contains(&talk.now), "{}", talk.now);
    }
}

/// A host that connects again whenever a session has given up is a storm else, for a server that has asked for an hour.
#[test]
fn what_the_server_asked_for_outlives_giving_up() {
    for (command, waits) in [(Command::Connect, true), (Command::ConnectNow, false)] {
        let mut talk = Talk::new(config(|config| config.retry.max_attempts = Some(1)));
        talk.command(Command::Connect);
        let since = talk.now;
        talk.down(busy(hours(1)));
        assert_eq!((talk.phase(), talk.session.next_deadline()), (Phase::Stopped(StopCause::Failed), None));
        talk.command(command);
        talk.until_dialled();
        assert_eq!(talk.now.since(since) >= hours(1), waits, "{:?}", talk.now.since(since));
    }
}

#[test]
fn what_the_host_asked_for_is_not_cut_short_by_a_network_that_is_back_either() {
    let mut talk = Talk::new(config(|config| config.retry.jitter = Jitter::None));
    talk.command(Command::Connect);
    let mut down = steadfast_sim_down(Cause::Ended, 0);
    down.verdict = Some(Recovery::RetryAfter(seconds(20)));
    talk.report(Report::Down(down));
    let wait = talk.session.next_deadline();
    assert!(wait >= talk.now.after(seconds(20)), "{wait:?}");
    talk.command(Command::NetworkBack);
    assert_eq!(talk.session.next_deadline(), wait);
}

#[test]
fn a_suspended_session_says_goodbye_keeps_its_queue_and_comes_back_when_resumed() {
    let mut talk = Talk::connected(Config::default());
    talk.wait(seconds(6));
    talk.command(Command::Suspend);
    assert!(talk.says(|action| matches!(action, Action::Close { code: CloseCode::NORMAL, .. })));
    assert_eq!(talk.phase(), Phase::Suspended);
    assert_eq!(talk.session.machine().status(), Status::Disconnected);
    talk.closed();
    talk.send("1", Class::AtMostOnce);
    talk.command(Command::Connect);
    talk.wait(hours(8));
    assert_eq!(talk.dials.len(), 1);
    talk.command(Command::Resume);
    assert_eq!(talk.dials.len(), 2);
    talk.online_with(&["m 1 1"]);
}

#[test]
fn whoever_is_suspended_can_be_stopped_drained_and_overruled() {
    for command in [Command::Stop, Command::Drain { within: seconds(2) }, Command::ConnectNow] {
        let mut talk = Talk::connected(Config::default());
        talk.command(Command::Suspend);
        talk.closed();
        talk.after(FLOOR).command(command.clone());
        if command == Command::ConnectNow {
            assert_eq!(talk.phase(), Phase::Connecting);
        } else {
            assert_eq!(talk.phase(), Phase::Stopped(StopCause::User));
            talk.command(Command::Connect);
            assert_eq!(talk.phase(), Phase::Connecting, "a stop ends the suspension");
        }
    }
}

/// What waits cannot go out, and nobody knows for how long: a drain without a deadline would wait for ever.
#[test]
fn a_drain_of_a_suspended_session_ends_when_its_link_has_gone() {
    for suspended_first in [true, false] {
        let mut talk = Talk::connected(Config::default());
        talk.send("1", Class::AtLeastOnce);
        talk.flushed();
        let drain = Command::Drain { within: Duration::MAX };
        let both = if suspended_first { [Command::Suspend, drain] } else { [drain, Command::Suspend] };
        for command in both {
            talk.command(command);
        }
        assert_eq!(
            (talk.phase(), talk.outcomes()),
            (Phase::Draining, vec![]),
            "the link may still say what became of it"
        );
        talk.closed();
        assert_eq!(talk.phase(), Phase::Stopped(StopCause::User));
        assert_eq!(talk.outcomes(), [(1, Outcome::InDoubt)]);
    }
}

/// About ten projects wrote the same watchdog: after a sleep their sockets are "open" for minutes.
#[test]
fn a_laptop_that_slept_eight_hours_probes_once_and_goes_on() {
    for answers in [true, false] {
        let mut talk = Talk::connected(Config::default());
        talk.wait(seconds(6));
        talk.after(hours(8)).wake();
        assert_eq!((talk.frames(), talk.phase()), (vec!["ping".into()], Phase::Online));
        talk.flushed();
        if answers {
            talk.hear("m hello");
            talk.wait(seconds(20));
            assert_eq!((talk.phase(), talk.dials.len()), (Phase::Online, 1));
        } else {
            talk.wait(seconds(10));
            assert_eq!(talk.phase(), Phase::Waiting, "the dead link is found ten seconds after waking");
        }
    }
}

/// The answer was there all the time, behind a driver that was held up.
#[test]
fn a_driver_that_is_an_hour_late_kills_nothing() {
    let mut talk = Talk::new(Config::default());
    talk.command(Command::Connect);
    talk.after(hours(1)).wake();
    talk.report(Report::Up(Box::default()));
    talk.after(FLOOR).hear("ok");
    talk.flushed();
    talk.after(hours(1)).wake();
    talk.hear("m hello");
    assert_eq!((talk.phase(), talk.dials.len()), (Phase::Online, 1));

    let mut talk = Talk::new(Config::default());
    talk.command(Command::Connect);
    talk.report(Report::Up(Box::default()));
    talk.after(hours(1)).wake();
    talk.hear("ok");
    assert_eq!(talk.phase(), Phase::Online);
}

/// The application is slow, and so the answer to the login is not read: neither is the server late.
#[test]
fn while_nobody_reads_no_login_and_no_greeting_is_late() {
    let login = Toy::default();
    for toy in [login, Toy { hello: true, ..login }] {
        let mut talk = Talk::with(toy, Config::default());
        talk.command(Command::Connect);
        talk.report(Report::Up(Box::default()));
        talk.report(Report::Paused);
        talk.wait(hours(1));
        assert_eq!(talk.phase(), Phase::Authenticating);
        talk.report(Report::Resumed);
        assert_eq!(talk.session.next_deadline(), talk.now.after(seconds(10)), "it has as long as one that begins now");
        talk.wait(seconds(12));
        assert_ne!(talk.phase(), Phase::Authenticating);
    }
}

#[test]
fn a_question_that_was_slept_through_may_still_be_answered() {
    let fail_fast = config(|config| {
        (config.credentials.asked, config.retry.first) = (true, FirstAttempt::FailFast);
    });
    for answers in [true, false] {
        let mut talk = Talk::new(fail_fast.clone());
        talk.command(Command::Connect);
        talk.after(hours(8)).wake();
        assert_eq!(talk.phase(), Phase::Connecting, "it is asked, and gets a second more");
        if answers {
            talk.command(Command::Credential { ask: 1, answer: Ok("secret".into()) });
            assert_eq!(talk.dials.len(), 1);
        } else {
            talk.wait(seconds(1));
            assert_eq!(talk.phase(), Phase::Stopped(StopCause::Failed));
        }
    }
}

#[test]
fn a_driver_that_is_always_late_does_not_dial_for_ever() {
    let mut talk = Talk::new(Config::default());
    talk.command(Command::Connect);
    talk.after(hours(1)).wake();
    talk.after(hours(1)).wake();
    assert_eq!(talk.phase(), Phase::Waiting);
}

#[test]
fn links_of_the_past_are_reported_late_and_change_nothing() {
    let mut talk = Talk::new(Config::default());
    talk.command(Command::Connect);
    for _ in 0..5 {
        talk.refused();
        talk.until_dialled();
    }
    talk.online();
    let (deadline, health) = (talk.session.next_deadline(), talk.session.machine().health(talk.now));
    for link in (1..=5).map(LinkId) {
        let down = steadfast_sim_down(Cause::Ended, 0);
        for report in [Report::Up(Box::default()), Report::Frame("ok".into()), Report::Down(down)] {
            assert_eq!(talk.turn(Input::Report(link, report)), Answer::Stale);
            assert!(talk.said.is_empty());
        }
    }
    assert_eq!(talk.session.next_deadline(), deadline);
    assert_eq!(talk.session.machine().health(talk.now).phase, health.phase);
    assert_eq!(talk.session.machine().stats().stale, 15);
}

// Waiting and giving up

/// socket.io-client 4.8.4: every client waits exactly 5,000 ms from its fourth attempt on.
#[test]
fn two_clients_do_not_wait_alike_at_the_cap() {
    let waits = |seed| {
        let mut session = Session::new(Toy::default(), Config::default(), seed).expect("sound");
        let (mut now, mut out) = (at(1), Vec::new());
        session.handle(now, Input::Command(Command::Connect), &mut out);
        let mut waits = Vec::new();
        for link in 1..=10 {
            let down = Report::Down(steadfast_sim_down(Cause::Unreachable("refused".into()), 0));
            session.handle(now, Input::Report(LinkId(link), down), &mut out);
            let next = session.next_deadline().expect("a wait");
            waits.push(next.since(now));
            now = next;
            session.handle(now, Input::Wake, &mut out);
        }
        waits.split_off(6)
    };
    let all: Vec<_> = (1..=20).flat_map(waits).collect();
    let mut distinct = all.clone();
    distinct.sort();
    distinct.dedup();
    assert!(distinct.len() > all.len() / 2, "{} of {}", distinct.len(), all.len());
}

/// Against a server that accepts and drops, in five seconds: ezsockets 14,142 connections, stream-tungstenite 13,633,
/// websockets 1,680 (in 3 s), graphql-ws 1,503 (in 3 s).
#[test]
fn a_server_that_accepts_and_drops_is_not_stormed() {
    let mut talk = Talk::new(Config::default());
    talk.command(Command::Connect);
    while talk.now < at(6_000) {
        talk.online();
        talk.down(Cause::Ended);
        talk.until_dialled();
    }
    assert!(talk.dials.len() <= 12, "{}", talk.dials.len());
}

#[test]
fn an_outage_of_thirty_days_is_still_waited_for_legally() {
    let mut talk = Talk::new(config(|config| config.retry.jitter = Jitter::None));
    talk.command(Command::Connect);
    let end = at(30 * 24 * 3_600_000);
    while talk.now < end {
        talk.refused();
        talk.until_dialled();
    }
    assert!(talk.dials.len() >= 30 * 24 * 120, "{}", talk.dials.len());
    assert!(talk.gaps().iter().all(|gap| (FLOOR..=seconds(30)).contains(gap)));
    talk.online();
}

/// partysocket: no event says that it has given up.
#[test]
fn giving_up_is_one_event_that_names_the_first_and_the_last_cause() {
    let mut talk = Talk::connected(config(|config| config.retry.max_attempts = Some(5)));
    talk.wait(seconds(6));
    talk.down(Cause::Broken("reset".into()));
    for attempt in 1..=5 {
        talk.until_dialled();
        talk.down(Cause::Unreachable(format!("refused {attempt}").into()));
    }
    let fatal = |action: &Action<_, _>| matches!(action, Action::EmitError(e) if e.recovery == Recovery::Fatal);
    assert!(talk.says(fatal), "the last error says that nothing comes after it");
    let change = talk.change();
    assert_eq!((change.to, change.retry_at), (Phase::Stopped(StopCause::Failed), None));
    let gave_up = change.gave_up.as_ref().expect("why");
    assert_eq!(gave_up.limit, Some(Limit::Attempts));
    assert_eq!((gave_up.first.number, gave_up.first.message.as_str()), (1, "reset"));
    assert_eq!((gave_up.last.number, gave_up.last.message.as_str()), (6, "refused 5"));
    assert_eq!(talk.dials.len(), 6, "a lost link is dialled for five times");
    talk.wait(hours(24));
    assert_eq!(talk.session.machine().history().filter(|change| change.gave_up.is_some()).count(), 1);
}

#[test]
fn the_time_is_up_while_it_waits_and_it_is_said_then() {
    let mut talk = Talk::new(config(|config| {
        (config.retry.max_elapsed, config.retry.jitter) = (Some(seconds(20)), Jitter::None);
    }));
    talk.command(Command::Connect);
    for _ in 0..4 {
        talk.refused();
        talk.until_dialled();
    }
    talk.refused();
    assert_eq!(talk.session.machine().next_timer(), Some((at(21_000), Timer::GiveUp)));
    talk.wait(seconds(6));
    assert_eq!(talk.phase(), Phase::Stopped(StopCause::Failed));
    let history: Vec<_> = talk.session.machine().history().collect();
    let last = history.last().expect("a change");
    assert_eq!((last.at, last.gave_up.as_ref().expect("why").limit), (at(21_000), Some(Limit::Elapsed)));
}

#[test]
fn a_limit_that_was_slept_through_ends_nothing_before_another_attempt() {
    let mut talk = Talk::new(config(|config| config.retry.max_elapsed = Some(seconds(20))));
    talk.command(Command::Connect);
    talk.refused();
    talk.after(hours(8)).wake();
    assert_eq!(talk.phase(), Phase::Connecting);
    talk.refused();
    assert_eq!(talk.phase(), Phase::Stopped(StopCause::Failed));
}

#[test]
fn every_offline_event_says_whether_and_when_a_retry_comes() {
    let mut talk = Talk::connected(Config::default());
    talk.down(Cause::Ended);
    assert_eq!(talk.change().retry_at, talk.session.next_deadline());
    assert!(talk.change().retry_at.is_some() && talk.change().error == Some(1));
    talk.until_dialled();
    talk.down(answered(410));
    assert!(talk.change().retry_at.is_some(), "the endpoint has worked before");
    talk.command(Command::Suspend);
    assert_eq!(talk.change().retry_at, None);
}

/// The command ends them, and its outcomes come with it: once, and before any connect command. Nothing else is said.
#[test]
fn what_is_kept_over_a_stop_ends_when_it_shall_no_longer_be_kept() {
    let mut talk = Talk::connected(config(|config| (config.keep_on_stop, config.window.frames) = (true, 2)));
    for (name, class) in [("1", Class::AtLeastOnce), ("2", Class::AtLeastOnce), ("3", Class::AtMostOnce)] {
        talk.send(name, class);
    }
    talk.command(Command::Stop);
    talk.report(Report::Down(steadfast_sim_down(Cause::Ended, 3)));
    assert_eq!((talk.outcomes(), talk.phase()), (vec![], Phase::Stopped(StopCause::User)));
    let kept = config(|config| (config.keep_on_stop, config.history) = (true, 7));
    talk.command(Command::Configure(Box::new(kept)));
    assert!(talk.said.is_empty(), "{:?}", talk.said);
    assert_eq!(talk.command(Command::Configure(Box::default())), Answer::Done);
    let dropped = || Outcome::Dropped(Dropped::Stopped);
    assert_eq!(talk.outcomes(), [(3, dropped()), (1, Outcome::InDoubt), (2, Outcome::InDoubt)]);
    assert_eq!(talk.said.len(), 3, "{:?}", talk.said);
    assert_eq!((talk.phase(), talk.session.next_deadline()), (Phase::Stopped(StopCause::User), None));
    talk.command(Command::Configure(Box::default()));
    assert!(talk.said.is_empty(), "once");
    talk.after(hours(1)).command(Command::Connect);
    talk.online_with(&[]);
}

#[test]
fn what_is_kept_over_a_stop_goes_out_after_the_next_connect() {
    let mut talk = Talk::connected(config(|config| (config.keep_on_stop, config.window.frames) = (true, 2)));
    talk.send("1", Class::AtMostOnce);
    talk.send("2", Class::AtLeastOnce);
    talk.send("3", Class::AtMostOnce);
    talk.command(Command::Stop);
    assert_eq!(talk.outcomes(), []);
    talk.report(Report::Down(steadfast_sim_down(Cause::Ended, 3)));
    assert_eq!(talk.outcomes(), [(1, Outcome::InDoubt)], "what may have left is not kept");
    assert_eq!(talk.phase(), Phase::Stopped(StopCause::User));
    assert_eq!(talk.session.next_deadline(), None);
    assert_eq!(talk.command(Command::Cancel(OpId(3))), Answer::Cancelled(Some("3".into())));
    talk.after(hours(1)).command(Command::Connect);
    talk.online_with(&["m 2 2"]);
    talk.hear("got 2");
    assert_eq!(talk.outcomes(), [(2, Outcome::Acked)]);
}

// Settings while running

#[test]
fn settings_change_while_running_and_are_checked_like_the_first_ones() {
    let mut talk = Talk::new(config(|config| config.retry.jitter = Jitter::None));
    talk.command(Command::Connect);
    talk.refused();
    let wait = talk.session.next_deadline();
    let bad = config(|config| config.retry.base = Duration::ZERO);
    assert!(
        matches!(talk.command(Command::Configure(Box::new(bad))), Answer::BadConfig(bad) if bad.field == "retry.base")
    );
    let good = config(|config| (config.retry.base, config.retry.jitter) = (seconds(7), Jitter::None));
    assert_eq!(talk.command(Command::Configure(Box::new(good))), Answer::Done);
    assert_eq!(talk.session.next_deadline(), wait, "a wait that was announced stays");
    talk.until_dialled();
    talk.refused();
    assert_eq!(talk.session.next_deadline(), talk.now.after(seconds(14)));
    let fewer = config(|config| config.retry.max_attempts = Some(2));
    talk.command(Command::Configure(Box::new(fewer)));
    talk.until_dialled();
    talk.refused();
    assert_eq!(talk.phase(), Phase::Stopped(StopCause::Failed));
}

#[test]
fn the_client_id_of_new_settings_counts_from_the_next_link() {
    let named = |id: &'static str| config(|config| config.identity.client_id = ClientId::Given(Text::from_static(id)));
    let mut talk = Talk::new(named("first"));
    talk.endpoints(&["ws://h/{client_id}"], Queued::GoAlong);
    talk.command(Command::Connect);
    assert_eq!(talk.command(Command::Configure(Box::new(named("second")))), Answer::Done);
    talk.refused();
    talk.until_dialled();
    assert_eq!(talk.dialled(), ["ws://h/first", "ws://h/second"]);
    let health = talk.session.machine().health(talk.now);
    assert_eq!(health.client_id, Some("second".into()));
}

/// A server that pings every second for a minute, and sends nothing else.
#[test]
fn where_the_server_pings_its_pings_are_proof_enough() {
    let toy = Toy { pings: Pings::Theirs, ..Toy::default() };
    let mut talk = Talk::with(toy, config(|config| config.heartbeat.pong_only = true));
    talk.command(Command::Connect);
    talk.online();
    for _ in 0..60 {
        talk.after(seconds(1)).hear("ping x");
        assert_eq!(talk.phase(), Phase::Online, "{:?}", talk.said);
    }
    talk.wait(seconds(35));
    assert_eq!(talk.session.machine().stats().silent, 1, "silence is still found");
}

#[test]
fn a_smaller_queue_drops_nothing_that_is_in_it_and_takes_nothing_new() {
    let mut talk = Talk::new(Config::default());
    for text in ["1", "2", "3"] {
        talk.send(text, Class::AtMostOnce);
    }
    talk.command(Command::Configure(Box::new(config(|config| config.queue.max_messages = 2))));
    assert_eq!(talk.outcomes(), []);
    let message = Command::Send { message: "4".into(), options: SendOptions::default() };
    assert!(matches!(talk.command(message), Answer::Refused(..)));
}

// Logins that run out

/// A link with a login that runs out in an hour, and a host that is asked.
fn renewing(change: impl FnOnce(&mut Config)) -> Talk {
    let mut config = config(|config| config.credentials.asked = true);
    change(&mut config);
    let mut talk = Talk::new(config);
    talk.command(Command::Connect);
    talk.command(Command::Credential { ask: 1, answer: Ok("one-secret".into()) });
    talk.report(Report::Up(Box::default()));
    talk.hear("ok 3600000");
    talk.flushed();
    talk
}

impl Talk {
    /// The driver wakes the session at its deadlines, and the peer is not silent, until the host is asked.
    fn until_asked(&mut self) -> u64 {
        loop {
            self.now = self.session.next_deadline().expect("something to wait for");
            self.wake();
            let asked = self.said.iter().find_map(|action| {
                let Action::AskCredential { ask, .. } = action else { return None };
                Some(*ask)
            });
            if let Some(ask) = asked {
                return ask;
            }
            self.flushed();
            self.hear("m hello");
        }
    }
}

#[test]
fn while_nobody_reads_no_renewal_is_late() {
    let mut talk = renewing(|config| config.connect.idle_close = Duration::MAX);
    let ask = talk.until_asked();
    talk.command(Command::Credential { ask, answer: Ok("two-secret".into()) });
    talk.report(Report::Paused);
    talk.wait(seconds(30));
    assert_eq!(talk.session.machine().stats().refreshes_failed, 0);
    talk.report(Report::Resumed);
    talk.hear("ok 7200000");
    assert_eq!(talk.session.machine().stats().unexpected, 0, "it is the answer");
    talk.hear("ok");
    assert_eq!(talk.session.machine().stats().bad, 1, "and there is no other");
}

/// "Forbidden" is forgiven to a credential that has worked, and the renewed one has.
#[test]
fn a_credential_that_renewed_the_login_has_worked() {
    let mut talk = renewing(|_| {});
    let ask = talk.until_asked();
    talk.command(Command::Credential { ask, answer: Ok("another-secret".into()) });
    assert_eq!(talk.frames(), ["login another-secret"]);
    talk.flushed();
    talk.hear("ok 7200000");
    talk.wait(seconds(1));
    talk.down(Cause::Ended);
    let ask = talk.until_asked();
    talk.command(Command::Credential { ask, answer: Ok("another-secret".into()) });
    talk.down(answered(403));
    assert_eq!(talk.phase(), Phase::Waiting);
}

#[test]
fn a_refusal_that_answers_no_login_of_ours_is_none() {
    for expires in [true, false] {
        let mut talk = if expires { renewing(|_| {}) } else { Talk::connected(Config::default()) };
        talk.hear("no reason");
        assert!(matches!(&talk.said[..], [Action::Emit(Event::Bad(_))]), "{:?}", talk.said);
        assert_eq!(talk.phase(), Phase::Online);
        let stats = talk.session.machine().stats();
        assert_eq!((stats.bad, stats.unexpected, stats.refreshes_failed), (1, 0, 0));
    }
}
