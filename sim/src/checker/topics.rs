//! Does the peer have the topics that are wanted, and each of them once?
//!
//! What the frames say of a topic is taken down here by its name, as the peer would; what the session says of it is held
//! against that ([`told`]).

mod link;
mod told;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::{fmt::Debug, time::Duration};

use steadfast::{LinkId, OpId, Text, Timestamp};

use told::Owed;

/// An answer that is looked at more than this late was slept through, and has as long again.
const LATE: Duration = Duration::from_secs(1);

/// What is wanted, and what the last link that was logged in has of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Topics {
    topics: BTreeMap<Text, Topic>,
    ops: BTreeMap<OpId, Op>,
    /// The link that is logged in.
    link: Option<LinkId>,
    /// The last one that was.
    last: Option<LinkId>,
    /// It is being left, and may still say something.
    leaving: Option<LinkId>,
    restore: Restoring,
    /// Those that wait for a time of their own.
    waiting: BTreeSet<(Timestamp, Text)>,
    /// When answers are overdue.
    due: BTreeSet<(Timestamp, OpId)>,
    /// A deadline was slept through, and they are put off until then.
    spared: Timestamp,
    /// Where nobody confirms, the operations that a flush does.
    unflushed: VecDeque<(u64, OpId)>,
    /// Of these there is something to be said.
    unsettled: BTreeSet<Text>,
    /// What this turn has to tell, and those that it may have to call left.
    owed: Vec<(Text, Owed)>,
    touched: Vec<Text>,
}

/// What a new link has to ask for.
#[derive(Clone, Debug, Default)]
struct Restoring {
    /// There was something.
    is_needed: bool,
    /// The queue waits for it.
    holds_queue: bool,
    /// Its end was told.
    is_told: bool,
    /// What is not answered yet.
    missing: BTreeSet<Text>,
}

#[derive(Clone, Copy, Debug)]
struct Topic {
    /// By how many it is wanted.
    count: u32,
    is_local: bool,
    /// Refused or ended, until somebody wants it anew.
    is_over: bool,
    waits: Option<Wait>,
    has: Has,
    was_confirmed: bool,
    /// Something may be missing before what comes next.
    owes_gap: bool,
    /// Its confirmation was told, for this link and this wish.
    is_told: bool,
    /// That it is left was told.
    is_left: bool,
}

#[derive(Clone, Copy, Debug)]
struct Wait {
    until: Timestamp,
    /// The peer asked for it.
    is_asked: bool,
}

/// Whether the link has a topic, as the frames say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Has {
    No,
    Asked(OpId),
    /// By this operation, or because it is local or the peer says so.
    Yes(Option<OpId>),
    Leaving(OpId),
    /// Nobody knows: the answer to this is overdue, or the link before was not given it.
    Perhaps(Option<OpId>),
}

/// An operation that was said on the link, or on the one before.
#[derive(Clone, Debug)]
struct Op {
    topics: Vec<Text>,
    by: Option<Timestamp>,
}

/// What the peer says of one topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named {
    On,
    Off,
    Gone,
}

/// A frame that asks for topics, or leaves them.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) op: OpId,
    pub(super) subscribes: bool,
    pub(super) topics: Vec<Text>,
    /// Its number on the link.
    pub(super) frame: u64,
    /// By when it is to be answered.
    pub(super) by: Option<Timestamp>,
    /// The peer confirms.
    pub(super) confirms: bool,
}

/// A topic as it shows itself.
pub(super) fn name(topic: &impl Debug) -> Text {
    Text::from(format!("{topic:?}").trim_matches('"'))
}

impl Topics {
    /// It is wanted once more.
    pub(super) fn want(&mut self, name: &Text, is_local: bool) {
        let topic = self.topics.entry(name.clone()).or_insert_with(|| Topic::new(is_local));
        if topic.count == 0 || topic.is_over {
            (topic.is_over, topic.is_left, topic.is_told) = (false, false, false);
        }
        topic.count = topic.count.saturating_add(1);
        if matches!(topic.has, Has::Yes(_)) {
            self.restore.missing.remove(name);
        }
        self.refresh(name);
    }

    /// It is wanted once less. A session that has stopped does not say that it is left.
    pub(super) fn unwant(&mut self, name: &Text, has_stopped: bool) {
        let Some(topic) = self.topics.get_mut(name) else { return };
        topic.count = topic.count.saturating_sub(1);
        if topic.count == 0 {
            topic.is_left |= has_stopped;
            if topic.has == Has::No {
                self.restore.missing.remove(name);
            }
            self.end_wait(name);
            self.touched.push(name.clone());
        }
        self.refresh(name);
    }

    /// Topics are asked for, or left.
    pub(super) fn said(&mut self, said: Said) -> Result<(), String> {
        let Said { op, subscribes, topics, frame, by, confirms } = said;
        let mut verdict = Ok(());
        for name in &topics {
            let Some(topic) = self.topics.get_mut(name) else {
                verdict = Err(format!("topics: {name} is spoken of, and nobody knows it"));
                continue;
            };
            let is_right = match topic.has {
                Has::No => subscribes && topic.is_due(),
                Has::Yes(_) => !subscribes && !topic.is_due(),
                Has::Perhaps(_) => subscribes == topic.is_due(),
                Has::Asked(_) | Has::Leaving(_) => false,
            };
            if !is_right || topic.is_local {
                let what = if subscribes { "asked for" } else { "left" };
                verdict = Err(format!("topics: {name} is {what} by {op}, and stands so: {topic:?}"));
            }
            if subscribes {
                (topic.has, topic.is_told) = (Has::Asked(op), false);
                topic.owes_gap |= topic.was_confirmed;
            } else {
                topic.has = Has::Leaving(op);
            }
            self.refresh(name);
        }
        let by = by.filter(|_| confirms);
        self.due.extend(by.map(|by| (by, op)));
        if !confirms {
            self.unflushed.push_back((frame, op));
        }
        self.ops.insert(op, Op { topics, by });
        verdict
    }

    /// So many frames are flushed. Where nobody confirms, that does.
    pub(super) fn flushed(&mut self, frames: u64) {
        while let Some((_, op)) = self.unflushed.front().copied().filter(|(frame, _)| *frame <= frames) {
            self.unflushed.pop_front();
            self.settle(op, true, None);
        }
    }

    /// The peer answers an operation with a yes or a no; where it does not confirm, it says so that its topics are over.
    pub(super) fn answered(&mut self, op: OpId, is_yes: bool, confirms: bool) {
        let later = match (is_yes, confirms) {
            (true, true) => None,
            (true, false) | (false, true) => Some(Owed::Over),
            (false, false) => Some(Owed::Refused),
        };
        self.settle(op, is_yes, later);
    }

    /// Its topics that wait for it are in or out; if there are none, those that it had brought in may be over.
    fn settle(&mut self, op: OpId, is_yes: bool, later: Option<Owed>) {
        let Some(known) = self.ops.get_mut(&op) else { return };
        if let Some(by) = known.by.take() {
            self.due.remove(&(by, op));
        }
        let names = known.topics.clone();
        let having = |has: fn(OpId) -> Has| {
            let has = has(op);
            names.iter().filter(|name| self.topics.get(*name).is_some_and(|topic| topic.has == has)).cloned().collect()
        };
        let (asked, leaving): (Vec<Text>, Vec<Text>) = (having(Has::Asked), having(Has::Leaving));
        let brought: Vec<Text> = having(|op| Has::Yes(Some(op)));
        for name in &asked {
            if is_yes { self.comes_in(name, Some(op)) } else { self.goes_out(name, Some(Owed::Refused)) }
        }
        for name in &leaving {
            self.goes_out(name, None);
        }
        if let (true, Some(later)) = (asked.is_empty() && leaving.is_empty(), later) {
            brought.iter().for_each(|name| self.goes_out(name, Some(later)));
        }
        // An answer that comes too late may have been in time.
        names.iter().for_each(|name| {
            self.restore.missing.remove(name);
        });
    }

    /// The peer speaks of one topic.
    pub(super) fn named(&mut self, name: &Text, what: Named) {
        let Some(topic) = self.topics.get(name) else { return };
        let has = topic.has;
        match (what, has) {
            (Named::On, Has::Asked(op)) => self.comes_in(name, Some(op)),
            (Named::On, Has::No | Has::Perhaps(None)) if topic.count > 0 => self.comes_in(name, None),
            (Named::Off, Has::Asked(_) | Has::Yes(_)) => self.goes_out(name, Some(Owed::Over)),
            (Named::Gone, Has::Asked(_) | Has::Yes(_)) => self.goes_out(name, Some(Owed::Lost)),
            (Named::Off | Named::Gone, Has::Leaving(_)) => self.goes_out(name, None),
            // It comes late, and perhaps not too late.
            (Named::On, Has::Perhaps(Some(_))) => drop(self.restore.missing.remove(name)),
            (Named::On, Has::No | Has::Perhaps(None) | Has::Yes(_) | Has::Leaving(_))
            | (Named::Off | Named::Gone, Has::No | Has::Perhaps(_)) => {}
        }
        if let Has::Asked(op) | Has::Leaving(op) = has {
            self.look_after(op);
        }
    }

    /// Nobody waits for the answer to an operation all of whose topics were named.
    fn look_after(&mut self, op: OpId) {
        let waits = |name: &Text| {
            self.topics.get(name).is_some_and(|topic| [Has::Asked(op), Has::Leaving(op)].contains(&topic.has))
        };
        let Some(known) = self.ops.get_mut(&op).filter(|known| !known.topics.iter().any(waits)) else { return };
        if let Some(by) = known.by.take() {
            self.due.remove(&(by, op));
        }
    }

    fn comes_in(&mut self, name: &Text, op: Option<OpId>) {
        self.end_wait(name);
        self.restore.missing.remove(name);
        if let Some(topic) = self.topics.get_mut(name) {
            (topic.has, topic.is_over) = (Has::Yes(op), false);
            if topic.count > 0 {
                self.owed.push((name.clone(), Owed::Confirmed));
            }
        }
        self.refresh(name);
    }

    fn goes_out(&mut self, name: &Text, owed: Option<Owed>) {
        self.restore.missing.remove(name);
        let Some(topic) = self.topics.get_mut(name) else { return };
        (topic.has, topic.is_told) = (Has::No, false);
        topic.owes_gap |= topic.was_confirmed;
        if topic.count == 0 {
            self.touched.push(name.clone());
        } else {
            self.owed.extend(owed.map(|owed| (name.clone(), owed)));
        }
        self.refresh(name);
    }

    /// The session was to be woken so long ago: what came meanwhile may still be unread, and all answers are put off.
    pub(super) fn overslept(&mut self, now: Timestamp, late: Duration) {
        if late > LATE {
            self.spared = now.after(LATE).unwrap_or(Timestamp::MAX);
        }
    }

    /// What time alone does: an answer is overdue, a wait is over.
    pub(super) fn pass(&mut self, now: Timestamp) {
        if self.link.is_none() {
            return;
        }
        while let Some((by, op)) = self.due.first().copied().filter(|(by, _)| *by <= now) {
            self.due.pop_first();
            let names = self.ops.get(&op).map(|op| op.topics.clone()).unwrap_or_default();
            let ends_link = self.restore.holds_queue && self.restore.is_needed && !self.restore.is_told;
            for name in names {
                if let Some(topic) = self.topics.get_mut(&name) {
                    if topic.count == 0 || topic.has == Has::Leaving(op) {
                        self.restore.missing.remove(&name);
                    }
                    let is_done_with = topic.has == Has::Leaving(op) && topic.count == 0 && topic.is_left;
                    if is_done_with && !ends_link && now.since(by) <= LATE {
                        // It was told already that nobody has it, and the peer was asked to see to it.
                        topic.has = Has::No;
                        self.touched.push(name.clone());
                    } else if topic.has == Has::Asked(op) || topic.has == Has::Leaving(op) {
                        topic.has = Has::Perhaps(Some(op));
                    }
                }
                self.refresh(&name);
            }
        }
        while let Some((_, name)) = self.waiting.first().cloned().filter(|(at, _)| *at <= now) {
            self.end_wait(&name);
            self.refresh(&name);
        }
    }

    /// Reading goes on, and answers have as long as from the beginning.
    pub(super) fn resume(&mut self, until: Option<Timestamp>) {
        let until = until.unwrap_or(Timestamp::MAX);
        for (_, op) in std::mem::take(&mut self.due) {
            let by = self.ops.get_mut(&op).and_then(|op| op.by.as_mut());
            if let Some(by) = by {
                *by = (*by).max(until);
                self.due.insert((*by, op));
            }
        }
    }

    fn end_wait(&mut self, name: &Text) {
        if let Some(wait) = self.topics.get_mut(name).and_then(|topic| topic.waits.take()) {
            self.waiting.remove(&(wait.until, name.clone()));
        }
    }

    /// Is there something to be said of it now?
    fn refresh(&mut self, name: &Text) {
        let is_unsettled = self.link.is_some()
            && self.topics.get(name).is_some_and(|topic| match topic.has {
                Has::No => topic.is_due(),
                Has::Yes(_) => topic.count == 0 || !topic.is_told,
                Has::Perhaps(op) => op.is_none(),
                Has::Asked(_) | Has::Leaving(_) => false,
            });
        if is_unsettled {
            self.unsettled.insert(name.clone());
        } else {
            self.unsettled.remove(name);
        }
    }

    /// What the server of the link is to have once all is said and answered.
    pub(super) fn wanted(&self) -> impl Iterator<Item = &str> {
        let is_wanted = |topic: &Topic| topic.count > 0 && !topic.is_over && !topic.is_local;
        self.topics.iter().filter(move |(_, topic)| is_wanted(topic)).map(|(name, _)| name.as_str())
    }
}

impl Topic {
    const fn new(is_local: bool) -> Self {
        Self {
            count: 0,
            is_local,
            is_over: false,
            waits: None,
            has: Has::No,
            was_confirmed: false,
            owes_gap: false,
            is_told: false,
            is_left: false,
        }
    }

    /// Whether it is to be asked for now.
    const fn is_due(&self) -> bool {
        self.count > 0 && !self.is_over && self.waits.is_none()
    }
}
