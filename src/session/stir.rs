//! What a turn has to look at when it settles.

use super::{Command, Input, Report};
use crate::Frame;

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
    /// What an input can stir, before anything is known of what comes of it.
    #[inline]
    pub(super) fn by<M, T>(input: &Input<M, T>) -> Self {
        match input {
            Input::Report(_, Report::Frame(Frame::Text(_) | Frame::Binary(_))) => Self::Nothing,
            Input::Report(_, Report::Flushed { .. }) => Self::Queue,
            // Its deadline is looked at when it is accepted.
            Input::Command(Command::Request { .. }) => Self::Queue,
            // A time to live is a deadline, perhaps the first.
            Input::Command(Command::Send { options, .. }) if options.time_to_live().is_none() => Self::Queue,
            Input::Command(_) | Input::Report(..) | Input::Wake => Self::All,
        }
    }
}
