//! A server in Python, in a process of its own.

use std::{
    ffi::OsStr,
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
};

/// It says in its first line on which port it listens. Where this is dropped it is killed, and gets no time to say goodbye.
pub(crate) struct Python {
    child: Child,
    pub(crate) port: u16,
}

impl Python {
    /// `None` where there is no Python for it, or one without its modules.
    pub(crate) fn start(words: &[&OsStr]) -> Option<Self> {
        let mut command = Command::new("python3");
        // Some go on for as long as their input does.
        command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().ok()?;
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().expect("it is piped")).read_line(&mut line).expect("it is text");
        let server = Self { child, port: line.trim().parse().unwrap_or(0) };
        if server.port > 0 { Some(server) } else { server.without() }
    }

    /// It did not start, for want of a module.
    fn without(mut self) -> Option<Self> {
        let mut said = String::new();
        self.child.stderr.take().expect("it is piped").read_to_string(&mut said).expect("it is text");
        assert!(said.contains("No module named"), "{said}");
        None
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        self.child.kill().expect("it is ours");
        self.child.wait().expect("it was started");
    }
}
