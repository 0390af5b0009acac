//! What cannot be done is said in one line that says what to do, with exit code 2.

mod common;

use std::{fs, path::Path};

use common::{ANY, deaf, refusal, run, steadfast};
use tokio::net::TcpListener;

/// Runs these words and expects a refusal with all these parts.
async fn refuses(words: &[&str], parts: &[&str]) {
    let line = refusal(&run(steadfast(words)).await);
    assert!(parts.iter().all(|part| line.contains(part)), "{words:?}: {line}");
}

#[tokio::test]
async fn wrong_words_are_named() {
    refuses(&[], &["which command", "demo, connect, chaos, replay, explain", "--help"]).await;
    refuses(&["dance"], &["'dance'", "--help"]).await;
    refuses(&["demo", "--messages", "many"], &["'many'", "--messages", "a whole number from 1 to"]).await;
    refuses(&["demo", "--messages", "0"], &["--messages", "a whole number from 1 to"]).await;
    refuses(&["demo", "--messages", "-5"], &["'-5'", "--messages", "a whole number from 1 to"]).await;
    refuses(&["demo", "--faults", "x"], &["'x'", "--faults", "a whole number from 0 to"]).await;
    refuses(&["demo", "--seed", "-1"], &["'-1'", "--seed", "a whole number from 0 to"]).await;
    refuses(&["demo", "--class", "maybe"], &["'maybe'", "at-least-once", "at-most-once"]).await;
    refuses(&["demo", "--server", "perl"], &["'perl'", "embedded", "python"]).await;
    refuses(&["demo", "--fast"], &["'--fast'"]).await;
    refuses(&["chaos", "--listen", "127.0.0.1:0"], &["--upstream"]).await;
    refuses(&["connect"], &["<URL>"]).await;
    refuses(&["connect", "ws://127.0.0.1/", "--header", "x"], &["'x'", "'Name: value'"]).await;
}

#[tokio::test]
async fn chaos_wants_addresses_of_this_machine() {
    let (_socket, address) = deaf();
    let nobody = address.to_string();
    refuses(&["chaos", "--listen", "0.0.0.0:0", "--upstream", &nobody], &["--listen", "--allow-remote"]).await;
    refuses(&["chaos", "--listen", "127.0.0.1:0", "--upstream", "192.0.2.1:80"], &["--upstream", "--allow-remote"])
        .await;
    refuses(&["chaos", "--listen", "here", "--upstream", &nobody], &["--listen here", "host:port"]).await;
    refuses(&["chaos", "--listen", "127.0.0.1:0", "--upstream", &nobody, "--every", "5"], &["--every", "5", "2s"])
        .await;
}

#[tokio::test]
async fn chaos_says_that_the_upstream_is_dead() {
    let (_socket, address) = deaf();
    let nobody = address.to_string();
    let words = ["chaos", "--listen", "127.0.0.1:0", "--upstream", &nobody];
    refuses(&words, &[&nobody, "refused", "start the server first"]).await;
}

#[tokio::test]
async fn chaos_says_that_the_port_is_taken() {
    let taken = TcpListener::bind(ANY).await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let words = ["chaos", "--listen", &address, "--upstream", &address];
    refuses(&words, &[&address, "in use", "choose another port"]).await;
}

#[tokio::test]
async fn connect_wants_a_url_that_it_can_dial() {
    refuses(&["connect", "nonsense"], &["ws://"]).await;
    refuses(&["connect", "http://127.0.0.1/"], &["ws://"]).await;
    refuses(&["connect", "ws://127.0.0.1:70000/"], &["port", "65535"]).await;
    refuses(&["connect", "ws://127.0.0.1/", "--header", "Host: x"], &["Host"]).await;
}

#[tokio::test]
async fn connect_wants_certificates_that_are_there_and_of_use() {
    refuses(&["connect", "ws://127.0.0.1/", "--ca", "Cargo.toml"], &["--ca", "wss://"]).await;
    refuses(&["connect", "wss://127.0.0.1/", "--ca", "no/such/file"], &["--ca: cannot read no/such/file"]).await;
    refuses(&["connect", "wss://127.0.0.1/", "--ca", "Cargo.toml"], &["--ca: Cargo.toml", "PEM"]).await;
    refuses(&["connect", "wss://127.0.0.1/", "--cert", "Cargo.toml"], &["--key"]).await;
    let words = ["connect", "wss://127.0.0.1/", "--cert", "Cargo.toml", "--key", "Cargo.toml"];
    refuses(&words, &["--cert, --key: Cargo.toml", "no certificate"]).await;
}

#[tokio::test]
async fn connect_wants_a_credential_that_is_there_and_of_use() {
    refuses(&["connect", "ws://127.0.0.1/", "--token", "x"], &["--token", "--protocol json"]).await;
    refuses(&["connect", "ws://127.0.0.1/", "--acks"], &["--acks", "--protocol json"]).await;
    let words = ["connect", "ws://127.0.0.1/", "--protocol", "json", "--token", "env:STEADFAST_NOT_SET"];
    refuses(&words, &["STEADFAST_NOT_SET", "set it"]).await;
}

#[tokio::test]
async fn the_demo_says_that_python_is_missing() {
    let mut command = steadfast(&["demo", "--server", "python"]);
    command.env("PATH", "");
    let line = refusal(&run(command).await);
    assert!(line.contains("python3 was not found") && line.contains("install Python 3"), "{line}");
}

#[tokio::test]
async fn the_demo_says_that_the_python_package_is_missing() {
    // A package of the same name that has nothing in it comes before the real one.
    let empty = Path::new(env!("CARGO_TARGET_TMPDIR")).join("no-websockets");
    fs::create_dir_all(&empty).unwrap();
    fs::write(empty.join("websockets.py"), "").unwrap();
    let mut command = steadfast(&["demo", "--server", "python"]);
    command.env("PYTHONPATH", &empty);
    let output = run(command).await;
    if String::from_utf8_lossy(&output.stderr).contains("python3 was not found") {
        eprintln!("SKIPPED: there is no python3 here");
        return;
    }
    let line = refusal(&output);
    assert!(line.contains("pip install websockets") && line.contains("--server embedded"), "{line}");
}

#[tokio::test]
async fn help_is_no_refusal() {
    for words in [&["--help"][..], &["demo", "--help"], &["connect", "--help"], &["chaos", "--help"], &["--version"]] {
        let output = run(steadfast(words)).await;
        assert_eq!(output.status.code(), Some(0), "{words:?}");
        assert!(!output.stdout.is_empty() && output.stderr.is_empty());
    }
}
