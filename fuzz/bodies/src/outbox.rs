//! Does what was accepted arrive, in order and as often as promised, whatever the links do?
//!
//! The network is honest here: a link carries a prefix of what was sent on it, the peer acknowledges only
//! what it has. When the faults stop, everything that is kept until acknowledged has arrived.

use std::{collections::BTreeSet, time::Duration};

use arbitrary::{Arbitrary, Result, Unstructured};
use steadfast::{Answer, Cause, Class, Command, Config, Down, Input, LinkId, OpId, Report, SendOptions};
use steadfast_sim::{Sent, Spy, Toy};

use crate::{
    rig::{Pause, Rig},
    settings::Settings,
};

/// Enough for every story, and few enough to run thousands a second.
const MOST: usize = 256;
/// More links than the end of a case can need.
const ENDLESS: usize = 1_000;

/// One thing that happens.
#[derive(Debug, Arbitrary)]
enum Step {
    Send { length: u8, kept: bool, tracked: bool, ttl: Option<u8> },
    Cancel(u8),
    Dial(Pause),
    Up,
    Flush(u8),
    Arrive(u8),
    Ack(u8),
    AckAgain(u8),
    Down(u8),
    Wake(Pause),
}

/// The link of the moment, as the network and the peer see it.
#[derive(Debug, Default)]
struct Road {
    link: Option<LinkId>,
    up: bool,
    /// Frames that are with the operating system.
    written: usize,
    /// Frames that the peer has read.
    read: usize,
}

/// What was promised to the application, and what the peer has.
#[derive(Debug)]
struct Case {
    rig: Rig,
    road: Road,
    login: bool,
    /// Accepted with the promise to arrive at least once.
    kept: BTreeSet<OpId>,
    /// What the peer has.
    got: BTreeSet<OpId>,
    /// What the peer has read on this link and not acknowledged on it.
    unanswered: Vec<OpId>,
    /// What it has acknowledged.
    answered: Vec<OpId>,
}

/// Runs one case. Panics if a promise is broken.
pub fn outbox(data: &[u8]) {
    let mut u = Unstructured::new(data);
    let Ok(mut case) = Case::new(&mut u) else { return };
    for _ in 0..MOST {
        if u.is_empty() {
            break;
        }
        let Ok(step) = u.arbitrary() else { break };
        case.take(step);
    }
    case.faults_stop();
    case.rig.finish();
}

impl Case {
    fn new(u: &mut Unstructured<'_>) -> Result<Self> {
        let mut settings: Settings = u.arbitrary()?;
        let login = settings.protocol.login;
        settings.protocol = Toy { login, ..Toy::default() };
        settings.config.heartbeat = Config::default().heartbeat;
        // This host does not answer.
        settings.config.credentials = Config::default().credentials;
        // Nor is time to pass where nobody waits for it.
        settings.config.pacing = Config::default().pacing;
        settings.config.batching = Config::default().batching;
        let mut rig = Rig::new(settings);
        rig.watch_arrivals();
        rig.command(Command::Connect);
        let (kept, got, unanswered, answered) = Default::default();
        Ok(Self { rig, road: Road::default(), login, kept, got, unanswered, answered })
    }

    fn take(&mut self, step: Step) {
        self.find_road();
        match step {
            Step::Send { length, kept, tracked, ttl } => self.send(length, kept, tracked, ttl),
            Step::Cancel(id) => drop(self.rig.command(Command::Cancel(OpId(id.into())))),
            Step::Dial(pause) => {
                self.rig.pass(pause);
                self.rig.command(Command::ConnectNow);
            }
            Step::Up => self.up(),
            Step::Flush(frames) => self.flush(frames.into()),
            Step::Arrive(frames) => self.arrive(frames.into()),
            Step::Ack(which) => self.ack(which.into()),
            Step::AckAgain(which) => self.ack_again(which.into()),
            Step::Down(left) => self.down(left.into()),
            Step::Wake(pause) => {
                self.rig.pass(pause);
                self.rig.turn(Input::Wake);
            }
        }
    }

    /// The session may have given a link up, or dialled a new one, in any turn.
    fn find_road(&mut self) {
        let live = self.rig.live().map(|link| link.id);
        if live != self.road.link {
            self.road = Road { link: live, ..Road::default() };
            self.unanswered.clear();
        }
    }

    fn send(&mut self, length: u8, kept: bool, tracked: bool, ttl: Option<u8>) {
        let class = if kept { Class::AtLeastOnce } else { Class::AtMostOnce };
        let message = "x".repeat(usize::from(length) % 48).into();
        let mut options = SendOptions::new(class);
        options.tracked = tracked;
        if let Some(millis) = ttl {
            options = options.ttl(Duration::from_millis(millis.into()));
        }
        match self.rig.command(Command::Send { message, options }) {
            Answer::Accepted(id) if kept => drop(self.kept.insert(id)),
            Answer::Accepted(_)
            | Answer::Refused(..)
            | Answer::Done
            | Answer::Cancelled(_)
            | Answer::CameBack(_)
            | Answer::BadEndpoints(_)
            | Answer::BadConfig(_)
            | Answer::Denied(_)
            | Answer::Stale => {}
        }
    }

    fn up(&mut self) {
        let Some(link) = self.road.link.filter(|_| !self.road.up) else { return };
        self.road.up = true;
        self.rig.report(link, Report::Up(Box::default()));
        if self.login {
            self.say("ok".to_owned());
        }
    }

    fn say(&mut self, line: String) {
        self.find_road();
        if let Some(link) = self.road.link.filter(|_| self.road.up) {
            self.rig.report(link, Report::Frame(line.into()));
        }
    }

    /// So many more frames are with the operating system.
    fn flush(&mut self, frames: usize) {
        let Some(link) = self.road.link.filter(|_| self.road.up) else { return };
        self.road.written = self.road.written.saturating_add(frames).min(self.sent()).max(self.road.read);
        self.rig.report(link, Report::Flushed { frames: self.road.written as u64 });
    }

    fn sent(&mut self) -> usize {
        self.rig.live().map_or(0, |link| link.sent.len())
    }

    /// So many more frames reach the peer; it may be quicker than the report of their flush.
    fn arrive(&mut self, frames: usize) {
        for _ in 0..frames {
            let read = self.road.read;
            let Some(frame) = self.rig.live().and_then(|link| link.sent.get(read).cloned()) else { return };
            self.road.read += 1;
            if let Sent::Message(Some(id)) = Toy::default().sent(&frame) {
                self.receive(id);
            }
        }
    }

    /// First arrivals come in order of acceptance; only what is kept can come again.
    fn receive(&mut self, id: OpId) {
        self.rig.arrived(id);
        self.unanswered.push(id);
        let newest = self.got.last().copied();
        if self.got.insert(id) {
            assert!(newest.is_none_or(|newest| newest < id), "message {id} arrives first after {newest:?}");
        } else {
            assert!(self.kept.contains(&id), "message {id} arrives twice");
        }
    }

    fn ack(&mut self, which: usize) {
        if self.unanswered.is_empty() {
            return;
        }
        let id = self.unanswered.remove(which % self.unanswered.len());
        self.answered.push(id);
        self.say(format!("got {id}"));
    }

    fn ack_again(&mut self, which: usize) {
        if let Some(id) = self.answered.get(which % self.answered.len().max(1)).copied() {
            self.say(format!("got {id}"));
        }
    }

    /// The link dies. What the peer has read has left, and perhaps so many frames more.
    fn down(&mut self, more: usize) {
        let Some(link) = self.road.link else { return };
        let left = self.road.written.max(self.road.read).saturating_add(more).min(self.sent()) as u64;
        self.rig.report(link, Report::Down(Box::new(Down { cause: Cause::Ended, left, verdict: None })));
    }

    /// From here on every link carries what it is given, and the peer answers.
    fn faults_stop(&mut self) {
        for _ in 0..ENDLESS {
            if self.rig.pending() == 0 {
                break;
            }
            self.find_road();
            if self.road.link.is_some() {
                self.up();
                self.arrive(usize::MAX);
                self.flush(usize::MAX);
                while !self.unanswered.is_empty() {
                    self.ack(0);
                }
            } else {
                self.rig.pass(Pause::ToDeadline);
                self.rig.command(Command::ConnectNow);
            }
        }
        assert_eq!(self.rig.pending(), 0, "without faults the queue drains");
        for id in &self.kept {
            let told = self.rig.bad_news().contains(id);
            assert!(self.got.contains(id) || told, "message {id} never arrived, and nobody was told");
        }
    }
}
