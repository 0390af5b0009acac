//! Traces on the command line: replayed in another process, told, rewritten.

mod common;

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use common::{ANY, LONG, Running, refusal, run, steadfast};
use futures_util::{SinkExt, StreamExt};
use tokio::{
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_tungstenite::{WebSocketStream, accept_async, tungstenite::Message};

type Socket = WebSocketStream<TcpStream>;

/// The traces that the core's tests write.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/traces")
}

fn login() -> String {
    fs::read_to_string(folder().join("login.jsonl")).expect("the story of a login")
}

/// A file of this test's own.
fn file(name: &str, text: &str) -> String {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, text).expect("there is room");
    path.to_str().expect("text").to_owned()
}

/// The name of a file that is not there yet.
fn fresh(name: &str) -> String {
    let path = file(name, "");
    fs::remove_file(&path).expect("it was just made");
    path
}

async fn accept(listener: &TcpListener) -> Socket {
    let (stream, _) = timeout(LONG, listener.accept()).await.expect("nobody comes").expect("a stream");
    accept_async(stream).await.expect("a WebSocket")
}

async fn heard(socket: &mut Socket) -> String {
    let message = timeout(LONG, socket.next()).await.expect("nothing comes").expect("the link ended");
    message.expect("a frame").into_text().expect("text").to_string()
}

async fn say(socket: &mut Socket, text: &str) {
    socket.send(Message::text(text)).await.expect("it is read");
}

/// Runs these words: the exit code, and what was said.
async fn ended(words: &[&str]) -> (Option<i32>, String) {
    let output = run(steadfast(words)).await;
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[tokio::test]
async fn every_trace_replays_in_another_process() {
    let mut traces = 0;
    for entry in fs::read_dir(folder()).expect("traces") {
        let path = entry.expect("a file").path();
        let (code, said) = ended(&["replay", path.to_str().expect("text")]).await;
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains(": identical, ") && said.ends_with(" turns\n"), "{said}");
        traces += 1;
    }
    assert!(traces > 0);
}

#[tokio::test]
async fn the_turn_that_differs_is_named() {
    let changed = login().replacen(r#"\"code\":\"expired\""#, r#"\"code\":\"retired\""#, 1);
    let (code, said) = ended(&["replay", &file("changed.jsonl", &changed)]).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("turn 6 (line 7, at ") && said.contains("- recorded") && said.contains("+ replayed"),
        "{said}"
    );

    let shorter: Vec<String> =
        login().lines().enumerate().filter(|(at, _)| *at != 9).map(|(_, line)| line.into()).collect();
    let (code, said) = ended(&["replay", &file("shorter.jsonl", &shorter.join("\n"))]).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("turn 9 is missing: line 10 is turn 10"), "{said}");

    let older = changed.replacen(r#""version":"0."#, r#""version":"0.0."#, 1);
    let (_, said) = ended(&["replay", &file("older.jsonl", &older)]).await;
    assert!(said.contains("it was recorded by version 0.0."), "{said}");
}

#[tokio::test]
async fn what_is_no_trace_is_refused_in_one_line() {
    for (name, text, expected) in [
        ("empty.jsonl", String::new(), "line 1: there is nothing"),
        ("other.jsonl", "{\"hello\":1}\n".into(), "line 1: this is no trace"),
        ("later.jsonl", "{\"trace\":7}\n".into(), "line 1: a trace of format 7"),
        ("cut.jsonl", login()[..login().len() - 9].into(), "if the recording was cut off here, remove this line"),
        ("toy.jsonl", login().replacen(r#""protocol":"json""#, r#""protocol":"toy""#, 1), "speaks toy"),
        ("zero.jsonl", login().replacen(r#""login_timeout":"10 s""#, r#""login_timeout":"0 s""#, 1), "login_timeout"),
    ] {
        let line = refusal(&run(steadfast(&["replay", &file(name, &text)])).await);
        assert!(line.contains(expected), "{line}");
    }
    let line = refusal(&run(steadfast(&["explain", "nowhere.jsonl"])).await);
    assert!(line.contains("cannot read nowhere.jsonl"), "{line}");
}

#[tokio::test]
async fn a_trace_that_was_cut_down_is_rewritten() {
    // A person keeps the header and a few turns; their numbers have gaps.
    let few: Vec<String> =
        login().lines().enumerate().filter(|(at, _)| *at < 13 && *at != 2).map(|(_, line)| line.into()).collect();
    let (few, target) = (file("few.jsonl", &few.join("\n")), fresh("rewritten.jsonl"));
    let (code, _) = ended(&["replay", &few, "--rewrite", &target]).await;
    assert_eq!(code, Some(1), "it is not the same as it was");
    let (code, said) = ended(&["replay", &target]).await;
    assert_eq!((code, said.contains("identical, 11 turns")), (Some(0), true), "{said}");
    let line = refusal(&run(steadfast(&["replay", &few, "--rewrite", &target])).await);
    assert!(line.contains("cannot write"), "what is there is not overwritten: {line}");
}

#[tokio::test]
async fn a_timeline_tells_the_story() {
    let (code, said) = ended(&["explain", folder().join("login.jsonl").to_str().expect("text")]).await;
    assert_eq!(code, Some(0), "{said}");
    for part in [
        "json, seed 7, by version ",
        "    1      0.000 s  asked to log in with secret-1..............",
        "asked to send order {\"guest\":\"payload-1..\"",
        "  = accepted 1",
        "dial link 1, attempt 1",
        "link 1 -> secret, 62 bytes",
        "dials again at 0.501 s, attempt 2",
        "ERROR 1 authentication_failed: payload-3........................; reauthenticate",
        "was answered with HTTP 403; the host says {\"retry_after\":\"3 s\"}",
        "authenticating -> ONLINE",
        "message 1 ended: acked",
    ] {
        assert!(said.contains(part), "{part} in\n{said}");
    }
}

#[tokio::test]
async fn a_session_on_real_sockets_is_recorded_without_its_credential() {
    let listener = TcpListener::bind(ANY).await.expect("a port");
    let (url, path) = (format!("ws://{}/", listener.local_addr().expect("bound")), fresh("recorded.jsonl"));
    let words = ["connect", &url, "--protocol", "json", "--token", "hunter2hunter2", "--record", &path];
    let mut running = Running::start(&words);
    let mut socket = accept(&listener).await;
    assert!(heard(&mut socket).await.contains("hunter2hunter2"), "the server gets the real one");
    say(&mut socket, r#"{"type":"connected","data":{"session_token":"granted-to-you","said":"hunter2hunter2"}}"#).await;
    running.type_in("order {\"table\":4}").await;
    assert!(heard(&mut socket).await.contains("\"order\""));
    say(&mut socket, r#"{"type":"ready","data":[4]}"#).await;
    running.line("ready").await;
    running.end_input();
    while timeout(LONG, socket.next()).await.expect("no end").is_some() {}
    assert_eq!(running.end().await.0, Some(0));

    let trace = fs::read_to_string(&path).expect("a trace");
    assert!(!trace.contains("hunter2") && !trace.contains("granted-to-you"), "{trace}");
    assert!(trace.contains(r#""authenticate":"secret-1......""#) && !trace.contains("strayed"), "{trace}");
    let (code, said) = ended(&["replay", &path]).await;
    assert_eq!(code, Some(0), "{said}");
    let line = refusal(&run(steadfast(&words)).await);
    assert!(line.contains("--record: cannot make"), "what is there is not overwritten: {line}");
}

/// The server of a story about `/record`: it lets in whoever comes, and says what the next message is.
async fn let_in(listener: &TcpListener) -> Socket {
    let mut socket = accept(listener).await;
    assert!(heard(&mut socket).await.contains("\"connect\""));
    say(&mut socket, r#"{"type":"connected","data":{}}"#).await;
    socket
}

async fn acknowledge(socket: &mut Socket, expected: &str) -> String {
    let message = heard(socket).await;
    assert!(message.contains(expected), "{message}");
    let value: serde_json::Value = serde_json::from_str(&message).expect("JSON");
    say(socket, &format!(r#"{{"type":"ack","id":{}}}"#, value["id"])).await;
    message
}

/// Reads to the end.
async fn left(socket: &mut Socket) {
    while timeout(LONG, socket.next()).await.expect("the link goes on").is_some_and(|read| read.is_ok()) {}
}

#[tokio::test]
async fn a_recording_begins_in_the_middle_with_another_session_and_loses_nothing() {
    let listener = TcpListener::bind(ANY).await.expect("a port");
    let (url, path) = (format!("ws://{}/", listener.local_addr().expect("bound")), fresh("middle.jsonl"));
    let mut running = Running::start(&["connect", &url, "--protocol", "json", "--acks", "--token", "hunter2hunter2"]);
    let mut socket = let_in(&listener).await;
    running.type_in("before {}").await;
    acknowledge(&mut socket, "\"before\"").await;
    // What is typed during a pause has not left when the recording begins.
    running.type_in("/pause").await;
    left(&mut socket).await;
    running.type_in("meanwhile {\"table\":4}").await;
    running.type_in(&format!("/record {path}")).await;
    running.status("this one ends, and another one is recorded").await;
    let mut socket = let_in(&listener).await;
    acknowledge(&mut socket, "\"meanwhile\"").await;
    running.type_in("recorded {}").await;
    acknowledge(&mut socket, "\"recorded\"").await;

    running.type_in(&format!("/record {path}")).await;
    assert!(running.status("/record").await.contains("/record: cannot make"), "what is there is not overwritten");
    running.type_in("/record").await;
    assert!(running.status("recorded to").await.ends_with(&format!("see steadfast explain {path}")));
    running.type_in("afterwards {}").await;
    acknowledge(&mut socket, "\"afterwards\"").await;
    running.type_in("/record").await;
    running.status("nothing is recorded").await;
    running.end_input();
    left(&mut socket).await;
    assert_eq!(running.end().await.0, Some(0));

    let (code, said) = ended(&["replay", &path]).await;
    assert_eq!(code, Some(0), "{said}");
    let trace = fs::read_to_string(&path).expect("a trace");
    let (_, turns) = trace.split_once('\n').expect("turns behind the header");
    assert!(turns.starts_with(r#"{"turn":1,"#));
    for (word, is_there) in
        [("before", false), ("meanwhile", true), ("recorded", true), ("afterwards", false), ("hunter2", false)]
    {
        assert_eq!(turns.contains(&format!("\"{word}")), is_there, "{word} in {turns}");
    }
}

/// What has left waits for its acknowledgement before the session makes way for the one that is recorded.
#[tokio::test]
async fn a_recording_waits_for_what_has_left() {
    let listener = TcpListener::bind(ANY).await.expect("a port");
    let (url, paths) = (format!("ws://{}/", listener.local_addr().expect("bound")), ["a.jsonl", "b.jsonl"].map(fresh));
    let words = ["connect", &url, "--protocol", "json", "--acks", "--token", "hunter2hunter2", "--record", &paths[0]];
    let mut running = Running::start(&words);
    let mut socket = let_in(&listener).await;
    running.type_in("first {}").await;
    let first = heard(&mut socket).await;
    running.type_in(&format!("/record {}", paths[1])).await;
    running.status("draining").await;
    let first: serde_json::Value = serde_json::from_str(&first).expect("JSON");
    say(&mut socket, &format!(r#"{{"type":"ack","id":{}}}"#, first["id"])).await;
    left(&mut socket).await;
    let mut socket = let_in(&listener).await;
    running.type_in("second {}").await;
    acknowledge(&mut socket, "\"second\"").await;
    running.end_input();
    left(&mut socket).await;
    let (code, said) = running.end().await;
    assert_eq!(code, Some(0), "{said}");
    for (path, expected) in paths.iter().zip(["\"first\"", "\"second\""]) {
        let (code, said) = ended(&["replay", path]).await;
        assert_eq!(code, Some(0), "{said}");
        let trace = fs::read_to_string(path).expect("a trace");
        assert!(trace.contains(expected) && trace.contains("draining"), "{trace}");
    }
}

/// Ctrl-C while the session makes way is the end of the whole command.
#[tokio::test]
async fn ctrl_c_ends_a_session_that_makes_way_for_a_recording() {
    let listener = TcpListener::bind(ANY).await.expect("a port");
    let (url, path) = (format!("ws://{}/", listener.local_addr().expect("bound")), fresh("never.jsonl"));
    let mut running = Running::start(&["connect", &url, "--protocol", "json", "--acks", "--token", "hunter2hunter2"]);
    let mut socket = let_in(&listener).await;
    running.type_in("order {}").await;
    assert!(heard(&mut socket).await.contains("\"order\""));
    running.type_in(&format!("/record {path}")).await;
    running.status("draining").await;
    running.interrupt().await;
    left(&mut socket).await;
    let (code, said) = running.end().await;
    assert!(said.ends_with("steadfast: not every message arrived for certain: 1 in doubt\n"), "{said}");
    assert_eq!(code, Some(1), "{said}");
}

#[tokio::test]
async fn the_demo_is_recorded_while_faults_strike() {
    let path = fresh("demo.jsonl");
    let (code, said) = ended(&["demo", "--messages", "300", "--faults", "3", "--seed", "5", "--record", &path]).await;
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = ended(&["replay", &path]).await;
    assert_eq!(code, Some(0), "{said}");
    let (_, said) = ended(&["explain", &path]).await;
    assert!(said.contains("waiting -> CONNECTING") && !said.contains("not what really was"), "{said}");
}

#[tokio::test]
async fn recorded_messages_are_sent_to_a_server_of_this_machine() {
    let listener = TcpListener::bind(ANY).await.expect("a port");
    let url = format!("ws://{}/", listener.local_addr().expect("bound"));
    let trace = folder().join("bytes.jsonl");
    let trace = trace.to_str().expect("text");
    let server = tokio::spawn(async move {
        let mut socket = accept(&listener).await;
        let mut heard = Vec::new();
        while let Some(Ok(message)) = timeout(LONG, socket.next()).await.expect("no end") {
            heard.extend(Some(message).filter(Message::is_binary).map(Message::into_data));
        }
        heard
    });
    let (code, said) = ended(&["replay", trace, "--to", &url]).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("3 messages: 0 acknowledged, 2 written, 1 not for certain (the queue is full"), "{said}");
    assert_eq!(server.await.expect("it ended"), [&[0, 255, b'a'][..], &[1, 255, b'a']]);
    for (to, expected) in [("ws://192.0.2.1/", "--allow-remote"), ("ws://nowhere.invalid:1/", "write ws://host:port")] {
        let line = refusal(&run(steadfast(&["replay", trace, "--to", to])).await);
        assert!(line.contains(to) && line.contains(expected), "{line}");
    }
}

/// A trace of json with a login, and these messages, each so many milliseconds after the first turn.
fn json_with(name: &str, messages: &[(u64, &str)]) -> String {
    let header = login().lines().next().expect("a header").to_owned();
    let start = 1_795_168_800_000_000;
    let turn = |(number, at, input): (usize, u64, String)| {
        let at = start + at * 1_000;
        format!(r#"{{"turn":{number},"at":{at},"input":{input},"answer":"done","actions":[],"deadline":null}}"#)
    };
    let send = |data: &str| {
        let message = serde_json::json!({ "name": "order", "data": data, "channel": "kitchen" });
        format!(r#"{{"command":{{"send":{{"message":{message},"options":{{"class":"at_least_once"}}}}}}}}"#)
    };
    let sends = messages.iter().enumerate().map(|(at, (millis, data))| (at + 2, *millis, send(data)));
    let first = (1, 0, r#"{"command":"connect"}"#.to_owned());
    let lines: Vec<_> = std::iter::once(header).chain(std::iter::once(first).chain(sends).map(turn)).collect();
    file(name, &lines.join("\n"))
}

/// Two at once, then one 600 ms later, then one 600 ms after that: so they come, and not earlier.
#[tokio::test]
async fn recorded_messages_of_json_are_sent_when_they_were_with_the_token_that_is_given() {
    let listener = TcpListener::bind(ANY).await.expect("a port");
    let url = format!("ws://{}/", listener.local_addr().expect("bound"));
    let plan = [(100, "[1]"), (100, "[2]"), (700, "[3]"), (1_300, "[4]")];
    let trace = json_with("gaps.jsonl", &plan);
    let start = Instant::now();
    let server = tokio::spawn(async move {
        let mut socket = accept(&listener).await;
        let login = heard(&mut socket).await;
        say(&mut socket, r#"{"type":"connected","data":{}}"#).await;
        let mut arrived = Vec::new();
        for (_, data) in plan {
            let message = acknowledge(&mut socket, &format!(r#""channel":"kitchen","data":{data},"#)).await;
            arrived.push(start.elapsed());
            assert!(!message.contains(r#""id":"7-"#), "an id of the recorded life: {message}");
        }
        left(&mut socket).await;
        (login, arrived)
    });
    let mut command = steadfast(&["replay", &trace, "--to", &url, "--token", "env:STEADFAST_TEST_TOKEN"]);
    command.env("STEADFAST_TEST_TOKEN", "hunter2hunter2");
    let output = run(command).await;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.ends_with("4 messages: 4 acknowledged, 0 written\n"), "{said}");
    assert!(!said.contains("hunter2"), "{said}");

    let (login, arrived) = server.await.expect("it ended");
    assert!(login.contains("hunter2hunter2") && !login.contains("secret-"), "{login}");
    for ((after, _), arrived) in plan.iter().zip(&arrived) {
        assert!(*arrived >= Duration::from_millis(*after), "too early: {arrived:?}");
    }
    let gaps: Vec<_> = arrived.windows(2).map(|two| two[1] - two[0]).collect();
    assert!(gaps[0] < Duration::from_millis(500), "the first two came together: {gaps:?}");
    assert!(gaps[2] > Duration::from_millis(100), "the last one came by itself: {gaps:?}");
}
