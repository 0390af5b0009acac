//! What a topic says, for those who subscribe to it.

use std::{
    collections::VecDeque,
    error, fmt,
    future::{Future, poll_fn},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use futures_core::Stream;
use steadfast::{
    Answer, Command, LinkId, Mark, Protocol, SubscribeOptions, Subscription as Known, Timestamp, TopicNews, TopicState,
    Why,
};

use crate::{
    Client, Lagged, Latest, Mailbox,
    desk::{Key, Letter},
    mailbox::Slow,
    shared::Shared,
};

/// One thing that a topic says, or that is said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Update<I> {
    /// A message of the topic.
    Message {
        /// The message.
        message: I,
        /// Its id, position, call: where it has any.
        mark: Mark,
        /// The link it came on.
        link: LinkId,
    },
    /// The state of the topic, as it was asked for with
    /// [`SubscribeOptions::snapshot`](steadfast::SubscribeOptions::snapshot).
    Snapshot(I),
    /// News about the topic. Those of a [`Gap`](TopicNews::Gap) come before the first message behind it.
    News(TopicNews),
    /// This subscriber was too slow; so much was dropped here.
    Lagged(Lagged),
}

/// One topic, for as long as this is kept: a [`Stream`] of what it says, and of what becomes of it. Made by
/// [`Client::subscribe`].
///
/// Several of one topic share one subscription at the peer, and each gets everything. Dropping one ends it; dropping the
/// last one unsubscribes. What a topic says goes to its subscribers and not to [`Events`](crate::Events); the news of it
/// go to both.
///
/// Each has a mailbox of its own, so one that lags delays nobody. One that [pauses](Mailbox::pause) loses nothing, and
/// when it is full nothing more is read from the link: neither for other subscribers nor for `Events`.
///
/// It is no handle: when the last [`Client`] is dropped the session ends, and so does this. A session that is
/// [stopped](Client::stop) and connects again keeps it.
pub struct Subscription<P: Protocol> {
    shared: Arc<Shared<P>>,
    key: Key,
    topic: P::Topic,
    /// Taken in one go, so that the lock is not asked for each.
    batch: VecDeque<Letter<P::Incoming>>,
}

/// Why a topic was not subscribed to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubscribeError {
    /// The session denies it.
    Denied(Why),
    /// A mailbox for no messages or no bytes.
    NoMailbox,
    /// What was dropped unread cannot be acknowledged: see [`Mailbox`].
    LagWithAcks,
}

/// One topic as [`Client::subscriptions`] shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Subscribed<T> {
    /// Which.
    pub topic: T,
    /// Where it stands.
    pub state: TopicState,
    /// By how many it is wanted.
    pub count: u32,
    /// The last position that the session has passed on.
    pub last: Option<u64>,
    /// When a message of it last came.
    pub last_at: Option<Timestamp>,
    /// When it is asked for again, if it waits for that.
    pub retry_at: Option<Timestamp>,
}

impl<P: Protocol> Client<P> {
    /// Subscribes to a topic, now and on each link to come. Its mailbox is like that of the events
    /// ([`Builder::mailbox`](crate::Builder::mailbox)).
    ///
    /// It makes no difference whether there is a link: what becomes of the topic is told by [`Update::News`]. Where it is
    /// confirmed already, because somebody else has subscribed to it, the first news say so at once, to this one alone.
    ///
    #[cfg_attr(feature = "json", doc = "```")]
    #[cfg_attr(not(feature = "json"), doc = "```ignore")]
    /// # use steadfast::{TopicNews, protocol::json::Json};
    /// # use steadfast_driver::{Client, SubscribeError, Update};
    /// # #[expect(dead_code)]
    /// async fn listen(client: &Client<Json>) -> Result<(), SubscribeError> {
    ///     let mut kitchen = client.subscribe("kitchen")?;
    ///     while let Some(update) = kitchen.next().await {
    ///         match update {
    ///             Update::Message { message, .. } => println!("{}", message.data()),
    ///             Update::News(TopicNews::Gap { last }) => println!("something behind {last:?} may be missing"),
    ///             Update::News(news) => println!("{news:?}"),
    ///             Update::Lagged(lagged) => println!("{} were dropped unread", lagged.messages),
    ///             _ => {}
    ///         }
    ///     }
    ///     println!("there is nothing more to come");
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// Why the topic cannot be had.
    pub fn subscribe(&self, topic: impl Into<P::Topic>) -> Result<Subscription<P>, SubscribeError>
    where
        P::Incoming: Clone,
    {
        self.subscribe_with(topic, SubscribeOptions::default(), self.shared().mailbox)
    }

    /// [`subscribe`](Self::subscribe) with options and a mailbox of its own.
    ///
    /// # Errors
    ///
    /// Why the topic cannot be had, or what is wrong with the mailbox.
    pub fn subscribe_with(
        &self,
        topic: impl Into<P::Topic>,
        options: SubscribeOptions<P::Message>,
        mailbox: Mailbox,
    ) -> Result<Subscription<P>, SubscribeError>
    where
        P::Incoming: Clone,
    {
        // Before the lock: this may be the user's code.
        let topic = topic.into();
        if mailbox.messages == 0 || mailbox.bytes == 0 {
            return Err(SubscribeError::NoMailbox);
        }
        if mailbox.slow == Slow::Lag && self.shared().has_acks {
            return Err(SubscribeError::LagWithAcks);
        }
        Subscription::open(self.shared(), topic, options, mailbox, false)
    }

    /// Subscribes to a topic of which only the newest message matters: see [`Latest`].
    ///
    /// # Errors
    ///
    /// Why the topic cannot be had.
    pub fn watch(&self, topic: impl Into<P::Topic>) -> Result<Latest<P>, SubscribeError>
    where
        P::Incoming: Clone,
    {
        self.watch_with(topic, SubscribeOptions::default())
    }

    /// [`watch`](Self::watch) with options.
    ///
    /// # Errors
    ///
    /// The same.
    pub fn watch_with(
        &self,
        topic: impl Into<P::Topic>,
        options: SubscribeOptions<P::Message>,
    ) -> Result<Latest<P>, SubscribeError>
    where
        P::Incoming: Clone,
    {
        let topic = topic.into();
        Subscription::open(self.shared(), topic, options, Mailbox::lag(1, u64::MAX), true).map(Latest::new)
    }

    /// All topics and where they stand: those that are wanted, and those on their way out.
    #[must_use]
    pub fn subscriptions(&self) -> Vec<Subscribed<P::Topic>> {
        self.shared().look().session.subscriptions().map(Subscribed::new).collect()
    }

    /// Asks for the snapshot of a topic again. All its subscribers get it.
    ///
    /// # Errors
    ///
    /// Nobody subscribes to the topic, or it has no snapshot.
    pub fn resync(&self, topic: impl Into<P::Topic>) -> Result<(), Why> {
        let topic = topic.into();
        denied(self.ask(Command::Resync { topic }))
    }
}

/// Nothing but the end of the driver or a denial says no.
pub(crate) fn denied<M>(answer: Option<Answer<M>>) -> Result<(), Why> {
    answer.map_or(Err(Why::Stopped), Answer::into_topic)
}

impl<P: Protocol> Subscription<P> {
    fn open(
        shared: &Arc<Shared<P>>,
        topic: P::Topic,
        options: SubscribeOptions<P::Message>,
        mailbox: Mailbox,
        is_latest: bool,
    ) -> Result<Self, SubscribeError>
    where
        P::Incoming: Clone,
    {
        let command = Command::Subscribe { topic: topic.clone(), options: Box::new(options) };
        let mut turn = shared.enter().ok_or(SubscribeError::Denied(Why::Stopped))?;
        // What the session says from here on is for this one too; what it said before is about those before, and of
        // that only what still holds is news.
        let from = turn.core().actions.len();
        let known = turn.core().session.subscription(&topic).map(|known| known.state);
        let first = (known == Some(TopicState::Confirmed)).then_some(TopicNews::Confirmed);
        denied(Some(turn.command(command))).map_err(SubscribeError::Denied)?;
        let key = shared.desk.open(topic.clone(), mailbox, is_latest, P::Incoming::clone, first);
        turn.core().on_subscriber(from, key);
        drop(turn);
        Ok(Self { shared: Arc::clone(shared), key, topic, batch: VecDeque::new() })
    }

    /// The topic.
    #[must_use]
    pub fn topic(&self) -> &P::Topic {
        &self.topic
    }

    /// The next thing that the topic says, or that is said of it. `None` when nothing more comes: the topic has ended, or
    /// was refused, and is not asked for again ([`Update::News`] has said so); or the session has ended for good.
    ///
    /// A message that the peer wants acknowledged is acknowledged when the first of its subscribers is handed it.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost if the future is dropped before it is ready.
    #[expect(clippy::should_implement_trait, reason = "one waits for it; the name is that of the stream's")]
    pub fn next(&mut self) -> impl Future<Output = Option<Update<P::Incoming>>> {
        poll_fn(|cx| self.poll_next(cx))
    }

    /// [`next`](Self::next), for those who poll.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Update<P::Incoming>>> {
        self.poll_take(Some(cx))
    }

    /// What is there already, if no context is given.
    pub(crate) fn poll_take(&mut self, cx: Option<&Context<'_>>) -> Poll<Option<Update<P::Incoming>>> {
        if self.batch.is_empty() && !ready!(self.shared.desk.poll_take(self.key, cx, &mut self.batch)) {
            return Poll::Ready(None);
        }
        let Some(letter) = self.batch.pop_front() else { return Poll::Ready(None) };
        if let Some(id) = letter.take_receipt() {
            let id = id.clone();
            if let Some(mut turn) = self.shared.enter() {
                turn.command(Command::Taken { id });
            }
        }
        Poll::Ready(Some(letter.update))
    }
}

impl<P: Protocol> Stream for Subscription<P> {
    type Item = Update<P::Incoming>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Self::poll_next(self.get_mut(), cx)
    }
}

// Nothing in it is ever pinned.
impl<P: Protocol> Unpin for Subscription<P> {}

impl<P: Protocol> Drop for Subscription<P> {
    fn drop(&mut self) {
        let topic = self.topic.clone();
        // After the end of the driver there is nobody to be told.
        let mut turn = self.shared.enter();
        let left = self.shared.desk.close(self.key);
        let is_counted = left.as_ref().is_some_and(|left| left.is_counted);
        if let Some(turn) = turn.as_mut() {
            turn.core().subscribers -= 1;
            if is_counted {
                turn.command(Command::Unsubscribe { topic });
            }
        }
        drop(turn);
        if let Some(driver) = left.and_then(|mut left| left.driver.take()) {
            driver.wake();
        }
    }
}

impl<P: Protocol> fmt::Debug for Subscription<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").field("taken", &self.batch.len()).finish_non_exhaustive()
    }
}

impl<T: Clone> Subscribed<T> {
    fn new(known: Known<'_, T>) -> Self {
        let Known { state, count, last, last_at, retry_at, .. } = known;
        Self { topic: known.topic.clone(), state, count, last, last_at, retry_at }
    }
}

impl fmt::Display for SubscribeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied(why) => fmt::Display::fmt(why, f),
            Self::NoMailbox => f.write_str("a mailbox needs room for one message and one byte at least"),
            Self::LagWithAcks => f.write_str(
                "a mailbox that drops messages does not go with a protocol that acknowledges them; use Mailbox::pause",
            ),
        }
    }
}

impl error::Error for SubscribeError {}
