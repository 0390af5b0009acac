//! Something that was asked of the peer.

use std::{
    error, fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use steadfast::{
    CallReply, Command, Dropped, LinkId, OpId, Outcome, Protocol, Refused, Rejected, Reply, RequestOptions, Why,
};

use crate::{
    Client, log,
    shared::{Shared, gone},
    slots::State as Slot,
};

/// The answer to a request, to be awaited. Made by [`Client::request`].
///
/// Every request ends: with its answer, with a no, when its time is over, or with the session.
///
/// # Cancel safety
///
/// Dropping it before it is ready cancels the request: if it has not left it never does, and if it has, the peer is told
/// so where the protocol has a word for that. Once the answer was handed out, dropping it does nothing.
#[must_use = "dropping it cancels the request; to ask for nothing, use `send`"]
pub struct Request<P: Protocol> {
    shared: Arc<Shared<P>>,
    state: State<P::Message>,
}

enum State<M> {
    /// It was not accepted.
    Refused(Refused<M>),
    Asked(OpId),
    Over,
}

/// Why there is no answer to a request.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestError<M> {
    /// It was not accepted. Here it is, and why.
    Refused(Refused<M>),
    /// The peer says no.
    Failed(Box<Rejected>),
    /// Its time was over before it left. The peer has not seen it.
    Expired,
    /// It was cancelled by its id before it left. The peer has not seen it.
    Cancelled,
    /// It was dropped before it left. The peer has not seen it.
    Dropped(Dropped),
    /// It may have left, and there was no answer: its time, its link or the driver ended. The peer may have done what it
    /// asks for.
    InDoubt,
}

impl<P: Protocol> Client<P> {
    /// Asks the peer something, at once and in the order of everything that is sent. The answer is `None` if the peer
    /// answers without saying anything.
    ///
    #[cfg_attr(feature = "json", doc = "```")]
    #[cfg_attr(not(feature = "json"), doc = "```ignore")]
    /// # use steadfast::protocol::json::{Json, Message};
    /// # use steadfast_driver::{Client, RequestError};
    /// # #[expect(dead_code)]
    /// async fn show_menu(client: &Client<Json>) {
    ///     match client.request(Message::bare("menu")).await {
    ///         Ok(Some(menu)) => println!("{}", menu.data()),
    ///         Ok(None) => println!("there is none"),
    ///         Err(RequestError::Failed(why)) => println!("the kitchen says: {why}"),
    ///         Err(error) => println!("{error}"),
    ///     }
    /// }
    /// ```
    ///
    /// # Cancel safety
    ///
    /// Dropping the [`Request`] cancels it.
    pub fn request(&self, message: impl Into<P::Message>) -> Request<P> {
        self.request_with(message, RequestOptions::default())
    }

    /// [`request`](Self::request) with options: another deadline, retries, the name of the answer.
    ///
    /// # Cancel safety
    ///
    /// The same.
    pub fn request_with(&self, message: impl Into<P::Message>, options: RequestOptions) -> Request<P> {
        // Before the lock: this may be the user's code.
        let message = message.into();
        let shared = Arc::clone(self.shared());
        let asked = match self.shared().enter() {
            Some(mut turn) => turn.request(message, options).inspect(|id| turn.core().requests.open(*id)),
            None => Err(gone(message)),
        };
        let state = match asked {
            Ok(id) => {
                log::queued(id);
                State::Asked(id)
            }
            Err(refused) => State::Refused(refused),
        };
        Request { shared, state }
    }

    /// Answers a call of the peer's: a message whose mark names one ([`Marks::call`](steadfast::Marks::call)). The answer
    /// belongs to the link that the call came on, overtakes the queue, and has one outcome like any message: `Dropped` if
    /// that link is gone.
    ///
    #[cfg_attr(feature = "json", doc = "```")]
    #[cfg_attr(not(feature = "json"), doc = "```ignore")]
    /// # use steadfast::{Event, Rejected, protocol::json::{Json, Message}};
    /// # use steadfast_driver::{Client, Events, Item};
    /// # #[expect(dead_code)]
    /// async fn serve(client: Client<Json>, mut events: Events<Json>) {
    ///     while let Some(item) = events.next().await {
    ///         let Item::Event(Event::Message { message, mark, link, .. }) = item else { continue };
    ///         let Some(call) = mark.marks().and_then(|marks| marks.call.as_ref()) else { continue };
    ///         let answer = match message.name() {
    ///             "time" => Ok(Message::bare("noon")),
    ///             _ => Err(Rejected { message: "no such thing".into(), ..Rejected::default() }),
    ///         };
    ///         if client.reply(link, call, answer).is_err() {
    ///             println!("there is no room for an answer, or the session has ended");
    ///         }
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// Why it was not accepted; an answer that is a message comes back too.
    pub fn reply(
        &self,
        link: LinkId,
        call: &Bytes,
        answer: Result<P::Message, Rejected>,
    ) -> Result<OpId, (Why, Option<P::Message>)> {
        let reply = CallReply { link, call: call.clone(), answer: answer.map_err(Box::new) };
        let Some(mut turn) = self.shared().enter() else { return Err((Why::Stopped, reply.answer.ok())) };
        turn.command(Command::Reply(Box::new(reply))).into_replied()
    }
}

impl<P: Protocol> Request<P> {
    /// The id of the request, to [cancel](Client::cancel) it; `None` if it was refused, or is over.
    #[must_use]
    pub fn id(&self) -> Option<OpId> {
        match self.state {
            State::Asked(id) => Some(id),
            State::Refused(_) | State::Over => None,
        }
    }

    fn taken(&self, reply: Reply<P::Incoming>) -> Result<Option<P::Incoming>, RequestError<P::Message>> {
        if let Some(id) = reply.mark.wants_ack() {
            if let Some(mut turn) = self.shared.enter() {
                turn.command(Command::Taken { id: id.clone() });
            }
        }
        reply.result.map_err(RequestError::of)
    }
}

impl<P: Protocol> Future for Request<P> {
    type Output = Result<Option<P::Incoming>, RequestError<P::Message>>;

    /// # Panics
    ///
    /// If it is polled after it was ready.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let id = match std::mem::replace(&mut self.state, State::Over) {
            State::Asked(id) => id,
            State::Refused(refused) => return Poll::Ready(Err(RequestError::Refused(refused))),
            State::Over => panic!("a request was polled after it was ready"),
        };
        self.state = State::Asked(id);
        // Cloned before and dropped after the lock: a waker is somebody else's code.
        let mut waker = Some(cx.waker().clone());
        let reply = ready!(self.shared.look().requests.poll(id, &mut waker));
        self.state = State::Over;
        Poll::Ready(reply.map_or(Err(RequestError::InDoubt), |reply| self.taken(*reply)))
    }
}

// Nothing in it is ever pinned.
impl<P: Protocol> Unpin for Request<P> {}

impl<P: Protocol> Drop for Request<P> {
    fn drop(&mut self) {
        let State::Asked(id) = self.state else { return };
        let forgotten = self.shared.look().requests.forget(id);
        let command = match &forgotten {
            None => return,
            // It was answered, and nobody has looked.
            Some(Slot::Known(reply)) => reply.mark.wants_ack().map(|id| Command::Taken { id: id.clone() }),
            Some(Slot::Open(_) | Slot::Forgotten | Slot::Over) => Some(Command::Cancel(id)),
        };
        // What is left of it is dropped when the lock is released.
        let answer = command.and_then(|command| self.shared.enter().map(|mut turn| turn.command(command)));
        drop((forgotten, answer));
    }
}

impl<P: Protocol> fmt::Debug for Request<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").field("id", &self.id()).finish_non_exhaustive()
    }
}

impl<M> RequestError<M> {
    fn of(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Failed(why) => Self::Failed(why),
            Outcome::Expired => Self::Expired,
            Outcome::Cancelled => Self::Cancelled,
            Outcome::Dropped(why) => Self::Dropped(why),
            // Of a request nothing else is said; and to know nothing is to be in doubt.
            Outcome::InDoubt | Outcome::Written | Outcome::Acked | Outcome::Duplicate(_) | _ => Self::InDoubt,
        }
    }
}

/// Shows everything but the message, which may be secret.
impl<M> fmt::Debug for RequestError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(Refused { why, .. }) => f.debug_tuple("Refused").field(why).finish(),
            Self::Failed(why) => f.debug_tuple("Failed").field(why).finish(),
            Self::Expired => f.write_str("Expired"),
            Self::Cancelled => f.write_str("Cancelled"),
            Self::Dropped(why) => f.debug_tuple("Dropped").field(why).finish(),
            Self::InDoubt => f.write_str("InDoubt"),
        }
    }
}

impl<M> fmt::Display for RequestError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(Refused { why, .. }) => fmt::Display::fmt(why, f),
            Self::Failed(why) => write!(f, "the peer says no: {why}"),
            Self::Expired => f.write_str("its time was over before it left"),
            Self::Cancelled => f.write_str("it was cancelled before it left"),
            Self::Dropped(why) => write!(f, "it was dropped before it left: {why:?}"),
            Self::InDoubt => f.write_str("there was no answer, and the peer may have it"),
        }
    }
}

impl<M> error::Error for RequestError<M> {}
