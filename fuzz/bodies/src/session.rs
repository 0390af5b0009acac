//! Does a session keep its promises whatever is done to it, in whatever order?

use std::time::Duration;

use arbitrary::{Arbitrary, Result, Unstructured};
use steadfast::{
    CallReply, Cause, Class, CloseCode, Command, Down, Frame, HttpAnswer, Input, LinkId, OpId, Recovery, Report,
    RequestOptions, RequestRetry, RetryOn, SendOptions, SubscribeOptions, Text,
};

use crate::{
    rig::{Pause, Rig},
    settings::Settings,
};

/// Enough for every story, and few enough to run thousands a second.
const MOST: usize = 256;

/// One thing that happens.
#[derive(Debug, Arbitrary)]
enum Step<'a> {
    Wake,
    Connect,
    ConnectNow,
    Stop,
    Drain(u16),
    Authenticate(Option<u8>),
    Send { length: u8, kept: bool, tracked: bool, ttl: Option<u16> },
    Cancel(u8),
    Taken(u8),
    Up(Which),
    Said(Which, Line),
    Raw(Which, &'a [u8]),
    Flushed(Which, u8),
    Progress(Which),
    Paused(Which),
    Resumed(Which),
    Down(Which, End, u8, Option<u8>),
    Subscribe { topic: u8, snapshot: bool, stale: Option<u16> },
    Unsubscribe(u8),
    Resync(u8),
    Request { length: u8, how: How, deadline: Option<u16> },
    Reply(Which, bool),
}

/// How something is asked.
#[derive(Debug, Arbitrary)]
struct How {
    idempotent: bool,
    retries: bool,
    named: bool,
    fails: bool,
    secret: bool,
}

/// Which link a report is about.
#[derive(Clone, Copy, Debug, Arbitrary)]
enum Which {
    Last,
    Before,
    Unknown(u8),
}

/// What the peer says, in the words of [`steadfast_sim::Toy`].
#[derive(Debug, Arbitrary)]
enum Line {
    Hello,
    Ok,
    No,
    Lost,
    Got(u8),
    Deny(u8),
    Message,
    MessageToAck(u8),
    Ping,
    Pong,
    PongFrame,
    Away(u16),
    Trouble,
    Junk,
    Nonsense,
    Kept,
    SubOk(u8),
    SubNo(u8, u16),
    On(u8),
    Off(u8),
    Gone(u8),
    Of(u8, u8),
    Item(u8),
    Re(u8),
    Done(u8),
    Busy(u8, u16),
    Named(bool),
}

/// How a link ends.
#[derive(Debug, Arbitrary)]
enum End {
    Closed(u16),
    Ended,
    Broken,
    Unreachable,
    Unresolved,
    Tls(bool),
    Http(u16, Option<u16>),
    Handshake,
    Violation(u8),
    Impossible,
}

/// Runs one case. Panics if a promise is broken.
pub fn session(data: &[u8]) {
    let mut u = Unstructured::new(data);
    let Ok(settings) = u.arbitrary::<Settings>() else { return };
    let mut rig = Rig::new(settings);
    for _ in 0..MOST {
        let Ok((pause, step)) = next(&mut u) else { break };
        rig.pass(pause);
        take(&mut rig, step);
    }
    rig.finish();
}

fn next<'a>(u: &mut Unstructured<'a>) -> Result<(Pause, Step<'a>)> {
    if u.is_empty() {
        return Err(arbitrary::Error::NotEnoughData);
    }
    Ok((u.arbitrary()?, u.arbitrary()?))
}

// A table: one step, one arm.
fn take(rig: &mut Rig, step: Step<'_>) {
    match step {
        Step::Wake => drop(rig.turn(Input::Wake)),
        Step::Connect => drop(rig.command(Command::Connect)),
        Step::ConnectNow => drop(rig.command(Command::ConnectNow)),
        Step::Stop => drop(rig.command(Command::Stop)),
        Step::Drain(millis) => {
            rig.command(Command::Drain { within: Duration::from_millis(millis.into()) });
        }
        // The same bytes answer the host's question, if there was one: with an odd one also twice, and too late.
        Step::Authenticate(secret) if rig.asked > 0 => {
            let answer = secret.map(|secret| secret.to_string().into()).ok_or_else(|| "none".into());
            rig.command(Command::Credential { ask: rig.asked, answer });
        }
        Step::Authenticate(secret) => {
            rig.command(Command::Authenticate(secret.map(|secret| secret.to_string().into())));
        }
        Step::Send { length, kept, tracked, ttl } => {
            let message = "x".repeat(length.into()).into();
            rig.command(Command::Send { message, options: options(kept, tracked, ttl) });
        }
        Step::Reply(which, good) => {
            let answer = if good { Ok("well".into()) } else { Err(Box::default()) };
            let reply = CallReply { link: link(rig, which), call: "call".into(), answer };
            rig.command(Command::Reply(Box::new(reply)));
        }
        Step::Request { length, how, deadline } => {
            let message = "x".repeat(length.into()).into();
            rig.command(Command::Request { message, options: Box::new(request(how, deadline)) });
        }
        Step::Cancel(id) => drop(rig.command(Command::Cancel(OpId(id.into())))),
        Step::Taken(id) => drop(rig.command(Command::Taken { id: id.to_string().into() })),
        Step::Up(which) => tell(rig, which, Report::Up(Box::default())),
        Step::Said(which, line) => tell(rig, which, Report::Frame(frame(line))),
        Step::Raw(which, bytes) => tell(rig, which, Report::Frame(Frame::Binary(bytes.to_vec().into()))),
        Step::Flushed(which, less) => {
            let frames = sent(rig, which).saturating_sub(less.into());
            tell(rig, which, Report::Flushed { frames });
        }
        Step::Progress(which) => tell(rig, which, Report::Progress),
        Step::Paused(which) => tell(rig, which, Report::Paused),
        Step::Resumed(which) => tell(rig, which, Report::Resumed),
        Step::Down(which, end, less, verdict) => {
            let left = sent(rig, which).saturating_sub(less.into());
            let down = Down { cause: cause(end), left, verdict: verdict.map(recovery) };
            tell(rig, which, Report::Down(Box::new(down)));
        }
        Step::Subscribe { topic: number, snapshot, stale } => {
            let mut options = SubscribeOptions::default();
            options.snapshot = snapshot.then(|| "!all".into());
            options.stale_after = stale.map(|millis| Duration::from_millis(millis.into()));
            rig.command(Command::Subscribe { topic: topic(number), options: Box::new(options) });
        }
        Step::Unsubscribe(number) => drop(rig.command(Command::Unsubscribe { topic: topic(number) })),
        Step::Resync(number) => drop(rig.command(Command::Resync { topic: topic(number) })),
    }
}

fn topic(number: u8) -> Text {
    ["a", "b", "c", "#local"][usize::from(number) % 4].into()
}

fn request(how: How, deadline: Option<u16>) -> RequestOptions {
    let mut options = RequestOptions::default();
    options.deadline = deadline.map(|millis| Duration::from_millis(millis.into()));
    (options.idempotent, options.secret) = (how.idempotent, how.secret);
    options.retry = how.retries.then(|| RequestRetry::default().on(RetryOn::Any));
    options.answered_by = how.named.then(|| "a".into());
    options.failed_by = how.fails.then(|| "b".into());
    options.weight(deadline.map_or(1, |millis| u32::from(millis % 4)))
}

fn options(kept: bool, tracked: bool, ttl: Option<u16>) -> SendOptions {
    let mut options = SendOptions::new(if kept { Class::AtLeastOnce } else { Class::AtMostOnce });
    options.tracked = tracked;
    match ttl {
        Some(millis) => options.ttl(Duration::from_millis(millis.into())).weight(u32::from(millis % 4)),
        None => options,
    }
}

fn tell(rig: &mut Rig, which: Which, report: Report) {
    let id = link(rig, which);
    rig.report(id, report);
}

fn link(rig: &Rig, which: Which) -> LinkId {
    let mut newest = rig.links().iter().rev().map(|link| link.id);
    match which {
        Which::Last => newest.next().unwrap_or(LinkId(1)),
        Which::Before => newest.nth(1).unwrap_or(LinkId(1)),
        Which::Unknown(id) => LinkId(u64::from(id) << 32),
    }
}

fn sent(rig: &Rig, which: Which) -> u64 {
    let id = link(rig, which);
    rig.links().iter().find(|link| link.id == id).map_or(0, |link| link.sent.len() as u64)
}

fn frame(line: Line) -> Frame {
    let line = match line {
        Line::Hello => "hello".to_owned(),
        Line::Ok => "ok".to_owned(),
        Line::No => "no way".to_owned(),
        Line::Lost => "lost it".to_owned(),
        Line::Got(id) => format!("got {id}"),
        Line::Deny(id) => format!("deny {id} no room"),
        Line::Message => "m hello".to_owned(),
        Line::MessageToAck(id) => format!("m! {id} hello"),
        Line::Ping => "ping 1".to_owned(),
        Line::Pong => "pong".to_owned(),
        Line::PongFrame => return Frame::Pong(Vec::new().into()),
        Line::Away(millis) => format!("away {millis} maintenance"),
        Line::Trouble => "trouble here".to_owned(),
        Line::Junk => "junk".to_owned(),
        Line::Re(id) => format!("re {id} yes"),
        Line::Done(id) => format!("done {id}"),
        Line::Busy(id, millis) => format!("busy {id} {millis}"),
        Line::Named(good) => if good { "m a yes" } else { "m b no" }.to_owned(),
        Line::Nonsense => "what".to_owned(),
        Line::Kept => "kept".to_owned(),
        Line::SubOk(op) => format!("sub-ok {op}"),
        Line::SubNo(op, millis) => format!("sub-no {op} {millis} later"),
        Line::On(number) => format!("on {}", topic(number)),
        Line::Off(number) => format!("off {} over", topic(number)),
        Line::Gone(number) => format!("gone {} moved", topic(number)),
        Line::Of(number, position) => format!("t# {position} {} text", topic(number)),
        Line::Item(op) => format!("item {op} text"),
    };
    line.into()
}

fn cause(end: End) -> Cause {
    match end {
        End::Closed(code) => Cause::Closed { code: CloseCode(code), reason: "over".into() },
        End::Ended => Cause::Ended,
        End::Broken => Cause::Broken("reset".into()),
        End::Unreachable => Cause::Unreachable("refused".into()),
        End::Unresolved => Cause::Unresolved("no such name".into()),
        End::Tls(certificate) => Cause::Tls { certificate, message: "no trust".into() },
        End::Http(status, seconds) => {
            let retry_after = seconds.map(|seconds| Duration::from_secs(seconds.into()));
            Cause::Http(Box::new(HttpAnswer { status, retry_after, ..HttpAnswer::default() }))
        }
        End::Handshake => Cause::Handshake("wrong accept key".into()),
        End::Violation(which) => {
            let code = [CloseCode::PROTOCOL, CloseCode::INVALID, CloseCode::TOO_BIG][usize::from(which) % 3];
            Cause::Violation { code, message: "bad frame".into() }
        }
        End::Impossible => Cause::Impossible("not a URL".into()),
    }
}

fn recovery(verdict: u8) -> Recovery {
    match verdict % 4 {
        0 => Recovery::Retry,
        1 => Recovery::RetryAfter(Duration::from_secs(7)),
        2 => Recovery::Reauthenticate,
        _ => Recovery::Fatal,
    }
}
