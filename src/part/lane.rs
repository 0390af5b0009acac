//! What belongs to this link alone, and overtakes the queue?

use alloc::{boxed::Box, collections::VecDeque, vec::Vec};

use bytes::Bytes;

use super::{Ended, Standing};
use crate::{Class, Dropped, OpId, Outcome, Rejected, TakenBack, Text, Timestamp, session::Rare};

/// More than a handshake of the application's own needs.
const MOST: usize = 64;
/// Answers to the peer's calls, which may call many times at once.
const MOST_ANSWERS: usize = 1_024;

/// The messages of one link that pass the queue by, in their order: first those that are with the transport, then
/// those that wait for room. What is left of them when the link goes ends with it.
#[derive(Clone, Debug)]
pub(crate) struct Lane<M> {
    passers: VecDeque<Passer<M>>,
    /// How many of them are with the transport.
    handed: usize,
    bytes: u64,
}

#[derive(Clone, Debug)]
struct Passer<M> {
    id: OpId,
    /// `None` says no to a call.
    message: Option<M>,
    call: Option<Call>,
    bytes: u32,
    tracked: bool,
    secret: bool,
    since: Timestamp,
    expires: Option<Timestamp>,
    label: Option<Text>,
    bucket: Option<Text>,
    slots: u32,
    /// The numbers of its first and its last frame, once it was handed over.
    frames: (u64, u64),
}

/// What a message answers: a call of the peer's.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) id: Bytes,
    /// Why there is no answer, if there is no message.
    pub(crate) no: Box<Rejected>,
}

/// The next message to hand over.
#[derive(Debug)]
pub(crate) struct Passing<'a, M> {
    pub(crate) id: OpId,
    pub(crate) message: Option<&'a M>,
    pub(crate) call: Option<&'a Call>,
    pub(crate) bytes: u32,
    pub(crate) secret: bool,
    /// What it draws on beside what all do, and how many slots it takes.
    pub(crate) bucket: Option<&'a Text>,
    pub(crate) slots: u32,
}

impl<M> Lane<M> {
    pub(crate) const fn new() -> Self {
        Self { passers: VecDeque::new(), handed: 0, bytes: 0 }
    }

    /// Keeps no more room than is used.
    pub(crate) fn shrink(&mut self) {
        self.passers.shrink_to_fit();
    }

    pub(crate) fn len(&self) -> u64 {
        self.passers.len() as u64
    }

    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.passers.is_empty()
    }

    /// Whether something waits to be handed over.
    #[inline]
    pub(crate) fn waits(&self) -> bool {
        self.handed < self.passers.len()
    }

    /// When the next message expires.
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        self.passers.iter().filter_map(|passer| passer.expires).min()
    }

    /// Whether there is room for a message of this size, if so many bytes may pass at once. One always may.
    pub(crate) fn has_room(&self, bytes: u32, limit: u32) -> bool {
        let fits = self.bytes + u64::from(bytes) <= u64::from(limit);
        self.passers.is_empty() || (self.passers.len() < MOST && fits)
    }

    /// The same for an answer to a call.
    pub(crate) fn has_room_to_answer(&self, bytes: u32, limit: u32) -> bool {
        let fits = self.bytes + u64::from(bytes) <= u64::from(limit);
        self.passers.is_empty() || (self.passers.len() < MOST_ANSWERS && fits)
    }

    pub(crate) fn push(&mut self, id: OpId, message: M, bytes: u32, standing: Standing) {
        self.push_any(id, (Some(message), None), bytes, standing);
    }

    /// An answer to a call of the peer's: a message, or a no.
    pub(crate) fn answer(&mut self, id: OpId, call: Call, message: Option<M>, bytes: u32, standing: Standing) {
        self.push_any(id, (message, Some(call)), bytes, standing);
    }

    fn push_any(&mut self, id: OpId, (message, call): (Option<M>, Option<Call>), bytes: u32, standing: Standing) {
        let Standing { now, class: _, tracked, secret, rare } = standing;
        let rare = rare.map(|rare| *rare).unwrap_or_default();
        let expires = rare.expires(now);
        let (since, slots, frames) = (now, rare.slots(), (0, 0));
        let Rare { label, bucket, .. } = rare;
        let passer = Passer { id, message, call, bytes, tracked, secret, since, expires, label, bucket, slots, frames };
        self.bytes += u64::from(bytes);
        self.passers.push_back(passer);
    }

    /// The next message to hand over.
    pub(crate) fn next(&self) -> Option<Passing<'_, M>> {
        let Passer { id, message, call, bytes, secret, bucket, slots, .. } = self.passers.get(self.handed)?;
        let (message, call) = (message.as_ref(), call.as_ref());
        Some(Passing { id: *id, message, call, bytes: *bytes, secret: *secret, bucket: bucket.as_ref(), slots: *slots })
    }

    /// Those with the transport, and the number of the last frame of each.
    pub(crate) fn messages(&self) -> impl Iterator<Item = (OpId, u64)> {
        self.passers.iter().take(self.handed).map(|passer| (passer.id, passer.frames.1))
    }

    /// The message that [`next`](Self::next) showed was handed over, as the frames of these numbers.
    pub(crate) fn on_handed(&mut self, frames: (u64, u64)) {
        if let Some(passer) = self.passers.get_mut(self.handed) {
            passer.frames = frames;
            self.handed += 1;
        }
    }

    /// The message that [`next`](Self::next) showed is not handed over, now or later.
    pub(crate) fn drop_next(&mut self, why: Dropped, end: &mut impl FnMut(Ended, Option<M>)) {
        self.end(self.handed, Outcome::Dropped(why), end);
    }

    /// The first so many frames of the link are with the operating system.
    pub(crate) fn on_flushed(&mut self, frames: u64, end: &mut impl FnMut(Ended, Option<M>)) {
        while self.handed > 0 && self.passers.front().is_some_and(|passer| passer.frames.1 <= frames) {
            self.end(0, Outcome::Written, end);
        }
    }

    /// The number of the last frame of a message that is with the transport.
    pub(crate) fn last_frame(&self, id: OpId) -> Option<u64> {
        self.passers.iter().take(self.handed).find(|passer| passer.id == id).map(|passer| passer.frames.1)
    }

    /// The peer will not have a message. `Err` if it is not with the transport.
    pub(crate) fn on_rejected(
        &mut self,
        id: OpId,
        why: Box<Rejected>,
        end: &mut impl FnMut(Ended, Option<M>),
    ) -> Result<(), Box<Rejected>> {
        match self.passers.iter().take(self.handed).position(|passer| passer.id == id) {
            Some(at) => {
                self.end(at, Outcome::Failed(why), end);
                Ok(())
            }
            None => Err(why),
        }
    }

    /// The link takes nothing more: what waits is dropped.
    pub(crate) fn drop_waiting(&mut self, end: &mut impl FnMut(Ended, Option<M>)) {
        while self.waits() {
            self.end(self.handed, Outcome::Dropped(Dropped::LinkGone), end);
        }
    }

    /// The link is gone; frames after the first `left` have not left.
    pub(crate) fn on_lost(&mut self, left: u64, end: &mut impl FnMut(Ended, Option<M>)) {
        self.drop_waiting(end);
        while let Some(passer) = self.passers.front() {
            let has_left = passer.frames.0 <= left;
            self.end(0, if has_left { Outcome::InDoubt } else { Outcome::Dropped(Dropped::LinkGone) }, end);
        }
    }

    /// The time of some messages is up.
    pub(crate) fn on_due(&mut self, now: Timestamp, end: &mut impl FnMut(Ended, Option<M>)) {
        let is_due = |passer: &Passer<M>| passer.expires.is_some_and(|at| at <= now);
        while let Some(at) = self.passers.iter().position(is_due) {
            self.end(at, if at < self.handed { Outcome::InDoubt } else { Outcome::Expired }, end);
        }
    }

    /// Takes a message back that has not left.
    pub(crate) fn cancel(&mut self, id: OpId, end: &mut impl FnMut(Ended)) -> Option<M> {
        let at = self.passers.iter().skip(self.handed).position(|passer| passer.id == id)? + self.handed;
        let mut back = None;
        self.end(at, Outcome::Cancelled, &mut |ended, message| {
            end(ended);
            back = message;
        });
        back
    }

    /// Takes back all that has not left, oldest first. Answers stay: somebody waits for them.
    pub(crate) fn take_waiting(&mut self, end: &mut impl FnMut(Ended)) -> Vec<TakenBack<M>> {
        let mut taken = Vec::new();
        let waits = |lane: &Self| lane.passers.iter().skip(lane.handed).position(|passer| passer.call.is_none());
        while let Some(at) = waits(self).map(|at| at + self.handed) {
            let Some(passer) = self.passers.get(at) else { break };
            let (id, bytes, enqueued_at, label) = (passer.id, passer.bytes, passer.since, passer.label.clone());
            self.end(at, Outcome::Cancelled, &mut |ended, message| {
                end(ended);
                let (class, label) = (Class::Bypass, label.clone());
                taken.extend(message.map(|message| TakenBack {
                    id,
                    class,
                    bytes,
                    enqueued_at,
                    attempts: 0,
                    label,
                    message,
                }));
            });
        }
        taken
    }

    fn end(&mut self, at: usize, outcome: Outcome, end: &mut impl FnMut(Ended, Option<M>)) {
        if let Some(Passer { id, message, bytes, tracked, label, .. }) = self.passers.remove(at) {
            self.bytes -= u64::from(bytes);
            self.handed -= usize::from(at < self.handed);
            end(Ended { id, tracked, is_request: false, outcome, label }, message);
        }
    }
}
