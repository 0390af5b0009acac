//! What went to and fro lately, and what became of it?

use alloc::{
    collections::{BTreeMap, VecDeque},
    string::String,
};

use crate::{
    Action, Answer, Command, Event, Frame, Input, LinkId, Machine, OpId, Outcome, Reply, Text, Timestamp, Watch,
};

/// The last messages of a session, both ways. It is a [`Watch`], and holds no content.
///
/// ```
/// use steadfast::{Action, Answer, Command, Commands, Config, Frame, Input, Machine, MessageLog, Plain, Session};
/// use steadfast::{Timestamp, Watch, Way};
///
/// let mut session = Session::new(Plain, Config::default(), 7)?;
/// let (mut log, mut actions, now) = (MessageLog::new(100), Vec::new(), Timestamp::ZERO);
/// let send = Input::Command(Command::Send { message: Frame::from("hello"), options: Default::default() });
/// Watch::<Session<Plain>>::before(&mut log, now, &send);
/// let answer = session.handle(now, send, &mut actions);
/// log.after(now, &session, &answer, &actions);
///
/// let entry = log.entries().next().expect("one message");
/// assert_eq!((entry.way, entry.name.as_str(), entry.bytes), (Way::Out, "text", 5));
/// # Ok::<(), steadfast::BadConfig>(())
/// ```
#[derive(Clone, Debug)]
pub struct MessageLog {
    most: usize,
    entries: VecDeque<Logged>,
    /// How many were forgotten, and so the number of the first entry.
    forgotten: u64,
    /// The numbers of entries that may still hear of an outcome.
    open: BTreeMap<OpId, u64>,
    /// What is being sent.
    sending: Option<(Text, u64)>,
}

/// A message that went by.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Logged {
    /// Which way.
    pub way: Way,
    /// Our id of it; none for what came in.
    pub id: Option<OpId>,
    /// The link it came on; none for what goes out, which may need several.
    pub link: Option<LinkId>,
    /// What its protocol calls it, at most [`MessageLog::NAME_MAX`] bytes of it.
    pub name: Text,
    /// How large its content is, in bytes.
    pub bytes: u64,
    /// When it was accepted, or came.
    pub at: Timestamp,
    /// When it ended and how, if that was told: always for tracked messages and requests (`Acked` if one was answered),
    /// for others only if it is bad news.
    pub ended: Option<(Timestamp, Outcome)>,
}

/// Which way a message went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Way {
    /// From the peer.
    In,
    /// To the peer.
    Out,
}

/// What a [`MessageLog`] says of a message.
pub trait Describe {
    /// What it is called.
    fn name(&self) -> &str;
    /// How large its content is, in bytes.
    fn size(&self) -> u64;
}

impl MessageLog {
    /// The longest name that is kept, in bytes.
    pub const NAME_MAX: usize = 128;

    /// A log of so many messages; older ones are forgotten.
    #[must_use]
    pub const fn new(most: usize) -> Self {
        Self { most, entries: VecDeque::new(), forgotten: 0, open: BTreeMap::new(), sending: None }
    }

    /// The messages, the oldest first.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = &Logged> {
        self.entries.iter()
    }

    /// How many were forgotten.
    #[must_use]
    pub const fn forgotten(&self) -> u64 {
        self.forgotten
    }

    fn push(&mut self, entry: Logged) {
        if self.entries.len() >= self.most {
            let gone = self.entries.pop_front();
            if let Some(id) = gone.and_then(|entry| entry.id) {
                self.open.remove(&id);
            }
            self.forgotten += 1;
        }
        if self.most == 0 {
            return;
        }
        if let Some(id) = entry.id {
            self.open.insert(id, self.forgotten + self.entries.len() as u64);
        }
        self.entries.push_back(entry);
    }

    /// An answer is a message, and says that the peer has what was asked.
    fn replied<I: Describe>(&mut self, at: Timestamp, reply: &Reply<I>) {
        if let Ok(Some(message)) = &reply.result {
            let (name, bytes) = named(message);
            self.push(Logged { way: Way::In, id: None, link: None, name, bytes, at, ended: None });
        }
        self.end(at, reply.id, reply.result.as_ref().err().unwrap_or(&Outcome::Acked));
    }

    fn end(&mut self, now: Timestamp, id: OpId, outcome: &Outcome) {
        let number = self.open.remove(&id).and_then(|number| usize::try_from(number - self.forgotten).ok());
        if let Some(entry) = number.and_then(|number| self.entries.get_mut(number)) {
            entry.ended = Some((now, outcome.clone()));
        }
    }
}

/// A copy, so that no frame is kept for its name.
fn named(message: &impl Describe) -> (Text, u64) {
    (Text::from(String::from(message.name())).cut(MessageLog::NAME_MAX), message.size())
}

impl<M, N, I, T> Watch<M> for MessageLog
where
    M: Machine<Input = Input<N, T>, Action = Action<I, T>, Answer = Answer<N>>,
    N: Describe,
    I: Describe,
{
    fn before(&mut self, _: Timestamp, input: &Input<N, T>) {
        self.sending = match input {
            Input::Command(Command::Send { message, .. } | Command::Request { message, .. }) => Some(named(message)),
            Input::Command(Command::Reply(reply)) => reply.answer.as_ref().ok().map(named),
            Input::Command(_) | Input::Report(..) | Input::Wake => None,
        };
    }

    fn after(&mut self, now: Timestamp, _: &M, answer: &Answer<N>, actions: &[Action<I, T>]) {
        let at = now;
        if let (Answer::Accepted(id), Some((name, bytes))) = (answer, self.sending.take()) {
            self.push(Logged { way: Way::Out, id: Some(*id), link: None, name, bytes, at, ended: None });
        }
        for action in actions {
            if let Action::Emit(Event::Message { message, link, .. }) = action {
                let (name, bytes) = named(message);
                self.push(Logged { way: Way::In, id: None, link: Some(*link), name, bytes, at, ended: None });
            } else if let Action::Emit(Event::Outcome { id, outcome, .. }) = action {
                self.end(now, *id, outcome);
            } else if let Action::Emit(Event::Reply(reply)) = action {
                self.replied(now, reply);
            }
        }
    }
}

impl Describe for Frame {
    fn name(&self) -> &str {
        match self {
            Self::Text(_) => "text",
            Self::Binary(_) => "binary",
            Self::Ping(_) => "ping",
            Self::Pong(_) => "pong",
        }
    }

    fn size(&self) -> u64 {
        self.len() as u64
    }
}

impl Describe for Text {
    fn name(&self) -> &'static str {
        "text"
    }

    fn size(&self) -> u64 {
        self.len() as u64
    }
}

#[cfg(feature = "json")]
impl Describe for crate::protocol::json::Message {
    fn name(&self) -> &str {
        self.name()
    }

    fn size(&self) -> u64 {
        self.data().map_or(0, str::len) as u64
    }
}

#[cfg(feature = "json")]
impl Describe for crate::protocol::json::Incoming {
    fn name(&self) -> &str {
        self.name()
    }

    fn size(&self) -> u64 {
        self.packet().data.as_ref().map_or(0, |data| data.as_str().len()) as u64
    }
}

#[cfg(test)]
mod tests {
    use alloc::{boxed::Box, vec, vec::Vec};

    use super::*;
    use crate::{Config, Dropped, Plain, Report, SendOptions, Session};

    /// A session and a log of so many messages, which sees what these inputs do.
    fn logged(most: usize, inputs: Vec<Input<Frame>>) -> MessageLog {
        let mut session = Session::new(Plain, Config::default(), 7).expect("a sound configuration");
        let (mut log, mut actions) = (MessageLog::new(most), Vec::new());
        for (millis, input) in (1..).zip(inputs) {
            let now = Timestamp::from_millis(millis);
            Watch::<Session<Plain>>::before(&mut log, now, &input);
            let answer = session.handle(now, input, &mut actions);
            log.after(now, &session, &answer, &actions);
            actions.clear();
        }
        log
    }

    fn send(text: &str, tracked: bool) -> Input<Frame> {
        let options = SendOptions { tracked, ..SendOptions::default() };
        Input::Command(Command::Send { message: text.into(), options })
    }

    fn report(report: Report) -> Input<Frame> {
        Input::Report(LinkId(1), report)
    }

    #[test]
    fn both_ways_and_their_ends_are_told() {
        let log = logged(
            10,
            vec![
                Input::Command(Command::Connect),
                send("tracked", true),
                send("not tracked", false),
                report(Report::Up(Box::default())),
                report(Report::Flushed { frames: 2 }),
                report(Report::Frame(Frame::from(vec![1, 2, 3]))),
                Input::Command(Command::Stop),
                send("too late", true),
            ],
        );
        let told: Vec<_> =
            log.entries().map(|entry| (entry.way, entry.name.as_str(), entry.bytes, &entry.ended)).collect();
        let written = Some((Timestamp::from_millis(5), Outcome::Written));
        assert_eq!(
            told,
            [(Way::Out, "text", 7, &written), (Way::Out, "text", 11, &None), (Way::In, "binary", 3, &None)]
        );
        let ids: Vec<_> = log.entries().map(|entry| (entry.id, entry.link, entry.at)).collect();
        let at = Timestamp::from_millis;
        assert_eq!(ids, [(Some(OpId(1)), None, at(2)), (Some(OpId(2)), None, at(3)), (None, Some(LinkId(1)), at(6))]);
    }

    #[test]
    fn it_is_bounded_and_still_finds_the_right_one() {
        let mut inputs: Vec<_> = (0..7).map(|_| send("message", true)).collect();
        inputs.push(Input::Command(Command::Cancel(OpId(6))));
        inputs.push(Input::Command(Command::Cancel(OpId(1))));
        inputs.push(Input::Command(Command::Stop));
        let log = logged(3, inputs);
        let ends: Vec<_> =
            log.entries().map(|entry| (entry.id, entry.ended.clone().map(|(_, outcome)| outcome))).collect();
        let (stopped, cancelled) = (Some(Outcome::Dropped(Dropped::Stopped)), Some(Outcome::Cancelled));
        assert_eq!(ends, [(Some(OpId(5)), stopped.clone()), (Some(OpId(6)), cancelled), (Some(OpId(7)), stopped)]);
        assert_eq!((log.forgotten(), log.open.len()), (4, 0));
        assert_eq!(logged(0, vec![send("nothing is kept", true)]).entries().len(), 0);
    }
}
