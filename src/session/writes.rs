//! The only place that writes frames: the second half of settling.
//!
//! What may be written now, in order of priority: the login, answers and probes, acknowledgements, then the one
//! queue. The order stands in one function and belongs to nobody who called first.

mod held;

use alloc::{collections::VecDeque, vec::Vec};
use core::{mem, time::Duration};

use bytes::Bytes;
pub(super) use held::Holds;
use held::OURS;

use super::{Action, Actions, Dropped, Link, LinkOf, OpId, Session, Stage, Stats, Stir, append, tell, tell_passing};
use crate::{
    CredentialPolicy, Frame, Outgoing, Pings, Protocol, Say, Timestamp,
    part::{Batching, Credentials, Dedup, Draw, Named, Next, Outbox, Pacing, Passing, Whose},
};

impl<P: Protocol> Session<P> {
    #[inline]
    pub(super) fn writes(&mut self, now: Timestamp, out: &mut Actions<P>) {
        let Some(link) = &self.link else { return };
        if !link.is_open() {
            return;
        }
        if self.holds.pacing.is_some() | self.holds.batching.is_some() {
            return self.writes_held(now, out);
        }
        let mut online = link.is_online();
        if !online || !link.owed.is_empty() || !self.taken.is_empty() || link.lane.waits() || link.topics.waits() {
            online = self.writes_owed(now, out);
        }
        if let Some(mut writer) = self.writer(now, out) {
            if online {
                writer.queue();
            }
            writer.flush();
        }
    }

    /// What comes before the queue; whether that may go on. Most turns owe nothing.
    #[cold]
    fn writes_owed(&mut self, now: Timestamp, out: &mut Actions<P>) -> bool {
        let (policy, timeout) = (self.config.credentials, self.config.login_timeout);
        let Some(mut writer) = self.writer(now, out) else { return false };
        // It was taken because there was room for it; nothing that has become due since may have that.
        if writer.link.is_online() && writer.outbox.has_volatile() {
            writer.volatile();
        }
        writer.login(&policy, timeout);
        writer.pong();
        if writer.link.is_logged_in() {
            writer.ping();
            writer.acks();
            writer.cancels();
            writer.report();
        }
        writer.lane();
        if self.link.as_ref().is_some_and(|link| link.topics.waits()) {
            // An answer may be due before all else, and a restore may end.
            self.stir = Stir::All;
        }
        self.writes_topics(now, out);
        self.end_restore(now, out);
        self.link.as_deref().is_some_and(Link::is_online)
    }

    #[inline(always)]
    pub(super) fn writer<'a>(&'a mut self, now: Timestamp, out: &'a mut Actions<P>) -> Option<Writer<'a, P>> {
        let link = self.link.as_mut()?;
        Some(Writer {
            protocol: &mut self.protocol,
            link,
            credentials: &self.credentials,
            taken: &mut self.taken,
            outbox: &mut self.outbox,
            pacing: self.holds.pacing.as_deref_mut(),
            batching: self.holds.batching,
            lingers: &mut self.holds.lingers,
            frames: &mut self.frames,
            stats: &mut self.stats,
            dedup: &mut self.dedup,
            grace: self.config.requests.grace,
            now,
            out,
        })
    }

    /// The goodbye of a protocol that has one, on a link that is logged in.
    pub(super) fn say_bye(&mut self, now: Timestamp, out: &mut Actions<P>) {
        if let Some(mut writer) = self.writer(now, out).filter(|writer| writer.link.is_logged_in()) {
            writer.control(Say::Bye, false);
        }
    }
}

/// One link, and all that is needed to write on it.
pub(super) struct Writer<'a, P: Protocol> {
    protocol: &'a mut P,
    link: &'a mut LinkOf<P>,
    credentials: &'a Credentials,
    taken: &'a mut VecDeque<Bytes>,
    outbox: &'a mut Outbox<P::Message>,
    pacing: Option<&'a mut Pacing>,
    batching: Option<Batching>,
    /// Until when the queue waits for more.
    lingers: &'a mut Option<Timestamp>,
    frames: &'a mut Vec<Frame>,
    stats: &'a mut Stats,
    dedup: &'a mut Dedup,
    grace: Duration,
    now: Timestamp,
    out: &'a mut Actions<P>,
}

impl<P: Protocol> Writer<'_, P> {
    fn login(&mut self, policy: &CredentialPolicy, timeout: Duration) {
        if !self.link.abilities.login || !self.link.flights.has_control_room() || self.login_waits(timeout) {
            return;
        }
        let present = self.credentials.at_login(policy);
        let (step, credential) = match &mut self.link.stage {
            Stage::LoggingIn(login) => {
                let begins = !login.has_begun();
                let step = login.take_step(present);
                if begins && step.is_some() && policy.when.is_at_login() {
                    self.link.credential = login.credential().cloned();
                }
                (step, login.credential())
            }
            Stage::Online { refresh: Some(refresh), .. } | Stage::Restoring { refresh: Some(refresh), .. } => {
                (refresh.take_step(present), refresh.credential())
            }
            Stage::Asking(_)
            | Stage::Dialing { .. }
            | Stage::Restoring { .. }
            | Stage::Online { .. }
            | Stage::Closing { .. } => (None, None),
        };
        self.link.owed.login = false;
        if let Some(challenge) = step {
            let credential = credential.cloned();
            self.control(Say::Login { credential: credential.as_ref(), challenge: challenge.as_deref() }, true);
        }
    }

    fn pong(&mut self) {
        if self.link.owed.pong.is_some() && self.link.flights.has_control_room() {
            let payload = self.link.owed.pong.take().unwrap_or_default();
            self.control(Say::Pong(payload), false);
        }
    }

    fn ping(&mut self) {
        if !self.link.owed.ping || !self.link.flights.has_control_room() {
            return;
        }
        self.link.owed.ping = false;
        self.stats.pings += 1;
        self.outbox.on_ping();
        let now = self.now;
        let number = self.link.heartbeat().map_or(0, |heartbeat| heartbeat.on_asked(now));
        match self.link.abilities.pings {
            Pings::Frames => {
                self.frames.push(Frame::Ping(Bytes::copy_from_slice(&number.to_be_bytes())));
                self.hand_control(false);
            }
            Pings::Ours | Pings::Theirs => self.control(Say::Ping, false),
        }
    }

    fn acks(&mut self) {
        while !self.taken.is_empty() && self.link.flights.has_control_room() && self.may_leave() {
            let Some(id) = self.taken.pop_front() else { return };
            self.control(Say::AckOf { id: &id }, false);
        }
    }

    /// The answers to these are no longer wanted.
    fn cancels(&mut self) {
        while !self.link.owed.cancels.is_empty() && self.link.flights.has_control_room() && self.may_leave() {
            let Some(op) = self.link.owed.cancels.pop_front() else { return };
            self.control(Say::Cancel { op }, false);
        }
    }

    /// The server is told of an earlier failure, once.
    fn report(&mut self) {
        let is_owed = self.link.owed.report.is_some() && self.link.flights.has_control_room();
        if is_owed && self.may_leave() {
            if let Some(error) = self.link.owed.report.take() {
                self.link.has_reported = true;
                self.control(Say::Report(&error), false);
            }
        }
    }

    /// What passes the queue by, and waits for no login.
    fn lane(&mut self) {
        while let Some(Passing { id, message, call, bytes, secret, bucket, slots }) = self.link.lane.next() {
            if self.link.is_too_big(bytes) {
                let end = &mut tell_passing(self.stats, self.outbox.dead(), self.out);
                self.link.lane.drop_next(Dropped::TooBig, end);
                continue;
            }
            let draw = Draw { whose: Whose::Theirs, bucket, slots };
            let has_slots = self.pacing.as_mut().is_none_or(|pacing| pacing.may_leave(self.now, draw));
            if !has_slots || !self.link.flights.has_passing_room() {
                return;
            }
            let bucket = bucket.cloned();
            let say = match (call, message) {
                (Some(call), answer) => Say::Reply { call: &call.id, answer: answer.ok_or(&*call.no) },
                (None, Some(message)) => {
                    Say::Message(Outgoing { op: id, message, number: None, ack: false, again: false })
                }
                (None, None) => return,
            };
            self.protocol.encode(&mut self.link.protocol, self.now, say, self.frames);
            let frames = self.send(secret);
            let numbers = self.link.flights.hand_passing(frames);
            self.note_slots(numbers, Draw { whose: Whose::Theirs, bucket: bucket.as_ref(), slots });
            self.link.lane.on_handed(numbers);
        }
    }

    /// What leaves at once or not at all, and what it finds waiting for more.
    fn volatile(&mut self) {
        if self.pacing.is_some() || self.batching.is_some() {
            self.queue_held(true);
        } else {
            self.queue();
        }
    }

    #[inline(always)]
    fn queue(&mut self) {
        while self.hand_next() {}
    }

    /// Hands over the next message of the queue, if there is one and the window has room. One that this server does not
    /// take is dropped.
    #[inline(always)]
    fn hand_next(&mut self) -> bool {
        let Some(Next { id, place, message, bytes, secret, ack, again, is_request }) = self.outbox.next() else {
            return false;
        };
        if !self.link.flights.has_room(bytes) {
            return false;
        }
        if self.link.is_too_big(bytes) {
            self.outbox.drop_next(Dropped::TooBig, &mut tell(self.stats, self.dedup, self.out));
            return true;
        }
        let frames = if is_request {
            let out = Outgoing { op: id, message, number: None, ack, again };
            self.protocol.encode(&mut self.link.protocol, self.now, Say::Request(out), self.frames);
            self.expect(id);
            self.send(secret)
        } else if let Some(frame) = self.protocol.as_frame(&mut self.link.protocol, message) {
            self.send_one(frame, secret);
            1
        } else {
            let say = Say::Message(Outgoing { op: id, message, number: None, ack, again });
            self.protocol.encode(&mut self.link.protocol, self.now, say, self.frames);
            self.send(secret)
        };
        self.stats.sent += 1;
        self.stats.resent += u64::from(again);
        self.link.flights.hand(id, place, frames, bytes);
        self.outbox.on_handed();
        true
    }

    /// The request that is about to leave may be answered by a name.
    #[inline(never)]
    fn expect(&mut self, id: OpId) {
        let Some((asked, expires)) = self.outbox.asked_next() else { return };
        let until = expires.and_then(|at| at.after(self.grace));
        for (name, means) in asked.names().into_iter().zip([Named::Yes, Named::No]) {
            if let Some(name) = name {
                let name = self.protocol.spelled(name.as_str()).into_owned();
                self.link.names.on_handed(self.now, id, name, means, until);
            }
        }
    }

    #[inline(always)]
    fn flush(&mut self) {
        if self.link.needs_flush() {
            self.link.flushing = true;
            append(self.out, self.link.id, Action::FlushQueue);
        }
    }

    /// What is to be said of topics; the number of its last frame.
    pub(super) fn topics(&mut self, say: Say<'_, P::Message, P::Topic>) -> u64 {
        self.control(say, false);
        self.link.flights.handed()
    }

    fn control(&mut self, say: Say<'_, P::Message, P::Topic>, secret: bool) {
        self.protocol.encode(&mut self.link.protocol, self.now, say, self.frames);
        self.hand_control(secret);
    }

    fn hand_control(&mut self, secret: bool) {
        let bytes = self.frames.iter().map(|frame| frame.len() as u64).sum();
        let frames = self.send(secret);
        let numbers = self.link.flights.hand_control(frames, bytes);
        if frames > 0 {
            self.note_slots(numbers, OURS);
        }
    }

    /// Turns the encoded frames into actions; says how many.
    fn send(&mut self, secret: bool) -> u32 {
        let mut frames = mem::take(self.frames);
        let count = frames.len();
        frames.drain(..).for_each(|frame| self.send_one(frame, secret));
        *self.frames = frames;
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    #[inline(always)]
    fn send_one(&mut self, frame: Frame, secret: bool) {
        let (link, now) = (self.link.id, self.now);
        self.stats.frames_out += 1;
        self.stats.bytes_out += frame.len() as u64;
        append(self.out, frame, |frame| Action::Send { link, frame, secret });
        if let Some(heartbeat) = self.link.heartbeat() {
            heartbeat.on_said(now);
        }
    }
}
