//! Servers that others wrote, in other languages: tests/interop/peers.

use std::{
    sync::OnceLock,
    time::{Duration, Instant},
};

use steadfast::{CloseCode, Code, Frame, Kind, Plain, Recovery, StopCause};
use steadfast_driver::Mailbox;

use crate::{
    adapters::Adapter,
    app::{AGES, App, MOMENT, plain, quick, run, tuned, with},
    process::Process,
    scenarios::Scenario,
};

/// What one of them is asked.
macro_rules! asked {
    ($by:ty: $($name:ident)+) => {
        vec![$((name::<$by>(stringify!($name)), $name::<A, $by> as fn(&A)),)+]
    };
}

pub(super) fn all<A: Adapter>() -> Vec<Scenario<A>> {
    let alone = asked! { Python: its_keepalive_ends_who_does_not_read };
    [any::<A, Python>(), library::<A, Python>(), alone, any::<A, Node>(), library::<A, Node>(), any::<A, FastApi>()]
        .concat()
}

fn any<A: Adapter, F: Foreign>() -> Vec<Scenario<A>> {
    asked! { F:
        text_and_bytes_come_back
        the_largest_message_goes_both_ways
        our_pings_keep_the_link
        nothing_is_compressed
        each_close_code_is_told
        its_refusals_are_understood
        it_is_killed_and_come_back_to
    }
}

/// A framework keeps these to itself.
fn library<A: Adapter, F: Foreign>() -> Vec<Scenario<A>> {
    asked! { F:
        our_goodbye_is_understood
        its_pings_are_answered
        its_fragments_are_one_message
        its_end_without_a_word_is_come_back_from
    }
}

fn name<F: Foreign>(name: &str) -> &'static str {
    format!("{}::{name}", F::NAME).leak()
}

/// A server, and what it is.
pub(super) trait Foreign {
    const NAME: &'static str;
    const PROGRAM: &'static str;
    const PATH: &'static str;

    /// The place for one that all share who do not harm it.
    fn place() -> &'static OnceLock<Process>;

    fn shared() -> &'static Process {
        Self::place().get_or_init(Self::start)
    }

    fn start() -> Process {
        Process::start(Self::PROGRAM, Self::PATH)
    }
}

/// The library `websockets`.
pub(super) struct Python;

impl Foreign for Python {
    const NAME: &'static str = "python";
    const PROGRAM: &'static str = "python3";
    const PATH: &'static str = "interop/peers/server.py";

    fn place() -> &'static OnceLock<Process> {
        static PLACE: OnceLock<Process> = OnceLock::new();
        &PLACE
    }
}

/// The library `ws`.
struct Node;

impl Foreign for Node {
    const NAME: &'static str = "node";
    const PROGRAM: &'static str = "node";
    const PATH: &'static str = "interop/peers/server.js";

    fn place() -> &'static OnceLock<Process> {
        static PLACE: OnceLock<Process> = OnceLock::new();
        &PLACE
    }
}

/// FastAPI on uvicorn.
struct FastApi;

impl Foreign for FastApi {
    const NAME: &'static str = "fastapi";
    const PROGRAM: &'static str = "python3";
    const PATH: &'static str = "interop/peers/fastapi_server.py";

    fn place() -> &'static OnceLock<Process> {
        static PLACE: OnceLock<Process> = OnceLock::new();
        &PLACE
    }
}

/// What the server answers to this order.
fn ask<A: Adapter>(app: &mut App<'_, A, Plain>, order: &str) -> String {
    app.send(order).unwrap();
    app.text()
}

fn text_and_bytes_come_back<A: Adapter, F: Foreign>(adapter: &A) {
    let server = F::shared();
    let mut app = plain(adapter, &server.url("live"));
    for length in [0, 1, 125, 126, 65_535, 65_536, 200_000] {
        let text = "grüße ".chars().cycle().take(length).collect::<String>();
        for frame in [Frame::from(text), Frame::from(vec![0xff; length])] {
            app.send(frame.clone()).unwrap();
            assert!(app.message() == frame, "{length}");
        }
    }
}

fn the_largest_message_goes_both_ways<A: Adapter, F: Foreign>(adapter: &A) {
    let server = F::shared();
    let mut app = plain(adapter, &server.url("live"));
    app.send(vec![7; 16 << 20]).unwrap();
    assert_eq!(app.message().len(), 16 << 20);
    assert_eq!(app.stats().online, 1);
}

fn our_pings_keep_the_link<A: Adapter, F: Foreign>(adapter: &A) {
    let server = F::shared();
    let config = tuned(|config| (config.heartbeat.interval, config.heartbeat.timeout) = (MOMENT, AGES));
    let mut app = with(adapter, &server.url("live"), config);
    while app.stats().pings < 3 || app.health().latency.is_none() {
        assert_eq!(ask(&mut app, "!later 300 here"), "here");
    }
    assert_eq!(app.stats().online, 1);
}

fn nothing_is_compressed<A: Adapter, F: Foreign>(adapter: &A) {
    let server = F::shared();
    let mut app = plain(adapter, &server.url("live"));
    assert_eq!(ask(&mut app, "!extensions"), "none");
    assert_eq!(ask(&mut app, &"again ".repeat(1_000)).len(), 6_000);
}

/// The codes a server closes with, and what is done about each.
const CLOSES: [(u16, Kind, Recovery); 9] = [
    (1000, Kind::ConnectionFailed, Recovery::Retry),
    (1001, Kind::ServiceUnavailable, Recovery::Retry),
    (1008, Kind::ConnectionFailed, Recovery::RetryAfter(Duration::from_millis(50))),
    (1011, Kind::ServiceUnavailable, Recovery::RetryAfter(Duration::from_secs(5))),
    (1012, Kind::ServiceUnavailable, Recovery::Retry),
    (1013, Kind::ServiceUnavailable, Recovery::Retry),
    (3000, Kind::AuthenticationFailed, Recovery::Reauthenticate),
    (4000, Kind::ConnectionFailed, Recovery::Retry),
    (4401, Kind::AuthenticationFailed, Recovery::Reauthenticate),
];

fn each_close_code_is_told<A: Adapter, F: Foreign>(adapter: &A) {
    let server = F::shared();
    for (code, kind, recovery) in CLOSES {
        let mut app = plain(adapter, &server.url("live"));
        app.send(format!("!close {code} why")).unwrap();
        let error = app.error();
        assert_eq!((error.code, error.kind, error.recovery), (Some(Code::Close(CloseCode(code))), kind, recovery));
        assert_eq!(error.message.as_str(), "why");
        app.connect_now();
        app.online();
    }
}

fn our_goodbye_is_understood<A: Adapter, F: Foreign>(adapter: &A) {
    let server = F::start();
    let mut app = plain(adapter, &server.url("live"));
    app.online();
    assert_eq!(app.close(), StopCause::User);
    let mut other = plain(adapter, &server.url("live"));
    assert_eq!(ask(&mut other, "!goodbye"), "1000");
}

fn its_refusals_are_understood<A: Adapter, F: Foreign>(adapter: &A) {
    let server = F::shared();
    let mut app = plain(adapter, &server.url("forbidden"));
    let error = app.error();
    assert_eq!((error.code, error.recovery), (Some(Code::Http(403)), Recovery::Fatal));
    app.failed();
    let (mut app, began) = (plain(adapter, &server.url("busy")), Instant::now());
    for attempt in 1..=2 {
        let error = app.error();
        assert_eq!((error.code, error.attempt), (Some(Code::Http(503)), attempt));
        assert_eq!(error.details.unwrap().retry_after, Some(Duration::from_secs(1)));
    }
    assert!(began.elapsed() >= Duration::from_secs(1));
}

fn it_is_killed_and_come_back_to<A: Adapter, F: Foreign>(adapter: &A) {
    let server = F::start();
    let mut app = plain(adapter, &server.url("live"));
    assert_eq!(ask(&mut app, "before"), "before");
    let address = server.address();
    drop(server);
    assert_eq!(app.error().kind, Kind::NetworkError);
    app.send("meanwhile").unwrap();
    let _server = Process::start_at(F::PROGRAM, F::PATH, address);
    assert_eq!(app.text(), "meanwhile");
}

fn its_pings_are_answered<A: Adapter, F: Foreign>(adapter: &A) {
    let server = F::shared();
    let mut app = plain(adapter, &server.url("live"));
    assert_eq!(ask(&mut app, "!ping are-you-there?"), "pong");
}

fn its_fragments_are_one_message<A: Adapter, F: Foreign>(adapter: &A) {
    let server = F::shared();
    let mut app = plain(adapter, &server.url("live"));
    assert_eq!(ask(&mut app, "!pieces one two"), "onetwo");
}

fn its_end_without_a_word_is_come_back_from<A: Adapter, F: Foreign>(adapter: &A) {
    let server = F::shared();
    let mut app = plain(adapter, &server.url("live"));
    app.send("!abort").unwrap();
    let error = app.error();
    assert_eq!((error.kind, error.recovery), (Kind::NetworkError, Recovery::Retry));
    app.online();
}

/// While reading is paused nothing is answered either, and the library does not wait for that. What is on its way fits into
/// the buffers in between: behind a write that is blocked it would not even ask.
fn its_keepalive_ends_who_does_not_read<A: Adapter, F: Foreign>(adapter: &A) {
    let server = F::shared();
    let builder = A::connect(&server.url("impatient")).config(quick()).mailbox(Mailbox::pause(1, 1 << 20));
    let mut app = run(adapter, builder);
    app.send("!flood 20").unwrap();
    app.message();
    let mut other = plain(adapter, &server.url("live"));
    assert_eq!(ask(&mut other, "!later 1000 now"), "now");
    let error = app.error();
    assert_eq!((error.code, error.kind), (Some(Code::Close(CloseCode(1011))), Kind::ServiceUnavailable));
    assert_eq!(error.message.as_str(), "keepalive ping timeout");
    assert_eq!(error.recovery, Recovery::RetryAfter(Duration::from_secs(5)));
}
