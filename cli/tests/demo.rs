//! The demo, small, from its command line to its verdict.

mod common;

use common::{Running, run, steadfast};
use tokio::process::Command;

const SMALL: [&str; 5] = ["demo", "--messages", "500", "--faults", "5"];

/// Runs the demo and expects that all is accounted for.
async fn holds(more: &[&str]) -> String {
    let output = run(steadfast(&[&SMALL[..], more].concat())).await;
    let (said, table) = (String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(&output.stdout));
    assert_eq!(output.status.code(), Some(0), "{said}\n{table}");
    assert!(table.contains("accepted     500"), "{table}");
    assert!(table.contains("faults       5:"), "{table}");
    assert!(table.ends_with("every message is accounted for\n"), "{table}");
    table.into_owned()
}

#[tokio::test]
async fn at_least_once_nothing_is_missing() {
    for seed in ["1", "2"] {
        let table = holds(&["--class", "at-least-once", "--seed", seed]).await;
        assert!(
            table.contains("acked 500\n") && table.contains("unique 500") && table.contains("missing 0"),
            "{table}"
        );
    }
}

#[tokio::test]
async fn at_most_once_nothing_comes_twice() {
    for seed in ["1", "2"] {
        let table = holds(&["--class", "at-most-once", "--seed", seed]).await;
        assert!(table.contains("doubled 0") && !table.contains("acked"), "{table}");
    }
}

#[tokio::test]
async fn inside_of_tls_all_is_accounted_for() {
    let table = holds(&["--class", "at-least-once", "--tls"]).await;
    assert!(table.contains("inside of TLS") && table.contains("acked 500\n"), "{table}");
    holds(&["--class", "at-most-once", "--tls"]).await;
}

#[tokio::test]
async fn without_faults_nothing_reconnects() {
    let output = run(steadfast(&["demo", "--messages", "100", "--faults", "0"])).await;
    let table = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{table}");
    assert!(table.contains("reconnects   0\n") && table.contains("doubled 0"), "{table}");
}

#[tokio::test]
async fn an_interrupted_demo_judges_nothing() {
    let mut running = Running::start(&SMALL);
    running.status("fault 1").await;
    running.interrupt().await;
    let (code, said) = running.end().await;
    assert_eq!(code, Some(130), "{said}");
    assert!(said.ends_with("steadfast: interrupted; nothing was judged\n"), "{said}");
}

#[tokio::test]
async fn the_server_may_be_written_in_python() {
    let import = Command::new("python3").args(["-c", "import websockets.asyncio.server"]).output().await;
    if !import.is_ok_and(|output| output.status.success()) {
        eprintln!("SKIPPED: python3 with the package websockets is not here; pip install websockets");
        return;
    }
    holds(&["--server", "python", "--class", "at-least-once"]).await;
    holds(&["--server", "python", "--class", "at-most-once"]).await;
    holds(&["--server", "python", "--class", "at-least-once", "--tls"]).await;
}
