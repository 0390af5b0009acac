//! A world with virtual time: one session, one server, and what lies between them.

mod app;
mod client;
mod faults;
mod rest;
mod service;
mod whims;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use steadfast::{
    Action, Answer, AskWhy, Cause, Change, CloseCode, Command, Error, Event, Input, LinkId, Machine, OpId, Outcome,
    Phase, Recovery, Report, Rng, Secret, Session, Text, Timestamp, TopicNews,
};

use crate::network::{Parcel, Passage, Wire, later};
use crate::server::Peer;
use crate::{Checked, Digest, Fault, Scenario, Script, Toy, Whim};

/// A world. Everything in it follows from its [`Scenario`].
#[derive(Debug)]
pub struct World {
    scenario: Scenario,
    session: Checked<Session<Toy>, Toy>,
    actions: Vec<Action<Text, Text>>,
    script: Script,
    rng: Rng,
    now: Timestamp,
    /// What will happen. The second number keeps what is due at the same time in order.
    agenda: BTreeMap<(Timestamp, u64), Happening>,
    count: u64,
    wires: BTreeMap<LinkId, Wire>,
    peers: BTreeMap<LinkId, Peer>,
    /// When the last frames came to the server, if it limits them.
    came: VecDeque<Timestamp>,
    link: Option<LinkId>,
    /// What the server had on the last link whose end it has seen, if it keeps that.
    kept: Option<BTreeSet<String>>,
    asleep_until: Timestamp,
    /// The credential that the host has at hand.
    cached: Option<Secret>,
    /// When the last fault is over.
    calm: Timestamp,
    to_send: u64,
    /// Answers to calls: what becomes of them is only told if it is bad news.
    answers: BTreeSet<OpId>,
    /// Whims that are to come.
    stirring: u64,
    /// What the host says of the next end of a link.
    verdict: Option<Recovery>,
    story: Story,
}

/// What happened in a world.
#[derive(Clone, Debug, Default)]
pub struct Story {
    /// When it ended.
    pub ended_at: Timestamp,
    /// How many inputs the session was given.
    pub turns: u64,
    /// All of them, if the scenario asks for it.
    pub inputs: Vec<(Timestamp, Input<Text, Text>)>,
    /// A digest of every turn: time, answer and actions.
    pub digest: Digest,
    /// When the session dialled.
    pub dials: Vec<Timestamp>,
    /// The delays that it announced.
    pub delays: Vec<Duration>,
    /// Its changes of phase.
    pub phases: Vec<Change>,
    /// Its failures.
    pub errors: Vec<(Timestamp, Error)>,
    /// When the application sent for the last time.
    pub sent_at: Timestamp,
    /// When it had its last whim.
    pub stirred_at: Timestamp,
    /// What was accepted, in this order.
    pub accepted: Vec<OpId>,
    /// How many messages were refused.
    pub refused: u64,
    /// What became of the messages, and of the requests that were not answered.
    pub outcomes: BTreeMap<OpId, Outcome>,
    /// The requests that were answered.
    pub answered: BTreeSet<OpId>,
    /// What came back, all at once, without having left.
    pub came_back: Vec<OpId>,
    /// What the server received, in this order, repetitions included.
    pub received: Vec<OpId>,
    /// How often the server said goodbye.
    pub goodbyes: u64,
    /// How often the same message of the server came again, and was dropped.
    pub duplicates: u64,
    /// How many calls of the server were answered.
    pub calls: u64,
    /// How often the server kept the session.
    pub kept: u64,
    /// How often a topic was confirmed.
    pub confirmed: u64,
    /// When the host was asked for a credential, and why.
    pub asks: Vec<(Timestamp, AskWhy)>,
    /// The credentials that the server was shown, in this order.
    pub shown: Vec<String>,
    /// When links were aborted.
    pub aborts: Vec<Timestamp>,
    /// When the server closed a link because too much had come: see [`Scenario::limit`].
    pub limited: Vec<Timestamp>,
    /// How many messages had not ended.
    pub pending: u64,
    /// Where the session stood.
    pub phase: Phase,
    /// Since when all was well: online, and nothing pending.
    pub settled_at: Option<Timestamp>,
    /// What the checker found.
    pub violations: Vec<String>,
}

#[derive(Clone, Debug)]
enum Happening {
    Send,
    Dialled(LinkId),
    Write(LinkId),
    ToServer(LinkId, Parcel),
    ToClient(LinkId, Parcel),
    Resume(LinkId),
    Stream(LinkId),
    /// The server says something of its own accord.
    Talk(LinkId),
    /// The application does something about a message.
    React(Box<Command<Text, Text>>),
    /// The server ends the link.
    Leave(LinkId, Cause),
    Look(LinkId),
    /// The host answers.
    Answer(u64, AskWhy),
    /// A login runs out.
    Expire(LinkId),
    Fault(Fault),
    Stir(Whim),
}

/// A world in which the session takes so many turns at one point in time stands still.
const SPINS: u64 = 500_000;

impl World {
    /// A world at its beginning.
    ///
    /// # Panics
    ///
    /// If the scenario's configuration is refused.
    #[must_use]
    pub fn new(scenario: Scenario) -> Self {
        let session =
            Session::new(scenario.toy, scenario.config.clone(), scenario.seed).expect("a sound configuration");
        let mut session = Checked::new(session, scenario.toy, scenario.config.clone());
        session.watch_arrivals();
        Self {
            session,
            actions: Vec::new(),
            script: scenario.script.clone(),
            rng: Rng::new(scenario.seed ^ 0x776f_726c_6400),
            now: Timestamp::from_millis(1),
            agenda: BTreeMap::new(),
            count: 0,
            wires: BTreeMap::new(),
            peers: BTreeMap::new(),
            came: VecDeque::new(),
            link: None,
            kept: None,
            asleep_until: Timestamp::ZERO,
            cached: scenario.credential.clone(),
            calm: later(Timestamp::from_millis(1), scenario.faults.end()),
            to_send: scenario.app.messages,
            answers: BTreeSet::new(),
            stirring: 0,
            verdict: None,
            story: Story::default(),
            scenario,
        }
    }

    /// Lets time pass until all is settled, or until the scenario's end.
    #[must_use]
    pub fn run(mut self) -> Story {
        self.begin();
        let end = later(self.now, self.scenario.lasts);
        let calm = self.calm;
        let mut spins = 0;
        while let Some(at) = self.next_time().filter(|at| *at <= end) {
            spins = if at > self.now { 0 } else { spins + 1 };
            if spins > SPINS {
                self.story.violations.push(format!("deadline: the world stands still at {}", self.now));
                break;
            }
            self.now = self.now.max(at);
            self.step();
            self.look_whether_settled(calm);
            if self.scenario.until_settled && self.story.settled_at.is_some() && self.now >= calm {
                break;
            }
        }
        self.finish()
    }

    fn begin(&mut self) {
        let faults = std::mem::take(&mut self.scenario.faults.0);
        for (at, fault) in faults.iter().cloned() {
            self.at(later(self.now, at), Happening::Fault(fault));
        }
        self.scenario.faults.0 = faults;
        for (at, whim) in self.scenario.whims.0.clone() {
            self.whim_at(at, whim);
        }
        self.turn(Input::Command(Command::Authenticate(self.scenario.credential.clone())));
        for _ in 0..self.scenario.app.ahead {
            self.send();
        }
        self.turn(Input::Command(Command::Connect));
        if self.to_send > 0 {
            self.at(later(self.now, self.scenario.app.every), Happening::Send);
        }
    }

    fn finish(mut self) -> Story {
        self.session.audit(self.now);
        self.compare_topics();
        self.story.ended_at = self.now;
        self.story.phase = self.session.machine().phase();
        self.story.pending = self.session.checker().pending() as u64;
        self.story.turns = self.session.checker().turns();
        self.story.violations.extend_from_slice(self.session.checker().violations());
        self.story
    }

    /// When something happens next: of the world's, or the session's deadline.
    fn next_time(&self) -> Option<Timestamp> {
        let due = self.agenda.first_key_value().map(|((at, _), _)| *at);
        let wake = self.session.next_deadline().map(|at| at.max(self.asleep_until));
        due.into_iter().chain(wake).min()
    }

    fn step(&mut self) {
        match self.agenda.first_entry().filter(|entry| entry.key().0 <= self.now) {
            Some(entry) => {
                let (_, number) = *entry.key();
                let happening = entry.remove();
                match self.put_off(&happening) {
                    // It keeps its number: what waits for the same thaw keeps its order.
                    Some(at) => {
                        self.agenda.insert((at, number), happening);
                    }
                    None => self.happen(happening),
                }
            }
            None => self.turn(Input::Wake),
        }
        if self.session.checker().turns() % 1_000 == 0 {
            self.session.audit(self.now);
        }
    }

    fn at(&mut self, at: Timestamp, happening: Happening) {
        self.count += 1;
        self.agenda.insert((at, self.count), happening);
    }

    /// One input, and what follows from it.
    fn turn(&mut self, input: Input<Text, Text>) {
        if self.scenario.keep_inputs {
            self.story.inputs.push((self.now, input.clone()));
        }
        let is_call = matches!(input, Input::Command(Command::Reply(_)));
        let answer = self.session.handle(self.now, input, &mut self.actions);
        if let (true, Answer::Accepted(id)) = (is_call, &answer) {
            self.answers.insert(*id);
        }
        self.story.digest.add(&(self.now, &answer, &self.actions));
        self.perform();
        match answer {
            Answer::Accepted(_) if is_call => {}
            Answer::Accepted(id) => self.story.accepted.push(id),
            Answer::Refused(..) => self.story.refused += 1,
            Answer::CameBack(messages) => self.story.came_back.extend(messages.iter().map(|message| message.id)),
            Answer::Done
            | Answer::Cancelled(_)
            | Answer::BadEndpoints(_)
            | Answer::BadConfig(_)
            | Answer::Denied(_)
            | Answer::Stale => {}
        }
    }

    fn perform(&mut self) {
        let mut actions = std::mem::take(&mut self.actions);
        for action in actions.drain(..) {
            match action {
                Action::Connect(attempt) => self.dial(&attempt),
                Action::AskCredential { ask, why, .. } => {
                    self.story.asks.push((self.now, why));
                    self.at(later(self.now, self.scenario.host.takes), Happening::Answer(ask, why));
                }
                Action::Send { link, frame, .. } => {
                    if let Some(wire) = self.wires.get_mut(&link) {
                        wire.feed(frame);
                    }
                }
                Action::FlushQueue(link) => {
                    let wait = self.rng.between(Duration::ZERO, self.scenario.network.write);
                    self.at(later(self.now, wait), Happening::Write(link));
                }
                Action::Close { link, code, .. } => self.close(link, code),
                Action::Abort(link) => {
                    self.story.aborts.push(self.now);
                    self.hang_up(link);
                }
                Action::ReconnectAfter { at, .. } => self.story.delays.push(at.since(self.now)),
                Action::EmitError(error) => self.story.errors.push((self.now, *error)),
                Action::Emit(event) => self.note(event),
            }
        }
        self.actions = actions;
    }

    fn note(&mut self, event: Event<Text, Text>) {
        match event {
            Event::Phase(change) => self.story.phases.push(*change),
            Event::Outcome { id, outcome, label: _ } if !self.answers.contains(&id) => {
                self.story.outcomes.insert(id, outcome);
            }
            Event::GoingAway(_) => self.story.goodbyes += 1,
            Event::Topic { news: TopicNews::Confirmed, .. } => self.story.confirmed += 1,
            Event::Reply(reply) => match reply.result {
                Ok(_) => {
                    self.story.answered.insert(reply.id);
                }
                Err(outcome) => {
                    self.story.outcomes.insert(reply.id, outcome);
                }
            },
            Event::Message { mark, link, .. } => self.react(link, &mark),
            Event::Duplicate { .. } => self.story.duplicates += 1,
            Event::Room | Event::Bad(_) | Event::Trouble(_) | _ => {}
        }
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Send => self.send_next(),
            Happening::Dialled(link) => self.answer_dial(link),
            Happening::Write(link) => self.write(link),
            Happening::ToServer(link, parcel) => self.reach_server(link, parcel),
            Happening::ToClient(link, parcel) => self.reach_client(link, parcel),
            Happening::Resume(link) => self.report(link, Report::Resumed),
            Happening::Stream(link) => self.stream(link),
            Happening::Talk(link) => self.talk(link),
            Happening::React(command) => self.want(*command),
            Happening::Leave(link, cause) => self.end_from_server(link, cause),
            Happening::Look(link) => self.look(link),
            Happening::Answer(ask, why) => self.answer(ask, why),
            Happening::Expire(link) => self.expire(link),
            Happening::Fault(fault) => self.fault(fault),
            Happening::Stir(whim) => self.stir(whim),
        }
    }

    /// Whether the computer sleeps, or the way is frozen.
    fn put_off(&self, happening: &Happening) -> Option<Timestamp> {
        let (link, is_clients) = match happening {
            Happening::Send | Happening::Answer(..) | Happening::Stir(_) | Happening::React(_) => (None, true),
            Happening::Dialled(link) | Happening::ToClient(link, _) => (Some(link), true),
            Happening::Write(link) | Happening::Resume(link) => (None, self.wires.contains_key(link)),
            Happening::ToServer(link, _) => (Some(link), false),
            Happening::Stream(_)
            | Happening::Talk(_)
            | Happening::Leave(..)
            | Happening::Look(_)
            | Happening::Expire(_)
            | Happening::Fault(_) => (None, false),
        };
        if is_clients && self.asleep_until > self.now {
            return Some(self.asleep_until);
        }
        match self.wires.get(link?)?.passage(self.now) {
            Passage::Now => None,
            Passage::At(at) => Some(at),
            Passage::Never => Some(Timestamp::MAX),
        }
    }
}

fn closed(code: CloseCode) -> Cause {
    Cause::Closed { code, reason: Text::default() }
}
