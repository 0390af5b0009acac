//! The server in a child process: a script for Python's `websockets`.

use std::{
    fs::{self, OpenOptions},
    io::{self, BufRead, BufReader, Write},
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use super::Identity;
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
    pub(super) fn start(log: &Path, acks: bool, identity: Option<&Identity>) -> Result<Self, Failure> {
        let pem = identity.map(|identity| Pem::new(log, identity)).transpose().map_err(|error| no_pem(&error))?;
        let mut child = Command::new("python3")
            .args(["-c", SCRIPT])
            .arg(log)
            .arg(if acks { "yes" } else { "no" })
            .args(pem.as_ref().map(|pem| &pem.0))
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

/// The certificate and its key in a file, because Python takes them from nowhere else. It goes as soon as the server
/// listens.
struct Pem(PathBuf);

impl Pem {
    fn new(log: &Path, identity: &Identity) -> io::Result<Self> {
        let pem = Self(log.with_extension("pem"));
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(&pem.0)?.write_all(identity.pem().as_bytes())?;
        Ok(pem)
    }
}

impl Drop for Pem {
    fn drop(&mut self) {
        // The key is worth nothing once the server has ended.
        let _ = fs::remove_file(&self.0);
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

fn no_pem(error: &io::Error) -> Failure {
    Failure::new(format!("cannot write a certificate: {error}; is the temporary directory writable?"))
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
