//! The futures of a handle: waiting for room, and waiting for the end.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use steadfast::{OpId, Phase, Protocol, Refused, SendOptions, StopCause, Why};

use crate::{
    shared::{Core, Shared, Whereabouts, gone},
    waiters::Place,
};

/// A message that waits for room.
///
/// If anybody waits, then either the session owes an `Event::Room`, because it refused the one in front, or
/// the one in front was called and has not answered yet. Whoever is served or gives up calls the next; so
/// no call is lost.
pub(crate) struct SendWhenReady<'a, P: Protocol> {
    shared: &'a Shared<P>,
    /// Taken when it is sent.
    message: Option<P::Message>,
    options: SendOptions,
    place: Option<Place>,
}

impl<'a, P: Protocol> SendWhenReady<'a, P> {
    pub(crate) fn new(shared: &'a Shared<P>, message: P::Message, options: SendOptions) -> Self {
        Self { shared, message: Some(message), options, place: None }
    }

    fn is_my_turn(&self, core: &Core<P>) -> bool {
        match self.place {
            Some(place) => core.senders.is_called(place),
            None => core.senders.is_empty(),
        }
    }
}

impl<P: Protocol> Future for SendWhenReady<'_, P> {
    type Output = Result<OpId, Refused<P::Message>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let waker = cx.waker().clone();
        let message = this.message.take().expect("an async fn does not poll it again after it was ready");
        let Some(mut turn) = this.shared.enter_to_send(&this.options) else { return Poll::Ready(Err(gone(message))) };
        if this.is_my_turn(turn.core()) {
            match turn.send(message, this.options.clone()) {
                Err(Refused { why: Why::Full, message }) => this.message = Some(message),
                answer => return Poll::Ready(answer),
            }
        } else {
            this.message = Some(message);
        }
        let former = match this.place {
            Some(place) => turn.core().senders.wait(place, waker),
            None => {
                this.place = Some(turn.core().senders.join(waker));
                None
            }
        };
        drop(turn);
        drop(former);
        Poll::Pending
    }
}

impl<P: Protocol> Drop for SendWhenReady<'_, P> {
    fn drop(&mut self) {
        let Some(place) = self.place else { return };
        let mut core = self.shared.look();
        let uncalled = core.senders.leave(place);
        let next = if uncalled.is_none() { core.senders.call() } else { None };
        drop(core);
        drop(uncalled);
        if let Some(next) = next {
            next.wake();
        }
    }
}

// Nothing in it is ever pinned.
impl<P: Protocol> Unpin for SendWhenReady<'_, P> {}

/// Waits until the driver has ended.
pub(crate) struct Closing<'a, P: Protocol> {
    shared: &'a Shared<P>,
    place: Option<Place>,
}

impl<'a, P: Protocol> Closing<'a, P> {
    pub(crate) fn new(shared: &'a Shared<P>) -> Self {
        Self { shared, place: None }
    }
}

impl<P: Protocol> Future for Closing<'_, P> {
    type Output = StopCause;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<StopCause> {
        let waker = cx.waker().clone();
        let mut core = self.shared.look();
        if let (Whereabouts::Gone, Phase::Stopped(cause)) = (&core.driver, core.phase()) {
            return Poll::Ready(cause);
        }
        let former = match self.place {
            Some(place) => core.closers.wait(place, waker),
            None => {
                self.place = Some(core.closers.join(waker));
                None
            }
        };
        drop(core);
        drop(former);
        Poll::Pending
    }
}

impl<P: Protocol> Drop for Closing<'_, P> {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            let waker = self.shared.look().closers.leave(place);
            drop(waker);
        }
    }
}
