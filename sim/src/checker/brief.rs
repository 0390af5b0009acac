//! What does an input say?

use steadfast::{Command, Input, LinkId, OpId, Report, SendOptions};

use super::{Got, Spy};

/// What the checker remembers of an input while the session takes it.
#[derive(Clone, Copy, Debug)]
pub struct Brief {
    pub(super) what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Wake,
    Connect { now: bool },
    Stop,
    Send(SendOptions),
    Cancel(OpId),
    Credential(u64),
    Other,
    Report(LinkId, Saw),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Saw {
    Up { can_ping: bool },
    Frame(Got),
    Flushed(u64),
    Down(u64),
    Progress,
    Paused,
    Resumed,
}

impl What {
    pub(super) fn of<M>(input: &Input<M>, spy: &impl Spy) -> Self {
        match input {
            Input::Wake => Self::Wake,
            Input::Command(Command::Connect) => Self::Connect { now: false },
            Input::Command(Command::ConnectNow) => Self::Connect { now: true },
            Input::Command(Command::Stop | Command::Drain { .. }) => Self::Stop,
            Input::Command(Command::Send { options, .. }) => Self::Send(*options),
            Input::Command(Command::Cancel(id)) => Self::Cancel(*id),
            Input::Command(Command::Credential { ask, .. }) => Self::Credential(*ask),
            Input::Command(Command::Authenticate(_) | Command::Taken { .. }) => Self::Other,
            Input::Report(link, report) => Self::Report(*link, Saw::of(report, spy)),
        }
    }
}

impl Saw {
    fn of(report: &Report, spy: &impl Spy) -> Self {
        match report {
            Report::Up(handshake) => Self::Up { can_ping: handshake.pings },
            Report::Frame(frame) => Self::Frame(spy.got(frame)),
            Report::Flushed { frames } => Self::Flushed(*frames),
            Report::Down(down) => Self::Down(down.left),
            Report::Progress => Self::Progress,
            Report::Paused => Self::Paused,
            Report::Resumed => Self::Resumed,
        }
    }
}
