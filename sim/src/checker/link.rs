//! Which links are there, and what is with their transports?

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use steadfast::{LinkId, OpId, Timestamp, Window};

use super::ledger::{Ledger, Why};
use super::silence::Silence;

/// The links that a report can be about.
#[derive(Clone, Debug, Default)]
pub(super) struct Links {
    last: u64,
    link: Option<Link>,
    leaving: Option<Link>,
}

/// One link, as a driver sees it.
#[derive(Clone, Debug)]
pub(super) struct Link {
    id: LinkId,
    stage: Stage,
    logged_in: bool,
    online_at: Option<Timestamp>,
    sent: u64,
    flushed: u64,
    flight: VecDeque<Flying>,
    /// Of the messages among them.
    messages: u64,
    message_bytes: u64,
    /// Of the frames among them that belong to no message.
    control_bytes: u64,
    /// One of those was handed over without room, as only a goodbye may be.
    is_overfull: bool,
    silence: Silence,
    unacked: BTreeSet<u64>,
    is_flushing: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Dialing,
    Up,
    Leaving,
}

/// A frame that is with the transport.
#[derive(Clone, Copy, Debug)]
struct Flying {
    number: u64,
    bytes: u64,
    op: Option<OpId>,
    /// What it asks of topics.
    topics: Option<OpId>,
    /// It passed the queue by.
    passes: bool,
}

impl Links {
    pub(super) const fn has_link(&self) -> bool {
        self.link.is_some()
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.link.is_none() && self.leaving.is_none()
    }

    /// A turn came so late.
    pub(super) fn overslept(&mut self, now: Timestamp, late: Duration) {
        if let Some(link) = &mut self.link {
            link.silence.overslept(now, late);
        }
    }

    pub(super) fn knows(&self, id: LinkId) -> bool {
        [&self.link, &self.leaving].into_iter().flatten().any(|link| link.id == id)
    }

    /// Whether it was ever dialled.
    pub(super) const fn has_seen(&self, id: LinkId) -> bool {
        id.0 <= self.last
    }

    /// The one that is not leaving.
    pub(super) const fn present(&mut self) -> Option<&mut Link> {
        self.link.as_mut()
    }

    pub(super) fn get(&mut self, id: LinkId) -> Option<&mut Link> {
        [&mut self.link, &mut self.leaving].into_iter().flatten().find(|link| link.id == id)
    }

    /// The link that is open.
    pub(super) fn up(&self) -> Option<LinkId> {
        self.link.as_ref().filter(|link| link.stage == Stage::Up).map(|link| link.id)
    }

    /// What it says of itself: its topics are being restored, or that is over.
    pub(super) fn restoring(&mut self, now: Timestamp, restores: bool) {
        if let Some(link) = self.link.as_mut().filter(|link| link.logged_in) {
            link.online_at = if restores { None } else { link.online_at.or(Some(now)) };
        }
    }

    pub(super) fn is_stable(&self, now: Timestamp, after: Duration) -> bool {
        let online_at = self.link.as_ref().and_then(|link| link.online_at);
        online_at.is_some_and(|at| at.after(after).unwrap_or(Timestamp::MAX) <= now)
    }

    pub(super) fn dial(&mut self, id: LinkId) -> Result<(), String> {
        if let Some(link) = &self.link {
            return Err(format!("one link: dials link {id} while link {} is there", link.id));
        }
        if id.0 <= self.last {
            return Err(format!("one link: link {id} after link {}: numbers are never used twice", self.last));
        }
        self.last = id.0;
        self.link = Some(Link::new(id));
        Ok(())
    }

    pub(super) fn flush(&mut self, id: LinkId) -> Result<(), String> {
        match self.get(id) {
            Some(link) if link.stage == Stage::Up => {
                if std::mem::replace(&mut link.is_flushing, true) {
                    return Err(format!("window: a second flush of link {id} is outstanding"));
                }
                Ok(())
            }
            _ => Err(format!("one link: flushes link {id}, which is not up")),
        }
    }

    pub(super) fn leave(&mut self, id: LinkId) -> Result<(), String> {
        if !self.link.as_ref().is_some_and(|link| link.id == id && link.stage == Stage::Up) {
            return Err(format!("one link: closes link {id}, which is not up"));
        }
        if let Some(leaving) = &self.leaving {
            return Err(format!("one link: link {id} leaves while link {} is leaving", leaving.id));
        }
        self.leaving = self.link.take().map(|link| Link { stage: Stage::Leaving, ..link });
        Ok(())
    }

    /// The link is gone; frames after the first `left` have certainly not left.
    /// With a limit what may have left is charged.
    pub(super) fn down(&mut self, id: LinkId, left: u64, limit: Option<u32>, ledger: &mut Ledger) {
        let limit = limit.filter(|_| self.link.as_ref().is_some_and(|link| link.id == id));
        if let Some(link) = self.take(id) {
            link.end(left, limit, ledger);
        }
    }

    /// The link is dropped unheard, so all of it may have left.
    pub(super) fn abort(&mut self, id: LinkId, ledger: &mut Ledger) -> Result<(), String> {
        let Some(link) = self.take(id) else {
            return Err(format!("one link: aborts link {id}, which is not there"));
        };
        link.end(u64::MAX, None, ledger);
        Ok(())
    }

    fn take(&mut self, id: LinkId) -> Option<Link> {
        [&mut self.link, &mut self.leaving].into_iter().find_map(|place| place.take_if(|link| link.id == id))
    }

    /// The link that is to be found dead if it is.
    pub(super) const fn watched(&self) -> Option<&Silence> {
        match &self.link {
            Some(link) if link.logged_in => Some(&link.silence),
            Some(_) | None => None,
        }
    }

    /// What was sent must not wait for ever.
    pub(super) fn close_turn(&self) -> Result<(), String> {
        match &self.link {
            Some(link) if !link.flight.is_empty() && !link.is_flushing => {
                Err(format!("window: {} frames wait on link {} and no flush is asked for", link.flight.len(), link.id))
            }
            Some(link) if link.is_overfull => {
                Err(format!("window: link {} answers though {} bytes of answers wait", link.id, link.control_bytes))
            }
            Some(_) | None => Ok(()),
        }
    }
}

impl Link {
    fn new(id: LinkId) -> Self {
        Self {
            id,
            stage: Stage::Dialing,
            logged_in: false,
            online_at: None,
            sent: 0,
            flushed: 0,
            flight: VecDeque::new(),
            messages: 0,
            message_bytes: 0,
            control_bytes: 0,
            is_overfull: false,
            silence: Silence::default(),
            unacked: BTreeSet::new(),
            is_flushing: false,
        }
    }

    pub(super) const fn id(&self) -> LinkId {
        self.id
    }

    pub(super) const fn silence(&mut self) -> &mut Silence {
        &mut self.silence
    }

    pub(super) const fn stage(&self) -> Stage {
        self.stage
    }

    pub(super) const fn is_logged_in(&self) -> bool {
        self.logged_in
    }

    /// The transport is open. Said a second time, it means nothing.
    pub(super) fn up(&mut self, now: Timestamp, is_ready: bool, finds_silence: bool) {
        if self.stage == Stage::Dialing {
            self.stage = Stage::Up;
            self.silence.watch(finds_silence);
            if is_ready {
                self.login_ok(now);
            }
        }
    }

    pub(super) fn login_ok(&mut self, now: Timestamp) {
        if self.stage == Stage::Up && !self.logged_in {
            self.logged_in = true;
            self.online_at = Some(now);
            self.silence.begin(now);
        }
    }

    /// A frame is handed to the transport. Messages have to fit the window, one of any size does; what the
    /// protocol says for itself has as much room again.
    pub(super) fn sent(&mut self, op: Option<OpId>, passes: bool, bytes: u64, window: &Window) -> Result<(), String> {
        let (frames, limit) = (self.sent - self.flushed, u64::from(window.frames));
        let fits = match op {
            Some(_) if passes => frames < 2 * limit,
            Some(_) => {
                let total = self.message_bytes + bytes;
                self.messages += 1;
                self.message_bytes = total;
                frames < limit && (self.messages == 1 || total <= u64::from(window.bytes))
            }
            // And one more, for the goodbye.
            None => {
                self.is_overfull |= self.control_bytes >= u64::from(window.bytes);
                self.control_bytes += bytes;
                frames <= 2 * limit
            }
        };
        self.sent += 1;
        self.flight.push_back(Flying { number: self.sent, bytes, op, topics: None, passes });
        if fits { Ok(()) } else { Err(format!("window: {op:?} is sent behind {frames} frames, and does not fit")) }
    }

    /// One more message within the last frame.
    pub(super) fn sent_within(&mut self, op: Option<OpId>) {
        self.messages += 1;
        self.flight.push_back(Flying { number: self.sent, bytes: 0, op, topics: None, passes: false });
    }

    /// The last frame asks this of topics: its number.
    pub(super) fn asks(&mut self, op: OpId) -> u64 {
        if let Some(flying) = self.flight.back_mut() {
            flying.topics = Some(op);
        }
        self.sent
    }

    /// Whether a frame that is not flushed yet asks this of topics.
    pub(super) fn asked_of_topics(&self, op: OpId) -> bool {
        self.flight.iter().any(|flying| flying.topics == Some(op))
    }

    /// How many frames are with the operating system, and whether those are all.
    pub(super) const fn progress(&self) -> (u64, bool) {
        (self.flushed, self.flushed == self.sent)
    }

    /// The first so many frames are with the operating system.
    pub(super) fn flushed(&mut self, frames: u64, ledger: &mut Ledger) {
        self.flushed = self.flushed.max(frames.min(self.sent));
        while let Some(flying) = self.flight.front().copied().filter(|flying| flying.number <= self.flushed) {
            self.flight.pop_front();
            if flying.passes {
            } else if flying.op.is_some() {
                self.messages -= 1;
                self.message_bytes -= flying.bytes;
            } else {
                self.control_bytes -= flying.bytes;
            }
            if let Some(op) = flying.op.filter(|op| ledger.is_kept_until_acked(*op)) {
                self.unacked.insert(op.0);
            } else if let Some(op) = flying.op {
                ledger.owe(op, Why::Flushed);
            }
        }
    }

    pub(super) const fn flush_done(&mut self) {
        self.is_flushing = false;
    }

    /// The peer answered for this message, so its frame and all before it have been flushed.
    pub(super) fn answered(&mut self, op: OpId, ledger: &mut Ledger) {
        self.arrived(op, ledger);
        self.unacked.remove(&op.0);
    }

    /// The same, and the peer will say more of it, or it is about topics.
    pub(super) fn arrived(&mut self, op: OpId, ledger: &mut Ledger) {
        if !self.unacked.contains(&op.0) {
            // Of what passed the queue by and ended on its way nobody knows any more which frame it was.
            let is_there = ledger.entry(op).is_some();
            let is_known = |flying: &&Flying| flying.op.or(flying.topics) == Some(op) && (!flying.passes || is_there);
            if let Some(flying) = self.flight.iter().find(is_known).copied() {
                self.flushed(flying.number, ledger);
            }
        }
    }

    fn end(self, left: u64, limit: Option<u32>, ledger: &mut Ledger) {
        for op in self.unacked {
            ledger.maybe_left(OpId(op), limit);
        }
        for (number, op) in self.flight.into_iter().filter_map(|flying| Some((flying.number, flying.op?))) {
            if number <= left {
                ledger.maybe_left(op, limit);
            } else {
                ledger.not_left(op);
            }
        }
    }
}
