//! What the peer says of topics.

use alloc::boxed::Box;
use core::mem;

use crate::session::{Action, Actions, Event, LinkId, Place, Session, Stir, TopicNews};
use crate::{
    Mark, OpId, Protocol, Recovery, Rejected, Timestamp,
    part::{Errand, Step, TopicNo},
};

impl<P: Protocol> Session<P> {
    /// The link has the topic.
    pub(super) fn on_topic_in(&mut self, now: Timestamp, no: TopicNo, out: &mut Actions<P>) {
        let Some(link) = &mut self.link else { return };
        link.topics.on_in(no, now);
        link.topics.end_restore(no);
        link.topics.stir(no);
        self.topics.on_confirmed(no);
        let Some(wanted) = self.topics.get_mut(no).filter(|wanted| wanted.count > 0) else { return };
        if wanted.snapshot.is_some() {
            // Whoever was asked for it is held already; a local topic is not, nor what the peer confirms unasked.
            link.topics.hold(no);
        }
        (wanted.was_had, wanted.is_new, wanted.is_stale) = (true, false, false);
        link.topics.watch(no, wanted.stale_after.and_then(|after| now.after(after)));
        self.tell_gap(no, out);
        self.tell_topic(no, TopicNews::Confirmed, out);
    }

    /// The link does not have it, because it was left.
    pub(super) fn on_topic_out(&mut self, no: TopicNo, out: &mut Actions<P>) {
        self.take_out(no);
        if let Some(link) = &mut self.link {
            link.topics.stir(no);
        }
        self.end_topic(no, out);
    }

    /// What was held for it is gone with it: what comes next of it comes after a gap.
    fn take_out(&mut self, no: TopicNo) {
        if let Some(link) = &mut self.link {
            link.topics.on_out(no);
            link.topics.end_restore(no);
        }
        if let Some(wanted) = self.topics.get_mut(no) {
            wanted.has_gap |= wanted.was_had;
        }
    }

    /// The peer has dropped it, or said nothing.
    pub(super) fn on_lost(&mut self, now: Timestamp, no: TopicNo, why: Option<Box<Rejected>>, out: &mut Actions<P>) {
        let link = self.link.as_ref();
        let since = link.filter(|link| matches!(link.topics.step(no), Step::In(_))).map(|link| link.topics.since(no));
        if since.is_some_and(|since| now.since(since) >= self.config.stable_for) {
            self.topics.on_stable(no);
        }
        self.take_out(no);
        self.stats.topics_lost += 1;
        if self.topics.get(no).is_none_or(|wanted| wanted.count == 0) {
            return self.end_topic(no, out);
        }
        let asked = why.as_ref().and_then(|why| why.retry_after);
        let retry_at = self.topics.put_off(no, now, asked, &self.config.retry, &mut self.rng);
        self.tell_topic(no, TopicNews::Lost { why, retry_at }, out);
    }

    /// The peer will not have it. It may say that it is to be asked again.
    fn on_topic_refused(&mut self, now: Timestamp, no: TopicNo, why: Box<Rejected>, out: &mut Actions<P>) {
        self.take_out(no);
        self.stats.topics_refused += 1;
        let Some(wanted) = self.topics.get_mut(no).filter(|wanted| wanted.count > 0) else {
            return self.end_topic(no, out);
        };
        let (again, asked) = match (why.recovery, why.retry_after) {
            (Some(Recovery::RetryAfter(given)), asked) => (true, asked.max(Some(given))),
            (Some(Recovery::Retry), asked) => (true, asked),
            (Some(Recovery::Fatal), _) => (false, None),
            (Some(Recovery::Reauthenticate) | None, asked) => (asked.is_some(), asked),
        };
        wanted.is_over = !again;
        let retry_at =
            if again { self.topics.put_off(no, now, asked, &self.config.retry, &mut self.rng) } else { None };
        self.tell_topic(no, TopicNews::Refused { why, retry_at }, out);
    }

    fn on_topic_over(&mut self, no: TopicNo, why: Option<Box<Rejected>>, out: &mut Actions<P>) {
        self.take_out(no);
        let Some(wanted) = self.topics.get_mut(no).filter(|wanted| wanted.count > 0) else {
            return self.end_topic(no, out);
        };
        wanted.is_over = true;
        self.tell_topic(no, TopicNews::Ended { why }, out);
    }

    pub(super) fn tell_topic(&self, no: TopicNo, news: TopicNews, out: &mut Actions<P>) {
        let topic = self.topics.get(no).map(|wanted| wanted.topic.clone());
        out.extend(topic.map(|topic| Action::Emit(Event::Topic { topic, news })));
    }

    /// Before anything that comes after a gap.
    pub(super) fn tell_gap(&mut self, no: TopicNo, out: &mut Actions<P>) {
        let Some(wanted) = self.topics.get_mut(no) else { return };
        if mem::take(&mut wanted.has_gap) {
            self.stats.gaps += 1;
            let (topic, news) = (wanted.topic.clone(), TopicNews::Gap { last: wanted.last });
            out.push(Action::Emit(Event::Topic { topic, news }));
        }
    }

    /// A message of a topic; it comes back, unless it is held.
    pub(in crate::session) fn on_topic_message(
        &mut self,
        now: Timestamp,
        id: LinkId,
        topic: &P::Topic,
        message: P::Incoming,
        mark: Mark,
        out: &mut Actions<P>,
    ) -> Option<(P::Incoming, Mark)> {
        let Some(no) = self.topics.find(topic) else { return Some((message, mark)) };
        // What has ended is a stranger's, like what nobody wants.
        let Some(wanted) = self.topics.get_mut(no).filter(|wanted| wanted.count > 0 && !wanted.is_over) else {
            return Some((message, mark));
        };
        wanted.last_at = Some(now);
        let link = self.link.as_mut().filter(|link| link.id == id || link.is_logged_in());
        // The gap is of the last link that was logged in: not of one that leaves while the next goes on.
        let is_last = link.as_ref().is_none_or(|link| link.id == id);
        if is_last && (wanted.is_stale || wanted.has_gap) {
            self.on_topic_speaks(now, no, out);
        }
        let most = self.config.subscriptions.held_max;
        let (message, mark) = match self.standings_of(id) {
            Some(topics) => topics.keep(no, message, mark, most)?,
            None => (message, mark),
        };
        let Some(wanted) = self.topics.get_mut(no) else { return Some((message, mark)) };
        wanted.last = mark.marks().and_then(|marks| marks.position).or(wanted.last);
        wanted.was_had = true;
        Some((message, mark))
    }

    /// A topic that was stale, or has a gap, says something.
    #[cold]
    fn on_topic_speaks(&mut self, now: Timestamp, no: TopicNo, out: &mut Actions<P>) {
        self.stir = Stir::All;
        if let (Some(wanted), Some(link)) = (self.topics.get_mut(no), &mut self.link) {
            if mem::take(&mut wanted.is_stale) {
                link.topics.watch(no, wanted.stale_after.and_then(|after| now.after(after)));
            }
        }
        self.tell_gap(no, out);
    }

    /// A part of an answer; it comes back, if it is not of a topic.
    pub(in crate::session) fn on_topic_item(
        &mut self,
        now: Timestamp,
        id: LinkId,
        op: OpId,
        message: P::Incoming,
        out: &mut Actions<P>,
    ) -> Option<P::Incoming> {
        let Some((_, errand, only)) = self.spoken_of(now, id, op, out) else { return Some(message) };
        self.on_topics_flushed(now, out);
        match errand {
            Errand::Subscribe => {
                let topic = only.and_then(|no| self.topics.get(no)).map(|wanted| wanted.topic.clone());
                self.on_message(now, id, message, topic, Mark::NONE, out);
            }
            Errand::Snapshot => {
                let held = self.link.as_mut().filter(|link| link.id == id).and_then(|link| link.topics.release(op));
                match held {
                    Some((no, held)) => self.on_snapshot(now, no, Some(message), *held, out),
                    None => self.stats.unexpected += 1,
                }
            }
            Errand::Unsubscribe => self.stats.unexpected += 1,
        }
        None
    }

    /// The answer to an operation; it comes back, if it is not one of topics.
    pub(in crate::session) fn on_topic_done(
        &mut self,
        now: Timestamp,
        id: LinkId,
        op: OpId,
        result: Result<(), Box<Rejected>>,
        out: &mut Actions<P>,
    ) -> Option<Result<(), Box<Rejected>>> {
        let Some((place, errand, _)) = self.spoken_of(now, id, op, out) else { return Some(result) };
        if place != Place::Link {
            return None;
        }
        match (errand, result) {
            (Errand::Subscribe, result) => self.on_subscription_done(now, op, result, out),
            (Errand::Unsubscribe, Ok(()) | Err(_)) => self.on_left(op, out),
            (Errand::Snapshot, Ok(())) => {
                if let Some((no, held)) = self.link.as_mut().and_then(|link| link.topics.release(op)) {
                    self.on_snapshot(now, no, None, *held, out);
                }
            }
            (Errand::Snapshot, Err(why)) => self.on_no_snapshot(now, op, Some(why), out),
        }
        if errand != Errand::Subscribe {
            self.end_op(op);
        }
        self.on_topics_flushed(now, out);
        None
    }

    /// The operation that the peer speaks of: for what, and for which topic if it is for one. What was said up to it has
    /// been flushed, as everywhere else, even if nobody waits for its answer any more.
    fn spoken_of(
        &mut self,
        now: Timestamp,
        id: LinkId,
        op: OpId,
        out: &mut Actions<P>,
    ) -> Option<(Place, Errand, Option<TopicNo>)> {
        let place = self.place_of(id)?;
        let topics = &self.slot(place).as_ref()?.topics;
        if let Some(last_frame) = topics.ended.last_frame(op) {
            self.on_op_arrived(now, place, last_frame, out);
            self.on_topics_flushed(now, out);
            return None;
        }
        let known = topics.op(op)?;
        let only = known.topics.first().copied().filter(|_| known.topics.len() == 1);
        let (errand, last_frame) = (known.errand, known.last_frame);
        self.on_op_arrived(now, place, last_frame, out);
        Some((place, errand, only))
    }

    fn on_op_arrived(&mut self, now: Timestamp, place: Place, last_frame: u64, out: &mut Actions<P>) {
        let Some(link) = self.slot(place).as_mut().filter(|link| link.flights.flushed() < last_frame) else { return };
        link.flights.on_flushed(last_frame);
        self.pass_on_flushed(now, place, out);
    }

    pub(super) fn end_op(&mut self, op: OpId) {
        if let Some(link) = &mut self.link {
            link.topics.end_op(op);
        }
    }

    /// The answer for all topics of it that were not settled by name; or, where there are none, news about those that
    /// it was confirmed for.
    fn on_subscription_done(
        &mut self,
        now: Timestamp,
        op: OpId,
        result: Result<(), Box<Rejected>>,
        out: &mut Actions<P>,
    ) {
        let Some(link) = &mut self.link else { return };
        let (waiting, confirms) = (link.topics.on_answered(op), link.abilities.confirms);
        let later = if waiting.is_empty() { link.topics.topics_in(op) } else { alloc::vec::Vec::new() };
        for no in waiting {
            match &result {
                Ok(()) => self.on_topic_in(now, no, out),
                Err(why) => self.on_topic_refused(now, no, why.clone(), out),
            }
        }
        for no in later {
            match &result {
                // Said twice.
                Ok(()) if confirms => self.stats.unexpected += 1,
                Ok(()) => self.on_topic_over(no, None, out),
                Err(why) if confirms => self.on_topic_over(no, Some(why.clone()), out),
                // It was taken for confirmed because nobody said otherwise.
                Err(why) => self.on_topic_refused(now, no, why.clone(), out),
            }
        }
    }

    pub(super) fn on_left(&mut self, op: OpId, out: &mut Actions<P>) {
        let waiting = self.link.as_mut().map(|link| link.topics.on_answered(op)).unwrap_or_default();
        for no in waiting {
            self.on_topic_out(no, out);
        }
    }

    /// Operations that nobody confirms are confirmed when they are flushed.
    pub(in crate::session) fn on_topics_flushed(&mut self, now: Timestamp, out: &mut Actions<P>) {
        while let Some(link) = &mut self.link {
            let flushed = if link.flights.is_busy() { link.flights.flushed() } else { u64::MAX };
            let Some(op) = link.topics.take_flushed(flushed) else { return };
            self.stir = Stir::All;
            match link.topics.op(op).map(|known| known.errand) {
                Some(Errand::Subscribe) => {
                    let waiting = link.topics.on_answered(op);
                    waiting.into_iter().for_each(|no| self.on_topic_in(now, no, out));
                }
                Some(Errand::Unsubscribe) => {
                    self.on_left(op, out);
                    self.end_op(op);
                }
                Some(Errand::Snapshot) | None => {}
            }
        }
    }

    /// The topic and where it stands, if this is the present link.
    fn known(&mut self, id: LinkId, topic: &P::Topic) -> Option<(TopicNo, Step)> {
        let found = self.topics.find(topic);
        let link = self.link.as_ref().filter(|link| link.id == id && link.is_logged_in());
        let known = found.zip(link).map(|(no, link)| (no, link.topics.step(no)));
        self.stats.unexpected += u64::from(known.is_none());
        known
    }

    pub(in crate::session) fn on_topic_confirmed(
        &mut self,
        now: Timestamp,
        id: LinkId,
        topic: &P::Topic,
        out: &mut Actions<P>,
    ) {
        match self.known(id, topic) {
            Some((no, Step::Asked(_))) => self.on_topic_in(now, no, out),
            Some((no, Step::Out | Step::InDoubt)) if self.topics.get(no).is_some_and(|wanted| wanted.count > 0) => {
                self.on_topic_in(now, no, out);
            }
            Some((_, Step::Out | Step::In(_) | Step::Leaving(_) | Step::InDoubt)) => self.stats.unexpected += 1,
            None => {}
        }
    }

    pub(in crate::session) fn on_topic_lost(
        &mut self,
        now: Timestamp,
        id: LinkId,
        topic: &P::Topic,
        why: Box<Rejected>,
        out: &mut Actions<P>,
    ) {
        match self.known(id, topic) {
            Some((no, Step::In(_) | Step::Asked(_))) => self.on_lost(now, no, Some(why), out),
            Some((no, Step::Leaving(_))) => self.on_topic_out(no, out),
            Some((_, Step::Out | Step::InDoubt)) => self.stats.unexpected += 1,
            None => {}
        }
    }

    pub(in crate::session) fn on_topic_ended(
        &mut self,
        now: Timestamp,
        id: LinkId,
        topic: &P::Topic,
        why: Option<Box<Rejected>>,
        out: &mut Actions<P>,
    ) {
        match (self.known(id, topic), why) {
            (Some((no, Step::Asked(_))), Some(mut why)) => {
                // By name nothing is asked for again.
                why.recovery = Some(Recovery::Fatal);
                self.on_topic_refused(now, no, why, out);
            }
            (Some((no, Step::In(_) | Step::Asked(_))), why) => self.on_topic_over(no, why, out),
            (Some((no, Step::Leaving(_))), _) => self.on_topic_out(no, out),
            (Some((_, Step::Out | Step::InDoubt)), _) => self.stats.unexpected += 1,
            (None, _) => {}
        }
    }
}
