//! The snapshot of a topic, and what is held for it.

use alloc::boxed::Box;

use crate::session::{Action, Actions, Event, LinkId, Session, TopicNews};
use crate::{
    OpId, Outgoing, Protocol, Rejected, Say, Timestamp,
    part::{Errand, Held, Standings, Step, TopicNo},
};

impl<P: Protocol> Session<P> {
    /// Its snapshot is asked for, or will be when the topic is confirmed. One that is not asked for yet is held when it
    /// is, and one whose confirmation is not told yet when that is.
    pub(super) fn sync_topic(&mut self, no: TopicNo) {
        let (Some(link), Some(wanted)) = (&mut self.link, self.topics.get(no)) else { return };
        let is_told = !wanted.is_new;
        match link.topics.step(no) {
            Step::Asked(_) => link.topics.hold(no),
            Step::In(_) if is_told => {
                link.topics.hold(no);
                link.topics.stir(no);
            }
            Step::In(_) | Step::Out | Step::Leaving(_) | Step::InDoubt => {}
        }
    }

    /// Nobody wants the topic any more: nor its snapshot, nor what was held for that.
    pub(super) fn forget_snapshot(&mut self, no: TopicNo) {
        let links = [self.link.as_mut().map(|link| &mut link.topics), self.kept_topics.as_deref_mut()];
        links.into_iter().flatten().for_each(|topics| topics.let_go(no));
    }

    pub(super) fn ask_snapshot(&mut self, now: Timestamp, no: TopicNo, out: &mut Actions<P>) {
        let op = self.next_op();
        let Some(message) = self.topics.get_mut(no).and_then(|wanted| wanted.snapshot.take()) else { return };
        let by = now.after(self.config.subscriptions.answer_timeout);
        if let Some(mut writer) = self.writer(now, out) {
            let request = Outgoing { op, message: &message, number: None, ack: false, again: false };
            let last_frame = writer.topics(Say::Request(request));
            if let Some(link) = &mut self.link {
                link.topics.on_said(op, Errand::Snapshot, alloc::vec![no], last_frame, Ok(by));
            }
        }
        if let Some(wanted) = self.topics.get_mut(no) {
            wanted.snapshot = Some(message);
        }
    }

    /// Whether what this link says of the topic is held.
    pub(in crate::session) fn is_held(&mut self, id: LinkId, topic: Option<&P::Topic>) -> bool {
        let Some(no) = topic.and_then(|topic| self.topics.find(topic)) else { return false };
        let is_wanted = self.topics.get(no).is_some_and(|wanted| wanted.count > 0);
        is_wanted && self.standings_of(id).is_some_and(|topics| topics.holds(no))
    }

    /// What this link has; of one that is being left, what the next one goes on with if the peer keeps the session.
    pub(super) fn standings_of(&mut self, id: LinkId) -> Option<&mut Standings<P::Incoming>> {
        match &mut self.link {
            Some(link) if link.id == id => Some(&mut link.topics),
            Some(_) | None => self.kept_topics.as_deref_mut(),
        }
    }

    /// The snapshot, then what was held for it.
    pub(super) fn on_snapshot(
        &mut self,
        now: Timestamp,
        no: TopicNo,
        message: Option<P::Incoming>,
        held: Held<P::Incoming>,
        out: &mut Actions<P>,
    ) {
        let (held, has_lost) = held.into_parts();
        let Some(wanted) = self.topics.get_mut(no) else { return };
        let (topic, link) = (wanted.topic.clone(), self.link.as_ref().map(|link| link.id));
        wanted.has_gap |= has_lost;
        out.extend(message.map(|message| Action::Emit(Event::Snapshot { topic: topic.clone(), message })));
        if has_lost || !held.is_empty() {
            self.tell_gap(no, out);
        }
        let Some(link) = link else { return };
        for (message, mark) in held {
            if self.config.dedup.incoming && self.is_duplicate(now, link, &mark, out) {
                continue;
            }
            self.stats.received += 1;
            let Some(wanted) = self.topics.get_mut(no) else { return };
            wanted.last = mark.marks().and_then(|marks| marks.position).or(wanted.last);
            out.push(Action::Emit(Event::Message { message, topic: Some(topic.clone()), mark, link }));
        }
    }

    /// There is no snapshot: what was held comes after a gap.
    pub(super) fn on_no_snapshot(
        &mut self,
        now: Timestamp,
        op: OpId,
        why: Option<Box<Rejected>>,
        out: &mut Actions<P>,
    ) {
        let Some((no, held)) = self.link.as_mut().and_then(|link| link.topics.release(op)) else { return };
        self.tell_topic(no, TopicNews::NoSnapshot { why }, out);
        if let Some(wanted) = self.topics.get_mut(no) {
            wanted.has_gap = true;
        }
        self.tell_gap(no, out);
        self.on_snapshot(now, no, None, *held, out);
    }
}
