//! Which topics does this link have?

use alloc::{
    boxed::Box,
    collections::{BTreeMap, BTreeSet, VecDeque},
    vec::Vec,
};

use super::{Ended, TopicNo};
use crate::{Mark, OpId, Timestamp};

/// How far a topic is on a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum Step {
    /// The link does not have it.
    #[default]
    Out,
    /// It was asked for.
    Asked(OpId),
    /// The link has it: by this operation, or because it is local or the peer says so.
    In(Option<OpId>),
    /// It is being left.
    Leaving(OpId),
    /// The link before, which the peer has kept, was not told whether it has it.
    InDoubt,
}

/// What is to be said for a topic, and waits for its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Errand {
    Subscribe,
    Unsubscribe,
    Snapshot,
}

/// One operation, for one topic or for many.
#[derive(Clone, Debug)]
pub(crate) struct Op {
    pub(crate) errand: Errand,
    pub(crate) topics: Vec<TopicNo>,
    /// The last of its frames on this link.
    pub(crate) last_frame: u64,
    pub(super) by: Option<Timestamp>,
}

/// What one topic waits with until its snapshot has come.
#[derive(Clone, Debug)]
pub(crate) struct Held<I> {
    /// The request, once it was made.
    pub(super) op: Option<OpId>,
    messages: VecDeque<(I, Mark)>,
    /// There were too many, and the oldest are gone.
    has_lost: bool,
}

impl<I> Held<I> {
    /// What was held, oldest first, and whether the oldest of it are missing.
    pub(crate) fn into_parts(self) -> (VecDeque<(I, Mark)>, bool) {
        (self.messages, self.has_lost)
    }
}

#[derive(Clone, Debug)]
pub(super) struct Standing<I> {
    no: Option<TopicNo>,
    pub(super) step: Step,
    /// Since when the link has it.
    since: Timestamp,
    /// It waits for its turn to be looked at.
    pub(super) is_queued: bool,
    /// The restore waits for it.
    pub(super) is_restored: bool,
    pub(super) held: Option<Box<Held<I>>>,
    /// The last request for its snapshot.
    pub(super) snapshot: Option<OpId>,
}

impl<I> Default for Standing<I> {
    fn default() -> Self {
        let (no, step, since, is_queued, is_restored) = (None, Step::Out, Timestamp::ZERO, false, false);
        Self { no, step, since, is_queued, is_restored, held: None, snapshot: None }
    }
}

/// What a link was asked for, and has.
#[derive(Clone, Debug)]
pub(crate) struct Standings<I> {
    /// By place.
    pub(super) standings: Vec<Standing<I>>,
    /// Topics of which something may have to be said.
    todo: VecDeque<TopicNo>,
    pub(super) ops: BTreeMap<OpId, Op>,
    pub(super) due: BTreeSet<(Timestamp, OpId)>,
    /// Operations that are answered when their last frame is flushed.
    unflushed: VecDeque<(u64, OpId)>,
    pub(crate) ended: Ended,
    /// When to look whether a topic has been silent for too long.
    pub(super) silence: BTreeSet<(Timestamp, TopicNo)>,
    /// Topics that the restore still waits for.
    missing: u32,
    /// The restore is not over.
    pub(crate) restores: bool,
}

impl<I> Standings<I> {
    pub(crate) const fn new() -> Self {
        Self {
            standings: Vec::new(),
            todo: VecDeque::new(),
            ops: BTreeMap::new(),
            due: BTreeSet::new(),
            unflushed: VecDeque::new(),
            ended: Ended::new(),
            silence: BTreeSet::new(),
            missing: 0,
            restores: false,
        }
    }

    fn standing(&self, no: TopicNo) -> Option<&Standing<I>> {
        self.standings.get(no.at as usize).filter(|standing| standing.no == Some(no))
    }

    /// Its standing. One of an earlier topic in the same place is no longer of use to anybody.
    fn standing_mut(&mut self, no: TopicNo) -> &mut Standing<I> {
        let at = no.at as usize;
        if at >= self.standings.len() {
            self.standings.resize_with(at + 1, Standing::default);
        }
        let standing = &mut self.standings[at];
        if standing.no != Some(no) {
            *standing = Standing { no: Some(no), ..Standing::default() };
        }
        standing
    }

    pub(crate) fn step(&self, no: TopicNo) -> Step {
        self.standing(no).map_or(Step::Out, |standing| standing.step)
    }

    /// Since when the link has it.
    pub(crate) fn since(&self, no: TopicNo) -> Timestamp {
        self.standing(no).map_or(Timestamp::ZERO, |standing| standing.since)
    }

    /// Topics that the link has.
    pub(crate) fn count_in(&self) -> u32 {
        let is_in = |standing: &&Standing<I>| matches!(standing.step, Step::In(_));
        u32::try_from(self.standings.iter().filter(is_in).count()).unwrap_or(u32::MAX)
    }

    /// Something may have to be said of this topic.
    pub(crate) fn stir(&mut self, no: TopicNo) {
        let standing = self.standing_mut(no);
        if !core::mem::replace(&mut standing.is_queued, true) {
            self.todo.push_back(no);
        }
    }

    /// The same, before all others.
    pub(crate) fn stir_first(&mut self, no: TopicNo) {
        if core::mem::replace(&mut self.standing_mut(no).is_queued, true) {
            self.todo.retain(|queued| *queued != no);
        }
        self.todo.push_front(no);
    }

    /// Whether something may have to be said.
    #[inline]
    pub(crate) fn waits(&self) -> bool {
        !self.todo.is_empty()
    }

    pub(crate) fn next(&self) -> Option<TopicNo> {
        self.todo.front().copied()
    }

    pub(crate) fn take_next(&mut self) -> Option<TopicNo> {
        let no = self.todo.pop_front()?;
        // Its place may be another's by now.
        if let Some(standing) = self.standings.get_mut(no.at as usize).filter(|standing| standing.no == Some(no)) {
            standing.is_queued = false;
        }
        Some(no)
    }

    /// What there is to be said of a topic that is wanted, or not.
    pub(crate) fn errand(&self, no: TopicNo, is_wanted: bool) -> Option<Errand> {
        match (self.step(no), is_wanted) {
            (Step::Out | Step::InDoubt, true) => Some(Errand::Subscribe),
            (Step::In(_) | Step::InDoubt, false) => Some(Errand::Unsubscribe),
            (Step::In(_), true) => {
                let is_unasked = self.standing(no)?.held.as_ref()?.op.is_none();
                is_unasked.then_some(Errand::Snapshot)
            }
            // One operation at a time: whatever is wanted meanwhile is looked at when its answer has come.
            (Step::Out, false) | (Step::Asked(_) | Step::Leaving(_), _) => None,
        }
    }

    /// The restore waits for this topic.
    pub(crate) fn await_restore(&mut self, no: TopicNo) {
        let standing = self.standing_mut(no);
        if !core::mem::replace(&mut standing.is_restored, true) {
            self.missing += 1;
        }
        self.restores = true;
    }

    /// The restore waits for it no longer.
    pub(crate) fn end_restore(&mut self, no: TopicNo) {
        if core::mem::take(&mut self.standing_mut(no).is_restored) {
            self.missing = self.missing.saturating_sub(1);
        }
    }

    /// Whether a restore has just come to its end; once.
    pub(crate) fn take_restored(&mut self) -> bool {
        self.missing == 0 && core::mem::take(&mut self.restores)
    }

    /// What this operation is for was said, in frames up to this one; its answer is due then. Without a time it is
    /// answered when that frame is flushed.
    pub(crate) fn on_said(
        &mut self,
        op: OpId,
        errand: Errand,
        topics: Vec<TopicNo>,
        last_frame: u64,
        by: Result<Option<Timestamp>, ()>,
    ) {
        for no in &topics {
            let standing = self.standing_mut(*no);
            match errand {
                Errand::Subscribe => standing.step = Step::Asked(op),
                Errand::Unsubscribe => {
                    let before = core::mem::replace(&mut standing.step, Step::Leaving(op));
                    self.settle_op(if let Step::In(before) = before { before } else { None });
                }
                Errand::Snapshot => {
                    if let Some(held) = &mut standing.held {
                        held.op = Some(op);
                    }
                    if let Some(before) = standing.snapshot.replace(op) {
                        self.end_op(before);
                    }
                }
            }
        }
        if by.is_err() {
            self.unflushed.push_back((last_frame, op));
        }
        let by = by.unwrap_or(None);
        self.due.extend(by.map(|by| (by, op)));
        self.ops.insert(op, Op { errand, topics, last_frame, by });
    }

    pub(crate) fn op(&self, op: OpId) -> Option<&Op> {
        self.ops.get(&op)
    }

    /// The topics of this operation that wait for its answer; no other answer is waited for.
    pub(crate) fn on_answered(&mut self, op: OpId) -> Vec<TopicNo> {
        let Some(known) = self.ops.get_mut(&op) else { return Vec::new() };
        if let Some(by) = known.by.take() {
            self.due.remove(&(by, op));
        }
        let waiting = known.topics.iter().copied().filter(|no| {
            let standing = self.standings.get(no.at as usize).filter(|standing| standing.no == Some(*no));
            standing.is_some_and(|standing| match standing.step {
                Step::Asked(asked) | Step::Leaving(asked) => asked == op,
                Step::Out | Step::In(_) | Step::InDoubt => false,
            })
        });
        waiting.collect()
    }

    /// Nobody knows whether the peer has it.
    pub(crate) fn on_doubt(&mut self, no: TopicNo) {
        self.on_out(no);
        self.standing_mut(no).step = Step::InDoubt;
    }

    /// An operation has nothing more to say.
    pub(crate) fn end_op(&mut self, op: OpId) {
        let Some(Op { last_frame, by, .. }) = self.ops.remove(&op) else { return };
        if let Some(by) = by {
            self.due.remove(&(by, op));
        }
        self.ended.add(op, last_frame);
    }

    /// The link has this topic.
    pub(crate) fn on_in(&mut self, no: TopicNo, now: Timestamp) {
        let standing = self.standing_mut(no);
        let op = match standing.step {
            Step::Asked(op) => Some(op),
            Step::In(op) => op,
            Step::Out | Step::Leaving(_) | Step::InDoubt => None,
        };
        (standing.step, standing.since) = (Step::In(op), now);
        self.settle_op(op);
    }

    /// The link does not have this topic, or no longer.
    pub(crate) fn on_out(&mut self, no: TopicNo) -> Option<Box<Held<I>>> {
        let standing = self.standing_mut(no);
        let (held, snapshot) = (standing.held.take(), standing.snapshot.take());
        let op = match core::mem::take(&mut standing.step) {
            Step::Asked(op) | Step::Leaving(op) | Step::In(Some(op)) => Some(op),
            Step::Out | Step::In(None) | Step::InDoubt => None,
        };
        if let Some(op) = snapshot {
            self.end_op(op);
        }
        self.settle_op(op);
        held
    }

    /// An operation all of whose topics are settled is not waited for; one that no topic hangs on is over.
    fn settle_op(&mut self, op: Option<OpId>) {
        let Some((op, known)) = op.and_then(|op| Some((op, self.ops.get(&op)?))) else { return };
        let (mut waits, mut hangs) = (false, false);
        for no in &known.topics {
            match self.step(*no) {
                Step::Asked(asked) | Step::Leaving(asked) => waits |= asked == op,
                Step::In(asked) => hangs |= asked == Some(op),
                Step::Out | Step::InDoubt => {}
            }
        }
        if !waits && !hangs {
            self.end_op(op);
        } else if !waits {
            self.on_answered(op);
        }
    }

    /// Whether a flush can answer something.
    #[inline]
    pub(crate) fn awaits_flush(&self) -> bool {
        !self.unflushed.is_empty()
    }

    /// The next operation that a flush up to this frame answers.
    pub(crate) fn take_flushed(&mut self, flushed: u64) -> Option<OpId> {
        let (_, op) = *self.unflushed.front().filter(|(last, _)| *last <= flushed)?;
        self.unflushed.pop_front();
        Some(op)
    }

    /// From now on what comes of this topic is held, until its snapshot is there.
    pub(crate) fn hold(&mut self, no: TopicNo) {
        let standing = self.standing_mut(no);
        if standing.held.is_none() {
            standing.held = Some(Box::new(Held { op: None, messages: VecDeque::new(), has_lost: false }));
        }
    }

    /// Nothing is held of it any more, and an answer to the request for its snapshot is nobody's.
    pub(crate) fn let_go(&mut self, no: TopicNo) {
        let standing = self.standing_mut(no);
        standing.held = None;
        if let Some(op) = standing.snapshot.take() {
            self.end_op(op);
        }
    }

    /// Whether what it says is held.
    pub(crate) fn holds(&self, no: TopicNo) -> bool {
        let standing = self.standings.get(no.at as usize).filter(|standing| standing.no == Some(no));
        standing.is_some_and(|standing| standing.held.is_some())
    }

    /// A message of the topic: kept, if what it says is held. At the bound the oldest is given up.
    pub(crate) fn keep(&mut self, no: TopicNo, message: I, mark: Mark, most: u32) -> Option<(I, Mark)> {
        let standing = self.standings.get_mut(no.at as usize).filter(|standing| standing.no == Some(no));
        let Some(held) = standing.and_then(|standing| standing.held.as_mut()) else { return Some((message, mark)) };
        if held.messages.len() as u64 >= u64::from(most) {
            held.messages.pop_front();
            held.has_lost = true;
        }
        held.messages.push_back((message, mark));
        None
    }

    /// The topic whose snapshot this operation asked for, and what was held for it; the request is answered.
    pub(crate) fn release(&mut self, op: OpId) -> Option<(TopicNo, Box<Held<I>>)> {
        let no = *self.ops.get(&op).filter(|known| known.errand == Errand::Snapshot)?.topics.first()?;
        // It is still known: its `Done` comes after it.
        self.on_answered(op);
        let standing = self.standing_mut(no);
        let is_ours = standing.held.as_ref().is_some_and(|held| held.op == Some(op));
        if is_ours { standing.held.take().map(|held| (no, held)) } else { None }
    }
}
