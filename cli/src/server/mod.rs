//! What did the peer really get? Servers that use no code of `steadfast`, are reached by their socket
//! alone, and write what they got to a file.
//!
//! Both read one connection to its end before they turn to the next. Two TCP connections have no common
//! order, so only a server that does this can say in which order a client's messages came.

mod embedded;
mod identity;
mod log;
mod python;

use std::{
    error::Error,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use clap::ValueEnum;

pub use identity::Identity;
pub use log::{Arrival, read};

use crate::Failure;

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// In this process, on a thread of its own (tokio-tungstenite)
    Embedded,
    /// A script in a child process (Python 3 with the package websockets)
    Python,
}

/// A running server. Dropping it ends it, in order.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    log: PathBuf,
    #[expect(dead_code, reason = "held for what dropping it does")]
    running: Running,
}

/// What ends with the server.
#[derive(Debug)]
#[expect(dead_code, reason = "held for what dropping it does")]
enum Running {
    Thread(embedded::Embedded),
    Child(python::Python),
}

impl Server {
    /// Starts a server on a free port of this machine. It makes the file `log` and, if `acks`,
    /// confirms each message after it has written it down. With an identity it speaks TLS.
    ///
    /// # Errors
    ///
    /// What is missing to start it, and what to do.
    pub fn start(kind: Kind, log: &Path, acks: bool, identity: Option<&Identity>) -> Result<Self, Failure> {
        let (address, running) = match kind {
            Kind::Embedded => {
                let server = embedded::Embedded::start(log, acks, identity).map_err(|error| cannot_start(&*error))?;
                (server.address(), Running::Thread(server))
            }
            Kind::Python => {
                let server = python::Python::start(log, acks, identity)?;
                (server.address(), Running::Child(server))
            }
        };
        Ok(Self { address, log: log.to_path_buf(), running })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The file it writes to.
    #[must_use]
    pub fn log(&self) -> &Path {
        &self.log
    }
}

fn cannot_start(error: &dyn Error) -> Failure {
    Failure::new(format!("cannot start the server: {error}; is the temporary directory writable?"))
}
