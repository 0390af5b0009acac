//! What an adapter brings: a clock, a timer and a way to dial.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use steadfast::{Attempt, Cause, Handshake, Timestamp};

use crate::{BuildError, Transport, Upgrade};

/// What time it is. The handle asks too, from whichever thread it is used on.
///
/// It is mostly asked under the lock of the session: it is to be quick, and must not use a handle itself.
pub trait Clock: Send + Sync + 'static {
    /// Now: microseconds since the Unix epoch, counted as a wristwatch does, sleep included; it never
    /// goes backwards.
    fn now(&self) -> Timestamp;
}

/// A runtime, as the driver needs it: a clock that makes timers.
pub trait Runtime: Clock {
    /// A timer.
    type Sleep: Sleep;

    /// A timer that is not armed.
    fn sleep(&self) -> Self::Sleep;
}

/// A timer that can be moved.
pub trait Sleep {
    /// Moves it to this time, in whichever direction.
    fn arm(&mut self, at: Timestamp);
    /// Ready once the time has come.
    fn poll_due(&mut self, cx: &mut Context<'_>) -> Poll<()>;
}

/// The way to the peer. A closure that returns a future is one, so an embedder that brings its own TLS or Unix socket writes
/// no more than that:
///
/// ```
/// # use steadfast::Attempt;
/// # use steadfast_driver::{Dial, Dialer, Transport};
/// fn dialer<T: Transport>(open: impl Fn() -> Dial<T> + Clone + Send + 'static) -> impl Dialer<Transport = T> {
///     move |_attempt: Attempt| {
///         let open = open.clone();
///         async move { open() }
///     }
/// }
/// ```
///
/// A dialer inside of another one gives each attempt headers of its own, such as a cookie that somebody else renews:
///
/// ```
/// # use std::future::Future;
/// use steadfast::{Attempt, Cause};
/// use steadfast_driver::{Dialer, Upgrading};
///
/// fn with_cookie<D, C>(dialer: D, cookie: impl Fn() -> C) -> impl Dialer<Transport = D::Transport>
/// where
///     D: Dialer + Upgrading + Clone,
///     C: Future<Output = String>,
/// {
///     move |attempt: Attempt| {
///         let (mut dialer, cookie) = (dialer.clone(), cookie());
///         async move {
///             let upgrade = dialer.upgrade().clone().header("Cookie", &cookie.await);
///             *dialer.upgrade() = upgrade.map_err(|bad| Cause::Impossible(bad.to_string().into()))?;
///             dialer.dial(attempt).await
///         }
///     }
/// }
/// ```
pub trait Dialer {
    /// An open link.
    type Transport: Transport;
    /// An attempt on its way; dropped to abort it.
    type Dial: Future<Output = Dial<Self::Transport>> + Unpin;

    /// Whether an attempt can succeed at all. Asked once, when a session is built.
    ///
    /// # Errors
    ///
    /// What would make every attempt fail alike.
    fn check(&self) -> Result<(), BuildError> {
        Ok(())
    }

    /// Starts an attempt. Called anew for each one.
    fn dial(&mut self, attempt: Attempt) -> Self::Dial;
}

/// A dialer that opens its links with an HTTP upgrade, so that headers mean something to it.
pub trait Upgrading {
    /// What is asked of the server, to be added to.
    fn upgrade(&mut self) -> &mut Upgrade;
}

/// A dialer that speaks TLS, so that it matters whom it trusts.
#[cfg(all(feature = "tls", not(all(target_family = "wasm", target_os = "unknown"))))]
pub trait Securing {
    /// From now on this is whom it trusts.
    fn trust(&mut self, trust: crate::Trust);
}

/// A dialer that finds its own way to the server.
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
pub trait Routing {
    /// From now on the way leads through this proxy.
    fn proxy(&mut self, proxy: crate::Proxy);
    /// From now on it goes where the server sends it.
    fn follow_redirects(&mut self);
}

/// What comes of an attempt.
pub type Dial<T> = Result<(T, Handshake), Cause>;

impl<F, D, T> Dialer for F
where
    F: FnMut(Attempt) -> D,
    D: Future<Output = Dial<T>>,
    T: Transport,
{
    type Transport = T;
    type Dial = Pin<Box<D>>;

    fn dial(&mut self, attempt: Attempt) -> Self::Dial {
        Box::pin(self(attempt))
    }
}
