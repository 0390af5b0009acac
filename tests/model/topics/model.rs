//! What may be expected of topics, restated plainly: what is wanted, what the link has, and what was asked.

use std::time::Duration;

use steadfast::{Timestamp, TopicState};

pub(crate) const WINDOW: usize = 2;
pub(crate) const ANSWER: Duration = Duration::from_secs(4);
pub(crate) const BATCH: usize = 2;
pub(crate) const HELD: usize = 2;
const SPREAD: Duration = Duration::from_secs(1);
const STABLE: Duration = Duration::from_secs(5);
const BASE: Duration = Duration::from_secs(1);
const CAP: Duration = Duration::from_secs(30);

pub(crate) type Topic = &'static str;

/// How this walk differs from others.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// The server says what it has done.
    pub(crate) confirms: bool,
    /// One operation can name several topics.
    pub(crate) many: bool,
    /// The queue waits for the topics.
    pub(crate) before: bool,
}

/// What a turn did, or should have done.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Did {
    pub(crate) denied: bool,
    /// What was handed over, but logins and goodbyes.
    pub(crate) frames: Vec<String>,
    /// What the application was told of topics, in order.
    pub(crate) told: Vec<String>,
    /// A link that was logged in was given up.
    pub(crate) failed: bool,
    /// Where each topic stands.
    pub(crate) known: Vec<Known>,
    pub(crate) restoring: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) topic: String,
    pub(crate) state: TopicState,
    pub(crate) count: u32,
    pub(crate) last: Option<u64>,
    pub(crate) retry_at: Option<Timestamp>,
}

#[derive(Clone, Debug)]
pub(crate) struct Model {
    rules: Rules,
    wanted: Vec<Want>,
    /// Places that are free.
    free: Vec<usize>,
    pub(crate) link: Option<Link>,
    /// The session says goodbye on this one, and no other is there yet.
    leaving: Option<Link>,
    /// Until when a topic may wait that was refused: how long exactly is not for us to say.
    pub(crate) seen: Vec<Known>,
    /// What the last link that was logged in had, for a peer that keeps sessions.
    kept: Option<Vec<Has>>,
    /// Messages that wait, in order.
    queue: Vec<u64>,
    last: u64,
    did: Did,
}

#[derive(Clone, Debug)]
struct Want {
    topic: Topic,
    /// The places of those that were left are given to others; whoever stands before another is asked for before it.
    place: usize,
    count: u32,
    /// Its state is asked for after each confirmation.
    snapshot: bool,
    is_over: bool,
    retry_at: Option<Timestamp>,
    /// The peer asked for that, so it is not over with its link.
    is_asked: bool,
    losses: u32,
    last: Option<u64>,
    /// The application has been given something of it, or was told that it has it.
    was_had: bool,
    has_gap: bool,
    /// Whoever wants it now has heard that it is confirmed.
    heard: bool,
    /// Whoever wanted it has heard that it is left.
    is_left: bool,
}

/// A link that is logged in.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) frames: Vec<String>,
    pub(crate) flushed: usize,
    has: Vec<Has>,
    pub(crate) ops: Vec<Op>,
    /// Topics that may have something to be said, in order.
    stirred: Vec<Topic>,
    /// Those that the restore waits for; `None` if there is nothing to restore.
    awaited: Option<Vec<Topic>>,
    blocks: bool,
}

/// What a link has of a topic.
#[derive(Clone, Debug)]
struct Has {
    topic: Topic,
    step: Step,
    since: Timestamp,
    /// What it says is held for its snapshot.
    hold: Option<Hold>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Out,
    Asked,
    /// By this operation; by none if the peer said so unasked.
    In(Option<u64>),
    Leaving,
    /// An operation was under way when its link went.
    InDoubt,
}

#[derive(Clone, Debug, Default)]
struct Hold {
    held: Vec<u64>,
    has_lost: bool,
    /// The request.
    op: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Errand {
    Subscribe,
    Unsubscribe,
    Snapshot,
}

#[derive(Clone, Debug)]
pub(crate) struct Op {
    pub(crate) id: u64,
    pub(crate) errand: Errand,
    topics: Vec<Topic>,
    /// Those that are not answered yet.
    pub(crate) waiting: Vec<Topic>,
    frame: usize,
    until: Timestamp,
}

/// What the peer says to an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    Yes,
    No,
    /// No, but it may be asked again after that.
    Later(Duration),
}

impl Has {
    const fn new(topic: Topic) -> Self {
        Self { topic, step: Step::Out, since: Timestamp::ZERO, hold: None }
    }
}

pub(crate) fn is_local(topic: Topic) -> bool {
    topic.starts_with('#')
}

impl Link {
    fn step(&self, topic: Topic) -> Step {
        self.has.iter().find(|has| has.topic == topic).map_or(Step::Out, |has| has.step)
    }

    fn hold(&mut self, topic: Topic) -> &mut Option<Hold> {
        &mut self.place(topic).hold
    }

    fn place(&mut self, topic: Topic) -> &mut Has {
        let at = self.has.iter().position(|has| has.topic == topic).unwrap_or_else(|| {
            self.has.push(Has::new(topic));
            self.has.len() - 1
        });
        &mut self.has[at]
    }

    fn stir(&mut self, topic: Topic) {
        if !self.stirred.contains(&topic) {
            self.stirred.push(topic);
        }
    }

    /// Somebody wants something of it; what is local waits for nobody.
    fn turn_to(&mut self, topic: Topic) {
        if is_local(topic) {
            self.stirred.retain(|stirred| *stirred != topic);
            self.stirred.insert(0, topic);
        }
        self.stir(topic);
    }

    fn on_their_way(&self) -> usize {
        self.frames.len() - self.flushed
    }

    fn is_restoring(&self) -> bool {
        self.blocks && self.awaited.is_some()
    }
}

impl Model {
    pub(crate) fn new(rules: Rules) -> Self {
        let (wanted, free, queue, seen) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (link, leaving, kept, did) = (None, None, None, Did::default());
        Self { rules, wanted, free, link, leaving, seen, kept, queue, last: 0, did }
    }

    fn want(&mut self, topic: Topic) -> Option<&mut Want> {
        self.wanted.iter_mut().find(|want| want.topic == topic)
    }

    fn is_wanted(&self, topic: Topic) -> bool {
        self.wanted.iter().any(|want| want.topic == topic && want.count > 0)
    }

    fn tell(&mut self, line: String) {
        self.did.told.push(line);
    }

    pub(crate) fn subscribe(&mut self, topic: Topic, snapshot: bool) {
        if self.want(topic).is_none() {
            let place = self.free.pop().unwrap_or(self.wanted.len());
            self.wanted.push(Want {
                topic,
                place,
                count: 0,
                snapshot: false,
                is_over: false,
                retry_at: None,
                is_asked: false,
                losses: 0,
                last: None,
                was_had: false,
                has_gap: false,
                heard: false,
                is_left: false,
            });
            self.wanted.sort_by_key(|want| want.place);
        }
        let want = self.want(topic).expect("it is there");
        let is_new = want.count == 0 || want.is_over;
        want.count += 1;
        want.snapshot |= snapshot;
        (want.is_over, want.is_left) = (false, false);
        if snapshot {
            self.sync(topic);
        }
        if let Some(link) = self.link.as_mut().filter(|_| is_new) {
            link.turn_to(topic);
        }
    }

    pub(crate) fn unsubscribe(&mut self, topic: Topic) {
        let Some(want) = self.want(topic).filter(|want| want.count > 0) else {
            self.did.denied = true;
            return;
        };
        want.count -= 1;
        if want.count == 0 {
            (want.snapshot, want.retry_at, want.heard) = (false, None, false);
            // Nor is its state wanted, or what was held for that.
            let links = [self.link.as_mut().map(|link| &mut link.has), self.kept.as_mut()];
            let has = links.into_iter().flatten().flatten().filter(|has| has.topic == topic);
            has.for_each(|has| has.hold = None);
            self.forget_request(topic);
            self.leave_topic(topic);
            if let Some(link) = &mut self.link {
                link.turn_to(topic);
            }
        }
    }

    /// Nobody waits for its state any more.
    fn forget_request(&mut self, topic: Topic) {
        if let Some(link) = &mut self.link {
            link.ops.retain(|op| op.errand != Errand::Snapshot || op.waiting != [topic]);
        }
    }

    pub(crate) fn resync(&mut self, topic: Topic) {
        if self.want(topic).is_some_and(|want| want.count > 0 && want.snapshot) {
            self.sync(topic);
        } else {
            self.did.denied = true;
        }
    }

    fn sync(&mut self, topic: Topic) {
        let heard = self.want(topic).is_some_and(|want| want.heard);
        let Some(link) = &mut self.link else { return };
        let step = link.step(topic);
        if step == Step::Asked || (matches!(step, Step::In(_)) && heard) {
            link.hold(topic).get_or_insert_default();
            link.stir(topic);
        }
    }

    /// Nobody wants it: said as soon as no link has it, and forgotten when none may still have it.
    fn leave_topic(&mut self, topic: Topic) {
        if self.is_wanted(topic) || self.want(topic).is_none() {
            return;
        }
        if self.link.as_ref().is_some_and(|link| link.step(topic) != Step::Out) {
            return;
        }
        let may_be_kept = |has: &Has| has.topic == topic && has.step != Step::Out;
        let may_be_kept = self.link.is_none() && self.kept.iter().flatten().any(may_be_kept);
        if may_be_kept && self.leaving.is_some() {
            return;
        }
        let want = self.want(topic).expect("it is there");
        if !std::mem::replace(&mut want.is_left, true) {
            self.tell(format!("left {topic}"));
        }
        if !may_be_kept {
            let at = self.wanted.iter().position(|want| want.topic == topic).expect("it is there");
            self.free.push(self.wanted.remove(at).place);
            self.link.iter_mut().for_each(|link| link.stirred.retain(|stirred| *stirred != topic));
        }
        self.end_restore_of(topic);
    }

    pub(crate) fn send(&mut self) {
        self.last += 1;
        self.queue.push(self.last);
    }

    pub(crate) fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// The login has been answered.
    pub(crate) fn log_in(&mut self, now: Timestamp, is_kept: bool) {
        let kept = self.kept.take().filter(|_| is_kept);
        let is_fresh = kept.is_none();
        let mut link = Link {
            frames: vec!["login".into()],
            flushed: 0,
            has: kept.unwrap_or_default(),
            ops: Vec::new(),
            stirred: Vec::new(),
            awaited: None,
            blocks: self.rules.before,
        };
        for want in &mut self.wanted {
            want.has_gap |= is_fresh && want.was_had;
            want.retry_at = want.retry_at.filter(|at| *at > now && (want.is_asked || !is_fresh));
            let is_due = want.count > 0 && !want.is_over && want.retry_at.is_none();
            let awaits = match link.step(want.topic) {
                Step::Out => is_due,
                Step::InDoubt => is_due || want.count == 0,
                Step::In(_) | Step::Asked | Step::Leaving => want.count == 0,
            };
            if awaits {
                link.awaited.get_or_insert_default().push(want.topic);
            }
            link.stir(want.topic);
        }
        self.link = Some(link);
        self.leave_unwanted();
    }

    fn leave_unwanted(&mut self) {
        let unwanted: Vec<_> = self.wanted.iter().filter(|want| want.count == 0).map(|want| want.topic).collect();
        for topic in unwanted {
            self.leave_topic(topic);
        }
    }

    /// The link is gone; after so many frames the rest has not left.
    pub(crate) fn lose(&mut self, left: usize) {
        self.part();
        let Some(link) = self.leaving.take() else { return };
        let unsent = link.frames.iter().skip(left.max(link.flushed));
        let back = unsent.filter_map(|frame| frame.strip_prefix("m ")?.parse().ok());
        self.queue.splice(0..0, back);
        self.leave_unwanted();
    }

    /// The session leaves the link, which stays for a while.
    pub(crate) fn part(&mut self) {
        let Some(mut link) = self.link.take() else { return };
        let mut kept = std::mem::take(&mut link.has);
        for has in &mut kept {
            if matches!(has.step, Step::Asked | Step::Leaving) {
                has.step = Step::InDoubt;
            }
            if let Some(hold) = &mut has.hold {
                hold.op = None;
            }
        }
        (self.kept, self.leaving) = (Some(kept), Some(link));
    }

    pub(crate) fn flush(&mut self, now: Timestamp, left: usize) {
        let Some(link) = &mut self.link else { return };
        link.flushed = link.flushed.max(left);
        if self.rules.confirms {
            return;
        }
        let flushed = link.flushed;
        let done: Vec<_> = link.ops.iter().filter(|op| op.frame < flushed && !op.waiting.is_empty()).cloned().collect();
        for op in done.into_iter().filter(|op| op.errand != Errand::Snapshot) {
            self.settle(now, op.id, Reply::Yes);
        }
    }

    /// The peer answers an operation.
    pub(crate) fn answered(&mut self, now: Timestamp, id: u64, reply: Reply) {
        let Some(link) = &mut self.link else { return };
        let Some(op) = link.ops.iter().find(|op| op.id == id).cloned() else { return };
        link.flushed = link.flushed.max(op.frame + 1);
        match (op.errand, reply) {
            (Errand::Snapshot, Reply::Yes) => {
                self.flush(now, 0);
                self.snapshot(id);
            }
            (Errand::Snapshot, Reply::No | Reply::Later(_)) => self.no_snapshot(id),
            (Errand::Subscribe | Errand::Unsubscribe, _) if !op.waiting.is_empty() => self.settle(now, id, reply),
            (Errand::Subscribe, _) => self.second_thought(now, id, reply),
            (Errand::Unsubscribe, _) => {}
        }
        self.flush(now, 0);
    }

    fn settle(&mut self, now: Timestamp, id: u64, reply: Reply) {
        let Some(op) = self.link.as_mut().and_then(|link| link.ops.iter_mut().find(|op| op.id == id)) else { return };
        let (errand, waiting) = (op.errand, std::mem::take(&mut op.waiting));
        for topic in waiting {
            match (errand, reply) {
                (Errand::Subscribe, Reply::Yes) => self.is_in(now, topic, Some(id)),
                (Errand::Subscribe, Reply::No) => self.refused(topic, None),
                (Errand::Subscribe, Reply::Later(wait)) => self.refused(topic, now.after(wait)),
                (Errand::Unsubscribe | Errand::Snapshot, _) => self.is_out(topic),
            }
        }
    }

    /// More is said to an operation that was answered, or whose frame was flushed where nobody answers.
    fn second_thought(&mut self, now: Timestamp, id: u64, reply: Reply) {
        let Some(link) = &self.link else { return };
        let topics = link.ops.iter().filter(|op| op.id == id).flat_map(|op| &op.topics).copied();
        let those: Vec<_> = topics.filter(|topic| link.step(topic) == Step::In(Some(id))).collect();
        for topic in those {
            match reply {
                Reply::Yes if self.rules.confirms => {}
                Reply::No if !self.rules.confirms => self.refused(topic, None),
                Reply::Later(wait) if !self.rules.confirms => self.refused(topic, now.after(wait)),
                Reply::Yes | Reply::No | Reply::Later(_) => self.over(topic),
            }
        }
    }

    fn is_in(&mut self, now: Timestamp, topic: Topic, op: Option<u64>) {
        let link = self.link.as_mut().expect("it says so");
        (link.place(topic).step, link.place(topic).since) = (Step::In(op), now);
        link.stir(topic);
        self.end_restore_of(topic);
        let Some(want) = self.want(topic).filter(|want| want.count > 0) else { return };
        (want.retry_at, want.is_over) = (None, false);
        self.hear(topic);
    }

    /// That it is confirmed.
    fn hear(&mut self, topic: Topic) {
        let Some(want) = self.want(topic) else { return };
        (want.was_had, want.heard) = (true, true);
        if want.snapshot {
            self.sync(topic);
        }
        self.tell_gap(topic);
        self.tell(format!("confirmed {topic}"));
    }

    fn tell_gap(&mut self, topic: Topic) {
        let Some(want) = self.want(topic) else { return };
        if std::mem::take(&mut want.has_gap) {
            let last = want.last.map_or("-".into(), |last| last.to_string());
            self.tell(format!("gap {topic} {last}"));
        }
    }

    fn is_out(&mut self, topic: Topic) {
        let link = self.link.as_mut().expect("it says so");
        *link.place(topic) = Has::new(topic);
        link.stir(topic);
        self.forget_request(topic);
        self.want(topic).into_iter().for_each(|want| want.has_gap |= want.was_had);
        self.end_restore_of(topic);
        self.leave_topic(topic);
    }

    /// Asked for again it is some time after the earliest moment: at most a second, where it is so short.
    fn refused(&mut self, topic: Topic, earliest: Option<Timestamp>) {
        self.is_out(topic);
        let seen = self.seen.iter().find(|known| known.topic == topic).and_then(|known| known.retry_at);
        let is_legal = |(at, earliest): &(Timestamp, Timestamp)| at >= earliest && at.since(*earliest) <= SPREAD;
        let again = seen.zip(earliest).filter(is_legal).map(|(at, _)| at).or(earliest);
        let Some(want) = self.want(topic).filter(|want| want.count > 0) else { return };
        (want.is_over, want.retry_at, want.is_asked) = (again.is_none(), again, true);
        want.losses += u32::from(again.is_some());
        let when = again.map_or("-".into(), |at| at.to_string());
        self.tell(format!("refused {topic} {when}"));
    }

    fn lost(&mut self, now: Timestamp, topic: Topic, why: &str) {
        let has = self.link.iter().flat_map(|link| &link.has).find(|has| has.topic == topic);
        let held = has.is_some_and(|has| matches!(has.step, Step::In(_)) && now.since(has.since) >= STABLE);
        self.is_out(topic);
        let Some(want) = self.want(topic).filter(|want| want.count > 0) else { return };
        if held {
            want.losses = 0;
        }
        let wait = BASE.saturating_mul(1 << want.losses.min(8)).min(CAP);
        (want.losses, want.retry_at, want.is_asked) = (want.losses + 1, now.after(wait), false);
        let when = want.retry_at.expect("far from the end");
        self.tell(format!("lost {topic} {why} {when}"));
    }

    fn over(&mut self, topic: Topic) {
        self.is_out(topic);
        let Some(want) = self.want(topic).filter(|want| want.count > 0) else { return };
        want.is_over = true;
        self.tell(format!("ended {topic}"));
    }

    /// The peer says by name that we have it.
    pub(crate) fn confirmed(&mut self, now: Timestamp, topic: Topic) {
        let Some(link) = &self.link else { return };
        let is_news = match link.step(topic) {
            Step::Asked => true,
            Step::Out | Step::InDoubt => self.is_wanted(topic),
            Step::In(_) | Step::Leaving => false,
        };
        if is_news && self.wanted.iter().any(|want| want.topic == topic) {
            let op = self.named(topic);
            self.is_in(now, topic, op);
        }
    }

    /// By name: its operation does not wait for it any more.
    fn named(&mut self, topic: Topic) -> Option<u64> {
        let link = self.link.as_mut()?;
        let op = link.ops.iter_mut().find(|op| op.waiting.contains(&topic))?;
        op.waiting.retain(|waits| *waits != topic);
        Some(op.id)
    }

    pub(crate) fn gone(&mut self, now: Timestamp, topic: Topic) {
        self.by_name(topic, |model| model.lost(now, topic, "why"));
    }

    pub(crate) fn off(&mut self, topic: Topic) {
        let is_asked = self.link.as_ref().is_some_and(|link| link.step(topic) == Step::Asked);
        self.by_name(topic, |model| if is_asked { model.refused(topic, None) } else { model.over(topic) });
    }

    fn by_name(&mut self, topic: Topic, then: impl FnOnce(&mut Self)) {
        let Some(link) = &self.link else { return };
        match link.step(topic) {
            Step::Asked | Step::In(_) => {
                self.named(topic);
                then(self);
            }
            Step::Leaving => {
                self.named(topic);
                self.is_out(topic);
            }
            Step::Out | Step::InDoubt => {}
        }
    }

    /// A message of a topic, or what is taken for one.
    pub(crate) fn message(&mut self, topic: Topic, position: u64) {
        let is_wanted = self.want(topic).is_some_and(|want| want.count > 0 && !want.is_over);
        if is_wanted {
            self.tell_gap(topic);
            // What a link says while it is left comes after what is held of it, if the peer keeps the session.
            let has = self.link.as_mut().map(|link| &mut link.has).or(self.kept.as_mut());
            let has = has.into_iter().flatten().find(|has| has.topic == topic);
            if let Some(hold) = has.and_then(|has| has.hold.as_mut()) {
                hold.held.push(position);
                if hold.held.len() > HELD {
                    hold.held.remove(0);
                    hold.has_lost = true;
                }
                return;
            }
            let want = self.want(topic).expect("it is there");
            (want.was_had, want.last) = (true, Some(position));
        }
        self.tell(format!("message {topic} {position}"));
    }

    fn release(&mut self, op: u64) -> Option<(Topic, Hold)> {
        let link = self.link.as_mut()?;
        link.ops.retain(|known| known.id != op || known.errand != Errand::Snapshot);
        let is = |has: &&mut Has| has.hold.as_ref().is_some_and(|hold| hold.op == Some(op));
        let has = link.has.iter_mut().find(is)?;
        Some((has.topic, has.hold.take()?))
    }

    fn snapshot(&mut self, op: u64) {
        let Some((topic, hold)) = self.release(op) else { return };
        self.tell(format!("snapshot {topic}"));
        self.let_go(topic, hold);
    }

    fn no_snapshot(&mut self, op: u64) {
        let Some((topic, hold)) = self.release(op) else { return };
        self.tell(format!("no snapshot {topic}"));
        self.want(topic).into_iter().for_each(|want| want.has_gap = true);
        self.tell_gap(topic);
        self.let_go(topic, hold);
    }

    fn let_go(&mut self, topic: Topic, hold: Hold) {
        let Some(want) = self.want(topic) else { return };
        if hold.has_lost {
            want.has_gap = true;
            self.tell_gap(topic);
        }
        for position in hold.held {
            self.want(topic).into_iter().for_each(|want| want.last = Some(position));
            self.tell(format!("message {topic} {position}"));
        }
    }

    fn end_restore_of(&mut self, topic: Topic) {
        if let Some(awaited) = self.link.as_mut().and_then(|link| link.awaited.as_mut()) {
            awaited.retain(|waits| *waits != topic);
        }
    }

    fn end_restore(&mut self) {
        let Some(link) = self.link.as_mut().filter(|link| link.awaited.as_ref().is_some_and(Vec::is_empty)) else {
            return;
        };
        link.awaited = None;
        let topics = link.has.iter().filter(|has| matches!(has.step, Step::In(_))).count();
        self.tell(format!("restored {topics}"));
    }

    pub(crate) fn let_time_pass(&mut self, now: Timestamp) {
        let due = |want: &&mut Want| want.retry_at.is_some_and(|at| at <= now);
        if let Some(link) = &mut self.link {
            for want in self.wanted.iter_mut().filter(due) {
                want.retry_at = None;
                link.stir(want.topic);
            }
        }
        while let Some(link) = &mut self.link {
            let is_late = |op: &&Op| !op.waiting.is_empty() && op.until <= now;
            let Some(op) = link.ops.iter().find(is_late).cloned() else { break };
            match op.errand {
                Errand::Snapshot => self.no_snapshot(op.id),
                Errand::Subscribe | Errand::Unsubscribe if link.is_restoring() => {
                    self.did.failed = true;
                    self.lose(usize::MAX);
                }
                Errand::Unsubscribe => self.settle(now, op.id, Reply::No),
                Errand::Subscribe => self.unanswered(now, &op),
            }
        }
    }

    /// If nobody wants it any more the peer is told so, for it may have it.
    fn unanswered(&mut self, now: Timestamp, op: &Op) {
        for topic in op.waiting.iter().copied() {
            self.named(topic);
            if self.is_wanted(topic) {
                self.lost(now, topic, "-");
            } else if let Some(link) = &mut self.link {
                link.place(topic).step = Step::InDoubt;
                link.stir(topic);
                self.end_restore_of(topic);
            }
        }
        if let Some(link) = &mut self.link {
            link.ops.retain(|known| known.id != op.id);
        }
    }

    fn errand(&self, topic: Topic) -> Option<Errand> {
        let (want, link) = (self.wanted.iter().find(|want| want.topic == topic)?, self.link.as_ref()?);
        let is_due = want.count > 0 && !want.is_over && want.retry_at.is_none();
        let holds = |has: &Has| has.topic == topic && has.hold.as_ref().is_some_and(|hold| hold.op.is_none());
        match link.step(topic) {
            Step::Out | Step::InDoubt if is_due => Some(Errand::Subscribe),
            Step::In(_) | Step::InDoubt if want.count == 0 => Some(Errand::Unsubscribe),
            Step::In(_) if link.has.iter().any(holds) => Some(Errand::Snapshot),
            Step::In(_) | Step::Out | Step::InDoubt | Step::Asked | Step::Leaving => None,
        }
    }

    /// What is to be said of topics, then what waits, while there is room.
    pub(crate) fn write(&mut self, now: Timestamp) {
        self.end_restore();
        while let Some(topic) = self.link.as_ref().and_then(|link| link.stirred.first().copied()) {
            let errand = self.errand(topic);
            let link = self.link.as_mut().expect("it is there");
            let is_silent = errand.is_none() || (is_local(topic) && errand != Some(Errand::Snapshot));
            if !is_silent && link.on_their_way() >= 2 * WINDOW {
                break;
            }
            link.stirred.remove(0);
            match errand {
                Some(Errand::Subscribe) if is_local(topic) => self.is_in(now, topic, None),
                Some(Errand::Unsubscribe) if is_local(topic) => self.is_out(topic),
                Some(errand) => self.ask(now, errand, topic),
                None => self.mend(now, topic),
            }
        }
        self.end_restore();
        while let Some(link) = &mut self.link {
            if link.is_restoring() || self.queue.is_empty() || link.on_their_way() >= WINDOW {
                break;
            }
            let frame = format!("m {}", self.queue.remove(0));
            link.frames.push(frame.clone());
            self.did.frames.push(frame);
        }
    }

    /// Whoever came while there was no link hears that it was never out.
    fn mend(&mut self, now: Timestamp, topic: Topic) {
        let is_in = self.link.as_ref().is_some_and(|link| matches!(link.step(topic), Step::In(_)));
        if is_in && self.want(topic).is_some_and(|want| want.count > 0 && !want.heard) {
            self.link.as_mut().expect("it is in").place(topic).since = now;
            self.hear(topic);
        }
    }

    fn ask(&mut self, now: Timestamp, errand: Errand, topic: Topic) {
        let mut topics = vec![topic];
        if errand != Errand::Snapshot && self.rules.many {
            let link = self.link.as_ref().expect("it is there");
            let others = link.stirred.iter().copied().take_while(|other| !is_local(other));
            let others = others.take_while(|other| self.errand(other) == Some(errand));
            topics.extend(others.take(BATCH - 1));
        }
        self.last += 1;
        let id = self.last;
        let line = match errand {
            Errand::Subscribe => format!("sub {id} {}", topics.join(" ")),
            Errand::Unsubscribe => format!("unsub {id} {}", topics.join(" ")),
            Errand::Snapshot => format!("req {id}"),
        };
        self.did.frames.push(line.clone());
        for topic in &topics {
            let want = self.want(topic).expect("it is there");
            // Whatever came before that closes no gap.
            want.has_gap |= want.was_had && errand == Errand::Subscribe;
            let snapshot = want.snapshot;
            let link = self.link.as_mut().expect("it is there");
            link.stirred.retain(|stirred| stirred != topic);
            let place = link.place(topic);
            match errand {
                Errand::Subscribe => place.step = Step::Asked,
                Errand::Unsubscribe => place.step = Step::Leaving,
                Errand::Snapshot => place.hold.iter_mut().for_each(|hold| hold.op = Some(id)),
            }
            if errand == Errand::Subscribe && snapshot {
                place.hold.get_or_insert_default();
            }
        }
        let until = now.after(ANSWER).expect("far from the end");
        let until = if self.rules.confirms || errand == Errand::Snapshot { until } else { Timestamp::MAX };
        let link = self.link.as_mut().expect("it is there");
        let frame = link.frames.len();
        link.frames.push(line);
        link.ops.push(Op { id, errand, waiting: topics.clone(), topics, frame, until });
    }

    /// What the turn has come to.
    pub(crate) fn end(&mut self) -> Did {
        if let Some(link) = &mut self.link {
            let hangs = |op: &Op| link.has.iter().any(|has| has.step == Step::In(Some(op.id)));
            link.ops.retain(|op| !op.waiting.is_empty() || hangs(op));
        }
        let known = self.wanted.iter().map(|want| Known {
            topic: want.topic.into(),
            state: self.state(want),
            count: want.count,
            last: want.last,
            retry_at: want.retry_at,
        });
        let (known, restoring) = (known.collect(), self.link.as_ref().is_some_and(Link::is_restoring));
        Did { known, restoring, ..std::mem::take(&mut self.did) }
    }

    fn state(&self, want: &Want) -> TopicState {
        match self.link.as_ref().map_or(Step::Out, |link| link.step(want.topic)) {
            Step::Asked => TopicState::Asked,
            Step::Leaving => TopicState::Leaving,
            Step::In(_) | Step::Out | Step::InDoubt if want.count == 0 => TopicState::Leaving,
            Step::In(_) => TopicState::Confirmed,
            Step::Out | Step::InDoubt if want.is_over => TopicState::Over,
            Step::Out | Step::InDoubt => TopicState::Wanted,
        }
    }

    /// When something is due by itself.
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        let ops = self.link.iter().flat_map(|link| &link.ops).filter(|op| !op.waiting.is_empty());
        let retries = self.wanted.iter().filter(|_| self.link.is_some()).filter_map(|want| want.retry_at);
        ops.map(|op| op.until).filter(|at| *at < Timestamp::MAX).chain(retries).min()
    }
}
