//! What a turn has to look at when it settles.

use super::{Actions, Command, Report, SendOptions, Session};
use crate::{Frame, Protocol, Timestamp};

/// How much a transition has stirred, and so how much has to be settled. Most turns carry one message, and are to
/// cost no more than that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stir {
    /// A message came: it asks for nothing.
    Nothing,
    /// The queue or the window: perhaps something can be written.
    Queue,
    /// Anything else.
    All,
}

impl Stir {
    /// What a message to send can stir, before anything is known of what comes of it.
    #[inline]
    pub(super) fn by_send(options: &SendOptions) -> Self {
        // A time to live is a deadline, perhaps the first.
        if options.time_to_live().is_none() { Self::Queue } else { Self::All }
    }

    /// What another command can stir.
    #[inline]
    pub(super) const fn by_command<M, T>(command: &Command<M, T>) -> Self {
        // The deadline of a request is looked at when it is accepted.
        if matches!(command, Command::Request { .. } | Command::Reply(_)) { Self::Queue } else { Self::All }
    }

    /// What a frame can stir.
    #[inline]
    pub(super) const fn by_frame(frame: &Frame) -> Self {
        match frame {
            Frame::Text(_) | Frame::Binary(_) => Self::Nothing,
            Frame::Ping(_) | Frame::Pong(_) => Self::All,
        }
    }

    /// What a report can stir. Wake-ups can stir anything.
    #[inline]
    pub(super) const fn by_report(report: &Report) -> Self {
        match report {
            Report::Frame(frame) => Self::by_frame(frame),
            Report::Flushed { .. } => Self::Queue,
            Report::Up(_) | Report::Progress | Report::Paused | Report::Resumed | Report::Down(_) => Self::All,
        }
    }
}

impl<P: Protocol> Session<P> {
    /// What comes before every transition. Time that goes backwards stands still for us: this is the time that counts.
    #[inline(always)]
    pub(super) fn begin(&mut self, now: Timestamp, stir: Stir) -> Timestamp {
        let now = now.max(self.last_now);
        self.last_now = now;
        self.note_flow(now);
        self.outbox.dead().clear();
        self.stir = stir;
        now
    }

    /// What follows every transition.
    #[inline(always)]
    pub(super) fn finish(&mut self, now: Timestamp, out: &mut Actions<P>) {
        if now >= self.not_before || self.wants.end.is_some() {
            self.stir = Stir::All;
        }
        if self.stir == Stir::All {
            self.fire_due(now, out);
        }
        self.settle(now, out);
    }
}
