//! What does an input say, before the session has done anything?

use steadfast::{Answer, LinkId, Phase, SendOptions, Timestamp};

use super::{
    Checker, Got, Spy,
    brief::{Change, Saw, What},
    ledger::Why,
    link::Stage,
};

impl<S: Spy> Checker<S> {
    /// What the input alone says.
    // A table: an arm for each input.
    pub(super) fn absorb<M>(&mut self, now: Timestamp, what: What, options: Option<SendOptions>, answer: &Answer<M>) {
        if let Some(due) = self.deadline.filter(|due| *due < now) {
            self.links.overslept(now, now.since(due));
            self.asks.overslept(now);
            self.topics.overslept(now, now.since(due));
        }
        if self.links.is_stable(now, self.on_link.stable_for) {
            self.pace.stable();
        }
        match what {
            // A request is taken down by its options, an answer by its link.
            What::Wake
            | What::Other
            | What::Configure
            | What::Request
            | What::Reply
            | What::Subscribe
            | What::Unsubscribe => {}
            What::Credential(ask) => self.asks.answer(ask),
            What::Endpoints { .. } => self.absorb_endpoints(answer),
            What::Lost => self.pace.lost(now, self.config.connect.network_wait),
            What::Back => self.pace.back(now, &self.config),
            What::Suspend(suspended) => {
                self.pace.suspend(suspended);
                self.look.suspend(suspended);
            }
            What::Connect { now: at_once } => {
                if at_once {
                    self.pace.overrule();
                    self.wishes.overrule();
                }
                // Whoever gives up, and waits for the last goodbye still, starts anew as well.
                let restarts = matches!(self.phase, Phase::Stopped(_)) || self.fatal;
                self.over = false;
                self.fatal = false;
                if restarts {
                    self.pace.restart();
                }
                if at_once || restarts {
                    self.pace.hurry();
                }
            }
            What::Stop => self.over = true,
            What::Send => {
                if let (Answer::Accepted(id), Some(options)) = (answer, options) {
                    self.twins.accept(now, *id, &options, &self.config.dedup);
                    let verdict = self.ledger.accept(now, *id, options, self.links.up());
                    self.note(verdict);
                }
            }
            What::TakeQueued => self.absorb_taken(answer),
            What::Cancel(id) => {
                if matches!(answer, Answer::Cancelled(Some(_))) {
                    let verdict = self.ledger.cancel(id);
                    self.note(verdict);
                }
            }
            What::Report(link, saw) => self.absorb_report(now, link, saw),
        }
    }

    fn absorb_endpoints<M>(&mut self, answer: &Answer<M>) {
        let Answer::CameBack(messages) = answer else { return };
        self.elsewhere = self.ledger.last();
        for message in messages {
            let verdict = self.ledger.cancel(message.id);
            self.note(verdict);
        }
    }

    fn absorb_taken<M>(&mut self, answer: &Answer<M>) {
        let Answer::CameBack(messages) = answer else { return };
        let verdict = self.ledger.all_waiting(messages.len());
        self.note(verdict);
        for message in messages {
            let verdict = self.ledger.cancel(message.id);
            self.note(verdict);
        }
    }

    /// What was handed in counts from now on, unless it was refused.
    pub(super) fn adopt<M>(&mut self, now: Timestamp, change: Change, answer: &Answer<M>) {
        if matches!(answer, Answer::BadConfig(_) | Answer::BadEndpoints(_)) {
            return;
        }
        match change {
            Change::Config(config) => {
                let queue = &config.queue;
                self.look.adopt(config.degraded_after);
                self.twins.adopt(now, &self.config.dedup, &config.dedup);
                if config.retry.floor != self.config.retry.floor {
                    self.pace.floor_changes();
                }
                self.most = (self.most.0.max(queue.max_messages), self.most.1.max(queue.max_bytes));
                self.config = *config;
            }
            Change::Endpoints(list) if list == self.endpoints => {}
            Change::Endpoints(list) => {
                self.pace.elsewhere(list.len());
                self.wishes.overrule();
                self.endpoints = list;
            }
        }
    }

    // A table: an arm for each report.
    fn absorb_report(&mut self, now: Timestamp, id: LinkId, saw: Saw) {
        let Some(link) = self.links.get(id) else { return };
        if matches!(saw, Saw::Frame(_) | Saw::Progress) {
            link.silence().begin(now);
        }
        match saw {
            // Nothing can have been said before the link was open.
            Saw::Frame(_) if link.stage() == Stage::Dialing => {}
            Saw::Up { can_ping } => {
                link.up(now, !self.spy.has_login(), self.spy.finds_silence(can_ping));
            }
            Saw::Frame(Got::LoginOk | Got::Kept) => link.login_ok(now),
            // A request waits for more than that.
            Saw::Frame(Got::Acked(op)) if self.ledger.is_request(op) => link.arrived(op, &mut self.ledger),
            // It is a message that is acknowledged, and no topic.
            Saw::Frame(Got::Acked(op)) if link.asked_of_topics(op) => {}
            Saw::Frame(Got::Acked(op)) => {
                link.answered(op, &mut self.ledger);
                self.ledger.answered(op, id, Why::Acked);
            }
            Saw::Frame(Got::Denied(op)) => {
                link.answered(op, &mut self.ledger);
                self.ledger.answered(op, id, Why::Denied);
            }
            // What answers a message is a message, and says no more of it.
            Saw::Frame(Got::Replied(op)) if !self.ledger.is_request(op) => link.arrived(op, &mut self.ledger),
            Saw::Frame(Got::Replied(op)) => {
                link.answered(op, &mut self.ledger);
                self.ledger.replied(op, id);
            }
            Saw::Frame(Got::Done(op)) => {
                link.answered(op, &mut self.ledger);
                if !self.ledger.replied(op, id) {
                    self.ledger.answered(op, id, Why::Acked);
                }
            }
            Saw::Flushed(frames) => {
                link.flushed(frames, &mut self.ledger);
                link.flush_done();
            }
            Saw::Down(ended) => {
                self.asks.gone(id);
                let limit = ended.charges.then_some(self.config.errors.poison_limit);
                self.links.down(id, ended.left, limit, &mut self.ledger);
            }
            Saw::Paused => link.silence().pause(now, true),
            Saw::Resumed => link.silence().pause(now, false),
            Saw::Frame(Got::On | Got::Off | Got::Gone | Got::Other) | Saw::Progress => {}
        }
    }
}
