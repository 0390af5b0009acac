//! `steadfast connect` and `steadfast chaos`, as somebody at a terminal uses them.
#![expect(clippy::unwrap_used, reason = "a test says by failing what went wrong")]

mod common;

use common::{ANY, LONG, Running, deaf};
use futures_util::{SinkExt, StreamExt};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream, accept_async,
    tungstenite::{
        Message,
        protocol::{CloseFrame, frame::coding::CloseCode},
    },
};

type Socket = WebSocketStream<TcpStream>;

/// A server, and the command connected to it.
async fn connected(more: &[&str]) -> (TcpListener, Socket, Running) {
    let listener = TcpListener::bind(ANY).await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let running = Running::start(&[&["connect", &url], more].concat());
    let socket = accept(&listener).await;
    (listener, socket, running)
}

async fn accept(listener: &TcpListener) -> Socket {
    let (stream, _) = timeout(LONG, listener.accept()).await.expect("nobody comes").unwrap();
    accept_async(stream).await.unwrap()
}

async fn heard(socket: &mut Socket) -> Message {
    timeout(LONG, socket.next()).await.expect("nothing comes").expect("the link ended").unwrap()
}

/// Reads to the end; the code of the Close frame on the way.
async fn goodbye(socket: &mut Socket) -> Option<CloseCode> {
    let mut code = None;
    while let Some(Ok(message)) = timeout(LONG, socket.next()).await.expect("the link goes on") {
        if let Message::Close(Some(close)) = message {
            code = Some(close.code);
        }
    }
    code
}

#[tokio::test]
async fn lines_go_in_and_frames_come_out() {
    let (_listener, mut socket, mut running) = connected(&[]).await;
    running.type_in("hello").await;
    assert_eq!(heard(&mut socket).await, Message::text("hello"));
    socket.send(Message::text("good day")).await.unwrap();
    assert_eq!(running.line("good").await, "good day");
    running.end_input();
    assert_eq!(goodbye(&mut socket).await, Some(CloseCode::Normal));
    let (code, said) = running.end().await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("steadfast: online"), "{said}");
}

#[tokio::test]
async fn a_link_that_is_lost_comes_back() {
    let (listener, socket, mut running) = connected(&[]).await;
    drop(socket);
    // Until the loss is noticed, what is sent once is lost with the link.
    running.status("waiting").await;
    running.type_in("are you there?").await;
    let mut socket = accept(&listener).await;
    assert_eq!(heard(&mut socket).await, Message::text("are you there?"));
    running.end_input();
    goodbye(&mut socket).await;
    let (code, said) = running.end().await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("online"), "{said}");
}

#[tokio::test]
async fn ctrl_c_closes_politely() {
    let (_listener, mut socket, mut running) = connected(&[]).await;
    running.type_in("hello").await;
    heard(&mut socket).await;
    running.interrupt().await;
    assert_eq!(goodbye(&mut socket).await, Some(CloseCode::Normal));
    let (code, said) = running.end().await;
    assert_eq!(code, Some(0), "{said}");
}

#[tokio::test]
async fn json_logs_in_and_waits_for_its_acknowledgement() {
    let (_listener, mut socket, mut running) = connected(&["--protocol", "json", "--acks", "--token", "hunter2"]).await;
    let login = heard(&mut socket).await.into_text().unwrap();
    assert!(login.contains("\"connect\"") && login.contains("hunter2"), "{login}");
    socket.send(Message::text(r#"{"type":"connected","data":{}}"#)).await.unwrap();
    running.type_in("order {\"table\":4}").await;
    let order: serde_json::Value = serde_json::from_str(&heard(&mut socket).await.into_text().unwrap()).unwrap();
    assert_eq!((&order["type"], &order["data"]["table"]), (&"order".into(), &4.into()));
    socket.send(Message::text(r#"{"type":"ready","data":[4]}"#)).await.unwrap();
    assert_eq!(running.line("ready").await, "ready [4]");
    running.end_input();
    let ack = serde_json::json!({ "type": "ack", "id": order["id"] });
    socket.send(Message::text(ack.to_string())).await.unwrap();
    goodbye(&mut socket).await;
    assert_eq!(running.end().await.0, Some(0));
}

/// Somebody at the terminal looks at the session over a loss, and types a command that does not exist.
#[tokio::test]
async fn a_slash_asks_how_the_session_does() {
    let (listener, mut socket, mut running) = connected(&[]).await;
    running.type_in("hello").await;
    assert_eq!(heard(&mut socket).await, Message::text("hello"));
    running.type_in("/health").await;
    assert!(running.status("level").await.starts_with("steadfast: connected, level good, attempt 1, 0 reconnects"));
    assert!(running.status("queue").await.contains("at most 1 so far"));
    running.type_in("/helth").await;
    assert!(running.status("helth").await.starts_with("steadfast: there is no /helth, but /emit EVENT JSON, /request"));
    running.type_in("/emit order {}").await;
    assert!(running.status("/emit").await.ends_with("with plain a line is sent as it is"));
    running.type_in("//not a command").await;
    assert_eq!(heard(&mut socket).await, Message::text("/not a command"));
    drop(socket);
    running.status("level shaky").await;
    running.type_in("/retry").await;
    let mut socket = accept(&listener).await;
    running.status("online").await;
    running.type_in("/history").await;
    let loss = running.status("online -> waiting").await;
    assert!(loss.contains("ago: ") && loss.contains(", because: "), "{loss}");
    running.status("connecting -> ").await;
    running.type_in("/health").await;
    assert!(running.status("reconnects").await.contains("connected, level shaky, "));
    assert!(running.status("the last: ").await.starts_with("steadfast: errors 1 network_error; the last: "));
    running.end_input();
    goodbye(&mut socket).await;
    assert_eq!(running.end().await.0, Some(0));
}

#[tokio::test]
async fn who_is_away_for_long_is_told_and_what_waits_can_be_seen() {
    let (socket, address) = deaf();
    let mut running = Running::start(&["connect", &format!("ws://{address}/"), "--degraded-after", "100ms"]);
    running.type_in("hello").await;
    let degraded = running.status("degraded: ").await;
    assert!(degraded.ends_with("away for long; whoever has another way should take it"), "{degraded}");
    running.status("waiting").await;
    running.type_in("/health").await;
    let health = running.status("reconnects").await;
    assert!(health.contains(", next attempt in ") || health.contains("connecting"), "{health}");
    let queue = running.status("queue 1 messages").await;
    assert!(queue.contains("one has waited for ") && queue.contains("dropped none"), "{queue}");
    assert!(!queue.contains("waited for -"), "{queue}");
    running.type_in("/retry").await;
    let mut socket = accept(&socket.listen(8).unwrap()).await;
    running.status("recovered").await;
    assert_eq!(heard(&mut socket).await, Message::text("hello"));
    running.end_input();
    goodbye(&mut socket).await;
    assert_eq!(running.end().await.0, Some(0));
}

#[tokio::test]
async fn a_pause_closes_politely_and_keeps_what_is_typed() {
    let (listener, mut socket, mut running) = connected(&[]).await;
    running.status("online").await;
    running.type_in("/pause").await;
    assert_eq!(goodbye(&mut socket).await, Some(CloseCode::Normal));
    running.status("suspended").await;
    running.type_in("typed meanwhile").await;
    running.type_in("/health").await;
    assert!(running.status("level").await.starts_with("steadfast: disconnected, level good"));
    running.type_in("/resume").await;
    let mut socket = accept(&listener).await;
    assert_eq!(heard(&mut socket).await, Message::text("typed meanwhile"));
    running.end_input();
    goodbye(&mut socket).await;
    assert_eq!(running.end().await.0, Some(0));
}

#[tokio::test]
async fn emit_sends_an_event_of_json() {
    let (_listener, mut socket, mut running) = connected(&["--protocol", "json"]).await;
    running.type_in("/emit order {\"table\":4}").await;
    let order: serde_json::Value = serde_json::from_str(&heard(&mut socket).await.into_text().unwrap()).unwrap();
    assert_eq!((&order["type"], &order["data"]["table"]), (&"order".into(), &4.into()));
    running.type_in("/emit").await;
    running.status("not sent: write a name").await;
    running.end_input();
    goodbye(&mut socket).await;
    assert_eq!(running.end().await.0, Some(0));
}

/// The next word of the client's, as JSON.
async fn word(socket: &mut Socket) -> serde_json::Value {
    serde_json::from_str(&heard(socket).await.into_text().unwrap()).unwrap()
}

#[tokio::test]
async fn topics_and_requests_are_shown_as_they_come() {
    let (listener, mut socket, mut running) = connected(&["--protocol", "json"]).await;
    running.type_in("/subscribe kitchen").await;
    let asked = word(&mut socket).await;
    assert_eq!((&asked["type"], &asked["channel"]), (&"subscribe".into(), &"kitchen".into()));
    let yes = serde_json::json!({"type": "subscribed", "channel": "kitchen", "reply_to": asked["id"]});
    socket.send(Message::text(yes.to_string())).await.unwrap();
    running.status("kitchen: subscribed").await;
    socket.send(Message::text(r#"{"type":"order","channel":"kitchen","data":{"table":4}}"#)).await.unwrap();
    assert_eq!(running.line("order").await, "kitchen: order {\"table\":4}");

    running.type_in("/request menu {\"day\":1}").await;
    let asked = word(&mut socket).await;
    assert_eq!((&asked["type"], &asked["data"]["day"]), (&"menu".into(), &1.into()));
    let answer = serde_json::json!({"type": "menu", "data": ["soup"], "reply_to": asked["id"]});
    socket.send(Message::text(answer.to_string())).await.unwrap();
    assert_eq!(running.line("soup").await, "menu [\"soup\"]");

    drop(socket);
    let mut socket = accept(&listener).await;
    assert_eq!(word(&mut socket).await["channel"], "kitchen", "on each link anew");
    running.type_in("/unsubscribe bar").await;
    running.status("bar: not subscribed to").await;
    running.end_input();
    goodbye(&mut socket).await;
    assert_eq!(running.end().await.0, Some(0));
}

#[tokio::test]
async fn plain_has_no_topics_and_no_requests() {
    let (_listener, mut socket, mut running) = connected(&[]).await;
    running.type_in("/subscribe kitchen").await;
    running.status("not subscribed: /subscribe is for --protocol json").await;
    running.type_in("/request menu").await;
    running.status("not asked: ").await;
    running.end_input();
    goodbye(&mut socket).await;
    assert_eq!(running.end().await.0, Some(0));
}

#[tokio::test]
async fn what_could_not_be_sent_is_said() {
    let (_socket, address) = deaf();
    let mut running = Running::start(&["connect", &format!("ws://{address}/"), "--drain", "100ms"]);
    running.type_in("hello").await;
    running.end_input();
    let (code, said) = running.end().await;
    assert_eq!(code, Some(2), "{said}");
    assert!(said.ends_with("refused (os error 111); 1 messages could not be sent; is the server there?\n"), "{said}");
}

#[tokio::test]
async fn the_end_of_the_input_does_not_overtake_the_first_attempt() {
    let (_socket, address) = deaf();
    let url = format!("ws://{address}/");
    for words in [&["connect", &url][..], &["connect", &url, "--fail-fast"], &["connect", "ws://nowhere.invalid/"]] {
        let mut running = Running::start(words);
        running.end_input();
        let (code, said) = running.end().await;
        assert_eq!(code, Some(2), "{said}");
        let last = said.lines().last().unwrap();
        assert!(last.starts_with("steadfast: cannot connect to ws://"), "{said}");
        assert!(last.ends_with("is the server there?") || last.contains("nowhere.invalid"), "{said}");
    }
}

#[tokio::test]
async fn whoever_waits_for_a_dead_server_is_told_once_what_to_look_for() {
    let (socket, address) = deaf();
    let mut running = Running::start(&["connect", &format!("ws://me:hunter2@{address}/live?token=hunter2")]);
    let hint = running.status("is the server running").await;
    assert_eq!(hint, format!("steadfast: is the server running at {address}? trying again; Ctrl-C ends"));
    running.status("attempt 3").await;
    running.interrupt().await;
    let (code, said) = running.end().await;
    assert_eq!(code, Some(2), "{said}");
    assert!(!said.contains("is the server running"), "{said}");
    drop(socket);
}

#[tokio::test]
async fn a_message_that_is_never_acknowledged_is_no_success() {
    let words = ["--protocol", "json", "--acks", "--drain", "100ms"];
    let (_listener, mut socket, mut running) = connected(&words).await;
    running.type_in("order {\"table\":4}").await;
    heard(&mut socket).await;
    running.end_input();
    goodbye(&mut socket).await;
    let (code, said) = running.end().await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.ends_with("steadfast: not every message arrived for certain: 1 in doubt\n"), "{said}");
}

#[tokio::test]
async fn what_the_server_says_cannot_command_the_terminal() {
    let (_listener, mut socket, mut running) = connected(&[]).await;
    socket.send(Message::text("\x1b[2Jgone\nsteadfast: stopped\tend")).await.unwrap();
    assert_eq!(running.line("gone").await, "\\u{1b}[2Jgone\\nsteadfast: stopped\tend");
    let close = CloseFrame { code: CloseCode::Away, reason: "\x1b[31mred\nsteadfast: online".into() };
    socket.close(Some(close)).await.unwrap();
    assert!(running.status("red").await.contains("\\u{1b}[31mred\\nsteadfast: online"));
}

#[tokio::test]
async fn a_dead_server_is_waited_for_unless_asked_not_to() {
    let (socket, address) = deaf();
    let url = format!("ws://me:hunter2@{address}/?token=hunter2");
    let (code, said) = Running::start(&["connect", &url, "--fail-fast"]).end().await;
    assert_eq!(code, Some(2), "{said}");
    let last = said.lines().last().unwrap();
    assert!(last.contains("cannot connect") && last.contains("refused") && last.contains("is the server there?"));
    assert!(!said.contains("hunter2"), "{said}");

    let mut running = Running::start(&["connect", &url]);
    running.status("waiting").await;
    accept(&socket.listen(8).unwrap()).await;
    running.status("online").await;
    running.interrupt().await;
    let (code, said) = running.end().await;
    assert_eq!(code, Some(0), "{said}");
}

#[tokio::test]
async fn a_refusal_that_will_not_change_is_the_end() {
    let listener = TcpListener::bind(ANY).await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let running = Running::start(&["connect", &url]);
    let (mut stream, _) = timeout(LONG, listener.accept()).await.unwrap().unwrap();
    let mut request = [0; 1_024];
    assert!(stream.read(&mut request).await.unwrap() > 0);
    stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").await.unwrap();
    let (code, said) = running.end().await;
    assert_eq!(code, Some(2), "{said}");
    assert!(said.lines().last().unwrap().contains("gave up") && said.contains("404"), "{said}");
}

#[tokio::test]
async fn chaos_says_each_fault_and_goes_on_without() {
    let upstream = TcpListener::bind(ANY).await.unwrap();
    let address = upstream.local_addr().unwrap().to_string();
    let words = ["--seed", "1", "--faults", "3", "--every", "20ms"];
    let mut running =
        Running::start(&[&["chaos", "--listen", "127.0.0.1:0", "--upstream", &address], &words[..]].concat());
    let first = running.line("listening on").await;
    let listens = first.split(' ').nth(2).unwrap().trim_end_matches(',').to_owned();
    let serving = tokio::spawn(async move {
        while let Ok((mut stream, _)) = upstream.accept().await {
            tokio::spawn(async move { while stream.read(&mut [0; 64]).await.is_ok_and(|n| n > 0) {} });
        }
    });
    let calling = tokio::spawn(async move {
        loop {
            if let Ok(mut stream) = TcpStream::connect(&listens).await {
                let _ = timeout(std::time::Duration::from_millis(60), stream.read(&mut [0; 64])).await;
            }
        }
    });
    for number in 1..=3 {
        running.line(&format!("#{number} ")).await;
    }
    running.line("all faults are done").await;
    calling.abort();
    serving.abort();
    running.interrupt().await;
    assert!(running.line("3 faults").await.starts_with("3 faults: "));
    assert_eq!(running.end().await.0, Some(0));
}
