//! What the host decides in code: credentials and verdicts. It may be slow, change its mind, and panic.

use std::{
    future::{Future, Ready, pending},
    io::Write,
    mem::take,
    panic::panic_any,
    sync::mpsc,
    thread,
};

use serde_json::json;
use steadfast::{
    Abilities, Action, Answer, AskWhy, Attempt, Cause, Event, Frame, Heard, Input, Kind, Machine, Never, Outcome,
    Phase, Plain, Protocol, Recovery, Say, Secret, SendOptions, Session, StopCause, Text, Timestamp, Unfit, Watch, Why,
    protocol::json::{Greeting, Json, Login, Message},
};
use steadfast_driver::{Clock, Dial, Wristwatch, Ws};

use crate::{
    adapters::{Adapter, Start},
    app::{App, MOMENT, json_builder, quick, run, task, tuned},
    pipe::Near,
    runner::ON_PURPOSE,
    server::Server,
};

/// A session that shows its credential in a header.
fn shown<A: Adapter>(server: &Server) -> Start<A> {
    A::connect(&server.url()).config(quick()).credential_header("Authorization", "Bearer ")
}

/// Says no to the next attempt, and what it showed.
fn refuses(server: &Server) -> String {
    let (mut stream, request) = server.request();
    stream.write_all(b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n").unwrap();
    token(&request)
}

fn token(request: &str) -> String {
    let line = request.lines().find_map(|line| line.strip_prefix("Authorization: Bearer "));
    line.expect("a credential").to_owned()
}

pub(super) fn what_is_refused_is_fetched_anew<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let (told, asked) = mpsc::channel();
    let builder = shown::<A>(&server).credentials(move |ask| {
        told.send(ask.why).unwrap();
        async move { Ok(Secret::from(if ask.why == AskWhy::First { "stale" } else { "fresh" })) }
    });
    let _app = run(adapter, builder);
    assert_eq!(refuses(&server), "stale");
    assert_eq!(token(&server.request().1), "fresh");
    assert_eq!([asked.recv().unwrap(), asked.recv().unwrap()], [AskWhy::First, AskWhy::Refused]);
}

pub(super) fn a_host_that_has_no_credential_is_asked_again<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let mut tries = 0;
    let builder = shown::<A>(&server).credentials(move |_| {
        tries += 1;
        let answer = if tries < 3 { Err(Text::from("the vault is locked")) } else { Ok(Secret::from("at last")) };
        async move { answer }
    });
    let mut app = run(adapter, builder);
    for _ in 0..2 {
        let error = app.error();
        assert_eq!((error.kind, error.recovery), (Kind::AuthenticationFailed, Recovery::Retry));
        assert!(error.message.as_str().contains("the vault is locked"), "{error}");
    }
    assert_eq!(token(&server.request().1), "at last");
}

pub(super) fn a_host_that_does_not_answer_is_waited_for_so_long<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let config = tuned(|config| config.credentials.answer_timeout = MOMENT);
    let mut app = run(adapter, shown::<A>(&server).config(config).credentials(|_| pending()));
    let error = app.error();
    assert_eq!((error.kind, error.recovery), (Kind::Timeout, Recovery::Retry));
}

pub(super) fn a_new_credential_starts_what_had_given_up<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let mut app = run(adapter, shown::<A>(&server).credential("old"));
    assert_eq!([refuses(&server), refuses(&server)], ["old", "old"]);
    app.failed();
    app.authenticate(Some(Secret::from("new")));
    app.connect_now();
    assert_eq!(token(&server.request().1), "new");
}

/// With a login by message.
fn login() -> Json {
    Json::default().login(Login::default())
}

pub(super) fn a_login_says_the_credential_and_nothing_leaves_before_it<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let protocol = login().greeting(Greeting::Required("hello".into()));
    let mut app = run(adapter, json_builder::<A>(&server.url(), protocol).credential("hunter2"));
    app.send(Message::bare("order")).unwrap();
    let mut peer = server.accept();
    app.until(Phase::Authenticating);
    peer.say(json!({"type": "hello", "data": {"client_id": "c-17"}}).to_string());
    let said = peer.hear_json();
    assert_eq!((&said["type"], &said["data"]["api_key"]), (&json!("connect"), &json!("hunter2")));
    peer.say(r#"{"type":"connected"}"#);
    assert_eq!(peer.hear_json()["type"], "order");
    assert_eq!(app.health().client_id, Some("c-17".into()));
}

pub(super) fn a_login_is_renewed_on_the_same_link<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let (told, asked) = mpsc::channel();
    let builder = json_builder::<A>(&server.url(), login()).credentials(move |ask| {
        told.send(ask.why).unwrap();
        async move { Ok(Secret::from(if ask.why == AskWhy::First { "first" } else { "second" })) }
    });
    let mut app = run(adapter, builder);
    let mut peer = server.accept();
    assert_eq!(peer.hear_json()["data"]["api_key"], "first");
    // Sooner than this nothing is renewed. By the clock of this machine, which is that of the session.
    let soon = Wristwatch::new().now().as_micros() / 1_000 + 10_500;
    peer.say(json!({"type": "connected", "data": {"expires_at": soon}}).to_string());
    app.online();
    assert_eq!(peer.hear_json()["data"]["api_key"], "second");
    peer.say(r#"{"type":"connected"}"#);
    peer.say(r#"{"type":"news"}"#);
    assert_eq!(app.message().name(), "news");
    assert_eq!([asked.recv().unwrap(), asked.recv().unwrap()], [AskWhy::First, AskWhy::Expiring]);
    assert_eq!(app.stats().online, 1);
}

pub(super) fn a_host_can_overrule_the_table<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let mut app = run(
        adapter,
        A::connect(&server.url()).config(quick()).classify(|cause| match cause {
            Cause::Http(answer) if answer.status == 404 => Some(Recovery::Retry),
            Cause::Http(answer) if answer.status == 503 => Some(Recovery::Fatal),
            _ => None,
        }),
    );
    server.refuse(404, &[]);
    assert_eq!(app.error().recovery, Recovery::Retry);
    server.refuse(503, &[]);
    assert_eq!(app.error().recovery, Recovery::Fatal);
    app.failed();
}

pub(super) fn a_panic_of_a_verdict_is_no_verdict<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let mut app = run(adapter, A::connect(&server.url()).config(quick()).classify(|_| panic_any(ON_PURPOSE)));
    server.refuse(503, &[]);
    assert_eq!(app.error().recovery, Recovery::Retry);
    let _peer = server.accept();
    app.online();
}

/// A host that panics like this when it is asked first, and has an answer the second time.
fn is_asked_again<A, F>(adapter: &A, mut first: impl FnMut() -> F + Send + 'static)
where
    A: Adapter,
    F: Future<Output = Result<Secret, Text>> + Send + 'static,
{
    let server = Server::bind();
    let mut is_first = true;
    let builder = shown::<A>(&server).credentials(move |_| {
        let panics = take(&mut is_first).then(&mut first);
        async move {
            match panics {
                Some(panics) => panics.await,
                None => Ok("the second time".into()),
            }
        }
    });
    let mut app = run(adapter, builder);
    assert_eq!(app.error().kind, Kind::AuthenticationFailed);
    assert_eq!(token(&server.request().1), "the second time");
}

pub(super) fn a_panic_of_the_host_when_it_is_asked_is_no_answer<A: Adapter>(adapter: &A) {
    is_asked_again(adapter, || -> Ready<_> { panic_any(ON_PURPOSE) });
}

pub(super) fn a_panic_of_the_host_while_it_answers_is_no_answer<A: Adapter>(adapter: &A) {
    is_asked_again(adapter, || async { panic_any(ON_PURPOSE) });
}

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic_any(ON_PURPOSE);
    }
}

pub(super) fn a_panic_of_an_answer_that_is_dropped_ends_nothing<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let config = tuned(|config| config.credentials.answer_timeout = MOMENT);
    let mut is_first = true;
    let builder = shown::<A>(&server).config(config).credentials(move |_| {
        let bomb = take(&mut is_first).then(|| Bomb);
        async move {
            if bomb.is_some() {
                pending::<()>().await;
            }
            Ok("the second time".into())
        }
    });
    let mut app = run(adapter, builder);
    assert_eq!(app.error().kind, Kind::Timeout);
    assert_eq!(token(&server.request().1), "the second time");
}

/// The driver has panicked: all that waits ends, and nothing more is taken.
fn all_ends<A: Adapter, P: Protocol<Message = Frame>>(mut app: App<'_, A, P>) {
    assert_eq!(app.driver.over(), None);
    app.rest();
    assert!(matches!(app.phase(), Phase::Stopped(_)), "{}", app.phase());
    assert_eq!(app.send("too late").unwrap_err().why, Why::Stopped);
    app.close();
}

pub(super) fn a_dialer_that_panics_ends_the_session<A: Adapter>(adapter: &A) {
    let dialer = |_: Attempt| -> Ready<Dial<Ws<Near>>> { panic_any(ON_PURPOSE) };
    let (client, events, driver) = A::over(dialer).config(quick()).build().unwrap();
    let ticket = client.send_tracked("waits", SendOptions::default()).unwrap();
    let (task, driver) = task(driver);
    adapter.spawn(task);
    assert!(matches!(adapter.wait(ticket), Outcome::Dropped(_) | Outcome::InDoubt));
    all_ends(App { adapter, client, events, driver });
}

pub(super) fn an_attempt_that_panics_ends_the_session<A: Adapter>(adapter: &A) {
    let dialer = |_: Attempt| async { panic_any(ON_PURPOSE) };
    all_ends(run(adapter, A::over(as_dialer(dialer)).config(quick())));
}

/// Says what comes of it.
fn as_dialer<F: Future<Output = Dial<Ws<Near>>>>(dialer: impl FnMut(Attempt) -> F) -> impl FnMut(Attempt) -> F {
    dialer
}

/// Frames, until a word comes at which it panics.
struct Touchy;

impl Protocol for Touchy {
    type Message = Frame;
    type Incoming = Frame;
    type Topic = Never;
    type Link = ();

    fn abilities(&self) -> Abilities {
        Abilities::default()
    }

    fn admit(&self, message: &Frame) -> Result<u32, Unfit> {
        if message.as_str() == Some("panic in admit") {
            panic_any(ON_PURPOSE);
        }
        Plain.admit(message)
    }

    fn decode(&mut self, (): &mut (), frame: Frame, heard: &mut Vec<Heard<Frame, Never>>) {
        if frame.as_str() == Some("panic in decode") {
            panic_any(ON_PURPOSE);
        }
        Plain.decode(&mut (), frame, heard);
    }

    fn encode(&mut self, (): &mut (), now: Timestamp, say: Say<'_, Frame, Never>, frames: &mut Vec<Frame>) {
        Plain.encode(&mut (), now, say, frames);
    }
}

pub(super) fn a_protocol_that_panics_at_a_frame_ends_the_session<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let mut app = run(adapter, A::connect(&server.url()).config(quick()).protocol(Touchy));
    let mut peer = server.accept();
    app.online();
    peer.say("panic in decode");
    app.until(Phase::Stopped(StopCause::Failed));
    assert_eq!(app.next(), None);
    assert_eq!(app.send("too late").unwrap_err().why, Why::Stopped);
    assert_eq!(peer.goodbye(), None);
}

pub(super) fn a_protocol_that_panics_at_a_message_ends_the_session<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let mut app = run(adapter, A::connect(&server.url()).config(quick()).protocol(Touchy));
    let _peer = server.accept();
    app.online();
    let client = app.client.clone();
    // It is the sender's thread that panics; the driver has to hear of it.
    assert!(thread::spawn(move || drop(client.send("panic in admit"))).join().is_err());
    app.until(Phase::Stopped(StopCause::Failed));
    assert_eq!(app.next(), None);
    assert_eq!(app.send("too late").unwrap_err().why, Why::Stopped);
}

/// Panics at the first message that comes.
struct Watcher;

impl Watch<Session<Plain>> for Watcher {
    fn before(&mut self, _: Timestamp, _: &Input<Frame>) {}

    fn after(
        &mut self,
        _: Timestamp,
        _: &Session<Plain>,
        _: &Answer<Frame>,
        actions: &[<Session<Plain> as Machine>::Action],
    ) {
        let is_message = |action: &Action<_, _>| matches!(action, Action::Emit(Event::Message { .. }));
        if actions.iter().any(is_message) {
            panic_any(ON_PURPOSE);
        }
    }
}

pub(super) fn whoever_watches_and_panics_ends_the_session<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let mut app = run(adapter, A::connect(&server.url()).config(quick()).watch(Watcher));
    let mut peer = server.accept();
    app.online();
    peer.say("a message");
    app.until(Phase::Stopped(StopCause::Failed));
    assert_eq!(app.send("too late").unwrap_err().why, Why::Stopped);
}
