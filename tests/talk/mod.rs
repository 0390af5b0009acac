//! A conversation with a server that speaks [`Toy`], in which nothing happens by itself and every promise is checked.

#![allow(dead_code, reason = "each test uses some of it")]

use std::time::Duration;

use steadfast::{
    Action, Answer, Cause, CloseCode, Command, Config, Down, Event, Input, LinkId, Machine, OpId, Outcome, Recovery,
    Reply, Report, SendOptions, Session, Text, Timer, Timestamp, Why,
};
use steadfast_sim::{Checked, Toy};

/// A checked session in conversation with a server.
pub(crate) struct Talk {
    pub(crate) session: Checked<Session<Toy>, Toy>,
    pub(crate) now: Timestamp,
    /// How long after the one before a turn comes.
    every: Duration,
    pub(crate) link: LinkId,
    /// How many frames it was handed.
    pub(crate) frames: u64,
    /// What the last turn did.
    pub(crate) out: Vec<Action<Text, Text>>,
    /// The ends of requests, over all turns.
    pub(crate) replies: Vec<Reply<Text>>,
}

impl Talk {
    pub(crate) fn with(toy: Toy, every: Duration, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::default();
        change(&mut config);
        let session = Session::new(toy, config.clone(), 7).expect("a sound configuration");
        let session = Checked::new(session, toy, config);
        let (now, link, out, replies) = (Timestamp::from_millis(1_000), LinkId(0), Vec::new(), Vec::new());
        Self { session, now, every, link, frames: 0, out, replies }
    }

    /// So much time passes, without a turn.
    pub(crate) fn pass(&mut self, time: Duration) {
        self.now = self.now.after(time).expect("far from the end");
    }

    pub(crate) fn turn(&mut self, input: Input<Text, Text>) -> Answer<Text> {
        self.pass(self.every);
        self.turn_now(input)
    }

    pub(crate) fn turn_now(&mut self, input: Input<Text, Text>) -> Answer<Text> {
        self.out.clear();
        let answer = self.session.handle(self.now, input, &mut self.out);
        for action in &self.out {
            match action {
                Action::Connect(attempt) => (self.link, self.frames) = (attempt.link, 0),
                Action::Send { .. } => self.frames += 1,
                Action::Emit(Event::Reply(reply)) => self.replies.push(Reply::clone(reply)),
                _ => {}
            }
        }
        self.session.assert_sound();
        answer
    }

    /// The turn of the next deadline, if it is of this timer and comes after so many milliseconds.
    pub(crate) fn wakes(&mut self, timer: Timer, millis: u64) {
        let (at, next) = self.session.machine().next_timer().expect("something is due");
        assert_eq!((next, at.since(self.now).as_millis()), (timer, millis.into()));
        self.now = at;
        self.turn_now(Input::Wake);
    }

    pub(crate) fn command(&mut self, command: Command<Text, Text>) -> Answer<Text> {
        self.turn(Input::Command(command))
    }

    pub(crate) fn send(&mut self, text: &str, options: SendOptions) -> Result<OpId, Why> {
        match self.command(Command::Send { message: text.into(), options }) {
            Answer::Accepted(id) => Ok(id),
            Answer::Refused(why, message) => {
                assert_eq!(message.as_str(), text, "a refused message comes back");
                Err(why)
            }
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn report(&mut self, report: Report) {
        self.turn(Input::Report(self.link, report));
    }

    pub(crate) fn hear(&mut self, line: &str) {
        self.report(Report::Frame(line.to_owned().into()));
    }

    /// The link opens, and this is the answer to the login.
    pub(crate) fn up(&mut self, answer: &str) {
        self.report(Report::Up(Box::default()));
        self.hear(answer);
    }

    pub(crate) fn go_online(&mut self) {
        self.up("ok");
        self.flushed();
    }

    pub(crate) fn flushed(&mut self) {
        self.report(Report::Flushed { frames: self.frames });
    }

    /// The link ends, with a Close frame or without; so many frames have left.
    pub(crate) fn down(&mut self, code: Option<CloseCode>, left: u64) {
        let cause = code.map_or(Cause::Ended, |code| Cause::Closed { code, reason: Text::default() });
        self.report(Report::Down(Box::new(Down { cause, left, verdict: Some(Recovery::Retry) })));
    }

    /// What of the last turn's actions is this.
    pub(crate) fn all<'a, T>(&'a self, what: impl FnMut(&'a Action<Text, Text>) -> Option<T>) -> Vec<T> {
        self.out.iter().filter_map(what).collect()
    }

    /// What was handed to the transport in the last turn.
    pub(crate) fn sent(&self) -> Vec<&str> {
        self.all(|action| match action {
            Action::Send { frame, .. } => frame.as_str(),
            _ => None,
        })
    }

    /// How messages ended in the last turn.
    pub(crate) fn ended(&self) -> Vec<(u64, Outcome)> {
        self.all(|action| match action {
            Action::Emit(Event::Outcome { id, outcome, .. }) => Some((id.0, outcome.clone())),
            _ => None,
        })
    }

    /// The messages that were delivered in the last turn.
    pub(crate) fn delivered(&self) -> Vec<&str> {
        self.all(|action| match action {
            Action::Emit(Event::Message { message, .. }) => Some(message.as_str()),
            _ => None,
        })
    }
}
