//! Runs the command as a user does.
#![allow(dead_code, reason = "each test file uses its own part")]

pub(crate) mod python;

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    process::{Output, Stdio},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWriteExt, BufReader, Lines},
    net::TcpSocket,
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command},
    time::timeout,
};

/// A free port of this machine.
pub(crate) const ANY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
/// Far more than anything here takes.
pub(crate) const LONG: Duration = Duration::from_secs(120);

/// A port that is ours and on which nobody listens yet: dials are refused.
pub(crate) fn deaf() -> (TcpSocket, SocketAddr) {
    let socket = TcpSocket::new_v4().expect("there are sockets");
    socket.bind(ANY).expect("there are ports");
    let address = socket.local_addr().expect("it is bound");
    (socket, address)
}

/// The command with these words behind it; it does not outlive the test.
pub(crate) fn steadfast(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_steadfast"));
    command.args(words).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

/// Runs it to its end.
pub(crate) async fn run(mut command: Command) -> Output {
    timeout(LONG, command.output()).await.expect("it does not end").expect("it can be started")
}

/// A run that said in one line that it cannot be done: the line.
#[track_caller]
pub(crate) fn refusal(output: &Output) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(stderr.starts_with("steadfast: "), "{stderr}");
    stderr
}

/// A run that goes on.
pub(crate) struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Lines<BufReader<ChildStdout>>,
    stderr: Lines<BufReader<ChildStderr>>,
}

impl Running {
    pub(crate) fn start(words: &[&str]) -> Self {
        let mut child = steadfast(words).stdin(Stdio::piped()).spawn().expect("it can be started");
        let stdout = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let stderr = BufReader::new(child.stderr.take().expect("it is piped")).lines();
        Self { stdin: child.stdin.take(), stdout, stderr, child }
    }

    /// Reads its output up to the line that has this in it.
    pub(crate) async fn line(&mut self, part: &str) -> String {
        find(&mut self.stdout, part).await
    }

    /// The same for what it says about the session.
    pub(crate) async fn status(&mut self, part: &str) -> String {
        find(&mut self.stderr, part).await
    }

    /// Presses Ctrl-C.
    pub(crate) async fn interrupt(&self) {
        let id = self.child.id().expect("it runs").to_string();
        let status = Command::new("kill").args(["-INT", &id]).status().await.expect("every Unix has it");
        assert!(status.success());
    }

    /// Types a line.
    pub(crate) async fn type_in(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("the input has not ended");
        stdin.write_all(format!("{line}\n").as_bytes()).await.expect("it reads");
    }

    /// Presses Ctrl-D.
    pub(crate) fn end_input(&mut self) {
        self.stdin = None;
    }

    /// Waits for its end, the input left as it is: the exit code and what it still said on its standard error.
    pub(crate) async fn end(mut self) -> (Option<i32>, String) {
        let ending = async {
            let mut said = String::new();
            while let Some(line) = self.stderr.next_line().await.expect("it is text") {
                said.push_str(&line);
                said.push('\n');
            }
            (self.child.wait().await.expect("it was started").code(), said)
        };
        timeout(LONG, ending).await.expect("it does not end")
    }
}

async fn find(lines: &mut Lines<BufReader<impl AsyncRead + Unpin>>, part: &str) -> String {
    let found = async {
        while let Some(line) = lines.next_line().await.expect("it is text") {
            if line.contains(part) {
                return line;
            }
        }
        panic!("it ended and did not say: {part}");
    };
    timeout(LONG, found).await.unwrap_or_else(|_| panic!("it does not say: {part}"))
}
