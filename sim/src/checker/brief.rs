//! What does an input say?

use std::fmt::Debug;

use steadfast::{
    Cause, CloseCode, Command, Config, Input, LinkId, OpId, Queued, Report, RequestOptions, SendOptions, Text,
};

use super::{Got, Spy, topics};

/// What the checker remembers of an input while the session takes it.
#[derive(Clone, Debug)]
pub struct Brief {
    pub(super) what: What,
    pub(super) options: Option<SendOptions>,
    pub(super) request: Option<Box<RequestOptions>>,
    /// The link of the call that is answered.
    pub(super) answers: Option<LinkId>,
    pub(super) change: Option<Change>,
    /// The topics that it is about.
    pub(super) topics: Vec<Text>,
}

impl Brief {
    pub(super) fn of<M, T: Debug>(input: &Input<M, T>, spy: &impl Spy) -> Self {
        let (mut options, mut request, mut answers, mut named) = (None, None, None, Vec::new());
        match input {
            Input::Command(Command::Send { options: sent, .. }) => options = Some(sent.clone()),
            Input::Command(Command::Request { options: asked, .. }) => request = Some(asked.clone()),
            Input::Command(Command::Reply(reply)) => answers = Some(reply.link),
            Input::Command(Command::Subscribe { topic, .. } | Command::Unsubscribe { topic }) => {
                named.push(topics::name(topic));
            }
            Input::Report(_, Report::Frame(frame)) if spy.has_topics() => named = spy.topics(frame),
            Input::Command(_) | Input::Report(..) | Input::Wake => {}
        }
        Self { what: What::of(input, spy), options, request, answers, change: Change::of(input), topics: named }
    }
}

/// What is to count from now on, if the session takes it.
#[derive(Clone, Debug)]
pub(super) enum Change {
    Config(Box<Config>),
    Endpoints(Vec<Text>),
}

impl Change {
    pub(super) fn of<M, T>(input: &Input<M, T>) -> Option<Self> {
        if let Input::Command(Command::Configure(config)) = input {
            Some(Self::Config(config.clone()))
        } else if let Input::Command(Command::Endpoints { list, .. }) = input {
            Some(Self::Endpoints(list.clone()))
        } else {
            None
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Wake,
    Connect {
        now: bool,
    },
    Stop,
    Send,
    Request,
    Reply,
    Cancel(OpId),
    Credential(u64),
    /// Messages may come back.
    Endpoints {
        back: bool,
    },
    Configure,
    Lost,
    Back,
    Suspend(bool),
    TakeQueued,
    Subscribe,
    Unsubscribe,
    Other,
    Report(LinkId, Saw),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Saw {
    Up { can_ping: bool },
    Frame(Got),
    Flushed(u64),
    Down(Ended),
    Progress,
    Paused,
    Resumed,
}

/// How a link ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ended {
    pub(super) left: u64,
    /// The peer could not take what it was sent.
    pub(super) charges: bool,
    /// It says that something was too large.
    pub(super) too_big: bool,
    /// The host says what it means.
    pub(super) is_judged: bool,
}

impl What {
    pub(super) fn of<M, T>(input: &Input<M, T>, spy: &impl Spy) -> Self {
        match input {
            Input::Wake => Self::Wake,
            Input::Command(Command::Connect) => Self::Connect { now: false },
            Input::Command(Command::ConnectNow) => Self::Connect { now: true },
            Input::Command(Command::Stop | Command::Drain { .. }) => Self::Stop,
            Input::Command(Command::Send { .. }) => Self::Send,
            Input::Command(Command::Request { .. }) => Self::Request,
            Input::Command(Command::Reply(_)) => Self::Reply,
            Input::Command(Command::Cancel(id)) => Self::Cancel(*id),
            Input::Command(Command::Credential { ask, .. }) => Self::Credential(*ask),
            Input::Command(Command::Endpoints { queued, .. }) => Self::Endpoints { back: *queued == Queued::ComeBack },
            Input::Command(Command::NetworkLost) => Self::Lost,
            Input::Command(Command::NetworkBack) => Self::Back,
            Input::Command(Command::Suspend) => Self::Suspend(true),
            Input::Command(Command::Resume) => Self::Suspend(false),
            Input::Command(Command::Subscribe { .. }) => Self::Subscribe,
            Input::Command(Command::Unsubscribe { .. }) => Self::Unsubscribe,
            Input::Command(Command::Authenticate(_) | Command::Taken { .. } | Command::Resync { .. }) => Self::Other,
            Input::Command(Command::Configure(_)) => Self::Configure,
            Input::Command(Command::TakeQueued) => Self::TakeQueued,
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
            Report::Down(down) => {
                let code = if let Cause::Closed { code, .. } = down.cause { Some(code) } else { None };
                let unfit = [CloseCode::PROTOCOL, CloseCode::UNSUPPORTED, CloseCode::INVALID];
                let charges = code.is_some_and(|code| unfit.contains(&code));
                let (too_big, is_judged) = (code == Some(CloseCode::TOO_BIG), down.verdict.is_some());
                Self::Down(Ended { left: down.left, charges, too_big, is_judged })
            }
            Report::Progress => Self::Progress,
            Report::Paused => Self::Paused,
            Report::Resumed => Self::Resumed,
        }
    }
}
