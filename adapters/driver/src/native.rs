//! What every runtime with sockets has in common, so that an adapter is only what its runtime does otherwise.

use std::{
    fmt,
    future::Future,
    io,
    marker::PhantomData,
    net::SocketAddr,
    task::{Context, Poll, ready},
    time::Duration,
};

use steadfast::{Plain, Timestamp};

use crate::{BuildError, Builder, Clock, Io, Runtime, Sleep, Tcp, Wristwatch};

/// All that an adapter for a runtime with sockets has to bring; [`Native`] and [`Tcp`] make the rest of it.
pub trait Net: Clone + Default + Send + Sync + 'static {
    /// A TCP connection.
    type Stream: Io + Send + 'static;
    /// A timer of the runtime's.
    type Countdown: Countdown + Send;

    /// All addresses of this host. It must not block the thread.
    ///
    /// # Errors
    ///
    /// The name cannot be resolved.
    fn resolve(&self, host: &str, port: u16) -> impl Future<Output = io::Result<Vec<SocketAddr>>> + Send;

    /// A connection to this address, with `TCP_NODELAY`: the driver joins small writes itself.
    ///
    /// # Errors
    ///
    /// It cannot be had.
    fn connect(&self, address: SocketAddr) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

/// A timer that counts from when it is set. It may be made outside the runtime: nothing happens before it is set.
pub trait Countdown: Default {
    /// From now on it is ready after this time: never more than a year.
    fn set(&mut self, after: Duration);
    /// Ready once the time is over. Only polled when it was set.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()>;
}

/// A runtime with sockets: a [`Wristwatch`], and the timers of `N`.
///
/// Most timers stand still while the computer sleeps, so a deadline that passed in it is noticed with the first thing
/// that happens after it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Native<N> {
    clock: Wristwatch,
    net: PhantomData<N>,
}

impl<N: Net> Native<N> {
    /// A runtime whose clock starts with what the system's shows.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl<N: Net> Clock for Native<N> {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

impl<N: Net> Runtime for Native<N> {
    type Sleep = Timer<N::Countdown>;

    fn sleep(&self) -> Self::Sleep {
        Timer { clock: self.clock, at: None, countdown: N::Countdown::default() }
    }
}

impl<N: Net> Builder<Plain, Native<N>, Tcp<N>> {
    /// A session with the server at this `ws://` or `wss://` URL. What is wrong with it is said by
    /// [`build`](Self::build). For adapters: it is their `connect`.
    #[must_use]
    pub fn connect(url: &str) -> Self {
        Self::new(Native::new(), Tcp::to(url).map_err(BuildError::Address))
    }
}

/// The longest that a runtime is asked to wait at once, so that no deadline is too far for its arithmetic. A
/// timer that is set further is set anew then.
const FARTHEST: Duration = Duration::from_secs(365 * 24 * 3_600);

/// A timer that goes by the [`Wristwatch`].
pub struct Timer<C> {
    clock: Wristwatch,
    /// None before it is armed.
    at: Option<Timestamp>,
    countdown: C,
}

impl<C: Countdown> Timer<C> {
    fn set(&mut self, at: Timestamp) {
        self.countdown.set(at.since(self.clock.now()).min(FARTHEST));
    }
}

impl<C: Countdown> Sleep for Timer<C> {
    fn arm(&mut self, at: Timestamp) {
        self.at = Some(at);
        self.set(at);
    }

    fn poll_due(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(at) = self.at else { return Poll::Pending };
        loop {
            ready!(self.countdown.poll(cx));
            if self.clock.now() >= at {
                return Poll::Ready(());
            }
            self.set(at);
        }
    }
}

impl<C> fmt::Debug for Timer<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timer").field("at", &self.at).finish_non_exhaustive()
    }
}
