//! Requests: asked like any message, kept until they are answered.

use alloc::boxed::Box;

use super::{
    Action, Actions, Answer, Event, LinkId, OpId, Outcome, Place, Reply, RequestOptions, Session, Stir, tell, veil,
};
use crate::{
    Mark, Protocol, Rejected, Text, Timestamp, Why,
    part::{self, Answered, Named},
};

impl<P: Protocol> Session<P> {
    /// A request is a message with a deadline that is kept until it is answered.
    #[inline(never)]
    pub(super) fn ask(
        &mut self,
        now: Timestamp,
        message: P::Message,
        options: RequestOptions,
        out: &mut Actions<P>,
    ) -> Answer<P::Message> {
        if !self.protocol.abilities().replies && options.answered_by.is_none() {
            return self.refuse(Why::NoReplies, message);
        }
        let options = options.into_send(&self.config.requests);
        let bytes = match self.weigh(&message, &options) {
            Ok(bytes) => bytes,
            Err(why) => return self.refuse(why, message),
        };
        // The same question twice has two answers, so nothing looks for duplicates here.
        let due = options.time_to_live().and_then(|ttl| now.after(ttl.duration()));
        let answer = self.accept_new(now, message, bytes, options, None, out);
        if let Answer::Accepted(id) = &answer {
            self.questions.on_asked(*id);
            self.stats.requests += 1;
            if due.is_some_and(|due| due < self.not_before) {
                self.stir = Stir::All;
            }
        }
        answer
    }

    /// Nobody waits for the answer any more.
    pub(super) fn forgo(&mut self, id: OpId, out: &mut Actions<P>) {
        let names = self.outbox.asked(id).map(|(asked, _)| asked.names()).unwrap_or_default();
        let given = self.outbox.forgo(id, &mut tell(&mut self.stats, &mut self.dedup, out));
        let Some(link) = self.link.as_mut().filter(|_| given == Some(true)) else { return };
        let until = self.last_now.after(self.config.requests.grace);
        for name in names.iter().flatten() {
            link.names.on_forgone(id, &self.protocol.spelled(name.as_str()), until);
        }
        if link.is_online() {
            link.owed.cancels.push_back(id);
        }
    }

    /// An answer with content.
    pub(super) fn on_item(&mut self, now: Timestamp, id: LinkId, op: OpId, message: P::Incoming, out: &mut Actions<P>) {
        let Some(place) = self.place_of(id) else { return };
        self.facts.last_item = Some(op);
        self.on_arrived(place, op);
        self.pass_on_flushed(now, place, out);
        match self.outbox.on_replied(op, id) {
            Some(answered) => self.resolve(now, place, op, answered, (Mark::NONE, Some(message)), out),
            None if self.questions.knows(op) || op.0 > self.last_op => self.count_unknown(op, out),
            None => self.on_message(now, id, message, None, Mark::NONE, out),
        }
    }

    /// An answer without content, or the end of one.
    pub(super) fn on_done(&mut self, now: Timestamp, id: LinkId, op: OpId, out: &mut Actions<P>) {
        let Some(place) = self.place_of(id) else { return };
        self.on_arrived(place, op);
        self.pass_on_flushed(now, place, out);
        if let Some(answered) = self.outbox.on_replied(op, id) {
            return self.resolve(now, place, op, answered, (Mark::NONE, None), out);
        }
        let is_known = self.outbox.on_acked(op, &mut tell(&mut self.stats, &mut self.dedup, out));
        // The end of an answer that was counted, or told, says nothing new.
        if !is_known && self.facts.last_item != Some(op) {
            self.count_unknown(op, out);
        }
    }

    /// An answer to something that does not wait for one: it is late, or comes twice, or nobody ever said that.
    pub(super) fn count_unknown(&mut self, op: OpId, out: &mut Actions<P>) {
        if op.0 > self.last_op {
            return self.on_misplaced("an answer to what was never said", out);
        }
        let is_late = self.questions.knows(op);
        *(if is_late { &mut self.stats.late_replies } else { &mut self.stats.unexpected }) += 1;
    }

    fn resolve(
        &mut self,
        now: Timestamp,
        place: Place,
        id: OpId,
        answered: Answered,
        (mark, message): (Mark, Option<P::Incoming>),
        out: &mut Actions<P>,
    ) {
        let Answered { label, names } = answered;
        self.forget_names(place, id, &names);
        self.stats.answered += 1;
        self.stats.received += u64::from(message.is_some());
        self.activity.on_message(now);
        out.push(Action::Emit(Event::Reply(Box::new(Reply { id, label, mark, result: Ok(message) }))));
    }

    fn forget_names(&mut self, place: Place, id: OpId, names: &[Option<Text>; 2]) {
        let Self { protocol, link, leaving, .. } = self;
        let slot = if place == Place::Leaving { leaving } else { link };
        for name in names.iter().flatten() {
            if let Some(link) = slot {
                link.names.on_answered(id, &protocol.spelled(name.as_str()));
            }
        }
    }

    /// The peer says no to a request that may be asked again: later, behind all that is accepted meanwhile, if there is
    /// time for it. `false`: it has ended.
    pub(super) fn asks_again(&mut self, now: Timestamp, place: Place, op: OpId, why: &Rejected) -> bool {
        let Some(link) = self.slot(place).as_ref().map(|link| link.id) else { return false };
        let Some((asked, expires)) = self.outbox.asked(op) else { return false };
        let (names, rng) = (asked.names(), &mut self.rng);
        let until = asked.retry.as_ref().and_then(|retry| retry.again(now, asked.failures, why, rng));
        let is_over = self.wants.end.is_some_and(|end| end.at_once) || self.facts.stays_behind >= Some(op);
        self.forget_names(place, op, &names);
        match until.filter(|until| !is_over && expires.is_none_or(|expires| *until < expires)) {
            Some(until) => {
                self.outbox.rest(op, link, until);
                self.stats.asked_again += 1;
                true
            }
            None => false,
        }
    }

    /// What has waited long enough for its next try.
    pub(super) fn put_back_rested(&mut self, now: Timestamp) {
        while let Some(id) = self.outbox.rested(now) {
            // Places are ids of messages; this one stands for nobody else.
            self.last_op += 1;
            self.outbox.put_back(id, part::Place::of(OpId(self.last_op)));
        }
    }

    /// A message of a link on which somebody waits for one by its name.
    #[cold]
    pub(super) fn on_perhaps_named(
        &mut self,
        now: Timestamp,
        id: LinkId,
        message: P::Incoming,
        topic: Option<P::Topic>,
        mark: Mark,
        out: &mut Actions<P>,
    ) {
        let Some(place) = self.place_of(id) else { return };
        let name = self.protocol.name_of(&message).map(|name| self.protocol.spelled(name).into_owned());
        let Some((op, named)) = name.and_then(|name| self.whose(now, place, &name)) else {
            return self.pass_on(now, id, message, topic, mark, out);
        };
        self.stir = Stir::All;
        match named {
            Named::Yes => match self.outbox.on_replied(op, id) {
                Some(answered) => self.resolve(now, place, op, answered, (mark, Some(message)), out),
                None => self.stats.late_replies += 1,
            },
            Named::No => {
                let mut why = Box::new(self.protocol.refusal_in(&message));
                veil::refusal(&self.credentials, &mut why);
                self.on_refusal(now, place, op, why, out);
            }
        }
    }

    /// The peer reported an error: of a request that waits for it by name, or of nothing in particular.
    pub(super) fn on_trouble(&mut self, now: Timestamp, id: LinkId, why: Box<Rejected>, out: &mut Actions<P>) {
        let place = self.place_of(id).filter(|place| {
            let link = self.slot(*place).as_ref();
            link.is_some_and(|link| !link.names.is_empty())
        });
        let name = self.protocol.name_of_trouble().map(|name| self.protocol.spelled(name).into_owned());
        let whose = place.zip(name).and_then(|(place, name)| Some((place, self.whose(now, place, &name)?.0)));
        match whose {
            Some((place, op)) => self.on_refusal(now, place, op, why, out),
            None => out.push(Action::Emit(Event::Trouble(why))),
        }
    }

    fn whose(&mut self, now: Timestamp, place: Place, name: &str) -> Option<(OpId, Named)> {
        self.slot(place).as_mut()?.names.on_heard(now, name)
    }

    /// A no by name, or by id.
    pub(super) fn on_refusal(
        &mut self,
        now: Timestamp,
        place: Place,
        op: OpId,
        why: Box<Rejected>,
        out: &mut Actions<P>,
    ) {
        let again = self.asks_again(now, place, op, &why);
        let unknown = if again { None } else { self.on_rejected(place, op, why, out).err() };
        self.pass_on_flushed(now, place, out);
        if let Some(why) = unknown {
            self.count_unknown(op, out);
            if !self.questions.knows(op) {
                out.push(Action::Emit(Event::Trouble(why)));
            }
        }
    }
}

/// The end of a request that was not answered.
pub(super) fn unanswered<I, T>(id: OpId, outcome: Outcome, label: Option<Text>) -> Action<I, T> {
    Action::Emit(Event::Reply(Box::new(Reply { id, label, mark: Mark::NONE, result: Err(outcome) })))
}
