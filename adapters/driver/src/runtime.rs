//! What an adapter brings: a clock, a timer and a way to dial.

use std::{
    future::Future,
    task::{Context, Poll},
};

use steadfast::{Attempt, Cause, Handshake, Timestamp};

use crate::Transport;

/// A runtime, as the driver needs it.
pub trait Runtime {
    /// An open link.
    type Transport: Transport;
    /// An attempt on its way; dropped to abort it.
    type Dial: Future<Output = Dial<Self::Transport>> + Unpin;
    /// A timer.
    type Sleep: Sleep;

    /// Now: microseconds since the Unix epoch, counted as a wristwatch does, sleep included; it never
    /// goes backwards.
    fn now(&self) -> Timestamp;

    /// Starts an attempt. Called anew for each one.
    fn dial(&mut self, attempt: Attempt) -> Self::Dial;

    /// A timer that is not armed.
    fn sleep(&self) -> Self::Sleep;
}

/// What comes of an attempt.
pub type Dial<T> = Result<(T, Handshake), Cause>;

/// A timer that can be moved.
pub trait Sleep {
    /// Moves it to this time, in whichever direction.
    fn arm(&mut self, at: Timestamp);
    /// Ready once the time has come.
    fn poll_due(&mut self, cx: &mut Context<'_>) -> Poll<()>;
}
