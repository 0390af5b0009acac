//! What the documentation says of errors, and what a session does about them.

use std::time::Duration;

use bytes::Bytes;
use steadfast::{
    Action, Cause, CloseCode, Command, Config, Down, Error, Frame, HttpAnswer, Input, Kind, LinkId, Machine, Match,
    Phase, Recovery, Report, Row, Secret, Session, Stage, StopCause, Text, Timestamp,
};
use steadfast_sim::{Checked, Toy};

const CAP: Recovery = Recovery::RetryAfter(Duration::from_secs(30));
const FAILED: Phase = Phase::Stopped(StopCause::Failed);

/// A session, and the server that it meets.
struct Talk {
    session: Checked<Session<Toy>, Toy>,
    now: Timestamp,
    link: LinkId,
    error: Option<Error>,
}

impl Talk {
    fn new(config: Config) -> Self {
        let session = Session::new(Toy::default(), config.clone(), 7).expect("a sound configuration");
        let session = Checked::new(session, Toy::default(), config);
        let mut talk = Self { session, now: Timestamp::from_millis(1), link: LinkId(0), error: None };
        talk.log_in_with("one-key");
        talk.connect();
        talk
    }

    /// One that was online and stable, and is being dialled again.
    fn proven(config: Config) -> Self {
        let mut talk = Self::new(config);
        talk.online_for(6_000);
        talk.ended();
        assert_eq!(talk.error.as_ref().map(|error| error.kind), Some(Kind::NetworkError));
        talk.dial();
        talk
    }

    fn turn(&mut self, input: Input<Text, Text>) {
        let mut actions: Vec<Action<Text, Text>> = Vec::new();
        self.session.handle(self.now, input, &mut actions);
        for action in &actions {
            if let Action::Connect(attempt) = action {
                self.link = attempt.link;
            }
            if let Action::EmitError(error) = action {
                self.error = Some((**error).clone());
            }
        }
        self.session.assert_sound();
    }

    fn report(&mut self, report: Report) {
        self.turn(Input::Report(self.link, report));
    }

    fn connect(&mut self) {
        self.turn(Input::Command(Command::Connect));
    }

    fn log_in_with(&mut self, credential: &str) {
        self.turn(Input::Command(Command::Authenticate(Some(Secret::from(credential)))));
    }

    fn hear(&mut self, line: &str) {
        self.report(Report::Frame(Frame::from(line)));
    }

    fn up(&mut self) {
        self.report(Report::Up(Box::default()));
    }

    fn online_for(&mut self, millis: u64) {
        self.up();
        self.hear("ok");
        assert_eq!(self.phase(), Phase::Online);
        self.wait(millis);
    }

    fn wait(&mut self, millis: u64) {
        self.now = self.now.after(Duration::from_millis(millis)).expect("far from the end");
        self.turn(Input::Wake);
    }

    /// The server's end of it; what is done about it.
    fn down(&mut self, cause: Cause) -> Recovery {
        self.judged(cause, None)
    }

    fn judged(&mut self, cause: Cause, verdict: Option<Recovery>) -> Recovery {
        self.report(Report::Down(Box::new(Down { cause, left: u64::MAX, verdict })));
        self.error.as_ref().expect("a failure is told").recovery
    }

    fn ended(&mut self) -> Recovery {
        self.down(Cause::Ended)
    }

    fn closed(&mut self, code: u16) -> Recovery {
        self.down(Cause::Closed { code: CloseCode(code), reason: Text::default() })
    }

    fn answered(&mut self, status: u16) -> Recovery {
        self.down(Cause::Http(Box::new(HttpAnswer { status, ..HttpAnswer::default() })))
    }

    /// The login is refused, and the server has closed.
    fn refused(&mut self) -> Recovery {
        self.up();
        self.hear("no entry");
        let recovery = self.error.as_ref().expect("a failure is told").recovery;
        self.report(Report::Down(Box::new(Down { cause: Cause::Ended, left: u64::MAX, verdict: None })));
        recovery
    }

    /// Lets time pass until the next dial; how long that was.
    fn dial(&mut self) -> Duration {
        let before = self.now;
        while self.phase() == Phase::Waiting {
            self.now = self.session.next_deadline().expect("a wait has an end");
            self.turn(Input::Wake);
        }
        assert_eq!(self.phase(), Phase::Connecting);
        self.now.since(before)
    }

    /// It fails in this way until it stops: it is tried at the cap, for twenty-five minutes at least.
    fn is_forgiven_for_half_an_hour(&mut self, fail: impl Fn(&mut Self) -> Recovery) {
        let (began, mut attempts) = (self.now, 0);
        while fail(self) == CAP {
            let waited = self.dial().as_secs();
            assert!((30..=33).contains(&waited), "{waited} s");
            attempts += 1;
            assert!(attempts < 100, "it never ends");
        }
        assert_eq!(self.phase(), FAILED);
        let lasted = self.now.since(began).as_secs();
        assert!((25 * 60..=30 * 60).contains(&lasted), "{lasted} s");
    }

    fn phase(&self) -> Phase {
        self.session.machine().phase()
    }
}

#[test]
fn the_documentation_prints_the_table_as_it_is() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/error/table.md");
    let table = steadfast::error_table();
    if std::env::var_os("STEADFAST_BLESS").is_some() {
        std::fs::write(&path, &table).expect("the table can be written");
    }
    let printed = std::fs::read_to_string(&path).expect("the table; STEADFAST_BLESS=1 writes it");
    assert!(printed == table, "src/error/table.md is not the table; STEADFAST_BLESS=1 writes it anew");
}

#[test]
fn a_wrong_path_stops_at_once() {
    let mut talk = Talk::new(Config::default());
    assert_eq!((talk.answered(404), talk.phase()), (Recovery::Fatal, FAILED));
}

#[test]
fn a_path_that_has_worked_is_tried_for_twenty_five_minutes_and_stops_within_thirty() {
    let mut talk = Talk::proven(Config::default());
    talk.is_forgiven_for_half_an_hour(|talk| talk.answered(404));
}

#[test]
fn whoever_wants_the_plain_table_gets_it() {
    let mut config = Config::default();
    config.errors.strict = true;
    assert_eq!(Talk::proven(config).answered(404), Recovery::Fatal);
}

#[test]
fn only_a_stable_link_starts_the_row_anew() {
    for (online, stops) in [(4_900, true), (5_000, false)] {
        let mut talk = Talk::proven(Config::default());
        for round in 0..2 {
            let began = talk.now;
            while talk.now.since(began) < Duration::from_secs(16 * 60) && talk.answered(404) == CAP {
                talk.dial();
            }
            if round == 0 {
                talk.online_for(online);
                talk.ended();
                talk.dial();
            }
        }
        assert_eq!(talk.phase() == FAILED, stops, "online for {online} ms between two times 16 minutes");
    }
}

#[test]
fn a_new_credential_has_to_prove_itself_and_the_endpoint_has_not() {
    for (status, expected) in [(403, Recovery::Fatal), (404, CAP)] {
        assert_eq!(Talk::proven(Config::default()).answered(status), CAP);
        let mut talk = Talk::new(Config::default());
        talk.online_for(6_000);
        talk.ended();
        talk.log_in_with("other-key");
        talk.dial();
        assert_eq!(talk.answered(status), expected, "HTTP {status}");
    }
}

#[test]
fn a_credential_that_is_set_while_another_is_online_has_proven_nothing() {
    let mut talk = Talk::new(Config::default());
    talk.up();
    talk.hear("ok");
    talk.log_in_with("other-key");
    talk.wait(6_000);
    talk.ended();
    talk.dial();
    assert_eq!(talk.answered(403), Recovery::Fatal);
}

#[test]
fn a_link_vouches_for_its_own_end_only_once_it_is_stable() {
    for code in [1003, 4403] {
        for (online, expected) in [(4_900, Recovery::Fatal), (5_000, CAP)] {
            let mut talk = Talk::new(Config::default());
            talk.online_for(online);
            assert_eq!(talk.closed(code), expected, "{code} after {online} ms");
        }
        let mut talk = Talk::proven(Config::default());
        talk.online_for(10);
        assert_eq!(talk.closed(code), CAP, "{code}, but an earlier link has worked");
    }
}

#[test]
fn a_credential_is_refused_once_and_one_that_has_worked_is_given_time() {
    let mut talk = Talk::new(Config::default());
    assert_eq!(talk.refused(), Recovery::Reauthenticate);
    talk.dial();
    assert_eq!((talk.refused(), talk.phase()), (Recovery::Fatal, FAILED));

    let mut talk = Talk::proven(Config::default());
    assert_eq!(talk.refused(), Recovery::Reauthenticate);
    talk.dial();
    talk.is_forgiven_for_half_an_hour(Talk::refused);
}

#[test]
fn a_login_that_is_hung_up_on_three_times_wants_fresh_credentials_and_stops_nothing() {
    let mut talk = Talk::new(Config::default());
    let mut recoveries = Vec::new();
    for _ in 0..3 {
        talk.up();
        recoveries.push(talk.ended());
        talk.dial();
    }
    assert_eq!(recoveries, [Recovery::Retry, Recovery::Retry, Recovery::Reauthenticate]);
    talk.log_in_with("other-key");
    talk.up();
    assert_eq!(talk.ended(), Recovery::Retry);
    talk.dial();
    assert_eq!(talk.refused(), Recovery::Reauthenticate, "it has not been refused before");
}

#[test]
fn a_normal_closure_stops_a_session_that_did_not_expect_it() {
    let mut long_lived = Config::default();
    long_lived.long_lived = true;
    for (config, online, expected) in [
        (Config::default(), 4_900, Recovery::Retry),
        (Config::default(), 5_000, Recovery::Fatal),
        (long_lived, 5_000, Recovery::Retry),
    ] {
        let mut talk = Talk::new(config);
        talk.online_for(online);
        assert_eq!(talk.closed(1000), expected, "after {online} ms");
        assert_eq!(talk.error.as_ref().map(|error| error.message.as_str()), Some("Connection closed"));
    }
}

#[test]
fn the_third_breach_without_a_stable_link_between_is_one_too_many() {
    for (between, expected) in [(4_900, Recovery::Fatal), (5_000, Recovery::Retry)] {
        let mut config = Config::default();
        config.errors.strict = true;
        let mut talk = Talk::new(config);
        for online in [10, between] {
            talk.online_for(online);
            assert_eq!(talk.closed(1002), Recovery::Retry);
            talk.dial();
        }
        talk.online_for(10);
        assert_eq!(talk.closed(1002), expected, "online for {between} ms between");
    }
}

#[test]
fn the_host_has_the_first_word_and_the_application_s_rows_come_before_the_table() {
    let gone = || Cause::Http(Box::new(HttpAnswer { status: 404, ..HttpAnswer::default() }));
    let mut talk = Talk::new(Config::default());
    assert_eq!(talk.judged(gone(), Some(Recovery::Retry)), Recovery::Retry, "though nothing is proven");
    assert_eq!(Talk::proven(Config::default()).judged(gone(), Some(Recovery::Fatal)), Recovery::Fatal);

    let mut config = Config::default();
    config.errors.rows = vec![
        Row::http(404, Recovery::Retry).at(Stage::Dialing),
        Row::close(4000..=4009, Recovery::Fatal).kind(Kind::AuthenticationFailed),
        Row::new(Match::Unresolved, Recovery::Fatal),
    ];
    assert_eq!(Talk::new(config.clone()).answered(404), Recovery::Retry);
    let mut talk = Talk::new(config.clone());
    talk.online_for(6_000);
    assert_eq!(talk.closed(4009), Recovery::Fatal, "a row of the application is taken at its word");
    assert_eq!(talk.error.as_ref().map(|error| error.kind), Some(Kind::AuthenticationFailed));
    assert_eq!(Talk::new(config.clone()).down(Cause::Unresolved("no such name".into())), Recovery::Fatal);
    assert_eq!(Talk::new(config).down(Cause::Unreachable("refused".into())), Recovery::Retry);
}

#[test]
fn an_error_keeps_the_beginning_of_an_answer() {
    let headers = vec![(Text::from("x-note"), Bytes::from_static(b"here")); 1_000];
    let answer = HttpAnswer { status: 503, headers, body: Bytes::from(vec![b'x'; 1 << 20]), ..HttpAnswer::default() };
    let mut talk = Talk::new(Config::default());
    talk.down(Cause::Http(Box::new(answer)));
    let details = talk.error.and_then(|error| error.details).expect("the answer");
    assert_eq!((details.status, details.headers.len(), details.body.len()), (503, 64, 4_096));
}
