//! What may not leave yet, though there is a link and room: because too much was said lately, or because more may come
//! that leaves with it.

use alloc::boxed::Box;
use core::time::Duration;

use super::{
    super::{Actions, Link, SendOptions, Session, Stir, Timer},
    Writer,
};
use crate::{
    Outgoing, Protocol, Say, Text, Timestamp, Why,
    part::{Batch, Batching, Draw, Next, Outbox, Pacing, Whose},
};

/// What is said for the session itself, by one slot.
pub(super) const OURS: Draw<'static> = Draw { whose: Whose::Ours, bucket: None, slots: 1 };

/// What may hold back what waits, and until when.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Holds {
    /// What was said lately, if somebody limits that.
    pub(in super::super) pacing: Option<Box<Pacing>>,
    /// How messages are put together, if they are.
    pub(super) batching: Option<Batching>,
    /// Until when the queue waits for more.
    pub(super) lingers: Option<Timestamp>,
}

impl<P: Protocol> Session<P> {
    /// The way to write where something may hold it back.
    #[cold]
    #[inline(never)]
    pub(super) fn writes_held(&mut self, now: Timestamp, out: &mut Actions<P>) {
        self.holds.lingers = None;
        if let Some(pacing) = &mut self.holds.pacing {
            pacing.begin();
        }
        let online = self.writes_owed(now, out);
        let hurries = self.wants.end.is_some() || self.outbox.has_volatile();
        if let Some(mut writer) = self.writer(now, out) {
            if online {
                writer.queue_held(hurries);
            }
            writer.flush();
        }
        // It may be due before all else, and not every turn looks at all timers.
        let (_, until) = self.hold();
        self.not_before = self.not_before.min(until.unwrap_or(Timestamp::MAX));
    }

    /// What holds back what waits to be said, and until when if only time has to pass.
    pub(in super::super) fn hold(&self) -> (Timer, Option<Timestamp>) {
        let is_open = self.link.as_deref().is_some_and(Link::is_open);
        let lingers = self.holds.lingers.filter(|_| is_open);
        match self.holds.pacing.as_ref().filter(|_| is_open).and_then(|pacing| pacing.until()) {
            Some(until) if lingers.is_none_or(|at| until <= at) => (Timer::Pacing, Some(until)),
            Some(_) | None => (Timer::Linger, lingers),
        }
    }

    /// Other settings. What was said stays said.
    pub(in super::super) fn adopt_holds(&mut self) {
        self.holds.lingers = None;
        self.holds.batching = Batching::new(&self.config.batching).filter(|_| self.protocol.abilities().batches);
        let new = Pacing::new(&self.config.pacing);
        self.holds.pacing = match (self.holds.pacing.take(), new) {
            (_, None) => None,
            (None, Some(new)) => Some(Box::new(new)),
            (Some(mut old), Some(_)) => {
                old.adopt(&self.config.pacing);
                Some(old)
            }
        };
    }

    /// A new link, and perhaps a server that counts by connection.
    pub(in super::super) fn forget_pace(&mut self) {
        if let Some(pacing) = self.holds.pacing.as_mut().filter(|_| self.config.pacing.per_link) {
            pacing.forget();
        }
    }

    /// The transport answers a ping of the peer's by itself.
    pub(in super::super) fn on_echo(&mut self, now: Timestamp) {
        if let Some(pacing) = &mut self.holds.pacing {
            pacing.on_echo(now);
        }
    }

    /// How many frames of the session's own may leave now. If it is none, one waits.
    pub(in super::super) fn may_say(&mut self, now: Timestamp) -> u32 {
        let Some(pacing) = &mut self.holds.pacing else { return u32::MAX };
        if pacing.may_leave(now, OURS) { pacing.free(now, OURS) } else { 0 }
    }

    /// Whether something is limited by this name.
    pub(in super::super) fn has_bucket(&self, bucket: &Text) -> bool {
        self.holds.pacing.as_ref().is_some_and(|pacing| pacing.knows(bucket))
    }

    /// Whether what a message draws on is there.
    #[cold]
    pub(in super::super) fn admit_draw(&self, options: &SendOptions) -> Result<(), Why> {
        let (bucket, weight) = (options.draws_on(), options.slots());
        if !bucket.is_none_or(|bucket| self.has_bucket(bucket)) {
            return Err(Why::NoBucket);
        }
        match self.holds.pacing.as_ref().and_then(|pacing| pacing.most(bucket)).filter(|most| weight > *most) {
            Some(limit) => Err(Why::TooHeavy { weight, limit }),
            None => Ok(()),
        }
    }

    /// How many bytes wait for more, if all of it could leave with one more message of this size.
    #[cold]
    pub(in super::super) fn bytes_to_join(&self, bytes: u32, options: &SendOptions) -> Option<u32> {
        let (batching, link) = (self.holds.batching?, self.link.as_ref()?);
        let mut batch = gather(&batching, link, &self.outbox);
        let (before, waiting) = (batch.bytes(), self.outbox.waiting().take(batch.members() as usize + 1).count());
        let is_all = waiting == batch.members() as usize;
        let alone = options.draws_on().is_some() || options.slots() > 1;
        (is_all && batch.takes(bytes, alone)).then_some(before)
    }

    /// Whether a message that is to leave in this turn may.
    pub(in super::super) fn has_slot_now(&mut self, options: &SendOptions) -> bool {
        if self.holds.batching.is_some() {
            self.stir = Stir::All;
        }
        let Some(pacing) = &mut self.holds.pacing else { return true };
        // A sign of life may take the slot before it; then it ends, and somebody has to look for it.
        self.stir = Stir::All;
        let draw = Draw { whose: Whose::Theirs, bucket: options.draws_on(), slots: options.slots() };
        pacing.has_slot(self.last_now, draw)
    }
}

impl<P: Protocol> Writer<'_, P> {
    /// Whether something of the session's own may leave now. It is asked where there is something
    /// to say, in order of priority: what may not leave waits, and all behind it with it, until there are slots. Signs of
    /// life and goodbyes are not asked for. What becomes several frames takes as many slots.
    /// [`control`](Self::control) notes what has left.
    pub(super) fn may_leave(&mut self) -> bool {
        let now = self.now;
        self.pacing.as_mut().is_none_or(|pacing| pacing.may_leave(now, OURS))
    }

    /// Something was handed over, as these frames: each takes a slot, if it does not take more.
    pub(super) fn note_slots(&mut self, frames: (u64, u64), draw: Draw<'_>) {
        let count = u32::try_from(frames.1.saturating_sub(frames.0).saturating_add(1)).unwrap_or(u32::MAX);
        let draw = Draw { slots: draw.slots.max(count), ..draw };
        if let Some(pacing) = &mut self.pacing {
            let had_slots = pacing.on_handed(self.now, self.link.id.0, frames, draw);
            self.stats.unpaced += u64::from(!had_slots);
        }
    }

    /// Whether the login has no slot yet. The server cannot answer what it was not told, so its time begins then.
    pub(super) fn login_waits(&mut self, timeout: Duration) -> bool {
        let login = self.link.login();
        let (Some(pacing), Some(login)) = (&mut self.pacing, login.filter(|login| login.is_our_turn())) else {
            return false;
        };
        let may_leave = pacing.may_leave(self.now, OURS);
        if let Some(until) = pacing.until() {
            *login.deadline_mut() = until.after(timeout);
        }
        !may_leave
    }

    /// The queue: as pacing lets it go, and together where that is to be. `hurries`: nothing waits for more.
    pub(super) fn queue_held(&mut self, hurries: bool) {
        while let Some(Next { bytes, .. }) = self.outbox.next() {
            if self.link.is_too_big(bytes) {
                if !self.hand_next() {
                    return;
                }
                continue;
            }
            let batch = self.gather();
            if !hurries && self.waits_for_more(batch.as_ref()) {
                return;
            }
            let (members, bytes) = batch.map_or((1, bytes), |batch| (batch.members(), batch.bytes()));
            let (bucket, slots) = self.outbox.next_draw();
            let draw = Draw { whose: Whose::Theirs, bucket: bucket.as_ref(), slots };
            let now = self.now;
            let may_leave = |pacing: &mut &mut Pacing| pacing.may_leave(now, draw);
            if !self.link.flights.has_room(bytes) || !self.pacing.as_mut().is_none_or(may_leave) {
                return;
            }
            if members > 1 {
                self.hand_batch(members as usize);
            } else {
                self.hand_next();
            }
            self.note_slots(self.link.flights.last_handed(), draw);
        }
    }

    /// What would leave together now.
    fn gather(&self) -> Option<Batch> {
        self.batching.map(|batching| gather(&batching, self.link, self.outbox))
    }

    fn waits_for_more(&mut self, batch: Option<&Batch>) -> bool {
        let Some((batching, batch)) = self.batching.zip(batch) else { return false };
        *self.lingers = batching.lingers(self.now, batch, self.outbox.waits_since());
        self.lingers.is_some()
    }

    /// Hands over so many messages of the queue as one.
    fn hand_batch(&mut self, members: usize) {
        let secret = self.outbox.waiting().take(members).any(|(next, _)| next.secret);
        let mut batch = self.outbox.waiting().take(members).map(|(next, _)| outgoing(next));
        self.protocol.encode(&mut self.link.protocol, self.now, Say::Batch(&mut batch), self.frames);
        let frames = self.send(secret);
        for member in 0..members {
            let Some(Next { id, place, bytes, again, .. }) = self.outbox.next() else { return };
            if member == 0 {
                self.link.flights.hand(id, place, frames, bytes);
            } else {
                self.link.flights.hand_within(id, place, bytes);
            }
            self.stats.sent += 1;
            self.stats.resent += u64::from(again);
            self.outbox.on_handed();
        }
    }
}

const fn outgoing<M>(next: Next<'_, M>) -> Outgoing<'_, M> {
    let Next { id, place: _, message, bytes: _, secret: _, ack, again, is_request: _ } = next;
    Outgoing { op: id, message, number: None, ack, again }
}

/// What would leave together from the head of the queue on.
fn gather<L, M, I>(batching: &Batching, link: &Link<L, M, I>, outbox: &Outbox<M>) -> Batch {
    let theirs = link.tuning.max_message.unwrap_or(u32::MAX);
    let mut batch = batching.begin(theirs.min(link.limits.max_message));
    let _ = outbox.waiting().take_while(|(next, draws)| batch.takes(next.bytes, *draws)).count();
    batch
}
