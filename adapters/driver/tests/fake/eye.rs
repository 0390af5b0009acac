//! Who sees every turn of the session: the checker, and what the session said.

use std::collections::{BTreeMap, BTreeSet};

use steadfast::{Action, Answer, Config, Event, Input, OpId, Outcome, Session, Text, Timestamp, Watch};
use steadfast_sim::{Brief, Checker, Digest, Toy};

use super::Fake;

pub struct Eye {
    fake: Fake,
    pub config: Config,
    pub checker: Checker<Toy>,
    brief: Option<Brief>,
    /// What became of each message, and of each request without an answer.
    pub outcomes: BTreeMap<OpId, Outcome>,
    pub answered: BTreeSet<OpId>,
    /// The messages of no topic, in the order in which they were told.
    pub messages: Vec<Text>,
    /// How many changes of phase were told.
    pub changes: usize,
    /// Of every turn, where it is wanted.
    pub digest: Option<Digest>,
}

impl Eye {
    pub fn new(fake: &Fake, toy: Toy, config: Config) -> Self {
        let mut checker = Checker::new(toy, config.clone());
        checker.watch_arrivals();
        Self {
            fake: fake.clone(),
            config,
            checker,
            brief: None,
            outcomes: BTreeMap::new(),
            answered: BTreeSet::new(),
            messages: Vec::new(),
            changes: 0,
            digest: None,
        }
    }

    fn note(&mut self, action: &Action<Text, Text>) {
        let Action::Emit(event) = action else { return };
        if let Event::Outcome { id, outcome, .. } = event {
            self.outcomes.insert(*id, outcome.clone());
        } else if let Event::Message { message, topic: None, .. } = event {
            self.messages.push(message.clone());
        } else if let Event::Phase(_) = event {
            self.changes += 1;
        } else if let Event::Reply(reply) = event {
            match &reply.result {
                Ok(_) => drop(self.answered.insert(reply.id)),
                Err(outcome) => drop(self.outcomes.insert(reply.id, outcome.clone())),
            }
        }
    }
}

impl Watch<Session<Toy>> for Eye {
    fn before(&mut self, _: Timestamp, input: &Input<Text, Text>) {
        self.brief = Some(self.checker.before(input));
    }

    fn after(&mut self, now: Timestamp, session: &Session<Toy>, answer: &Answer<Text>, actions: &[Action<Text, Text>]) {
        self.fake.stir();
        let brief = self.brief.take().unwrap();
        self.checker.after(now, brief, answer, actions, steadfast::Machine::next_deadline(session));
        if let Some(digest) = &mut self.digest {
            digest.add(&(now, answer, actions));
        }
        actions.iter().for_each(|action| self.note(action));
        if self.checker.turns() % 100 == 0 {
            self.checker.audit(&session.health(now), session.stats(), session.history().count());
        }
    }
}
