//! A session that speaks `json`: what the two of them have to agree on.
#![cfg(feature = "json")]

use steadfast::{
    Action, Commands, Config, Dropped, Event, LinkId, Outcome, Phase, Report, SendOptions, Session, Timestamp,
    protocol::json::{Greeting, Json, Login, Message},
};

const NOW: Timestamp = Timestamp::from_millis(1);

fn dialled(protocol: Json, config: Config) -> Session<Json> {
    let (mut session, mut out) = (Session::new(protocol, config, 7).expect("sound"), Vec::new());
    session.connect(NOW, &mut out);
    assert!(session.report(NOW, LinkId(1), Report::Up(Box::default()), &mut out));
    session
}

/// A handshake of the application's own: two that fit, and one that the greeting then forbids.
#[test]
fn what_passes_the_queue_by_is_no_larger_than_the_server_takes() {
    let protocol = Json::default().greeting(Greeting::Required("hello".into())).login(Login::default());
    let mut config = Config::default();
    config.window.frames = 1;
    let (mut session, mut out) = (dialled(protocol, config), Vec::new());
    for size in [1, 1, 1_000, 1] {
        let message = Message::new("m", &"x".repeat(size)).expect("JSON");
        session.send_with(NOW, message, SendOptions::bypass(), &mut out).expect("accepted");
    }
    let hello = r#"{"type":"hello","data":{"max_message":400}}"#;
    session.report(NOW, LinkId(1), Report::Frame(hello.into()), &mut out);
    session.report(NOW, LinkId(1), Report::Flushed { frames: 2 }, &mut out);
    session.report(NOW, LinkId(1), Report::Flushed { frames: 4 }, &mut out);
    let size = |action: &Action<_, _>| if let Action::Send { frame, .. } = action { Some(frame.len()) } else { None };
    let sizes: Vec<_> = out.iter().filter_map(size).collect();
    assert!(sizes.len() >= 4 && sizes.iter().all(|size| *size <= 400), "{sizes:?}");
    let is_told = |action: &Action<_, _>| {
        let Action::Emit(Event::Outcome { id, outcome, .. }) = action else { return false };
        id.0 == 3 && *outcome == Outcome::Dropped(Dropped::TooBig)
    };
    assert!(out.iter().any(is_told), "{out:?}");
}

#[test]
fn the_session_and_its_protocol_are_called_the_same() {
    let long = "c".repeat(200);
    for (id, taken) in [("c-17", true), (r#"c\"17"#, false), (long.as_str(), false), ("", false)] {
        let (mut session, mut out) = (dialled(Json::default().login(Login::default()), Config::default()), Vec::new());
        let connected = format!(r#"{{"type":"connected","data":{{"client_id":"{id}"}}}}"#);
        session.report(NOW, LinkId(1), Report::Frame(connected.into()), &mut out);
        assert_eq!(session.phase(), Phase::Online);
        let called = session.health(NOW).client_id;
        assert_eq!(called.as_ref().map(|id| id.as_str()), session.protocol().known_as());
        assert_eq!(called.is_some(), taken, "{id}");
    }
}
