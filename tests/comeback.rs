//! Whether a server wants us back, and when: what it can say, and what is done about it.
#![cfg(feature = "json")]

use std::time::Duration;

use steadfast::{
    Action, Cause, CloseCode, Commands, Config, Down, LinkId, Phase, Recovery, Report, Session, StopCause, Timestamp,
    protocol::json::{self, Json},
};

/// Online with a server that speaks json, which says this and closes with that; what is done about it, the wait that was
/// asked for, and when the next dial comes.
fn left_with(heard: &str, code: u16, reason: &str, host: Option<Recovery>) -> (Recovery, Option<u64>, Option<u64>) {
    let mut config = Config::default();
    config.degraded_after = Duration::MAX;
    let mut session = Session::new(Json::default(), config, 7).expect("a sound configuration");
    let (now, mut actions) = (Timestamp::from_millis(1), Vec::new());
    session.connect(now, &mut actions);
    session.report(now, LinkId(1), Report::Up(Box::default()), &mut actions);
    if !heard.is_empty() {
        session.report(now, LinkId(1), Report::Frame(heard.into()), &mut actions);
    }
    let cause = Cause::Closed { code: CloseCode(code), reason: reason.into() };
    session.report(now, LinkId(1), Report::Down(Box::new(Down { cause, left: 0, verdict: host })), &mut actions);
    let error =
        actions.iter().find_map(|action| if let Action::EmitError(error) = action { Some(error) } else { None });
    let error = error.expect("a failure");
    let dial = session.health(now).retry_at.map(|at| at.since(now).as_secs());
    (error.recovery, error.retry_after.map(|wait| wait.as_secs()), dial)
}

#[test]
fn a_server_says_when_it_wants_us_back_in_its_close_frame_or_before_it() {
    let minute = Recovery::RetryAfter(Duration::from_secs(60));
    let (in_a_minute, never) = (r#"{"retry_after":60000,"message":"a deploy"}"#, r#"{"retry_after":"never"}"#);
    let away = |data: &str| format!(r#"{{"type":"going_away","data":{data}}}"#);
    for (heard, code, reason, expected) in [
        (String::new(), 1_012, in_a_minute, (minute, Some(60))),
        (String::new(), 4_401, in_a_minute, (Recovery::Reauthenticate, Some(60))),
        (String::new(), 1_012, never, (Recovery::Fatal, None)),
        (String::new(), 1_012, "retry_after=60", (Recovery::Retry, None)),
        (String::new(), 1_012, r#"{"retry_after":"soon"}"#, (Recovery::Retry, None)),
        (away(in_a_minute), 1_001, "", (minute, Some(60))),
        (away(in_a_minute), 1_001, r#"{"retry_after":1000}"#, (minute, Some(60))),
        (away(r#"{"retry_after":1000}"#), 1_001, in_a_minute, (minute, Some(60))),
        (away(never), 1_006, "", (Recovery::Fatal, None)),
        (away(never), 1_012, in_a_minute, (Recovery::Fatal, None)),
    ] {
        let (recovery, asked, dial) = left_with(&heard, code, reason, None);
        assert_eq!(recovery, expected.0, "{heard} {code} {reason}");
        if recovery == Recovery::Fatal {
            assert_eq!(dial, None, "{heard} {code} {reason}");
        } else {
            assert_eq!(asked, expected.1, "{heard} {code} {reason}");
            assert!(dial >= asked, "{heard} {code} {reason}: {dial:?}");
        }
    }
    let host = Some(Recovery::Retry);
    for reason in [never, in_a_minute] {
        let (recovery, asked, dial) = left_with(&away(reason), 1_001, reason, host);
        assert_eq!((recovery, asked), (Recovery::Retry, None), "the host's word replaces the server's");
        assert!(dial.is_none_or(|dial| dial < 30), "{dial:?}");
    }
}

#[test]
fn a_login_that_is_refused_for_ever_is_not_tried_again() {
    let protocol = Json::default().login(json::Login::default());
    let mut session = Session::new(protocol, Config::default(), 7).expect("a sound configuration");
    let (now, mut actions) = (Timestamp::from_millis(1), Vec::new());
    session.connect(now, &mut actions);
    session.report(now, LinkId(1), Report::Up(Box::default()), &mut actions);
    let refusal = r#"{"type":"error","data":{"code":"banned","retry_after":"never"}}"#;
    session.report(now, LinkId(1), Report::Frame(refusal.into()), &mut actions);
    session.report(
        now,
        LinkId(1),
        Report::Down(Box::new(Down { cause: Cause::Ended, left: 1, verdict: None })),
        &mut actions,
    );
    assert_eq!(session.phase(), Phase::Stopped(StopCause::Failed));
}
