//! How does a thread wait for what is a future or a stream?

use std::{
    fmt,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use futures_core::Stream;

use crate::reactor::Waiting;

/// It was not there in time. Nothing is lost: the same may be waited for again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Late;

impl fmt::Display for Late {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it was not there in time")
    }
}

impl std::error::Error for Late {}

/// Waits for a future: a [`Ticket`](crate::Ticket), a [`Request`](crate::Request), a
/// [`close`](crate::Client::close). Not to be used inside of an async runtime, whose thread it would hold.
pub trait Wait: Future + Sized {
    /// Blocks until it is ready.
    fn wait(self) -> Self::Output {
        block_until(pin!(self), None).expect("without a deadline nothing is late")
    }

    /// Blocks until it is ready, for so long at most; then it is dropped, with what that means for it. To go on with it
    /// later, wait for `&mut` of it.
    ///
    /// # Errors
    ///
    /// [`Late`].
    fn wait_timeout(self, within: Duration) -> Result<Self::Output, Late> {
        block_until(pin!(self), Instant::now().checked_add(within))
    }
}

impl<F: Future> Wait for F {}

/// Reads a stream: [`Events`](crate::Events), a [`Subscription`](crate::Subscription). Not to be used inside of an async
/// runtime, whose thread it would hold.
pub trait Recv: Stream + Unpin {
    /// Blocks for the next item; `None` when there is nothing more to come.
    fn recv(&mut self) -> Option<Self::Item> {
        next(self).wait()
    }

    /// Blocks for the next item, for so long at most; `Ok(None)` when there is nothing more to come.
    ///
    /// # Errors
    ///
    /// [`Late`].
    fn recv_timeout(&mut self, within: Duration) -> Result<Option<Self::Item>, Late> {
        next(self).wait_timeout(within)
    }
}

impl<S: Stream + Unpin + ?Sized> Recv for S {}

fn next<S: Stream + Unpin + ?Sized>(stream: &mut S) -> impl Future<Output = Option<S::Item>> {
    poll_fn(move |cx| Pin::new(&mut *stream).poll_next(cx))
}

/// Blocks until it is ready, or the deadline has come. What happened until then counts still.
fn block_until<F: Future>(mut future: Pin<&mut F>, deadline: Option<Instant>) -> Result<F::Output, Late> {
    let waiting = Waiting::begin();
    let waker = waiting.waker();
    let mut cx = Context::from_waker(&waker);
    let mut is_in_time = true;
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return Ok(output);
        }
        if !is_in_time {
            return Err(Late);
        }
        is_in_time = waiting.sleep(deadline);
    }
}
