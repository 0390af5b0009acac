//! What happened, for the application.

use std::{
    fmt,
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use futures_core::Stream;
use steadfast::{Command, Error, Event, Protocol};

use crate::{inbox::Batch, shared::Shared};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Item<I, T> {
    /// The session says something: a message came, the phase changed, a message has an outcome.
    Event(Event<I, T>),
    /// Something failed. What is done about it is said in the error itself.
    Error(Box<Error>),
    /// The application was too slow; so much was dropped here.
    Lagged(Lagged),
}

/// What was dropped because nobody took it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Lagged {
    /// Messages.
    pub messages: u64,
    /// Other events: zero, unless more of them waited than [`EVENTS_MAX`](crate::EVENTS_MAX) and
    /// [`EVENTS_BYTES_MAX`](crate::EVENTS_BYTES_MAX) allow.
    pub events: u64,
}

impl<I, T> Item<I, T> {
    /// The message, if it is one.
    #[must_use]
    pub fn into_message(self) -> Option<I> {
        match self {
            Self::Event(Event::Message { message, .. }) => Some(message),
            Self::Event(_) | Self::Error(_) | Self::Lagged(_) => None,
        }
    }
}

/// All that happens to a session, in order. Also a [`Stream`]. (Messages of topics with a
/// [subscriber](crate::Client::subscribe), and answers to [requests](crate::Client::request), go to those who asked for
/// them.)
///
/// ```
/// # use steadfast::{Event, Frame, Never, Outcome, Plain};
/// # use steadfast_driver::{Events, Item};
/// # #[expect(dead_code)]
/// async fn listen(mut events: Events<Plain>) {
///     while let Some(item) = events.next().await {
///         match item {
///             Item::Event(Event::Message { message, .. }) => println!("{message:?}"),
///             Item::Event(Event::Phase(change)) => println!("{}, then at {:?}", change.to, change.retry_at),
///             Item::Event(Event::Outcome { id, outcome, .. }) => println!("message {id}: {outcome:?}"),
///             Item::Event(_) => {}
///             Item::Error(error) => println!("attempt {}: {error}; {:?}", error.attempt, error.recovery),
///             Item::Lagged(lagged) => println!("{} messages were dropped unread", lagged.messages),
///             _ => {}
///         }
///     }
/// }
/// ```
///
/// Dropping it drops what it would have said; the session goes on. It is no handle: when the last
/// [`Client`](crate::Client) is dropped the session ends, and then so do the events.
pub struct Events<P: Protocol> {
    shared: Arc<Shared<P>>,
    /// Taken in one go, so that the lock is not asked for each item.
    batch: Batch<P::Incoming, P::Topic>,
}

impl<P: Protocol> Events<P> {
    pub(crate) fn new(shared: Arc<Shared<P>>) -> Self {
        Self { shared, batch: Batch::new() }
    }

    /// The next thing that happened; `None` when the session has ended for good and all is told.
    ///
    /// A message that the peer wants acknowledged is acknowledged when this hands it out.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost if the future is dropped before it is ready.
    #[expect(clippy::should_implement_trait, reason = "one waits for it; the name is that of the stream's")]
    pub fn next(&mut self) -> impl Future<Output = Option<Item<P::Incoming, P::Topic>>> {
        poll_fn(|cx| self.poll_next(cx))
    }

    /// [`next`](Self::next), for those who poll.
    #[inline]
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Item<P::Incoming, P::Topic>>> {
        if self.batch.is_empty() && !ready!(self.shared.inbox.poll_take(Some(cx), &mut self.batch)) {
            return Poll::Ready(None);
        }
        // Said here once more: what two ways bring is moved once more where they meet.
        if let Some(event) = self.batch.next_message() {
            self.acknowledge(event);
            return Poll::Ready(self.batch.pop_message());
        }
        Poll::Ready(self.pop_item())
    }

    /// The next of what was taken out of the inbox before.
    pub(crate) fn pop_taken(&mut self) -> Option<Item<P::Incoming, P::Topic>> {
        self.pop()
    }

    /// What is there already, without waiting and without leaving a waker.
    pub(crate) fn take_now(&mut self) -> Poll<Option<Item<P::Incoming, P::Topic>>> {
        if self.batch.is_empty() && !ready!(self.shared.inbox.poll_take(None, &mut self.batch)) {
            return Poll::Ready(None);
        }
        Poll::Ready(self.pop())
    }

    /// What is asked of a message is asked before it is moved, so that it is moved in one piece.
    #[inline]
    fn pop(&mut self) -> Option<Item<P::Incoming, P::Topic>> {
        let Some(event) = self.batch.next_message() else { return self.pop_item() };
        self.acknowledge(event);
        self.batch.pop_message()
    }

    #[inline(never)]
    fn pop_item(&mut self) -> Option<Item<P::Incoming, P::Topic>> {
        let item = self.batch.pop_item()?;
        if let Item::Event(event) = &item {
            self.acknowledge(event);
        }
        Some(item)
    }

    /// Tells the peer that the application has this, if it wants to know.
    #[inline]
    fn acknowledge(&self, event: &Event<P::Incoming, P::Topic>) {
        if let Event::Message { mark, .. } = event {
            if let Some(id) = mark.wants_ack() {
                let command = Command::Taken { id: id.clone() };
                if let Some(mut turn) = self.shared.enter() {
                    turn.command(command);
                }
            }
        }
    }
}

impl<P: Protocol> Stream for Events<P> {
    type Item = Item<P::Incoming, P::Topic>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Self::poll_next(self.get_mut(), cx)
    }
}

// Nothing in it is ever pinned.
impl<P: Protocol> Unpin for Events<P> {}

impl<P: Protocol> Drop for Events<P> {
    fn drop(&mut self) {
        self.shared.inbox.desert();
    }
}

impl<P: Protocol> fmt::Debug for Events<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("taken", &self.batch.len()).finish_non_exhaustive()
    }
}
