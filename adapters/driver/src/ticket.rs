//! What became of my message?

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use steadfast::{OpId, Outcome, Protocol};

use crate::shared::Shared;

/// The outcome of one message, to be awaited. Made by [`Client::send_tracked`](crate::Client::send_tracked).
///
/// Every ticket resolves: when the session stops, the messages that have not left end `Dropped`, and those
/// on their way `InDoubt`; so they do when the driver is dropped. With
/// [`Config::keep_on_stop`](steadfast::Config::keep_on_stop) a stop leaves them and their tickets pending until the next
/// start; the end of the driver does not.
///
/// ```
/// # use steadfast::{Outcome, Plain, SendOptions};
/// # use steadfast_driver::Client;
/// # #[expect(dead_code)]
/// async fn is_there(client: &Client<Plain>, order: &str) -> Option<bool> {
///     let ticket = client.send_tracked(order, SendOptions::default()).ok()?;
///     match ticket.await {
///         Outcome::Acked => Some(true),
///         Outcome::Written | Outcome::InDoubt => None, // nobody can know
///         Outcome::Expired | Outcome::Dropped(_) | Outcome::Cancelled | Outcome::Failed(_) => Some(false),
///         _ => None,
///     }
/// }
/// ```
///
/// Dropping a ticket does not take the message back. It makes it one that was sent without a ticket: only
/// bad news of it are told, as an event.
#[must_use = "to send without a ticket, use `send`"]
pub struct Ticket<P: Protocol> {
    shared: Arc<Shared<P>>,
    id: OpId,
    is_over: bool,
}

impl<P: Protocol> Ticket<P> {
    pub(crate) fn new(shared: Arc<Shared<P>>, id: OpId) -> Self {
        Self { shared, id, is_over: false }
    }

    /// The id of the message, to [cancel](crate::Client::cancel) it.
    #[must_use]
    pub fn id(&self) -> OpId {
        self.id
    }
}

impl<P: Protocol> Future for Ticket<P> {
    type Output = Outcome;

    /// # Panics
    ///
    /// If it is polled after it was ready.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome> {
        assert!(!self.is_over, "a ticket was polled after it was ready");
        // Cloned before and dropped after the lock: a waker is somebody else's code.
        let mut waker = Some(cx.waker().clone());
        let outcome = ready!(self.shared.look().tickets.poll(self.id, &mut waker));
        self.is_over = true;
        // To know nothing is to be in doubt.
        Poll::Ready(outcome.unwrap_or(Outcome::InDoubt))
    }
}

impl<P: Protocol> Drop for Ticket<P> {
    fn drop(&mut self) {
        if !self.is_over {
            let forgotten = self.shared.look().tickets.forget(self.id);
            drop(forgotten);
        }
    }
}

impl<P: Protocol> fmt::Debug for Ticket<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Whether it is what the application hoped for.
pub(crate) fn is_good(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Written | Outcome::Acked)
}
