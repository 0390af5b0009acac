//! Who keeps a session going? A thread.

use std::{
    future::Future,
    io,
    thread::{Builder, JoinHandle},
};

use futures_util::{StreamExt, stream::FuturesUnordered};

use crate::Wait;

/// Keeps one session going on this thread, until it has stopped for good. Gives what the driver ends with.
pub fn run<D: Future>(driver: D) -> D::Output {
    driver.wait()
}

/// Keeps one session going on a thread of its own, which ends with it.
///
/// # Errors
///
/// The system has no thread for it.
pub fn spawn<D>(driver: D) -> io::Result<JoinHandle<D::Output>>
where
    D: Future<Output: Send> + Send + 'static,
{
    Builder::new().name("steadfast".to_owned()).spawn(|| run(driver))
}

/// Keeps many sessions going on this thread, until the last of them has stopped. Only those for which there is something
/// to do are polled. Gives what they ended with, in the order in which they did.
pub fn run_all<D: Future>(drivers: impl IntoIterator<Item = D>) -> Vec<D::Output> {
    run(drivers.into_iter().collect::<FuturesUnordered<_>>().collect())
}
