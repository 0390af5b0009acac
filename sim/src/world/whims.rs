//! What the application does beside sending.

use std::time::Duration;

use steadfast::{Command, Input, SubscribeOptions, Text};

use super::{Happening, World};
use crate::Whim;
use crate::network::later;

impl World {
    // A table: one whim, and what it takes.
    pub(super) fn stir(&mut self, whim: Whim) {
        self.stirring -= 1;
        self.story.stirred_at = self.now;
        match whim {
            Whim::TakeQueued => self.want(Command::TakeQueued),
            Whim::Suspend(lasts) => self.want_until(Command::Suspend, lasts, Whim::Resume),
            Whim::Resume => self.want(Command::Resume),
            Whim::Lose(lasts) => self.want_until(Command::NetworkLost, lasts, Whim::Find),
            Whim::Find => self.want(Command::NetworkBack),
            Whim::Endpoints(list, queued) => {
                let list = list.iter().map(|endpoint| Text::from(*endpoint)).collect();
                self.want(Command::Endpoints { list, queued });
            }
            Whim::Configure { room, base } => {
                let config = &mut self.scenario.config;
                (config.queue.max_messages, config.retry.base) = (room, base);
                let config = Box::new(config.clone());
                self.want(Command::Configure(config));
            }
            Whim::Drain { within, until } => self.want_until(Command::Drain { within }, until, Whim::Connect),
            Whim::Stop(until) => self.want_until(Command::Stop, until, Whim::Connect),
            Whim::Connect => self.want(Command::Connect),
            Whim::ConnectNow => self.want(Command::ConnectNow),
            Whim::Judge(verdict) => self.verdict = Some(verdict),
            Whim::Subscribe(topic, has_state) => {
                let mut options = SubscribeOptions::default();
                options.snapshot = has_state.then(|| Text::from(format!("!{topic}")));
                self.want(subscribe(topic, options));
            }
            Whim::Glance(topic, lasts) => {
                self.want_until(subscribe(topic, SubscribeOptions::default()), lasts, Whim::Unsubscribe(topic));
            }
            Whim::Forget(lasts) => {
                self.want_until(Command::Authenticate(Some("wrong".into())), lasts, Whim::Remember);
            }
            Whim::Remember => {
                self.want(Command::Authenticate(self.scenario.credential.clone()));
                self.want(Command::Connect);
            }
            Whim::Resync(topic) => self.want(Command::Resync { topic: topic.into() }),
            Whim::Unsubscribe(topic) => self.want(Command::Unsubscribe { topic: topic.into() }),
        }
    }

    pub(super) fn want(&mut self, command: Command<Text, Text>) {
        self.turn(Input::Command(command));
    }

    fn want_until(&mut self, command: Command<Text, Text>, lasts: Duration, end: Whim) {
        self.want(command);
        self.whim_at(lasts, end);
    }

    pub(super) fn whim_at(&mut self, after: Duration, whim: Whim) {
        self.stirring += 1;
        self.at(later(self.now, after), Happening::Stir(whim));
    }
}

fn subscribe(topic: &str, options: SubscribeOptions<Text>) -> Command<Text, Text> {
    Command::Subscribe { topic: topic.into(), options: Box::new(options) }
}
