//! `steadfast connect` to a server inside of TLS.
#![expect(clippy::unwrap_used, reason = "a test says by failing what went wrong")]

mod common;

use std::{fs, path::PathBuf};

use common::{Running, run, steadfast};
use steadfast_cli::server::{Identity, Kind, Server, read};

/// A server inside of TLS, the file of its log, and that of the root to trust.
fn start(name: &str) -> (Server, PathBuf, String) {
    let log = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("tls-{name}.log"));
    let root = log.with_extension("root");
    let _ = fs::remove_file(&log);
    let identity = Identity::new().unwrap();
    fs::write(&root, identity.root()).unwrap();
    let server = Server::start(Kind::Embedded, &log, true, Some(&identity)).unwrap();
    (server, log, root.to_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_server_that_is_trusted_gets_its_messages() {
    let (server, log, root) = start("trusted");
    let url = format!("wss://{}/", server.address());
    let mut running = Running::start(&["connect", &url, "--ca", &root, "--protocol", "json", "--acks"]);
    running.type_in(r#"count {"seq": 7}"#).await;
    running.end_input();
    let (code, said) = running.end().await;
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(read(&log).unwrap().len(), 1);
}

#[tokio::test]
async fn a_server_that_is_not_trusted_ends_it_at_once() {
    let (server, ..) = start("foreign");
    let (_other, _, other_root) = start("other");
    let url = format!("wss://{}/", server.address());
    let output = run(steadfast(&["connect", &url, "--ca", &other_root])).await;
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    let last = said.lines().last().unwrap();
    assert!(
        last.contains("gave up") && last.contains("the server's certificate was signed with another key"),
        "{said}"
    );
}
