//! What is owed for every message?

mod fits;

use std::collections::{BTreeMap, BTreeSet};

use steadfast::{Class, Dropped, LinkId, OpId, Outcome, Overflow, SendOptions, Text, Timestamp};

use super::{arrivals::Arrivals, requests::Asked};

/// Every message that was accepted and has not ended.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger {
    last: u64,
    accepted: u64,
    entries: BTreeMap<u64, Entry>,
    /// What waits, by its place.
    queue: BTreeMap<u64, u64>,
    /// What waits and never left, as it would be dropped: by class, and then by place.
    droppable: BTreeSet<(Class, u64)>,
    keys: BTreeSet<(Text, Class, u64)>,
    /// What passes the queue by and waits to.
    passing: BTreeSet<u64>,
    passers: usize,
    owed: Vec<u64>,
    /// What was accepted in this turn.
    newcomer: Option<u64>,
    /// What it has to replace, if it stays.
    replaces: Option<u64>,
    /// Links of which it was said in this turn that they are gone.
    gone: Vec<LinkId>,
    arrivals: Option<Arrivals>,
    /// Answers to calls that wait, or did.
    pub(super) answers: BTreeSet<u64>,
    /// Every request there was.
    pub(super) requests: BTreeSet<u64>,
}

#[derive(Clone, Debug)]
pub(super) struct Entry {
    options: SendOptions,
    until: Option<Timestamp>,
    /// Its id, or that of the first that stood where it stands.
    place: u64,
    /// The only link that it may leave on.
    link: Option<LinkId>,
    /// It is with a transport, or waits there for its acknowledgement.
    pub(super) handed: bool,
    /// It may have left on an earlier link.
    pub(super) doubtful: bool,
    /// How often it was there when the peer could not take something.
    charges: u32,
    pub(super) owed: Option<Why>,
    /// It is a request.
    pub(super) asked: Option<Asked>,
}

/// Why a message has to end in this turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    Flushed,
    Acked,
    Denied,
    Lost,
    LinkGone,
    Cancelled,
    Poison,
    Replied,
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
    /// The peer said that something was too large.
    pub(super) too_big: bool,
}

impl Ledger {
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The last message that was accepted.
    pub(super) const fn last(&self) -> OpId {
        OpId(self.last)
    }

    /// How many of them are in the queue, or wait for an acknowledgement.
    pub(super) fn kept(&self) -> usize {
        self.entries.len() - self.passers
    }

    pub(super) const fn accepted(&self) -> u64 {
        self.accepted
    }

    pub(super) fn watch_arrivals(&mut self) {
        self.arrivals.get_or_insert_default();
    }

    /// A message is accepted, while this link is open.
    pub(super) fn accept(
        &mut self,
        now: Timestamp,
        id: OpId,
        options: SendOptions,
        link: Option<LinkId>,
    ) -> Result<(), String> {
        let until = options.time_to_live().and_then(|ttl| now.after(ttl.duration()));
        let (class, place, passes) = (options.class, id.0, options.class == Class::Bypass);
        if passes {
            self.passers += 1;
            self.passing.insert(place);
        } else {
            self.replaces = self.replaced_by(&options);
            self.queue.insert(place, place);
            self.droppable.insert((class, place));
            self.keys.extend(options.keyed().map(|key| (key.clone(), class, place)));
        }
        let link = link.filter(|_| passes);
        let entry =
            Entry { options, until, place, link, handed: false, doubtful: false, charges: 0, owed: None, asked: None };
        self.entries.insert(place, entry);
        self.newcomer = Some(place);
        self.accepted += 1;
        let last = std::mem::replace(&mut self.last, place);
        if place <= last {
            Err(format!("one outcome: id {id} is given after {last}"))
        } else if passes && link.is_none() {
            Err(format!("order: {id} is to pass the queue by and no link is open"))
        } else {
            Ok(())
        }
    }

    /// What a message of the class `latest` has to replace: the newest of that class with its key, if it waits.
    fn replaced_by(&self, options: &SendOptions) -> Option<u64> {
        let key = options.keyed().filter(|_| options.class == Class::Latest)?;
        let of = |place| (key.clone(), Class::Latest, place);
        let (_, _, newest) = self.keys.range(of(0)..=of(u64::MAX)).next_back()?;
        let id = self.queue.get(newest)?;
        self.entries.get(id).filter(|entry| !entry.may_have_left())?;
        Some(*id)
    }

    /// The message goes to a transport: which one it is, and whether it was its turn.
    pub(super) fn hand_over(
        &mut self,
        now: Timestamp,
        link: LinkId,
        op: Option<OpId>,
    ) -> (Option<OpId>, Result<(), String>) {
        if let Some(op) = op.filter(|op| self.hand_over_again(*op)) {
            return (Some(op), Ok(()));
        }
        let oldest = self.passing.first().or_else(|| self.queue.values().next()).copied();
        let Some(oldest) = oldest else {
            return (None, Err(format!("order: {op:?} is sent, and nothing waits")));
        };
        let op = op.unwrap_or(OpId(oldest));
        let Some(entry) = self.entries.get_mut(&op.0).filter(|entry| !entry.handed) else {
            return (None, Err(format!("order: {op} is sent, and does not wait to be")));
        };
        self.passing.remove(&op.0);
        self.queue.remove(&entry.place);
        self.droppable.remove(&(entry.options.class, entry.place));
        entry.handed = true;
        let verdict = if op.0 != oldest {
            Err(format!("order: {op} is sent, and the turn is {oldest}'s"))
        } else if entry.until.is_some_and(|until| until <= now) {
            Err(format!("order: {op} is sent at {now}, and its time ran out at {:?}", entry.until))
        } else if entry.link.is_some_and(|own| own != link) {
            Err(format!("order: {op} is sent on link {link} and belongs to {:?}", entry.link))
        } else {
            Ok(())
        };
        (Some(op), verdict)
    }

    pub(super) fn is_kept_until_acked(&self, op: OpId) -> bool {
        let is_kept = |entry: &Entry| entry.options.class == Class::AtLeastOnce || entry.asked.is_some();
        self.entries.get(&op.0).is_some_and(is_kept)
    }

    pub(super) fn passes(&self, op: OpId) -> bool {
        self.entries.get(&op.0).is_some_and(|entry| entry.options.class == Class::Bypass)
    }

    pub(super) fn is_secret(&self, op: OpId) -> bool {
        self.entries.get(&op.0).is_some_and(|entry| entry.options.secret)
    }

    pub(super) fn owe(&mut self, op: OpId, why: Why) {
        if let Some(entry) = self.entries.get_mut(&op.0) {
            entry.owed = Some(why);
            self.owed.push(op.0);
        }
    }

    /// The peer answered for it, which it can only do if it has it.
    pub(super) fn answered(&mut self, op: OpId, link: LinkId, why: Why) {
        match self.entries.get(&op.0).filter(|entry| entry.may_have_left()) {
            Some(entry) if entry.asked.is_some() => self.refused(op, link, why),
            Some(_) => self.owe(op, why),
            None => {}
        }
    }

    /// Its link is gone, and it may have left: a replay, or doubt. With a limit it is charged, and at that poison.
    pub(super) fn maybe_left(&mut self, op: OpId, limit: Option<u32>) {
        let Some(entry) = self.entries.get_mut(&op.0) else { return };
        (entry.handed, entry.doubtful) = (false, true);
        entry.lose_sight();
        if entry.options.class != Class::AtLeastOnce {
            return self.owe(op, Why::Lost);
        }
        if !entry.floats() {
            self.queue.insert(entry.place, op.0);
        }
        entry.charges += u32::from(limit.is_some());
        if limit.is_some_and(|limit| entry.charges >= limit) {
            self.owe(op, Why::Poison);
        }
    }

    /// Its link is gone, and it has certainly not left on it.
    pub(super) fn not_left(&mut self, op: OpId) {
        let Some(entry) = self.entries.get_mut(&op.0) else { return };
        entry.handed = false;
        if matches!(entry.options.class, Class::Volatile | Class::Bypass) {
            return self.owe(op, Why::LinkGone);
        }
        entry.lose_sight();
        if entry.floats() {
            return;
        }
        self.queue.insert(entry.place, op.0);
        if !entry.doubtful {
            self.droppable.insert((entry.options.class, entry.place));
        }
    }

    pub(super) fn cancel(&mut self, id: OpId) -> Result<(), String> {
        match self.entries.get(&id.0) {
            None => Err(format!("one outcome: {id} came back and had ended")),
            Some(entry) if entry.may_have_left() && !entry.may_wait_again() => {
                Err(format!("one outcome: {id} came back and may have left"))
            }
            Some(_) => {
                self.owe(id, Why::Cancelled);
                Ok(())
            }
        }
    }

    pub(super) fn entry(&mut self, id: OpId) -> Option<&mut Entry> {
        self.entries.get_mut(&id.0)
    }

    pub(super) fn remove(&mut self, id: OpId) {
        if let Some(entry) = self.entries.remove(&id.0) {
            self.forget(id.0, &entry);
        }
    }

    /// Whether so many are all that have not left.
    pub(super) fn all_waiting(&self, taken: usize) -> Result<(), String> {
        let floating = self.entries.values().filter(|entry| entry.floats() && !entry.may_have_left()).count();
        let unknown = self.entries.values().filter(|entry| entry.may_wait_again() && entry.may_have_left()).count();
        let waiting = self.droppable.len() + self.passing.difference(&self.answers).count() + floating;
        if (waiting..=waiting + unknown).contains(&taken) {
            Ok(())
        } else {
            Err(format!("one outcome: {taken} of {waiting} that wait came back"))
        }
    }

    pub(super) fn end(&mut self, id: OpId, outcome: &Outcome, context: &Context) -> Result<(), String> {
        if self.entries.get(&id.0).is_some_and(|entry| entry.asked.is_some()) {
            return Err(format!("one outcome: {id} is a request and is told {outcome:?}"));
        }
        self.end_any(id, outcome, context)
    }

    pub(super) fn end_any(&mut self, id: OpId, outcome: &Outcome, context: &Context) -> Result<(), String> {
        let Some(entry) = self.entries.remove(&id.0) else {
            return Err(format!("one outcome: {id} is told {outcome:?} and is not pending"));
        };
        let fits = self.fits(id, &entry, outcome, context);
        self.forget(id.0, &entry);
        if *outcome == Outcome::Dropped(Dropped::Replaced) {
            self.step_into(entry.place);
        }
        self.gone.extend(entry.link.filter(|_| *outcome == Outcome::Dropped(Dropped::LinkGone)));
        if !fits {
            return Err(format!("one outcome: {id} is told {outcome:?}, which does not fit {entry:?}"));
        }
        match &mut self.arrivals {
            // What was refused has arrived, and yet the peer has it not.
            Some(arrivals) if !entry.floats() => arrivals.end(id, outcome),
            Some(_) | None => Ok(()),
        }
    }

    fn forget(&mut self, id: u64, entry: &Entry) {
        if entry.options.class == Class::Bypass {
            self.passers -= 1;
            self.passing.remove(&id);
        } else {
            self.queue.remove(&entry.place);
            self.droppable.remove(&(entry.options.class, entry.place));
            if let Some(key) = entry.options.keyed() {
                self.keys.remove(&(key.clone(), entry.options.class, entry.place));
            }
        }
    }

    /// The message of this turn stands where another stood.
    fn step_into(&mut self, place: u64) {
        let Some((id, entry)) = self.newcomer.and_then(|id| Some((id, self.entries.get_mut(&id)?))) else { return };
        let (class, old) = (entry.options.class, std::mem::replace(&mut entry.place, place));
        self.queue.remove(&old);
        self.queue.insert(place, id);
        self.droppable.remove(&(class, old));
        self.droppable.insert((class, place));
        if let Some(key) = entry.options.keyed() {
            self.keys.remove(&(key.clone(), class, old));
            self.keys.insert((key.clone(), class, place));
        }
    }

    pub(super) fn arrived(&mut self, id: OpId) -> Result<(), String> {
        self.arrivals.as_mut().map_or(Ok(()), |arrivals| arrivals.arrived(id))
    }

    /// What had to end in this turn has ended; good news need not be told where nobody asked for them. `up` is the
    /// link that is open.
    pub(super) fn close_turn(&mut self, up: Option<LinkId>) -> Result<(), String> {
        let mut verdict = self.close_newcomer();
        for op in std::mem::take(&mut self.owed) {
            if self.outlives_its_link(OpId(op)) {
                continue;
            }
            let Some(entry) = self.entries.get(&op) else { continue };
            if entry.options.tracked || !entry.may_end_silently() {
                verdict = Err(format!("one outcome: nothing was told of {op}: {entry:?}"));
            }
            if let Some(entry) = self.entries.remove(&op) {
                self.forget(op, &entry);
            }
        }
        let stray = self.passing.iter().filter_map(|id| self.entries.get(id)).find(|entry| entry.link != up);
        if let Some(stray) = stray {
            verdict = Err(format!("one outcome: its link is gone, and it still waits: {stray:?}"));
        }
        if std::mem::take(&mut self.gone).into_iter().any(|link| Some(link) == up) {
            verdict = Err(format!("one outcome: link {up:?} is said to be gone"));
        }
        verdict
    }

    fn close_newcomer(&mut self) -> Result<(), String> {
        let (newcomer, replaces) = (self.newcomer.take(), self.replaces.take());
        let Some(entry) = newcomer.and_then(|id| self.entries.get(&id)) else { return Ok(()) };
        if entry.options.class == Class::Volatile && !entry.handed && entry.owed.is_none() {
            return Err(format!("order: a volatile message waits: {entry:?}"));
        }
        match replaces.filter(|old| self.entries.contains_key(old)) {
            Some(old) => Err(format!("order: {old} waits, and was to be replaced by {newcomer:?}")),
            None => Ok(()),
        }
    }
}

impl Entry {
    /// Whether nobody asked for what it is owed.
    fn may_end_silently(&self) -> bool {
        match self.owed {
            Some(Why::Flushed | Why::Acked) => true,
            Some(Why::Denied) => self.options.class != Class::AtLeastOnce,
            Some(Why::Replied | Why::Lost | Why::LinkGone | Why::Cancelled | Why::Poison) | None => false,
        }
    }

    pub(super) const fn may_have_left(&self) -> bool {
        self.handed || self.doubtful
    }
}
