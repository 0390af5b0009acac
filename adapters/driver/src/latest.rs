//! The newest of what a topic says.

use std::{
    fmt,
    future::{Future, poll_fn},
    task::{Context, Poll},
};

use steadfast::Protocol;

use crate::{Subscription, Update};

/// The newest message of a topic, for as long as this is kept. Never a queue: whoever looks seldom sees few of them. Made
/// by [`Client::watch`](crate::Client::watch).
///
/// A snapshot is a message like any other. One that was replaced before anybody looked counts as taken, and is
/// acknowledged where the peer wants that. The news of the topic are told by [`Events`](crate::Events).
///
#[cfg_attr(feature = "json", doc = "```")]
#[cfg_attr(not(feature = "json"), doc = "```ignore")]
/// # use steadfast::protocol::json::Json;
/// # use steadfast_driver::{Client, SubscribeError};
/// # #[expect(dead_code)]
/// async fn show(client: &Client<Json>) -> Result<(), SubscribeError> {
///     let mut price = client.watch("EURUSD")?;
///     while price.changed().await {
///         if let Some(price) = price.latest() {
///             println!("{}", price.data());
///         }
///     }
///     Ok(())
/// }
/// ```
pub struct Latest<P: Protocol> {
    subscription: Subscription<P>,
    message: Option<P::Incoming>,
}

impl<P: Protocol> Latest<P> {
    pub(crate) fn new(subscription: Subscription<P>) -> Self {
        Self { subscription, message: None }
    }

    /// The topic.
    #[must_use]
    pub fn topic(&self) -> &P::Topic {
        self.subscription.topic()
    }

    /// The newest message; `None` if there was none yet.
    pub fn latest(&mut self) -> Option<&P::Incoming> {
        let _ = self.poll_take(None);
        self.message.as_ref()
    }

    /// The newest message itself. Until there is a newer one there is none.
    pub fn take(&mut self) -> Option<P::Incoming> {
        let _ = self.poll_take(None);
        self.message.take()
    }

    /// Ready with `true` when there is a newer message than this has shown before, by itself or by
    /// [`latest`](Self::latest); with `false` when nothing more comes.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost if the future is dropped before it is ready.
    pub fn changed(&mut self) -> impl Future<Output = bool> {
        poll_fn(|cx| self.poll_changed(cx))
    }

    /// [`changed`](Self::changed), for those who poll.
    pub fn poll_changed(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        self.poll_take(Some(cx))
    }

    /// Takes all there is, and keeps the newest.
    fn poll_take(&mut self, cx: Option<&Context<'_>>) -> Poll<bool> {
        let mut is_newer = false;
        loop {
            match self.subscription.poll_take(cx) {
                Poll::Ready(Some(Update::Message { message, .. } | Update::Snapshot(message))) => {
                    self.message = Some(message);
                    is_newer = true;
                }
                Poll::Ready(Some(Update::News(_) | Update::Lagged(_))) => {}
                Poll::Ready(None) => return Poll::Ready(is_newer),
                Poll::Pending if is_newer => return Poll::Ready(true),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

// Nothing in it is ever pinned.
impl<P: Protocol> Unpin for Latest<P> {}

impl<P: Protocol> fmt::Debug for Latest<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Latest").field(&self.subscription).finish()
    }
}
