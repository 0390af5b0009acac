//! Conversations about credentials, one promise each.

#![expect(clippy::wildcard_enum_match_arm, reason = "a test looks for one thing")]

use alloc::{format, string::String, vec, vec::Vec};
use core::time::Duration;

use super::*;
use crate::{
    Abilities, AskWhy, Cause, Command, Config, Down, Error, Frame, Heard, Input, Kind, Machine, Never, Phase, Plain,
    Recovery, Report, Say, StopCause, Unfit,
};

/// A login of as many steps as the server likes: `login SECRET`, `login SECRET NONCE`; `ok`, `ok MILLIS`, `no`, `lost`.
/// And all that a server can say in words of its own: `trouble`, `away`, `go ADDRESS`, `bad`, `deny N`, `named ID`.
#[derive(Clone, Debug, Default)]
struct Steps {
    /// The server speaks first, and the login waits for `named ID`.
    hello: bool,
}

impl Protocol for Steps {
    type Message = Frame;
    type Incoming = Frame;
    type Topic = Never;
    type Link = ();

    fn abilities(&self) -> Abilities {
        Abilities { login: true, hello: self.hello, ..Abilities::default() }
    }

    fn admit(&self, message: &Frame) -> Result<u32, Unfit> {
        Plain.admit(message)
    }

    fn decode(&mut self, (): &mut (), frame: Frame, heard: &mut Vec<Heard<Frame, Never>>) {
        let (word, rest) =
            frame.as_str().unwrap_or_default().split_once(' ').unwrap_or((frame.as_str().unwrap_or(""), ""));
        let why = || {
            let (code, data) = (Some(rest.into()), Some(Bytes::copy_from_slice(rest.as_bytes())));
            Rejected { message: rest.into(), code, data, ..Rejected::default() }.into()
        };
        heard.push(match word {
            "ok" => {
                let expires = rest.parse().ok().map(Timestamp::from_millis);
                Heard::LoginOk { resumed: Resumed::Fresh, expires, client_id: None }
            }
            "no" => Heard::LoginRefused(why()),
            "lost" => Heard::LoginLost(why()),
            "trouble" => Heard::Trouble(why()),
            "deny" => {
                let op = rest.split(' ').next().and_then(|op| op.parse().ok()).map(crate::OpId).expect("a number");
                Heard::Done { op, result: Err(why()) }
            }
            "bad" => Heard::Bad(crate::Complaint::minor(rest)),
            "away" => Heard::GoAway(crate::GoAway { reason: rest.into(), ..crate::GoAway::default() }.into()),
            "go" => Heard::GoAway(crate::GoAway { address: Some(rest.into()), ..crate::GoAway::default() }.into()),
            "named" => {
                let tuning = crate::Tuning { client_id: Some(rest.into()), ..crate::Tuning::default() };
                Heard::Hello(tuning.into())
            }
            "challenge" => Heard::Challenge(Bytes::copy_from_slice(rest.as_bytes())),
            _ => Heard::Message { message: frame, topic: None, mark: crate::Mark::NONE },
        });
    }

    fn encode(&mut self, (): &mut (), _: Timestamp, say: Say<'_, Frame, Never>, frames: &mut Vec<Frame>) {
        let text = |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
        match say {
            Say::Login { credential, challenge } => {
                let secret = text(credential.map(|secret| &secret.expose()[..]));
                frames.push(format!("login {secret} {}", text(challenge)).trim_end().into());
            }
            Say::Message(out) => frames.push(out.message.clone()),
            Say::Report(error) => frames.push(format!("report {}", error.number).into()),
            _ => {}
        }
    }
}

struct Talk {
    session: Session<Steps>,
    now: u64,
    link: u64,
    out: Vec<Action<Frame, Never>>,
    /// All that was ever said.
    shown: String,
    dials: u64,
    errors: Vec<Error>,
}

/// What the host gives first.
const FIRST: &str = "hunter2-first";

impl Talk {
    fn new(when: CredentialUse, asked: bool) -> Self {
        Self::with(|config| (config.credentials.when, config.credentials.asked) = (when, asked))
    }

    fn with(change: impl FnOnce(&mut Config)) -> Self {
        Self::speaking(Steps::default(), change)
    }

    fn speaking(steps: Steps, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::default();
        // Who is alive is another question, and how it looks from outside too.
        (config.heartbeat.interval, config.heartbeat.keepalive) = (Duration::MAX, Duration::MAX);
        config.degraded_after = Duration::MAX;
        change(&mut config);
        let session = Session::new(steps, config, 1).expect("sound");
        let mut talk = Self { session, now: 0, link: 0, out: vec![], shown: String::new(), dials: 0, errors: vec![] };
        talk.command(Command::Connect);
        talk
    }

    /// Asked, answered, open, logged in; the login runs out after so many seconds.
    fn online(expires: Option<u64>) -> Self {
        let mut talk = Self::new(CredentialUse::AtLogin, true);
        talk.answer(1, FIRST);
        talk.up();
        talk.hear(&expires.map_or_else(|| "ok".into(), |seconds| format!("ok {}", seconds * 1_000)));
        assert_eq!(talk.session.phase(), Phase::Online);
        talk
    }

    fn handle(&mut self, input: Input<Frame>) -> Answer<Frame> {
        self.out.clear();
        let answer = self.session.handle(Timestamp::from_millis(self.now), input, &mut self.out);
        self.shown += &format!("{:?} {:?}\n", self.out, self.session);
        for action in &self.out {
            match action {
                Action::Connect(attempt) => (self.link, self.dials) = (attempt.link.0, self.dials + 1),
                Action::EmitError(error) => self.errors.push((**error).clone()),
                _ => {}
            }
        }
        answer
    }

    fn command(&mut self, command: Command<Frame>) -> Answer<Frame> {
        self.handle(Input::Command(command))
    }

    fn answer(&mut self, ask: u64, secret: &str) -> Answer<Frame> {
        self.command(Command::Credential { ask, answer: Ok(secret.into()) })
    }

    fn report(&mut self, report: Report) {
        self.handle(Input::Report(LinkId(self.link), report));
    }

    fn up(&mut self) {
        self.report(Report::Up(Box::default()));
    }

    fn hear(&mut self, line: &str) {
        self.report(Report::Frame(line.into()));
    }

    fn down(&mut self) {
        self.report(Report::Down(Down { cause: Cause::Ended, left: 0, verdict: None }.into()));
    }

    fn wake(&mut self) {
        let at = self.session.next_deadline().expect("something to wait for");
        self.now = at.as_micros().div_ceil(1_000);
        self.handle(Input::Wake);
    }

    fn wake_until(&mut self, is_there: impl Fn(&Self) -> bool) {
        (0..200)
            .find(|_| {
                is_there(self) || {
                    self.wake();
                    is_there(self)
                }
            })
            .expect("it comes");
    }

    fn asked(&self) -> Option<(u64, AskWhy)> {
        self.out.iter().find_map(|action| match action {
            Action::AskCredential { ask, why, .. } => Some((*ask, *why)),
            _ => None,
        })
    }

    fn said(&self) -> Vec<&str> {
        self.out
            .iter()
            .filter_map(|action| match action {
                Action::Send { frame: Frame::Text(text), .. } => Some(text.as_str()),
                _ => None,
            })
            .collect()
    }
}

#[test]
fn a_credential_goes_where_it_is_for_and_nowhere_else() {
    for (when, asks, at_dial, login) in [
        (CredentialUse::Never, false, false, "login"),
        (CredentialUse::AtLogin, true, false, "login hunter2-first"),
        (CredentialUse::AtDial, true, true, "login"),
        (CredentialUse::Both, true, true, "login hunter2-first"),
    ] {
        let mut talk = Talk::new(when, true);
        assert_eq!(talk.asked().is_some(), asks, "{when:?}");
        assert_eq!(talk.session.phase(), Phase::Connecting);
        if asks {
            assert_eq!(talk.dials, 0, "the host comes first");
            talk.now = 29_000;
            assert_eq!(talk.answer(1, FIRST), Answer::Done);
        }
        let dialled = talk.out.iter().find_map(|action| match action {
            Action::Connect(attempt) => Some(attempt.credential.is_some()),
            _ => None,
        });
        assert_eq!(dialled, Some(at_dial), "{when:?}");
        assert_eq!(talk.session.next_deadline(), Some(Timestamp::from_millis(talk.now + 10_000)), "its own time");
        talk.up();
        assert_eq!(talk.said(), [login], "{when:?}");
        assert!(matches!(talk.out[0], Action::Send { secret: true, .. }));
    }
}

#[test]
fn a_late_or_unknown_answer_changes_nothing_but_a_counter() {
    let mut talk = Talk::new(CredentialUse::AtLogin, true);
    let deadline = talk.session.next_deadline();
    for ask in [0, 2, u64::MAX] {
        assert_eq!((talk.answer(ask, FIRST), talk.out.len()), (Answer::Stale, 0));
    }
    assert_eq!((talk.session.next_deadline(), talk.session.stats().late_answers), (deadline, 3));
    talk.answer(1, FIRST);
    assert_eq!(talk.answer(1, "twice"), Answer::Stale);
    talk.up();
    talk.hear("ok");
    assert_eq!(talk.answer(1, "thrice"), Answer::Stale);
    assert_eq!(talk.session.credentials.current(), Some(&FIRST.into()));
}

#[test]
fn a_host_that_does_not_answer_is_asked_again_after_its_thirty_seconds() {
    let mut talk = Talk::new(CredentialUse::AtLogin, true);
    talk.wake();
    assert_eq!((talk.now, talk.errors[0].kind, talk.errors[0].recovery), (30_000, Kind::Timeout, Recovery::Retry));
    assert!(talk.out.contains(&Action::Abort(LinkId(1))), "whoever still looks for an answer may stop");
    talk.wake();
    assert_eq!((talk.asked(), talk.dials), (Some((2, AskWhy::First)), 0));
    assert_eq!(talk.answer(1, FIRST), Answer::Stale, "it was for the attempt before");
    talk.answer(2, FIRST);
    assert_eq!(talk.dials, 1);
}

#[test]
fn a_host_without_a_credential_is_no_refusal() {
    let mut talk = Talk::new(CredentialUse::AtLogin, true);
    for ask in 1..=10 {
        talk.command(Command::Credential { ask, answer: Err("nobody is logged in".into()) });
        let error = talk.errors.last().expect("a failure");
        assert_eq!((error.kind, error.recovery), (Kind::AuthenticationFailed, Recovery::Retry), "{ask}");
        assert_eq!(error.message.as_str(), "nobody is logged in");
        talk.wake_until(|talk| talk.asked().is_some());
        assert_eq!(talk.asked(), Some((ask + 1, AskWhy::First)));
    }
    assert_eq!(talk.dials, 0);
}

#[test]
fn stopping_voids_the_question() {
    let mut talk = Talk::new(CredentialUse::AtLogin, true);
    talk.command(Command::Stop);
    assert!(talk.out.contains(&Action::Abort(LinkId(1))));
    assert_eq!(talk.session.phase(), Phase::Stopped(StopCause::User));
    assert_eq!((talk.answer(1, FIRST), talk.session.next_deadline()), (Answer::Stale, None));
}

/// openhuman #2892: an expired token was sent again on every retry, and each refusal was reported: 237 crash reports
/// from one installation in an afternoon.
#[test]
fn openhuman_an_expired_token_is_shown_twice_and_not_on_every_retry() {
    let mut talk = Talk::new(CredentialUse::AtLogin, false);
    talk.command(Command::Authenticate(Some("expired-at-noon".into())));
    let mut logins = 0;
    while talk.session.phase() != Phase::Stopped(StopCause::Failed) {
        talk.up();
        logins += talk.said().len();
        talk.hear("no token expired");
        talk.down();
        assert!(talk.now < 4 * 3_600_000);
        if talk.session.next_deadline().is_some() {
            talk.wake();
        }
    }
    assert_eq!((logins, talk.errors.len(), talk.errors[1].recovery), (2, 2, Recovery::Fatal), "not 237");

    let mut talk = Talk::new(CredentialUse::AtLogin, true);
    talk.answer(1, "expired-at-noon");
    talk.up();
    talk.hear("no token expired");
    talk.down();
    talk.wake();
    assert_eq!(talk.asked(), Some((2, AskWhy::Refused)), "a host with a cache knows that it will not do");
    talk.answer(2, "fresh-at-one");
    talk.up();
    talk.hear("ok");
    assert_eq!((talk.session.phase(), talk.dials, talk.errors.len()), (Phase::Online, 2, 1));
}

#[test]
fn a_host_that_gives_the_refused_credential_again_stops_the_session() {
    let mut talk = Talk::new(CredentialUse::AtLogin, true);
    for ask in 1..=2 {
        talk.answer(ask, FIRST);
        talk.up();
        talk.hear("no");
        talk.down();
        if ask == 1 {
            talk.wake();
        }
    }
    assert_eq!(talk.session.phase(), Phase::Stopped(StopCause::Failed));
    talk.now += 1_000;
    talk.command(Command::Connect);
    talk.answer(3, "another");
    talk.up();
    talk.hear("ok");
    assert_eq!(talk.session.phase(), Phase::Online, "a new one lifts it");
}

#[test]
fn the_third_time_that_a_login_is_cut_off_a_fresh_credential_is_asked_for() {
    let mut talk = Talk::new(CredentialUse::AtLogin, true);
    let mut why = vec![];
    for ask in 1..=5 {
        why.push(talk.asked().expect("a question").1);
        talk.answer(ask, FIRST);
        talk.up();
        talk.down();
        talk.wake();
    }
    assert_eq!(why, [AskWhy::First, AskWhy::First, AskWhy::First, AskWhy::Suspect, AskWhy::First]);
    let kinds: Vec<_> = talk.errors.iter().map(|error| error.recovery).collect();
    assert_eq!(kinds[1..4], [Recovery::Retry, Recovery::Reauthenticate, Recovery::Retry]);
}

#[test]
fn a_login_has_as_many_steps_as_the_server_asks_for_up_to_sixteen() {
    let mut talk = Talk::new(CredentialUse::AtLogin, true);
    talk.answer(1, FIRST);
    talk.up();
    assert_eq!(talk.said(), ["login hunter2-first"]);
    talk.hear("challenge abc");
    assert_eq!(talk.said(), ["login hunter2-first abc"]);
    talk.hear("challenge def");
    assert_eq!(talk.said(), ["login hunter2-first def"]);
    assert!(matches!(talk.out[0], Action::Send { secret: true, .. }), "each step is a login");
    let more = (0..100)
        .filter(|_| {
            talk.hear("challenge more");
            !talk.said().is_empty()
        })
        .count();
    assert_eq!(more, 14);
    talk.hear("ok");
    assert_eq!(talk.session.phase(), Phase::Online);
    talk.hear("challenge again");
    assert!(talk.said().is_empty(), "nobody logs in");
}

#[test]
fn a_login_that_runs_out_is_renewed_on_the_link_that_is_there() {
    let mut talk = Talk::online(Some(3_600));
    talk.wake_until(|talk| talk.asked().is_some());
    assert_eq!((talk.now, talk.asked()), (3_540_000, Some((2, AskWhy::Expiring))));
    talk.command(Command::Send { message: "goes on".into(), options: crate::SendOptions::default() });
    assert_eq!(talk.said(), ["goes on"]);
    talk.answer(2, "hunter2-second");
    assert_eq!(talk.said(), ["login hunter2-second"]);
    assert!(matches!(talk.out[0], Action::Send { secret: true, .. }));
    talk.hear("challenge abc");
    assert_eq!(talk.said(), ["login hunter2-second abc"]);
    talk.hear("ok 7200000");
    talk.wake_until(|talk| talk.asked().is_some());
    assert_eq!((talk.now, talk.asked()), (7_140_000, Some((3, AskWhy::Expiring))));
    assert_eq!((talk.dials, talk.errors.len(), talk.session.phase()), (1, 0, Phase::Online));
}

#[test]
fn what_goes_wrong_with_renewing_ends_nothing() {
    let failed =
        |talk: &Talk| talk.out.iter().any(|action| matches!(action, Action::Emit(Event::RefreshFailed { .. })));
    let mut talk = Talk::online(Some(3_600));
    talk.wake_until(|talk| talk.asked().is_some());
    talk.command(Command::Credential { ask: 2, answer: Err("offline".into()) });
    assert!(failed(&talk));
    talk.wake_until(|talk| talk.asked().is_some());
    assert_eq!(talk.now, 3_570_000, "half of what is left");
    talk.answer(3, FIRST);
    assert!(talk.said().is_empty(), "nothing fresh, nothing said");
    talk.wake_until(|talk| talk.asked().is_some());
    talk.answer(4, "hunter2-second");
    talk.hear("no");
    assert!(failed(&talk) && talk.session.phase() == Phase::Online);
    talk.hear("no");
    assert_eq!((talk.session.phase(), talk.dials, talk.errors.len()), (Phase::Online, 1, 0));
    let stats = talk.session.stats();
    assert_eq!((stats.refreshes_failed, stats.bad), (2, 1), "the second \"no\" answers nothing");
    talk.hear("lost expired");
    assert_eq!((talk.session.phase(), talk.errors[0].kind), (Phase::Waiting, Kind::AuthenticationFailed));
}

#[test]
fn a_host_or_a_server_that_does_not_answer_a_renewal_does_not_end_the_link() {
    let failed = |talk: &Talk| talk.session.stats().refreshes_failed;
    for server in [false, true] {
        let mut talk = Talk::online(Some(3_600));
        talk.wake_until(|talk| talk.asked().is_some());
        if server {
            talk.answer(2, "hunter2-second");
        }
        talk.wake_until(|talk| failed(talk) > 0);
        assert_eq!(talk.now, if server { 3_550_000 } else { 3_570_000 });
        assert_eq!((talk.session.phase(), talk.dials), (Phase::Online, 1));
        assert_eq!(talk.answer(2, "late"), Answer::Stale);
    }
}

#[test]
fn a_credential_that_was_told_once_is_not_renewed() {
    for (when, asked) in [(CredentialUse::AtLogin, false), (CredentialUse::AtDial, true), (CredentialUse::Never, true)]
    {
        let mut talk = Talk::new(when, asked);
        talk.answer(1, FIRST);
        talk.up();
        talk.hear("ok 60000");
        let ask = talk.session.credentials.ask(Timestamp::ZERO, &crate::CredentialPolicy::default());
        assert_eq!((talk.session.phase(), ask), (Phase::Online, None));
        let refresh = talk.session.link.as_ref().map(|link| &link.stage);
        assert!(matches!(refresh, Some(Stage::Online { refresh: None, .. })), "{when:?}");
    }
}

#[test]
fn a_login_that_is_always_running_out_is_no_loop() {
    let mut talk = Talk::online(Some(12));
    let mut asks = 0;
    while talk.now < 600_000 {
        talk.wake();
        if let Some((ask, _)) = talk.asked() {
            asks += 1;
            talk.answer(ask, &format!("hunter2-{ask}"));
            let soon = talk.now + 12_000;
            talk.hear(&format!("ok {soon}"));
        }
    }
    assert_eq!((asks, talk.dials), (100, 1), "every six seconds");
    let hopeless = Talk::online(Some(2));
    assert!(hopeless.session.next_timer().is_none_or(|(_, timer)| timer != crate::Timer::Refresh), "or a wrong clock");
}

#[test]
fn the_server_is_told_of_the_last_failure_once_and_of_what_comes_of_telling_never() {
    let mut talk = Talk::with(|config| config.errors.tell_server = true);
    let login = |talk: &mut Talk| {
        talk.up();
        talk.hear("ok");
        talk.said().concat()
    };
    assert_eq!(login(&mut talk), "", "nothing has gone wrong yet");
    for _ in 0..2 {
        talk.down();
        talk.wake_until(|talk| talk.out.iter().any(|action| matches!(action, Action::Connect(_))));
    }
    assert_eq!(login(&mut talk), "report 2", "the last one");
    talk.hear("m");
    assert!(talk.said().is_empty(), "once");
    talk.down();
    talk.wake();
    assert_eq!(login(&mut talk), "", "perhaps that came of it");
    talk.now += 6_000;
    talk.handle(Input::Wake);
    talk.down();
    talk.wake();
    assert_eq!(login(&mut talk), "report 4");
    let mut quiet = Talk::with(|_| {});
    quiet.down();
    quiet.wake();
    assert_eq!(login(&mut quiet), "", "unless it is asked for, nothing is told");
}

/// A server and a host that repeat it in what they say do not bring it into logs either.
#[test]
fn a_credential_is_shown_nowhere_in_a_long_story() {
    const MARK: &str = "MARKER-s3cr3t";
    let mut talk = Talk::with(|config| {
        (config.credentials.when, config.credentials.asked) = (CredentialUse::Both, true);
        config.errors.tell_server = true;
    });
    for ask in 1..=40 {
        talk.answer(ask, &format!("{MARK}-{ask}"));
        talk.up();
        match ask % 6 {
            0 => talk.hear(&format!("no {MARK}-{ask} is not welcome")),
            1 => talk.down(),
            2 => drop(talk.command(Command::Credential { ask, answer: Err("too late".into()) })),
            3 => {
                talk.hear("challenge nonce");
                talk.hear(&format!("ok {}", talk.now + 3_600_000));
                talk.hear(&format!("lost {MARK}-{ask}"));
            }
            4 => {
                let reason = format!("no such token {MARK}-{ask}").into();
                let cause = Cause::Closed { code: CloseCode(4401), reason };
                talk.report(Report::Down(Down { cause, left: 0, verdict: None }.into()));
            }
            _ => talk.hear("ok"),
        }
        talk.down();
        talk.wake_until(|talk| talk.asked().is_some() || talk.session.next_deadline().is_none());
    }
    assert!(talk.dials > 30 && talk.errors.len() > 30);
    let health = format!("{:?}", talk.session.health(Timestamp::ZERO));
    for text in [&talk.shown, &health, &format!("{:?}", talk.errors)] {
        assert!(!text.contains(MARK), "{}", &text[text.find(MARK).unwrap_or(0).saturating_sub(300)..]);
    }
    assert!(talk.shown.contains("shows the credential") && talk.shown.contains("secret bytes"));
}

mod concealed;
mod misplaced;
mod presented;
