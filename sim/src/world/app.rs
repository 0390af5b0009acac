//! What the application and the host do by themselves: they send, and answer.

use std::time::Duration;

use steadfast::{
    AskWhy, CallReply, Class, Command, Input, LinkId, Mark, RequestOptions, RequestRetry, Rng, SendOptions, Text,
};

use super::{Happening, World};
use crate::Gives;
use crate::network::later;

impl World {
    pub(super) fn send_next(&mut self) {
        self.send();
        self.to_send -= 1;
        if self.rng.up_to(99) < self.scenario.app.cancels {
            let back = 1 + self.rng.up_to(3) as usize;
            if let Some(id) = self.story.accepted.iter().rev().nth(back) {
                self.turn(Input::Command(Command::Cancel(*id)));
            }
        }
        if self.to_send > 0 {
            self.at(later(self.now, self.scenario.app.every), Happening::Send);
        }
    }

    /// The host was asked for a credential.
    pub(super) fn answer(&mut self, ask: u64, why: AskWhy) {
        let answer = match self.scenario.host.gives {
            Gives::Cached => {
                if why != AskWhy::First {
                    self.cached = Some(self.script.password.into());
                }
                self.cached.clone()
            }
            Gives::Same => self.scenario.credential.clone(),
            Gives::Nothing => None,
            Gives::Silence => return,
        };
        let answer = answer.ok_or_else(|| Text::from_static("nobody is logged in here"));
        self.turn(Input::Command(Command::Credential { ask, answer }));
    }

    /// A message has come: a while later it is taken, or answered.
    pub(super) fn react(&mut self, link: LinkId, mark: &Mark) {
        let take = mark.wants_ack().map(|id| Command::Taken { id: id.clone() });
        let answer = mark.marks().and_then(|marks| marks.call.clone()).map(|call| {
            let answer = if call.len() % 2 == 0 { Ok("answer".into()) } else { Err(Box::default()) };
            Command::Reply(Box::new(CallReply { link, call, answer }))
        });
        for command in take.into_iter().chain(answer) {
            let wait = self.rng.between(Duration::ZERO, Duration::from_millis(300));
            self.at(later(self.now, wait), Happening::React(Box::new(command)));
        }
    }

    pub(super) fn send(&mut self) {
        let (app, rng) = (self.scenario.app, &mut self.rng);
        let mut options = SendOptions::default();
        if rng.up_to(99) < app.at_least_once && self.scenario.toy.acks {
            options.class = Class::AtLeastOnce;
        }
        options.tracked = rng.up_to(99) >= app.untracked;
        if rng.up_to(99) < app.perishable {
            options = options.ttl(rng.between(Duration::from_millis(1), Duration::from_secs(1)));
        }
        // Chance is asked for no more than is wanted: what wants none of this runs as it always did.
        if app.others > 0 && rng.up_to(99) < app.others {
            options = of_another_class(rng, options);
        }
        let is_question = app.requests > 0 && rng.up_to(99) < app.requests;
        self.story.sent_at = self.now;
        let is_alike = app.alike > 0 && rng.up_to(99) < app.alike;
        let number = self.story.accepted.len() as u64 - u64::from(is_alike && !self.story.accepted.is_empty());
        if is_alike && options.class != Class::Latest {
            options = options.key(format!("key {}", number % 50));
        }
        let message = Text::from(format!("message {number}"));
        let command = if is_question {
            Command::Request { message, options: Box::new(question(rng, &options)) }
        } else {
            Command::Send { message, options }
        };
        self.turn(Input::Command(command));
    }
}

/// As it would be sent, but of one of the other classes.
fn of_another_class(rng: &mut Rng, mut options: SendOptions) -> SendOptions {
    let key = rng.up_to(2);
    options.class = [Class::Volatile, Class::Latest, Class::Bypass][rng.up_to(2) as usize];
    if options.class == Class::Latest { options.key(format!("key {key}")) } else { options }
}

/// A question, with as long a life as the message that it is asked instead of.
fn question(rng: &mut Rng, options: &SendOptions) -> RequestOptions {
    let mut asked = RequestOptions::default();
    asked.deadline = options.time_to_live().map(|ttl| ttl.duration());
    asked.idempotent = options.class == Class::AtLeastOnce;
    asked.retry = (rng.up_to(1) == 0).then(RequestRetry::default);
    asked.weight(options.slots())
}
