//! The handle.

use std::{fmt, sync::Arc, time::Duration};

use steadfast::{
    Answer, Change, Command, Health, OpId, Phase, Protocol, Refused, RequestOptions, SendOptions, Stats, StopCause,
};

use crate::{
    Ticket, log,
    shared::{Shared, gone},
    waits::{Closing, SendWhenReady},
};

/// The handle of a session. Cheap to clone, and usable from any thread: each call is one turn of the
/// session, here and now, on the caller's thread.
///
/// Messages of one thread leave in the order in which they were sent.
///
/// When the last clone is dropped, the session finishes what it accepted, for at most [`LAST_DRAIN`], and
/// then ends: whoever only wants to listen has to keep a handle all the same.
///
/// ```
/// # use std::time::Duration;
/// # use steadfast::{Outcome, Plain, SendOptions, Why};
/// # use steadfast_driver::{Client, Drain};
/// # #[expect(dead_code)]
/// async fn report(client: Client<Plain>) -> Result<(), Box<dyn std::error::Error>> {
///     client.send("kept until the link is up")?;
///     if let Err(refused) = client.send("another") {
///         // The message comes back, and why: the queue is full, the session has stopped …
///         client.send_when_ready(refused.message).await?;
///     }
///     let outcome = client.send_tracked("the last one", SendOptions::default())?.await;
///     println!("{outcome:?}; {} of {} messages written", client.stats().written, client.stats().accepted);
///     client.close(Drain::within(Duration::from_secs(5))).await;
///     Ok(())
/// }
/// ```
pub struct Client<P: Protocol> {
    handle: Arc<Handle<P>>,
}

/// How long a session whose last handle was dropped may take to send what it accepted.
pub const LAST_DRAIN: Duration = Duration::from_secs(2);

/// How a session is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drain {
    within: Duration,
}

impl Drain {
    /// Sends what was accepted and waits for its acknowledgements, for at most this long.
    #[must_use]
    pub const fn within(within: Duration) -> Self {
        Self { within }
    }
}

/// One for all clones; its end is the end of the last of them.
struct Handle<P: Protocol> {
    shared: Arc<Shared<P>>,
}

impl<P: Protocol> Drop for Handle<P> {
    fn drop(&mut self) {
        self.shared.leave(LAST_DRAIN);
    }
}

impl<P: Protocol> Client<P> {
    pub(crate) fn new(shared: Arc<Shared<P>>) -> Self {
        Self { handle: Arc::new(Handle { shared }) }
    }

    /// Sends a message: at most once, untracked, without a time limit. It is accepted in any phase before
    /// draining, also while there is no link.
    ///
    /// # Errors
    ///
    /// The message comes back, with the reason why it was not accepted.
    pub fn send(&self, message: impl Into<P::Message>) -> Result<OpId, Refused<P::Message>> {
        self.send_with(message, SendOptions::default())
    }

    /// Sends a message with these options.
    ///
    /// # Errors
    ///
    /// The message comes back, with the reason why it was not accepted.
    pub fn send_with(&self, message: impl Into<P::Message>, options: SendOptions) -> Result<OpId, Refused<P::Message>> {
        // Before the lock: this may be the user's code.
        let message = message.into();
        let id = self.shared().send(message, options)?;
        log::queued(id);
        Ok(id)
    }

    /// Sends a message with these options, and gives a [`Ticket`] that resolves to its outcome.
    ///
    /// # Errors
    ///
    /// The message comes back, with the reason why it was not accepted.
    pub fn send_tracked(
        &self,
        message: impl Into<P::Message>,
        options: SendOptions,
    ) -> Result<Ticket<P>, Refused<P::Message>> {
        let message = message.into();
        let Some(mut turn) = self.shared().enter_to_send(&options) else { return Err(gone(message)) };
        let id = turn.send(message, options.tracked())?;
        turn.core().tickets.open(id);
        drop(turn);
        log::queued(id);
        Ok(Ticket::new(Arc::clone(self.shared()), id))
    }

    /// Sends a message, and waits for room first if the queue is full. Those who wait are served in the order
    /// in which they came; [`send`](Self::send) does not queue up behind them.
    ///
    /// # Errors
    ///
    /// The message comes back if it is refused for another reason than a full queue, and also if the session
    /// stops meanwhile.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before it is ready, the message was not sent and is dropped with it; the next
    /// one in the queue takes its turn.
    pub async fn send_when_ready(&self, message: impl Into<P::Message>) -> Result<OpId, Refused<P::Message>> {
        self.send_when_ready_with(message, SendOptions::default()).await
    }

    /// [`send_when_ready`](Self::send_when_ready) with options.
    ///
    /// # Errors
    ///
    /// The same.
    ///
    /// # Cancel safety
    ///
    /// The same.
    pub async fn send_when_ready_with(
        &self,
        message: impl Into<P::Message>,
        options: SendOptions,
    ) -> Result<OpId, Refused<P::Message>> {
        SendWhenReady::new(self.shared(), message.into(), options).await.inspect(|id| log::queued(*id))
    }

    /// Takes a message back that has not left. `None` if it has, or is not known.
    ///
    /// Its outcome, `Cancelled`, is told as any other.
    ///
    /// ```
    /// # use steadfast::{Plain, Refused};
    /// # use steadfast_driver::Client;
    /// # #[expect(dead_code)]
    /// fn change_of_mind(client: &Client<Plain>) -> Result<(), Refused<steadfast::Frame>> {
    ///     let id = client.send("two coffees")?;
    ///     match client.cancel(id) {
    ///         Some(message) => println!("{} bytes have not left", message.len()),
    ///         None => println!("too late: it may arrive"),
    ///     }
    ///     Ok(())
    /// }
    /// ```
    pub fn cancel(&self, id: OpId) -> Option<P::Message> {
        self.shared().enter()?.command(Command::Cancel(id)).into_cancelled()
    }

    /// Dials now instead of waiting out the backoff; starts a stopped session again. Does nothing once the
    /// session was [closed](Self::close).
    pub fn connect_now(&self) {
        if let Some(mut turn) = self.shared().enter() {
            if !turn.core().is_final {
                turn.command(Command::ConnectNow);
            }
        }
    }

    /// Stops: what has not left is dropped, and the link is closed politely. The driver stays, so that
    /// [`connect_now`](Self::connect_now) can start the session again; to end it, [`close`](Self::close) it.
    pub fn stop(&self) {
        self.command(Command::Stop);
    }

    /// Ends the session for good: nothing more is accepted, what was accepted leaves, and the link is closed.
    /// Ready when the driver has ended; it says why the session stopped. If the driver is never polled, this
    /// waits for ever.
    ///
    /// # Cancel safety
    ///
    /// The session closes all the same if the future was polled once.
    pub async fn close(&self, drain: Drain) -> StopCause {
        self.leave(drain);
        Closing::new(self.shared()).await
    }

    /// Where the session stands.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.shared().look().phase()
    }

    /// How it does.
    ///
    /// ```
    /// # use steadfast::Plain;
    /// # use steadfast_driver::Client;
    /// # #[expect(dead_code)]
    /// fn badge(client: &Client<Plain>) -> String {
    ///     let health = client.health();
    ///     format!("{}, {}, {} waiting", health.status, health.level, health.queued)
    /// }
    /// ```
    #[must_use]
    pub fn health(&self) -> Health {
        let now = self.shared().now();
        self.shared().look().session.health(now)
    }

    /// Its last changes of phase, the oldest first.
    #[must_use]
    pub fn history(&self) -> Vec<Change> {
        self.shared().look().session.history().cloned().collect()
    }

    /// What it counted.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.shared().look().session.stats().clone()
    }

    pub(crate) fn leave(&self, drain: Drain) {
        self.shared().leave(drain.within);
    }

    /// A turn; nothing once the driver has ended.
    pub(crate) fn ask(&self, command: Command<P::Message, P::Topic>) -> Option<Answer<P::Message>> {
        self.shared().enter().map(|mut turn| turn.command(command))
    }

    /// A request whose answer is told as an event.
    pub(crate) fn ask_untold(&self, message: P::Message, options: RequestOptions) -> Result<OpId, Refused<P::Message>> {
        let Some(mut turn) = self.shared().enter() else { return Err(gone(message)) };
        turn.request(message, options).inspect(|id| log::queued(*id))
    }

    pub(crate) fn command(&self, command: Command<P::Message, P::Topic>) {
        self.ask(command);
    }

    pub(crate) fn shared(&self) -> &Arc<Shared<P>> {
        &self.handle.shared
    }
}

impl<P: Protocol> Clone for Client<P> {
    fn clone(&self) -> Self {
        Self { handle: Arc::clone(&self.handle) }
    }
}

impl<P: Protocol> fmt::Debug for Client<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}
