//! Waiting for something, and not for ever.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
    time::Duration,
};

use super::Fake;

impl Fake {
    /// Waits for it as if it were dropped after so many polls; `None` if it was.
    pub async fn polls<F: Future>(&self, most: u64, future: F) -> Option<F::Output> {
        let mut future = pin!(future);
        let mut left = most;
        poll_fn(|cx| {
            if left == 0 {
                return Poll::Ready(None);
            }
            if let Poll::Ready(output) = future.as_mut().poll(cx) {
                return Poll::Ready(Some(output));
            }
            left -= u64::from(!self.lock().is_probing);
            if left == 0 { Poll::Ready(None) } else { Poll::Pending }
        })
        .await
    }

    /// Waits for it for so long at most, then drops it.
    pub async fn within<F: Future>(&self, time: Duration, future: F) -> Option<F::Output> {
        let (mut future, mut late) = (pin!(future), pin!(self.pause(time)));
        poll_fn(|cx| match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => late.as_mut().poll(cx).map(|()| None),
        })
        .await
    }

    /// Waits for it to its end, most of the time; sometimes it is dropped at one of its first awaits.
    pub async fn wait<F: Future>(&self, future: F) -> Option<F::Output> {
        let most = if self.once_in(4) { self.up_to(3) } else { u64::MAX };
        self.polls(most, future).await
    }
}
