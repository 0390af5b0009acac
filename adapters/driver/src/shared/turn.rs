//! A turn of a handle: under the lock, at one time, and the driver is woken after it.

use std::mem::{forget, replace};
use std::time::Duration;

use steadfast::{Answer, Command, Input, OpId, Protocol, Refused, RequestOptions, SendOptions, Timestamp};

use super::{Core, Shared, Whereabouts, gone};
use crate::sync::MutexGuard;

impl<P: Protocol> Shared<P> {
    /// A turn for a handle; `None` once the driver has ended.
    #[inline]
    pub(crate) fn enter(&self) -> Option<Turn<'_, P>> {
        let mut core = self.core.lock().ok()?;
        let now = match &mut core.driver {
            Whereabouts::Awake(last) => {
                *last = self.clock.now();
                *last
            }
            Whereabouts::Unpolled | Whereabouts::Parked(_) => self.clock.now(),
            Whereabouts::Gone => return None,
        };
        Some(Turn { core: Some(core), now, is_urgent: false })
    }

    /// A turn for a send with these options; `None` once the driver has ended.
    ///
    /// While the driver is awake the last reading of the clock is used again, so that a burst of sends reads it
    /// once. It is as old as the driver is late; so a send that makes a deadline of its own reads it anew.
    #[inline]
    pub(crate) fn enter_to_send(&self, options: &SendOptions) -> Option<Turn<'_, P>> {
        if options.time_to_live().is_some() {
            return self.enter();
        }
        let core = self.core.lock().ok()?;
        let now = self.time_to_send(&core)?;
        Some(Turn { core: Some(core), now, is_urgent: false })
    }

    #[inline(always)]
    fn time_to_send(&self, core: &Core<P>) -> Option<Timestamp> {
        match core.driver {
            Whereabouts::Awake(last) => Some(last),
            Whereabouts::Unpolled | Whereabouts::Parked(_) => Some(self.clock.now()),
            Whereabouts::Gone => None,
        }
    }

    /// A turn that sends and does nothing else, as most do. It is made where it is used: handing it over would cost as much
    /// as the lock.
    #[inline]
    pub(crate) fn send(&self, message: P::Message, options: SendOptions) -> Result<OpId, Refused<P::Message>> {
        if options.time_to_live().is_some() {
            return self.send_in_time(message, options);
        }
        let Ok(core) = self.core.lock() else { return Err(gone(message)) };
        let Some(now) = self.time_to_send(&core) else { return Err(gone(message)) };
        Turn { core: Some(core), now, is_urgent: false }.send(message, options)
    }

    /// Finishes what was accepted, then ends for good.
    pub(crate) fn leave(&self, within: Duration) {
        if let Some(mut turn) = self.enter() {
            turn.leave(within);
        }
    }

    #[cold]
    fn send_in_time(&self, message: P::Message, options: SendOptions) -> Result<OpId, Refused<P::Message>> {
        let Some(mut turn) = self.enter() else { return Err(gone(message)) };
        turn.send(message, options)
    }
}

/// A turn of a handle. When it is dropped the lock is released first, and then the driver is woken if it
/// sleeps and has something to do.
pub(crate) struct Turn<'a, P: Protocol> {
    core: Option<MutexGuard<'a, Core<P>>>,
    now: Timestamp,
    /// Whether the driver has to see something that is no action.
    is_urgent: bool,
}

impl<P: Protocol> Turn<'_, P> {
    #[inline]
    pub(crate) fn core(&mut self) -> &mut Core<P> {
        self.core.as_mut().expect("taken only when the turn is dropped")
    }

    #[inline]
    pub(crate) fn command(&mut self, command: Command<P::Message, P::Topic>) -> Answer<P::Message> {
        let now = self.now;
        self.core().handle(now, Input::Command(command))
    }

    #[inline]
    pub(crate) fn send(&mut self, message: P::Message, options: SendOptions) -> Result<OpId, Refused<P::Message>> {
        let now = self.now;
        let answer = self.core().handle_made(now, || Input::Command(Command::Send { message, options }));
        if let Answer::Accepted(id) = answer {
            // There is nothing in it to be dropped, which only its tag says.
            forget(answer);
            return Ok(id);
        }
        answer.into_sent()
    }

    pub(crate) fn request(
        &mut self,
        message: P::Message,
        options: RequestOptions,
    ) -> Result<OpId, Refused<P::Message>> {
        self.command(Command::Request { message, options: Box::new(options) }).into_sent()
    }

    fn leave(&mut self, within: Duration) {
        // A session that has stopped already says nothing, and its driver ends now.
        self.is_urgent = true;
        let now = self.now;
        let core = self.core();
        core.end_for_good(now);
        // What was sent before the driver's first turn shall leave too.
        core.start(now);
        core.handle(now, Input::Command(Command::Drain { within }));
    }
}

impl<P: Protocol> Drop for Turn<'_, P> {
    #[inline]
    fn drop(&mut self) {
        let Some(mut core) = self.core.take() else { return };
        let Whereabouts::Parked(_) = core.driver else { return };
        // After a panic the driver is needed to end everything.
        if !(self.is_urgent || std::thread::panicking() || core.needs_driver()) {
            return;
        }
        let woken = replace(&mut core.driver, Whereabouts::Awake(self.now));
        drop(core);
        if let Whereabouts::Parked(waker) = woken {
            waker.wake();
        }
    }
}
