//! How does a thread wait for what is a future or a stream?

use std::{
    fmt,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::{Arc, Condvar, Mutex, PoisonError},
    task::{Context, Poll, Wake, Waker},
    time::{Duration, Instant},
};

use futures_core::Stream;

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

/// Wakes the thread that waits.
#[derive(Default)]
struct Signal {
    is_woken: Mutex<bool>,
    woken: Condvar,
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        *self.is_woken.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.woken.notify_one();
    }
}

impl Signal {
    /// Blocks until it is woken, or the deadline has come.
    fn wait(&self, deadline: Option<Instant>) -> Result<(), Late> {
        let mut is_woken = self.is_woken.lock().unwrap_or_else(PoisonError::into_inner);
        while !*is_woken {
            is_woken = match deadline {
                None => self.woken.wait(is_woken).unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let left = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero());
                    let left = left.ok_or(Late)?;
                    self.woken.wait_timeout(is_woken, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        *is_woken = false;
        Ok(())
    }
}

fn block_until<F: Future>(mut future: Pin<&mut F>, deadline: Option<Instant>) -> Result<F::Output, Late> {
    let signal = Arc::new(Signal::default());
    let waker = Waker::from(Arc::clone(&signal));
    let mut cx = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return Ok(output);
        }
        signal.wait(deadline)?;
    }
}
