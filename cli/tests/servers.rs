//! The servers of the demo, seen through their sockets and their files.
#![expect(clippy::unwrap_used, reason = "a test says by failing what went wrong")]

use std::{fs, path::PathBuf, time::Duration};

use futures_util::{FutureExt, SinkExt, StreamExt};
use steadfast_cli::server::{Arrival, Kind, Server, read};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{WebSocketStream, client_async, tungstenite::Message};

type Socket = WebSocketStream<TcpStream>;

const LONG: Duration = Duration::from_secs(20);

/// A server with a file of its own; none where there is no Python for it.
fn start(kind: Kind, acks: bool, name: &str) -> Option<Server> {
    let log = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.log"));
    let _ = fs::remove_file(&log);
    match Server::start(kind, &log, acks, None) {
        Ok(server) => Some(server),
        Err(failure) if kind == Kind::Python => {
            eprintln!("SKIPPED: {failure}");
            None
        }
        Err(failure) => panic!("{failure}"),
    }
}

async fn connect(server: &Server) -> Socket {
    let stream = TcpStream::connect(server.address()).await.unwrap();
    let (socket, _) = timeout(LONG, client_async("ws://localhost/", stream)).await.expect("no answer").unwrap();
    socket
}

async fn send(socket: &mut Socket, text: &str) {
    socket.send(Message::text(text)).await.unwrap();
}

async fn count(socket: &mut Socket, seq: u64) {
    send(socket, &format!(r#"{{"type":"count","data":{{"seq":{seq}}},"id":"k-{seq}"}}"#)).await;
}

async fn heard(socket: &mut Socket) -> serde_json::Value {
    let message = timeout(LONG, socket.next()).await.expect("nothing comes").unwrap().unwrap();
    serde_json::from_str(&message.into_text().unwrap()).unwrap()
}

/// Waits until all that was sent has been read.
async fn is_read(socket: &mut Socket) {
    send(socket, r#"{"type":"ping"}"#).await;
    assert_eq!(heard(socket).await, serde_json::json!({ "type": "pong" }));
}

/// Says goodbye and reads to the end.
async fn leave(mut socket: Socket) {
    socket.close(None).await.unwrap();
    while timeout(LONG, socket.next()).await.expect("no end").is_some() {}
}

fn arrival(connection: u64, seq: u64) -> Arrival {
    Arrival { connection, id: format!("k-{seq}"), seq }
}

async fn confirms_what_it_has_written_down(kind: Kind, name: &str) {
    let Some(server) = start(kind, true, name) else { return };
    let mut socket = connect(&server).await;
    for seq in [7, 8, 7] {
        count(&mut socket, seq).await;
        assert_eq!(heard(&mut socket).await, serde_json::json!({ "type": "ack", "id": format!("k-{seq}") }));
        assert_eq!(read(server.log()).unwrap().last(), Some(&arrival(1, seq)));
    }
    assert_eq!(read(server.log()).unwrap().len(), 3);
}

async fn answers_pings_and_otherwise_only_if_asked_to(kind: Kind, name: &str) {
    let Some(server) = start(kind, false, name) else { return };
    let mut socket = connect(&server).await;
    count(&mut socket, 1).await;
    is_read(&mut socket).await;
    socket.send(Message::Ping("?".into())).await.unwrap();
    assert_eq!(timeout(LONG, socket.next()).await.unwrap().unwrap().unwrap(), Message::Pong("?".into()));
    leave(socket).await;
    assert_eq!(read(server.log()).unwrap(), [arrival(1, 1)]);
}

async fn reads_one_connection_to_its_end_before_the_next(kind: Kind, name: &str) {
    let Some(server) = start(kind, false, name) else { return };
    let mut first = connect(&server).await;
    count(&mut first, 1).await;
    is_read(&mut first).await;
    // The second one is there and has spoken before the first goes on.
    let second = async {
        let mut second = connect(&server).await;
        count(&mut second, 3).await;
        is_read(&mut second).await;
    };
    let mut second = std::pin::pin!(second);
    assert!((&mut second).now_or_never().is_none());
    count(&mut first, 2).await;
    tokio::join!(leave(first), second);
    assert_eq!(read(server.log()).unwrap(), [arrival(1, 1), arrival(1, 2), arrival(2, 3)]);
}

#[tokio::test]
async fn embedded() {
    confirms_what_it_has_written_down(Kind::Embedded, "embedded-1").await;
    answers_pings_and_otherwise_only_if_asked_to(Kind::Embedded, "embedded-2").await;
    reads_one_connection_to_its_end_before_the_next(Kind::Embedded, "embedded-3").await;
}

#[tokio::test]
async fn python() {
    confirms_what_it_has_written_down(Kind::Python, "python-1").await;
    answers_pings_and_otherwise_only_if_asked_to(Kind::Python, "python-2").await;
    reads_one_connection_to_its_end_before_the_next(Kind::Python, "python-3").await;
}

#[tokio::test]
async fn whoever_talks_nonsense_is_hung_up_on() {
    let server = start(Kind::Embedded, true, "embedded-4").unwrap();
    for nonsense in ["?", "{}", r#"{"type":"count","data":{},"id":"k-1"}"#, r#"{"type":"count","data":{"seq":1}}"#] {
        let mut socket = connect(&server).await;
        send(&mut socket, nonsense).await;
        assert!(!matches!(timeout(LONG, socket.next()).await.unwrap(), Some(Ok(_))), "{nonsense}");
    }
    assert_eq!(read(server.log()).unwrap(), []);
}
