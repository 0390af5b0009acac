//! What the peer said.

use alloc::boxed::Box;
use core::mem;

use bytes::Bytes;

use super::{
    Action, Actions, Event, LinkId, OpId, Place, Session, Stage, Stir, append, lifecycle::Parting, slot_of, tell,
    tell_passing,
};
use crate::{
    Acks, CloseCode, Complaint, Frame, GoAway, Heard, Mark, Protocol, Rejected, Text, Timestamp, Tuning,
    error::Failure,
    part::{Beat, Heartbeat},
};

impl<P: Protocol> Session<P> {
    /// A frame came. Every frame is a sign of life; text and binary mean something to the protocol.
    #[inline(always)]
    pub(super) fn on_frame(&mut self, now: Timestamp, place: Place, frame: Frame, out: &mut Actions<P>) {
        self.stats.frames_in += 1;
        self.stats.bytes_in += frame.len() as u64;
        self.facts.last_seen = Some(now);
        let Some(link) = self.slot(place) else { return };
        let (id, is_dialing, max_message) = (link.id, link.is_dialing(), link.limits.max_message);
        if link.heartbeat().is_some_and(|heartbeat| heartbeat.on_heard(now)) {
            self.stir = Stir::All;
        }
        match frame {
            _ if is_dialing => self.on_misplaced("a frame before the link was open", out),
            Frame::Ping(_) => self.on_echo(now),
            Frame::Pong(payload) => {
                // Any other answers nothing that we asked: a sign of life, no more (RFC 6455 section 5.5.3).
                if let Ok(number) = payload.as_ref().try_into().map(u64::from_be_bytes) {
                    self.on_pong(now, id, Some(number));
                }
            }
            Frame::Text(_) | Frame::Binary(_) if frame.len() as u64 > u64::from(max_message) => {
                let text = Text::from_static("a message larger than max_message");
                self.on_bad(now, id, Complaint::major(text, CloseCode::TOO_BIG), out);
            }
            Frame::Text(_) | Frame::Binary(_) => self.decode(now, place, frame, out),
        }
    }

    #[inline]
    fn decode(&mut self, now: Timestamp, place: Place, frame: Frame, out: &mut Actions<P>) {
        let link = slot_of(&mut self.link, &mut self.next, &mut self.leaving, place);
        let Some(link) = link else { return };
        let (id, is_in) = (link.id, link.was_logged_in());
        match self.protocol.as_message(&mut link.protocol, frame) {
            Ok(message) if is_in => {
                self.stats.received += 1;
                self.activity.on_message(now);
                append(out, message, |message| {
                    Action::Emit(Event::Message { message, topic: None, mark: Mark::NONE, link: id })
                });
            }
            Ok(message) => self.on_message(now, id, message, None, Mark::NONE, out),
            Err(frame) => {
                self.protocol.decode(&mut link.protocol, frame, &mut self.heard);
                self.on_decoded(now, id, out);
            }
        }
    }

    fn on_decoded(&mut self, now: Timestamp, id: LinkId, out: &mut Actions<P>) {
        if self.heard.len() > 1 {
            self.on_many(now, id, out);
        } else if let Some(meaning) = self.heard.pop() {
            self.on_heard(now, id, meaning, out);
        }
    }

    /// A frame with more than one meaning.
    fn on_many(&mut self, now: Timestamp, id: LinkId, out: &mut Actions<P>) {
        let mut heard = mem::take(&mut self.heard);
        if heard.len() as u64 > u64::from(self.config.heard_max) {
            heard.clear();
            let text = Text::from_static("a frame with more meanings than heard_max");
            self.on_bad(now, id, Complaint::major(text, CloseCode::POLICY), out);
        }
        for meaning in heard.drain(..) {
            self.on_heard(now, id, meaning, out);
        }
        self.heard = heard;
    }

    /// One arm a meaning. The link is looked up again in each, for an earlier meaning may have ended it.
    // A table: what becomes of each meaning.
    fn on_heard(
        &mut self,
        now: Timestamp,
        id: LinkId,
        mut meaning: Heard<P::Incoming, P::Topic>,
        out: &mut Actions<P>,
    ) {
        if matches!(meaning, Heard::Item { .. }) {
            self.stir = self.stir.max(Stir::Queue);
        } else if !matches!(meaning, Heard::Message { .. }) {
            self.stir = Stir::All;
            self.veil(&mut meaning);
        }
        match meaning {
            Heard::Message { message, topic, mark } => self.on_message(now, id, message, topic, mark, out),
            Heard::Acked { op } => self.on_acked(now, id, op, out),
            Heard::Done { op, result } => match self.on_topic_done(now, id, op, result, out) {
                Some(Ok(())) => self.on_done(now, id, op, out),
                Some(Err(why)) => self.on_no(now, id, op, why, out),
                None => {}
            },
            Heard::Hello(tuning) => self.on_hello(now, id, *tuning, out),
            Heard::Challenge(challenge) => self.on_challenge(id, challenge, out),
            Heard::LoginOk { resumed, expires, client_id } => {
                if let Some(client_id) = client_id {
                    self.ids.on_assigned(&client_id);
                }
                self.on_login_ok(now, id, (resumed, expires), out);
            }
            Heard::LoginRefused(why) => self.on_login_refused(now, id, *why, out),
            Heard::LoginLost(why) => self.on_login_lost(now, id, *why, out),
            Heard::Ping(payload) => self.on_ping(id, payload),
            Heard::Pong => self.on_pong(now, id, None),
            Heard::GoAway(asked) => {
                self.on_going_away(now, id, &asked);
                out.push(Action::Emit(Event::GoingAway(asked)));
            }
            Heard::Trouble(trouble) => self.on_trouble(now, id, trouble, out),
            Heard::Bad(complaint) => self.on_bad(now, id, complaint, out),
            Heard::Item { op, message } => {
                if let Some(message) = self.on_topic_item(now, id, op, message, out) {
                    self.on_item(now, id, op, message, out);
                } else {
                    self.stir = Stir::All;
                }
            }
            Heard::Confirmed { topic } => self.on_topic_confirmed(now, id, &topic, out),
            Heard::TopicLost { topic, why } => self.on_topic_lost(now, id, &topic, why, out),
            Heard::TopicEnded { topic, why } => self.on_topic_ended(now, id, &topic, why, out),
            Heard::AckedUpTo { .. } if self.protocol.abilities().acks != Acks::UpTo => {
                self.on_misplaced("an acknowledgement up to a number that no message has", out);
            }
            Heard::AckedUpTo { .. } | Heard::Track { .. } => self.stats.unexpected += 1,
        }
    }

    fn on_going_away(&mut self, now: Timestamp, id: LinkId, asked: &GoAway) {
        let Some(link) = self.link.as_mut().filter(|link| link.id == id) else {
            // It is being left, and has heard nothing of that when it said so.
            return self.stay_away(now, asked.comeback.wait());
        };
        // Said again without a time, it takes back nothing.
        link.comeback = link.comeback.max(asked.comeback);
        if let Some(address) = asked.address.as_ref().filter(|_| self.config.connect.follow_goaway) {
            self.endpoints.on_named(address);
        }
    }

    pub(super) fn on_message(
        &mut self,
        now: Timestamp,
        id: LinkId,
        message: P::Incoming,
        topic: Option<P::Topic>,
        mark: Mark,
        out: &mut Actions<P>,
    ) {
        let link = self.place_of(id).and_then(|place| self.slot(place).as_ref());
        let Some(link) = link.filter(|link| link.was_logged_in()) else {
            let text = Text::from_static("a message before the login was answered");
            return self.on_bad(now, id, Complaint::minor(text), out);
        };
        if !link.names.is_empty() {
            return self.on_perhaps_named(now, id, message, topic, mark, out);
        }
        self.pass_on(now, id, message, topic, mark, out);
    }

    /// A message is the application's.
    pub(super) fn pass_on(
        &mut self,
        now: Timestamp,
        id: LinkId,
        message: P::Incoming,
        topic: Option<P::Topic>,
        mark: Mark,
        out: &mut Actions<P>,
    ) {
        self.activity.on_message(now);
        // What is held is compared when it is delivered: until then it can be lost, and has to come again.
        let is_compared = self.config.dedup.incoming && !self.is_held(id, topic.as_ref());
        if is_compared && self.is_duplicate(now, id, &mark, out) {
            return;
        }
        let (message, mark) = match &topic {
            Some(of) if self.topics.len() > 0 => match self.on_topic_message(now, id, of, message, mark, out) {
                Some(message) => message,
                None => return,
            },
            Some(_) | None => (message, mark),
        };
        self.stats.received += 1;
        out.push(Action::Emit(Event::Message { message, topic, mark, link: id }));
    }

    /// The peer answered a message: it has it, or will not have it. Either way its frames have arrived.
    pub(super) fn on_arrived(&mut self, place: Place, op: OpId) {
        if let Some(link) = self.slot(place) {
            link.flights.on_answered(op);
            link.flights.on_flushed(link.lane.last_frame(op).unwrap_or(0));
        }
    }

    fn on_acked(&mut self, now: Timestamp, id: LinkId, op: OpId, out: &mut Actions<P>) {
        let Some(place) = self.place_of(id) else { return };
        self.on_arrived(place, op);
        self.pass_on_flushed(now, place, out);
        let known = self.outbox.on_acked(op, &mut tell(&mut self.stats, &mut self.dedup, out));
        if !known {
            self.count_unknown(op, out);
        }
    }

    /// A "no" comes before the flush that it proves, else what waits for that only would end as written.
    fn on_no(&mut self, now: Timestamp, id: LinkId, op: OpId, why: Box<Rejected>, out: &mut Actions<P>) {
        let Some(place) = self.place_of(id) else { return };
        self.on_arrived(place, op);
        self.on_refusal(now, place, op, why, out);
    }

    pub(super) fn on_rejected(
        &mut self,
        place: Place,
        op: OpId,
        why: Box<Rejected>,
        out: &mut Actions<P>,
    ) -> Result<(), Box<Rejected>> {
        let Err(why) = self.outbox.on_rejected(op, why, &mut tell(&mut self.stats, &mut self.dedup, out)) else {
            return Ok(());
        };
        let link = slot_of(&mut self.link, &mut self.next, &mut self.leaving, place);
        match link {
            Some(link) => link.lane.on_rejected(op, why, &mut tell_passing(&mut self.stats, self.outbox.dead(), out)),
            None => Err(why),
        }
    }

    fn on_hello(&mut self, now: Timestamp, id: LinkId, tuning: Tuning, out: &mut Actions<P>) {
        let Some(link) = self.link.as_mut().filter(|link| link.id == id) else { return };
        if let Some(heartbeat) = link.heartbeat() {
            heartbeat.tune(tuning.ping_every, tuning.ping_timeout);
        }
        if let Some(client_id) = &tuning.client_id {
            self.ids.on_assigned(client_id);
        }
        link.tuning = tuning;
        match &mut link.stage {
            Stage::LoggingIn(login) if link.abilities.login => login.on_hello(now.after(self.config.login_timeout)),
            Stage::LoggingIn(_) => self.go_in(now, out),
            Stage::Asking(_)
            | Stage::Dialing { .. }
            | Stage::Restoring { .. }
            | Stage::Online { .. }
            | Stage::Closing { .. } => {}
        }
    }

    /// The link is logged in. It is ready for data when the topics are back, if data waits for them.
    pub(super) fn go_in(&mut self, now: Timestamp, out: &mut Actions<P>) {
        let Some(link) = &mut self.link else { return };
        let beat = Beat::new(&self.config.heartbeat, link.abilities.pings, link.can_ping, &mut self.rng);
        let mut heartbeat = Heartbeat::new(beat, link.paused, now);
        heartbeat.tune(link.tuning.ping_every, link.tuning.ping_timeout);
        link.stage = Stage::Restoring { heartbeat, refresh: None };
        link.owed.report = self.facts.to_tell.take();
        self.credentials.on_accepted(link.credential.as_ref());
        if !self.begin_topics(now, out) {
            self.go_online(now);
        }
    }

    /// The link is ready for data.
    pub(super) fn go_online(&mut self, now: Timestamp) {
        let Some(link) = &mut self.link else { return };
        let Stage::Restoring { heartbeat, refresh } = &mut link.stage else { return };
        let stable_at = Some(now.after(self.config.stable_for).unwrap_or(Timestamp::MAX));
        link.stage = Stage::Online { heartbeat: heartbeat.clone(), since: now, stable_at, refresh: refresh.take() };
        self.proof.on_online(self.endpoints.current(), link.credential.as_ref());
        self.patience.on_online();
        self.network.on_online();
        self.activity.on_message(now);
        self.facts.failure = 0;
        if self.facts.was_online {
            self.facts.last_reconnect = Some(now);
        }
        self.facts.was_online = true;
        self.stats.online += 1;
    }

    /// Only the last ping needs an answer (RFC 6455 section 5.5.3 says so of the WebSocket's own).
    fn on_ping(&mut self, id: LinkId, payload: Bytes) {
        if let Some(link) = self.link.as_mut().filter(|link| link.id == id) {
            link.owed.pong = Some(payload);
        }
    }

    fn on_pong(&mut self, now: Timestamp, id: LinkId, number: Option<u64>) {
        let heartbeat = self.link.as_deref_mut().filter(|link| link.id == id).and_then(super::Link::heartbeat);
        if let Some(took) = heartbeat.and_then(|heartbeat| heartbeat.on_pong(now, number)) {
            self.outbox.on_pong();
            self.seeing.latency.on_answered(took);
        }
    }

    /// What no peer says at this place that follows the protocol. An answer that only comes late is no such thing.
    #[cold]
    pub(super) fn on_misplaced(&mut self, what: &'static str, out: &mut Actions<P>) {
        self.stir = Stir::All;
        self.stats.bad += 1;
        out.push(Action::Emit(Event::Bad(Complaint::minor(Text::from_static(what)).into())));
    }

    fn on_bad(&mut self, now: Timestamp, id: LinkId, complaint: Complaint, out: &mut Actions<P>) {
        self.stir = Stir::All;
        self.stats.bad += 1;
        out.push(Action::Emit(Event::Bad(complaint.clone().into())));
        if let (Some(code), Some(Place::Link)) = (complaint.close, self.place_of(id)) {
            self.lose(now, Failure::Nonsense(complaint), None, Parting::Close(code), out);
        }
    }
}
