//! What is owed for every message?

use std::collections::{BTreeMap, BTreeSet};

use steadfast::{Class, Dropped, OpId, Outcome, Overflow, SendOptions, Timestamp};

/// Every message that was accepted and has not ended.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger {
    last: u64,
    accepted: u64,
    entries: BTreeMap<u64, Entry>,
    queue: BTreeSet<u64>,
    owed: Vec<u64>,
    arrivals: Option<Arrivals>,
}

#[derive(Clone, Debug)]
struct Entry {
    options: SendOptions,
    until: Option<Timestamp>,
    /// It is with a transport, or waits there for its acknowledgement.
    handed: bool,
    /// It may have left on an earlier link.
    doubtful: bool,
    owed: Option<Why>,
}

/// What the harness knows of the peer.
#[derive(Clone, Debug, Default)]
struct Arrivals {
    got: BTreeSet<u64>,
    never: BTreeSet<u64>,
}

/// Why a message has to end in this turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    Flushed,
    Acked,
    Denied,
    Lost,
    Cancelled,
}

/// What makes an outcome possible, beside the message itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context {
    pub(super) now: Timestamp,
    pub(super) over: bool,
    pub(super) cancelling: bool,
    /// It was for a destination that is no longer ours.
    pub(super) elsewhere: bool,
    pub(super) overflow: Overflow,
}

impl Ledger {
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The last message that was accepted.
    pub(super) const fn last(&self) -> OpId {
        OpId(self.last)
    }

    pub(super) const fn accepted(&self) -> u64 {
        self.accepted
    }

    pub(super) fn watch_arrivals(&mut self) {
        self.arrivals.get_or_insert_default();
    }

    pub(super) fn accept(&mut self, now: Timestamp, id: OpId, options: SendOptions) -> Result<(), String> {
        let until = options.ttl.and_then(|ttl| now.after(ttl.duration()));
        self.entries.insert(id.0, Entry { options, until, handed: false, doubtful: false, owed: None });
        self.queue.insert(id.0);
        self.accepted += 1;
        let last = std::mem::replace(&mut self.last, id.0);
        if id.0 <= last { Err(format!("one outcome: id {id} is given after {last}")) } else { Ok(()) }
    }

    /// The message goes to a transport: which one it is, and whether it was its turn.
    pub(super) fn hand_over(&mut self, now: Timestamp, op: Option<OpId>) -> (Option<OpId>, Result<(), String>) {
        let Some(&oldest) = self.queue.first() else {
            return (None, Err(format!("order: {op:?} is sent, and nothing waits")));
        };
        let op = op.unwrap_or(OpId(oldest));
        if !self.queue.remove(&op.0) {
            return (None, Err(format!("order: {op} is sent, and does not wait to be")));
        }
        let entry = self.entries.get_mut(&op.0).expect("what is queued has an entry");
        entry.handed = true;
        let verdict = if op.0 != oldest {
            Err(format!("order: {op} is sent, and {oldest} is older"))
        } else if entry.until.is_some_and(|until| until <= now) {
            Err(format!("order: {op} is sent at {now}, and its time ran out at {:?}", entry.until))
        } else {
            Ok(())
        };
        (Some(op), verdict)
    }

    pub(super) fn is_kept_until_acked(&self, op: OpId) -> bool {
        self.entries.get(&op.0).is_some_and(|entry| entry.options.class == Class::AtLeastOnce)
    }

    pub(super) fn owe(&mut self, op: OpId, why: Why) {
        if let Some(entry) = self.entries.get_mut(&op.0) {
            entry.owed = Some(why);
            self.owed.push(op.0);
        }
    }

    /// The peer answered for it, which it can only do if it has it.
    pub(super) fn answered(&mut self, op: OpId, why: Why) {
        if self.entries.get(&op.0).is_some_and(Entry::may_have_left) {
            self.owe(op, why);
        }
    }

    /// Its link is gone, and it may have left: a replay, or doubt.
    pub(super) fn maybe_left(&mut self, op: OpId) {
        let Some(entry) = self.entries.get_mut(&op.0) else { return };
        (entry.handed, entry.doubtful) = (false, true);
        if entry.options.class == Class::AtLeastOnce {
            self.queue.insert(op.0);
        } else {
            self.owe(op, Why::Lost);
        }
    }

    /// Its link is gone, and it has certainly not left on it.
    pub(super) fn not_left(&mut self, op: OpId) {
        if let Some(entry) = self.entries.get_mut(&op.0) {
            entry.handed = false;
            self.queue.insert(op.0);
        }
    }

    pub(super) fn cancel(&mut self, id: OpId) -> Result<(), String> {
        match self.entries.get(&id.0) {
            None => Err(format!("one outcome: {id} came back and had ended")),
            Some(entry) if entry.may_have_left() => Err(format!("one outcome: {id} came back and may have left")),
            Some(_) => {
                self.owe(id, Why::Cancelled);
                Ok(())
            }
        }
    }

    pub(super) fn end(&mut self, id: OpId, outcome: &Outcome, context: &Context) -> Result<(), String> {
        let Some(entry) = self.entries.remove(&id.0) else {
            return Err(format!("one outcome: {id} is told {outcome:?} and is not pending"));
        };
        let queued = self.queue.remove(&id.0) && !entry.may_have_left();
        if !entry.fits(outcome, queued, context) {
            return Err(format!("one outcome: {id} is told {outcome:?}, which does not fit {entry:?}"));
        }
        match &mut self.arrivals {
            Some(arrivals) => arrivals.end(id, outcome),
            None => Ok(()),
        }
    }

    pub(super) fn arrived(&mut self, id: OpId) -> Result<(), String> {
        let Some(arrivals) = &mut self.arrivals else { return Ok(()) };
        arrivals.got.insert(id.0);
        if arrivals.never.contains(&id.0) {
            return Err(format!("peer: {id} arrived after it was said that it would not"));
        }
        Ok(())
    }

    /// What had to end in this turn has ended; good news need not be told where nobody asked for them.
    pub(super) fn close_turn(&mut self) -> Result<(), String> {
        let mut verdict = Ok(());
        for op in std::mem::take(&mut self.owed) {
            let Some(entry) = self.entries.get(&op) else { continue };
            if entry.options.tracked || !entry.may_end_silently() {
                verdict = Err(format!("one outcome: nothing was told of {op}: {entry:?}"));
            }
            self.entries.remove(&op);
            self.queue.remove(&op);
        }
        verdict
    }
}

impl Entry {
    /// Whether nobody asked for what it is owed.
    fn may_end_silently(&self) -> bool {
        match self.owed {
            Some(Why::Flushed | Why::Acked) => true,
            Some(Why::Denied) => self.options.class == Class::AtMostOnce,
            Some(Why::Lost | Why::Cancelled) | None => false,
        }
    }

    const fn may_have_left(&self) -> bool {
        self.handed || self.doubtful
    }

    /// Whether it can have ended so. `queued`: it waits, and has never left.
    fn fits(&self, outcome: &Outcome, queued: bool, context: &Context) -> bool {
        let too_late = self.until.is_some_and(|until| until <= context.now);
        match outcome {
            // An answer, even a no, proves that it was written; and with that an at-most-once message ends.
            Outcome::Written => {
                self.options.class == Class::AtMostOnce
                    && matches!(self.owed, Some(Why::Flushed | Why::Acked | Why::Denied))
            }
            Outcome::Acked => self.owed == Some(Why::Acked),
            Outcome::Failed(_) => self.owed == Some(Why::Denied),
            Outcome::Expired => queued && too_late,
            Outcome::Dropped(Dropped::Overflow) => queued && context.overflow == Overflow::DropOldest,
            Outcome::Dropped(Dropped::Stopped) => queued && context.over,
            Outcome::Dropped(Dropped::Elsewhere) => queued && context.elsewhere,
            Outcome::Cancelled => queued && context.cancelling,
            Outcome::InDoubt => {
                let has_cause = too_late || context.over || context.elsewhere;
                self.owed == Some(Why::Lost) || (self.may_have_left() && has_cause)
            }
            Outcome::Dropped(_) | _ => false,
        }
    }
}

impl Arrivals {
    fn end(&mut self, id: OpId, outcome: &Outcome) -> Result<(), String> {
        let got = self.got.contains(&id.0);
        match outcome {
            Outcome::Acked if !got => Err(format!("peer: {id} is told acknowledged and never arrived")),
            Outcome::Expired | Outcome::Dropped(_) | Outcome::Cancelled => {
                self.never.insert(id.0);
                if got { Err(format!("peer: {id} is told {outcome:?} and has arrived")) } else { Ok(()) }
            }
            Outcome::Written | Outcome::Acked | Outcome::Failed(_) | Outcome::InDoubt | _ => Ok(()),
        }
    }
}
