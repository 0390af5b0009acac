//! A session in one piece, for those who poll by hand.

use std::{
    fmt,
    future::{Future, poll_fn},
    pin::Pin,
    task::{Context, Poll},
};

use futures_core::Stream;
#[cfg(doc)]
use steadfast::Event;
use steadfast::{Command, OpId, Protocol, Refused, RequestOptions, SubscribeOptions, Why};

use crate::{Built, Client, Dialer, Drain, Driver, Events, Item, Runtime, subscription::denied};

/// A session with a single owner: nothing is spawned, and whoever asks for the next item does the work.
/// Nothing happens while nobody asks: no ping is answered and no timer fires.
///
/// It is the same session under the same lock as that of a [`Client`]; with a single owner nobody else asks
/// for the lock, and then it costs some ten nanoseconds a call.
///
/// Everything comes by the one stream: messages of topics with the topic's name, news of topics, answers to requests. (A
/// [`Subscription`](crate::Subscription) or a [`Request`](crate::Request) made with the [handle](Self::client) goes on
/// only while this is polled.)
pub struct Socket<P: Protocol, R: Runtime, D: Dialer> {
    client: Client<P>,
    events: Events<P>,
    driver: Driver<P, R, D>,
}

impl<P: Protocol, R: Runtime, D: Dialer> Socket<P, R, D> {
    pub(crate) fn new((client, events, driver): Built<P, R, D>) -> Self {
        Self { client, events, driver }
    }

    /// Accepts a message. It leaves when the socket is polled next.
    ///
    /// # Errors
    ///
    /// The message comes back, with the reason why it was not accepted.
    pub fn send(&mut self, message: impl Into<P::Message>) -> Result<OpId, Refused<P::Message>> {
        self.client.send(message)
    }

    /// Wants a topic, until it is [unsubscribed](Self::unsubscribe) as often. What it says comes by this stream, like
    /// everything else.
    ///
    /// # Errors
    ///
    /// Why the topic cannot be had.
    pub fn subscribe(&mut self, topic: impl Into<P::Topic>, options: SubscribeOptions<P::Message>) -> Result<(), Why> {
        let (topic, options) = (topic.into(), Box::new(options));
        denied(self.client.ask(Command::Subscribe { topic, options }))
    }

    /// Wants a topic once less.
    ///
    /// # Errors
    ///
    /// It is not subscribed to.
    pub fn unsubscribe(&mut self, topic: impl Into<P::Topic>) -> Result<(), Why> {
        let topic = topic.into();
        denied(self.client.ask(Command::Unsubscribe { topic }))
    }

    /// Asks the peer something. The answer comes by this stream, like everything else: [`Event::Reply`] with this id.
    ///
    /// # Errors
    ///
    /// The message comes back, with the reason why it was not accepted.
    pub fn request(
        &mut self,
        message: impl Into<P::Message>,
        options: RequestOptions,
    ) -> Result<OpId, Refused<P::Message>> {
        self.client.ask_untold(message.into(), options)
    }

    /// A handle, for all the rest: tickets, health, `connect_now`.
    #[must_use]
    pub fn client(&self) -> &Client<P> {
        &self.client
    }

    /// The next thing that happened; `None` when the session has ended for good and all is told.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost if the future is dropped before it is ready.
    pub async fn next(&mut self) -> Option<Item<P::Incoming, P::Topic>> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// [`next`](Self::next), for those who poll.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Item<P::Incoming, P::Topic>>> {
        if let Some(item) = self.events.pop_taken() {
            return Poll::Ready(Some(item));
        }
        // The driver leaves the waker where it is needed, and all items come from it.
        let _ = Pin::new(&mut self.driver).poll(cx);
        self.events.take_now()
    }

    /// Ends the session: what was accepted leaves, and the link is closed. What else happens meanwhile is
    /// dropped.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before it is ready, the session ends at once.
    pub async fn close(self, drain: Drain) {
        let Self { client, events, driver } = self;
        drop(events);
        client.leave(drain);
        driver.await;
    }
}

impl<P: Protocol, R: Runtime, D: Dialer> Stream for Socket<P, R, D> {
    type Item = Item<P::Incoming, P::Topic>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Self::poll_next(self.get_mut(), cx)
    }
}

impl<P: Protocol, R: Runtime, D: Dialer> fmt::Debug for Socket<P, R, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket").field("driver", &self.driver).finish_non_exhaustive()
    }
}
