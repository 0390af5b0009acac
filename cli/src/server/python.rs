//! The server in a child process: a script for Python's `websockets`.

use std::{
    io::{self, BufRead, BufReader},
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use crate::Failure;

const SCRIPT: &str = include_str!("server.py");
/// What the script exits with when it cannot import `websockets`.
const NO_WEBSOCKETS: i32 = 3;
/// A child that was told to end is looked after so often (there is no wait with a deadline in `std`) ...
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// ... and so many times.
const LOOKS: u32 = 200;

/// The server. Dropping it ends the child: the script ends with its standard input, so it does not outlive
/// a parent that was killed either; if it does not, it is ended by its handle.
#[derive(Debug)]
pub(super) struct Python {
    address: SocketAddr,
    child: Child,
}

impl Python {
    /// Starts it and waits until it listens.
    pub(super) fn start(log: &Path, acks: bool) -> Result<Self, Failure> {
        let mut child = Command::new("python3")
            .args(["-c", SCRIPT])
            .arg(log)
            .arg(if acks { "yes" } else { "no" })
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| no_python(&error))?;
        match port(&mut child) {
            Some(port) => Ok(Self { address: (Ipv4Addr::LOCALHOST, port).into(), child }),
            None => Err(why_not(&mut child)),
        }
    }

    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// The first line that the script prints. Its end of file ends the wait, too.
fn port(child: &mut Child) -> Option<u16> {
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut()?).read_line(&mut line).ok()?;
    line.trim().parse().ok()
}

/// Lets it finish what it has received, and ends it if it does not.
fn end(child: &mut Child) {
    drop(child.stdin.take());
    for _ in 0..LOOKS {
        if matches!(child.try_wait(), Ok(Some(_))) {
            return;
        }
        thread::sleep(LOOK_EVERY);
    }
    // Both fail only if the child has ended and been waited for.
    let _ = child.kill();
    let _ = child.wait();
}

fn no_python(error: &io::Error) -> Failure {
    let is_missing = error.kind() == io::ErrorKind::NotFound;
    let problem = if is_missing { "python3 was not found".into() } else { format!("cannot start python3: {error}") };
    Failure::new(format!("{problem}; install Python 3 or use --server embedded"))
}

fn why_not(child: &mut Child) -> Failure {
    drop(child.stdin.take());
    match child.wait().map(|status| status.code()) {
        Ok(Some(NO_WEBSOCKETS)) => Failure::new(
            "python3 has no package websockets (13 or later); run 'pip install websockets' or use --server embedded",
        ),
        Ok(_) | Err(_) => Failure::new("the python server did not start, see above; or use --server embedded"),
    }
}
