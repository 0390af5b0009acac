//! The other side in a process of its own: what others wrote, in other languages.

use std::{
    env,
    io::{self, BufRead, BufReader, Read},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
};

use crate::{runner::skip, server::own_address};

/// How those begin who say that what they need is not installed.
const MISSING: [&str; 4] = ["No module named", "Cannot find module", "cannot import name", "command not found"];

/// A file of the project's.
pub(crate) fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// A server that says in its first line on which port it listens. When this is dropped it is killed, and gets no time to
/// say goodbye; it also ends when its input does, so none outlives us.
pub(crate) struct Process {
    child: Child,
    address: SocketAddr,
}

impl Process {
    /// Runs this file on an address of its own. Where the program or what it needs is missing, the scenario is skipped.
    pub(crate) fn start(program: &str, path: &str) -> Self {
        Self::start_at(program, path, SocketAddr::new(own_address(), 0))
    }

    /// The same, on this address.
    pub(crate) fn start_at(program: &str, path: &str, address: SocketAddr) -> Self {
        let mut command = Command::new(program);
        command.arg(file(path)).arg(address.ip().to_string()).arg(address.port().to_string());
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let Ok(mut child) = child else { skip(format!("no {program}")) };
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let mut stderr = child.stderr.take().unwrap();
        let mut process = Self { child, address };
        let Ok(port) = line.trim().parse() else { missing(program, &mut stderr) };
        process.address.set_port(port);
        thread::spawn(move || io::copy(&mut stderr, &mut io::stderr()));
        process
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("ws://{}/{path}", self.address)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// A program that knows nothing of us, and is ended when this is dropped or when we are gone.
pub(crate) struct Program {
    shell: Child,
    id: u32,
}

/// Runs a program, says who that is, and ends it with the input.
const SHELL: &str = r#""$@" >&2 & echo $!; cat; kill $! 2>/dev/null; wait"#;

impl Program {
    /// Where it is missing, the scenario is skipped.
    pub(crate) fn start(program: &str, words: &[&str]) -> Self {
        if Command::new(program).arg("-v").output().is_err() {
            skip(format!("no {program}"));
        }
        let mut command = Command::new("sh");
        command.args(["-c", SHELL, "sh", program]).args(words).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut shell = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(shell.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        Self { shell, id: line.trim().parse().unwrap() }
    }

    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    /// What tells many programs to read their configuration again.
    pub(crate) fn hang_up(&self) {
        assert!(Command::new("kill").args(["-HUP", &self.id.to_string()]).status().unwrap().success());
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        self.shell.wait().unwrap();
    }
}

/// It did not start, hopefully for want of a module.
fn missing(program: &str, stderr: &mut impl Read) -> ! {
    let mut said = String::new();
    stderr.read_to_string(&mut said).unwrap();
    let why = said.lines().find(|line| MISSING.iter().any(|missing| line.contains(missing)));
    skip(format!("{program}: {}", why.unwrap_or_else(|| panic!("{said}"))))
}
