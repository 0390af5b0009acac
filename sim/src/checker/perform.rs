//! What does an action say, and was it right?

use std::fmt::Debug;

use steadfast::{Action, Error, Event, Frame, GaveUp, LinkId, OpId, Phase, Recovery, StopCause, Timestamp};

use super::{
    Checker, Sent, Spy,
    brief::{Saw, What},
    ledger,
    link::Stage,
    topics::name,
};

impl<S: Spy> Checker<S> {
    /// What an action says.
    // A table: an arm for each action.
    pub(super) fn perform<I: Debug, T: Debug>(&mut self, now: Timestamp, what: What, action: &Action<I, T>) {
        let verdict = self.asks.look(action);
        self.note(verdict);
        match action {
            Action::Connect(attempt) => {
                let verdict = self.asks.dial(attempt, &self.config.credentials);
                self.note(verdict);
                let verdict = self.links.dial(attempt.link);
                self.note(verdict);
                self.on_link = self.config.clone();
                let verdict = self.pace.dial(now, attempt.attempt, &self.config);
                self.note(verdict);
                let verdict = self.wishes.dial(now);
                self.note(verdict);
                self.pace.goes_to(attempt.endpoint.as_ref().is_some_and(|endpoint| !self.endpoints.contains(endpoint)));
                (self.going_away, self.goodbye) = (false, None);
                let (fatal, phase) = (self.fatal, self.phase);
                self.check(!fatal, || format!("phase: dials after a fatal error, while {phase}"));
            }
            Action::AskCredential { ask, link, why: _ } => {
                let verdict = self.asks.ask(now, (*ask, *link), &self.config.credentials);
                self.note(verdict);
                if !self.links.knows(*link) {
                    let verdict = self.pace.ask(now);
                    self.note(verdict);
                }
            }
            Action::Send { link, frame, secret } => self.send(now, *link, frame, *secret),
            Action::FlushQueue(link) => {
                let verdict = self.links.flush(*link);
                self.note(verdict);
            }
            Action::Close { link, code, .. } => {
                if self.links.is_stable(now, self.on_link.stable_for) {
                    self.pace.stable();
                }
                // Whoever goes elsewhere does not come back.
                if let Some(wait) = self.goodbye.filter(|_| !matches!(what, What::Endpoints { .. })) {
                    self.wishes.asked(now, wait, &self.config.retry);
                }
                self.asks.gone(*link);
                self.topics.leave(*link);
                let verdict = self.links.leave(*link);
                self.note(verdict);
                self.check(code.is_sendable(), || format!("one link: closes with {code}, which cannot be sent"));
            }
            // An attempt that only asked the host has no transport.
            Action::Abort(id) if self.asks.gone(*id) && !self.links.knows(*id) => {}
            Action::Abort(id) => {
                self.topics.end(*id);
                let verdict = self.links.abort(*id, &mut self.ledger);
                self.note(verdict);
            }
            Action::ReconnectAfter { at, error, attempt: _ } => {
                let verdict =
                    self.pace.announce(now, *at, *error, self.going_away.then_some(self.goodbye), &self.config);
                self.note(verdict);
            }
            Action::EmitError(error) => self.error(now, what, error),
            Action::Emit(event) => self.event(now, what, event),
        }
    }

    fn send(&mut self, now: Timestamp, id: LinkId, frame: &Frame, secret: bool) {
        let sent = self.spy.sent(frame);
        let Some(link) = self.links.get(id).filter(|link| link.stage() == Stage::Up) else {
            return self.note(Err(format!("one link: sends {frame:?} on link {id}, which is not up")));
        };
        let may_send = link.is_logged_in() || matches!(sent, Sent::Login | Sent::Pong);
        let (op, verdict) = match sent {
            Sent::Login | Sent::Pong | Sent::Control | Sent::Subscribe(_) | Sent::Unsubscribe(_) => (None, Ok(())),
            Sent::Request(op) if !self.ledger.was_asked(op) => (None, Ok(())),
            Sent::Request(op) => self.ledger.hand_over(now, id, Some(op)),
            Sent::Message(op) => self.ledger.hand_over(now, id, op),
            Sent::Batch => return self.send_batch(now, id, frame, secret),
        };
        let passes = op.is_some_and(|op| self.ledger.passes(op));
        let may_send = may_send || passes;
        let is_secret = sent == Sent::Login || op.is_some_and(|op| self.ledger.is_secret(op));
        let fits = link.sent(op, passes, frame.len() as u64, &self.on_link.window);
        self.check(may_send, || format!("login first: sends {frame:?} before the login is accepted"));
        self.check(secret == is_secret, || "login first: what is secret is not marked, or what is not is".into());
        self.note(verdict);
        self.note(fits);
        self.topics_sent(now, id, (sent, passes), frame);
    }

    /// Several messages in one frame: each in its turn, and all with the frame.
    fn send_batch(&mut self, now: Timestamp, id: LinkId, frame: &Frame, secret: bool) {
        let members = self.spy.members(frame);
        let most = self.config.batching.count as usize;
        self.check((2..=most).contains(&members.len()), || format!("order: a batch of {}", members.len()));
        let mut is_secret = false;
        for (at, op) in members.into_iter().enumerate() {
            let (op, verdict) = self.ledger.hand_over(now, id, Some(op));
            self.note(verdict);
            is_secret |= op.is_some_and(|op| self.ledger.is_secret(op));
            let Some(link) = self.links.get(id) else { return };
            let may_send = link.is_logged_in();
            let fits = if at == 0 {
                link.sent(op, false, frame.len() as u64, &self.on_link.window)
            } else {
                link.sent_within(op);
                Ok(())
            };
            self.note(fits);
            self.check(may_send, || format!("login first: sends {frame:?} before the login is accepted"));
            self.topics_sent(now, id, (Sent::Batch, false), frame);
        }
        self.check(secret == is_secret, || "login first: what is secret is not marked, or what is not is".into());
    }

    fn error(&mut self, now: Timestamp, what: What, error: &Error) {
        // What the host says of the end comes before what the peer has asked for.
        let is_judged = matches!(what, What::Report(_, Saw::Down(ended)) if ended.is_judged);
        let asked = self.goodbye.filter(|_| self.links.has_seen(error.link) && !is_judged);
        self.check(error.retry_after >= asked, || {
            format!("pace: the peer asked for {asked:?}, and error {} says {:?}", error.number, error.retry_after)
        });
        self.errors += 1;
        let expected = self.errors;
        self.check(error.number == expected, || format!("phase: error {} where {expected} is next", error.number));
        self.fatal = error.recovery == Recovery::Fatal;
        if !self.links.has_seen(error.link) {
            self.pace.not_dialled();
        }
        if let Some(wait) = error.retry_after.filter(|_| self.endpoints.len() < 2 && !self.pace.is_guest()) {
            self.wishes.asked(now, wait, &self.config.retry);
        }
        self.pace.failed(now, error, &self.config);
        self.look.failed(now);
    }

    // A table: an arm for each event.
    fn event<I, T: Debug>(&mut self, now: Timestamp, what: What, event: &Event<I, T>) {
        match event {
            Event::Phase(change) => {
                let (was, errors) = (self.phase, self.errors);
                self.check(change.from == was && change.to != was, || {
                    format!("phase: {} -> {} while {was}", change.from, change.to)
                });
                self.check(change.at == now, || format!("phase: {} is dated {}", change.to, change.at));
                self.check(change.error.is_none_or(|n| 1 <= n && n <= errors), || {
                    format!("phase: {} names error {:?}, {errors} are known", change.to, change.error)
                });
                let should = change.to == Phase::Stopped(StopCause::Failed);
                self.check(change.gave_up.is_some() == should, || {
                    format!("phase: {} with {:?}", change.to, change.gave_up)
                });
                if let Some(gave_up) = &change.gave_up {
                    let GaveUp { first, last, .. } = &**gave_up;
                    let in_order = 0 < first.number && first.number <= last.number && last.number <= errors;
                    self.check(in_order, || format!("phase: gave up with {gave_up:?} of {errors} errors"));
                }
                if matches!(change.to, Phase::Stopped(_)) {
                    self.pace.overrule();
                } else if change.to == Phase::Online {
                    self.pace.online();
                }
                let verdict = self.topics.phase(change.to);
                self.note(verdict);
                self.phase = change.to;
                self.look.phase(now, change.to);
            }
            Event::Outcome { id, outcome, .. } => {
                let context = self.context(now, what, *id);
                let verdict = self.ledger.end(*id, outcome, &context);
                self.note(verdict);
                let verdict = self.twins.end(*id, outcome, &self.config.dedup);
                self.note(verdict);
            }
            Event::Reply(reply) => {
                let context = self.context(now, what, reply.id);
                let answered = reply.result.as_ref().map(|message| message.is_some());
                let verdict = self.ledger.end_request(reply.id, answered, &context);
                self.note(verdict);
            }
            Event::GoingAway(away) => {
                self.going_away = true;
                self.goodbye = self.goodbye.max(away.comeback.wait());
                if away.address.is_some() && self.config.connect.follow_goaway {
                    self.pace.sent();
                }
            }
            Event::Watermark { high } => {
                let was = std::mem::replace(&mut self.is_high, *high);
                self.check(was != *high, || format!("bounds: the queue is called high: {high}, twice"));
            }
            Event::Degraded => self.shift = Some(true),
            Event::Recovered => self.shift = Some(false),
            Event::Level(level) => {
                let verdict = self.look.level_told(now, *level);
                self.note(verdict);
            }
            Event::Message { mark, topic, link, .. } => {
                let verdict = self.twins.delivered(now, mark, &self.config.dedup);
                self.note(verdict);
                if let Some(topic) = topic.as_ref().filter(|_| self.spy.has_topics()) {
                    let verdict = self.topics.message(&name(topic), *link);
                    self.note(verdict);
                }
            }
            Event::Topic { topic, news } if self.spy.has_topics() => {
                let verdict = self.topics.told(&name(topic), news);
                self.note(verdict);
            }
            Event::Restored { topics } if self.spy.has_topics() => {
                let verdict = self.topics.restored(*topics);
                self.note(verdict);
            }
            Event::Duplicate { id, .. } => {
                let verdict = self.twins.dropped(now, id, &self.config.dedup);
                self.note(verdict);
            }
            Event::Room | Event::Bad(_) | Event::Trouble(_) | _ => {}
        }
    }

    /// What makes an outcome of this message possible, beside the message itself.
    fn context(&self, now: Timestamp, what: What, id: OpId) -> ledger::Context {
        let came_back = matches!(what, What::Endpoints { back: true });
        ledger::Context {
            now,
            over: self.over && !self.config.keep_on_stop,
            cancelling: came_back || what == What::TakeQueued || what == What::Cancel(id),
            elsewhere: came_back || id <= self.elsewhere,
            overflow: self.config.queue.overflow,
            too_big: matches!(what, What::Report(_, Saw::Down(ended)) if ended.too_big),
        }
    }
}

/// Whether this ends the session, and so what is pending. Whoever gives up says goodbye first, where somebody is there.
pub(super) fn is_the_end<I, T>(action: &Action<I, T>) -> bool {
    match action {
        Action::EmitError(error) => error.recovery == Recovery::Fatal,
        Action::Emit(Event::Phase(change)) => matches!(change.to, Phase::Draining | Phase::Stopped(_)),
        Action::Connect(_)
        | Action::Send { .. }
        | Action::FlushQueue(_)
        | Action::Close { .. }
        | Action::Abort(_)
        | Action::ReconnectAfter { .. }
        | Action::AskCredential { .. }
        | Action::Emit(_) => false,
    }
}
