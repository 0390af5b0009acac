//! What tokio has: names, TCP and timers.

use std::{
    fmt,
    future::Future,
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use steadfast::{Attempt, Cause};
use steadfast_driver::Address;
use tokio::{
    net::{TcpStream, lookup_host},
    time::{Instant, Sleep, sleep_until},
};

use crate::TokioIo;

/// tokio's names, TCP and timers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Net;

impl steadfast_driver::Net for Net {
    type Stream = TokioIo<TcpStream>;
    type Countdown = Countdown;

    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(lookup_host((host, port)).await?.collect())
    }

    async fn connect(&self, address: SocketAddr) -> io::Result<Self::Stream> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(TokioIo(stream))
    }
}

/// A timer of tokio's. Made when it is first set, because that must happen inside the runtime.
#[derive(Default)]
pub struct Countdown(Option<Pin<Box<Sleep>>>);

impl steadfast_driver::Countdown for Countdown {
    fn set(&mut self, after: Duration) {
        let until = Instant::now() + after;
        match &mut self.0 {
            Some(sleep) => sleep.as_mut().reset(until),
            None => self.0 = Some(Box::pin(sleep_until(until))),
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().map_or(Poll::Pending, |sleep| sleep.as_mut().poll(cx))
    }
}

impl fmt::Debug for Countdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Countdown").field(&self.0.is_some()).finish()
    }
}

/// Resolves the name and opens a TCP connection: [`steadfast_driver::open_tcp`] on tokio.
///
/// # Errors
///
/// The same.
///
/// # Cancel safety
///
/// The same.
pub async fn open_tcp(address: &Address, attempt: &Attempt) -> Result<TcpStream, Cause> {
    steadfast_driver::open_tcp(&Net, address, attempt).await.map(|(stream, _)| stream.0)
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, task::Waker};

    use steadfast::Timestamp;
    use steadfast_driver::{Clock, Runtime, Sleep};

    use super::*;
    use crate::{Timer, Tokio};

    fn poll_now(timer: &mut Timer) -> Poll<()> {
        timer.poll_due(&mut Context::from_waker(Waker::noop()))
    }

    fn later(clock: Tokio, millis: u64) -> Timestamp {
        clock.now().after(Duration::from_millis(millis)).expect("a time to come")
    }

    #[tokio::test]
    async fn it_fires_at_its_time_and_not_before() {
        let clock = Tokio::new();
        let mut timer = clock.sleep();
        let at = later(clock, 5);
        timer.arm(at);
        poll_fn(|cx| timer.poll_due(cx)).await;
        assert!(clock.now() >= at);
    }

    #[tokio::test]
    async fn it_can_be_moved_in_both_directions() {
        let clock = Tokio::new();
        let mut timer = clock.sleep();
        timer.arm(later(clock, 3_600_000));
        assert!(poll_now(&mut timer).is_pending());
        timer.arm(clock.now());
        poll_fn(|cx| timer.poll_due(cx)).await;
        timer.arm(later(clock, 3_600_000));
        assert!(poll_now(&mut timer).is_pending());
    }

    #[tokio::test]
    async fn what_is_not_armed_or_too_far_never_fires() {
        let mut timer = Tokio::new().sleep();
        assert!(poll_now(&mut timer).is_pending());
        timer.arm(Timestamp::MAX);
        assert!(poll_now(&mut timer).is_pending());
    }

    #[test]
    fn it_can_be_made_outside_a_runtime() {
        let mut timer = Tokio::new().sleep();
        assert!(poll_now(&mut timer).is_pending());
    }
}
