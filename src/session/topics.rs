//! Topics: what is wanted of them meets what the link has.
//!
//! Wanting is the session's, and survives its links. What was asked and answered is the link's. Whatever changes one of
//! the two stirs the topic, and when it is its turn to write, the two are compared: so a subscribe and its unsubscribe
//! before that turn cancel out, and what changes while an answer is awaited is looked at when it has come.

use alloc::{boxed::Box, vec::Vec};

use super::{Action, Actions, Event, LinkOf, Session, Stage, SubscribeOptions, Subscription};
use super::{TopicNews, TopicState};
use crate::{
    OpId, Protocol, Restore, Resumed, Say, Timestamp, Topics, Why,
    part::{Errand, Standings, Step, TopicNo, Wanted, Wish},
};

mod hearing;
mod overdue;
mod snapshots;

impl<P: Protocol> Session<P> {
    /// All topics: those that are wanted, and those that are on their way out.
    ///
    #[cfg_attr(feature = "json", doc = "```")]
    #[cfg_attr(not(feature = "json"), doc = "```ignore")]
    /// use steadfast::{Commands, Config, SubscribeOptions, Timestamp, TopicState, protocol::json::Json};
    ///
    /// let mut session = steadfast::Session::new(Json::default(), Config::default(), 7)?;
    /// session.subscribe(Timestamp::ZERO, "orders".into(), SubscribeOptions::default(), &mut Vec::new())?;
    /// let orders = session.subscriptions().next().expect("one");
    /// assert_eq!((orders.topic.as_str(), orders.state, orders.count), ("orders", TopicState::Wanted, 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn subscriptions(&self) -> impl Iterator<Item = Subscription<'_, P::Topic>> {
        self.topics.iter().map(|(no, wanted)| self.show(no, wanted))
    }

    /// One of them; `None` if it is not known.
    pub fn subscription(&self, topic: &P::Topic) -> Option<Subscription<'_, P::Topic>> {
        let no = self.topics.find(topic)?;
        Some(self.show(no, self.topics.get(no)?))
    }

    fn show<'a>(&self, no: TopicNo, wanted: &'a Wanted<P::Topic, P::Message>) -> Subscription<'a, P::Topic> {
        let link = self.link.as_ref().filter(|link| link.is_logged_in());
        let state = match link.map_or(Step::Out, |link| link.topics.step(no)) {
            Step::Leaving(_) => TopicState::Leaving,
            Step::Asked(_) => TopicState::Asked,
            Step::In(_) if wanted.count > 0 => TopicState::Confirmed,
            Step::In(_) | Step::Out | Step::InDoubt if wanted.count == 0 => TopicState::Leaving,
            Step::In(_) | Step::Out | Step::InDoubt if wanted.is_over => TopicState::Over,
            Step::In(_) | Step::Out | Step::InDoubt => TopicState::Wanted,
        };
        let (last, last_at, retry_at) = (wanted.last, wanted.last_at, wanted.retry_at());
        Subscription { topic: &wanted.topic, state, count: wanted.count, last, last_at, retry_at }
    }

    pub(super) fn on_subscribe(&mut self, topic: P::Topic, options: SubscribeOptions<P::Message>) -> Result<(), Why> {
        let (abilities, limit) = (self.protocol.abilities(), self.config.subscriptions.max_topics);
        let is_new = self.topics.find(&topic).is_none();
        if abilities.topics == Topics::None {
            return Err(Why::NoTopics);
        }
        if self.facts.ended.is_some() || self.wants.end.is_some() {
            return Err(Why::Stopped);
        }
        if is_new && self.topics.len() as u64 >= u64::from(limit) {
            return Err(Why::TooManyTopics { limit });
        }
        if let Some(request) = &options.snapshot {
            let size = self.protocol.admit(request).map_err(|unfit| Why::Unfit(Box::new(unfit)))?;
            let (size, limit) = (u64::from(size), u64::from(self.config.max_message));
            if !abilities.replies {
                return Err(Why::NoSnapshot);
            }
            if size > limit {
                return Err(Why::TooBig { size, limit });
            }
        }
        let has_snapshot = options.snapshot.is_some();
        let wish = self.topics.want(topic, options);
        let (Wish::New(no) | Wish::More(no)) = wish;
        if has_snapshot {
            self.sync_topic(no);
        }
        if matches!(wish, Wish::New(_)) {
            self.stir_topic(no);
        }
        self.activity.wake();
        Ok(())
    }

    pub(super) fn on_unsubscribe(&mut self, topic: &P::Topic, out: &mut Actions<P>) -> Result<(), Why> {
        let no = self.topics.find(topic).ok_or(Why::NotSubscribed)?;
        if self.topics.get(no).is_none_or(|wanted| wanted.count == 0) {
            return Err(Why::NotSubscribed);
        }
        if self.topics.unwant(no) {
            self.forget_snapshot(no);
            self.stir_topic(no);
            self.end_topic(no, out);
        }
        Ok(())
    }

    pub(super) fn on_resync(&mut self, topic: &P::Topic) -> Result<(), Why> {
        let no = self.topics.find(topic).ok_or(Why::NotSubscribed)?;
        let wanted = self.topics.get(no).filter(|wanted| wanted.count > 0).ok_or(Why::NotSubscribed)?;
        if wanted.snapshot.is_none() {
            return Err(Why::NoSnapshot);
        }
        self.sync_topic(no);
        Ok(())
    }

    /// What needs no frame waits for none.
    fn stir_topic(&mut self, no: TopicNo) {
        let is_local = self.topics.get(no).is_some_and(|wanted| self.protocol.is_local(&wanted.topic));
        match self.link.as_mut().filter(|link| link.is_logged_in()) {
            Some(link) if is_local => link.topics.stir_first(no),
            Some(link) => link.topics.stir(no),
            None => {}
        }
    }

    /// A topic that nobody wants: said once, when no link has it; forgotten, when none may still have it.
    fn end_topic(&mut self, no: TopicNo, out: &mut Actions<P>) {
        let Some(wanted) = self.topics.get_mut(no).filter(|wanted| wanted.count == 0) else { return };
        let link = self.link.as_mut().filter(|link| link.is_logged_in());
        if link.as_ref().is_some_and(|link| link.topics.may_have(no)) {
            return;
        }
        let may_be_kept = link.is_none() && self.kept_topics.as_ref().is_some_and(|kept| kept.may_have(no));
        if may_be_kept && self.leaving.is_some() {
            // It may still say something of it.
            return;
        }
        // After the stop there is nothing but answers, and this is what the answer says.
        if !core::mem::replace(&mut wanted.is_told, true) && self.facts.ended.is_none() {
            out.push(Action::Emit(Event::Topic { topic: wanted.topic.clone(), news: TopicNews::Left }));
        }
        if let Some(link) = link {
            link.topics.end_restore(no);
        }
        // A peer that keeps the session may have it until it is told.
        if !may_be_kept {
            self.topics.forget(no);
        }
    }

    /// The link is logged in: what is to be asked for? `true` if the queue waits for the answers.
    pub(super) fn begin_topics(&mut self, now: Timestamp, out: &mut Actions<P>) -> bool {
        let kept = self.kept_topics.take().filter(|_| self.facts.resumed == Resumed::Kept);
        if self.topics.len() == 0 {
            return false;
        }
        // A wait that is over needs no turn of its own: its topic is restored with the others.
        while self.topics.take_due(now).is_some() {}
        let Some(link) = &mut self.link else { return false };
        match kept {
            Some(kept) => link.topics = *kept,
            None => self.topics.on_fresh_link(now),
        }
        let numbers: Vec<_> =
            self.topics.iter().map(|(no, wanted)| (no, wanted.is_due(), wanted.stale_after)).collect();
        for (no, is_due, stale_after) in numbers {
            match link.topics.errand(no, is_due) {
                Some(Errand::Subscribe | Errand::Unsubscribe) => link.topics.await_restore(no),
                Some(Errand::Snapshot) | None => {}
            }
            link.topics.stir(no);
            if matches!(link.topics.step(no), Step::In(_)) {
                link.topics.watch(no, stale_after.and_then(|after| now.after(after)));
            }
        }
        let waits = link.topics.restores && self.config.subscriptions.restore == Restore::Before;
        self.end_unwanted(out);
        waits
    }

    /// Another link, or none: those that nobody wants and that it does not have are out.
    pub(super) fn end_unwanted(&mut self, out: &mut Actions<P>) {
        let unwanted: Vec<_> = self.topics.iter().filter(|(_, wanted)| wanted.count == 0).map(|(no, _)| no).collect();
        for no in unwanted {
            self.end_topic(no, out);
        }
    }

    /// The link goes: what it had, the next one has too if the peer keeps the session.
    pub(super) fn keep_topics(&mut self, link: &mut LinkOf<P>) {
        if link.is_logged_in() {
            self.kept_topics = Some(Box::new(link.topics.take_kept()));
        }
    }

    /// Says what is to be said of topics, while there is room for it.
    #[cold]
    pub(super) fn writes_topics(&mut self, now: Timestamp, out: &mut Actions<P>) {
        while let Some(link) = self.link.as_mut().filter(|link| link.is_logged_in()) {
            let has_room = link.flights.has_control_room();
            let Some(no) = link.topics.next() else { break };
            let wanted = self.topics.get(no);
            let errand = wanted.and_then(|wanted| link.topics.errand(no, wanted.is_due()));
            let is_local = wanted.is_some_and(|wanted| self.protocol.is_local(&wanted.topic));
            let is_known = wanted.is_some();
            let is_silent = errand.is_none() || (is_local && errand != Some(Errand::Snapshot));
            let most = if is_silent || !has_room { 0 } else { self.may_say(now) };
            if most == 0 && !is_silent {
                return;
            }
            let taken = self.link.as_mut().and_then(|link| link.topics.take_next());
            if !is_known || taken.is_none() {
                continue;
            }
            match errand {
                Some(Errand::Subscribe) if is_local => self.on_topic_in(now, no, out),
                Some(Errand::Unsubscribe) if is_local => self.on_topic_out(no, out),
                Some(errand @ (Errand::Subscribe | Errand::Unsubscribe)) => {
                    let topics = self.gather(no, errand, most);
                    self.say_topics(now, errand, topics, out);
                }
                Some(Errand::Snapshot) => self.ask_snapshot(now, no, out),
                None => self.on_topic_as_wanted(now, no, out),
            }
        }
    }

    /// There is nothing to be said of a topic: it is as it is wanted, waits, or nobody wants it.
    fn on_topic_as_wanted(&mut self, now: Timestamp, no: TopicNo, out: &mut Actions<P>) {
        let Some(link) = &mut self.link else { return };
        let is_new = self.topics.get(no).is_some_and(|wanted| wanted.is_new && wanted.count > 0);
        match link.topics.step(no) {
            // It was wanted again before it was left.
            Step::In(_) if is_new => self.on_topic_in(now, no, out),
            Step::In(_) | Step::Out | Step::InDoubt => link.topics.end_restore(no),
            Step::Asked(_) | Step::Leaving(_) => {}
        }
        self.end_topic(no, out);
    }

    /// This topic, and those behind it that want the same, as many as one operation can name; and not more than frames
    /// may leave, for a protocol may say each of them in its own.
    fn gather(&mut self, no: TopicNo, errand: Errand, frames: u32) -> Vec<TopicNo> {
        let mut gathered = alloc::vec![no];
        let Some(link) = &mut self.link else { return gathered };
        let most = match link.abilities.topics {
            Topics::None | Topics::One => 1,
            Topics::Many => self.config.subscriptions.batch.min(frames) as usize,
        };
        while let Some(next) = link.topics.next().filter(|_| gathered.len() < most) {
            let wanted = self.topics.get(next);
            let is_same = wanted.map(|wanted| {
                !self.protocol.is_local(&wanted.topic) && link.topics.errand(next, wanted.is_due()) == Some(errand)
            });
            match is_same {
                Some(false) => break,
                Some(true) => gathered.extend(link.topics.take_next()),
                // It was forgotten since.
                None => _ = link.topics.take_next(),
            }
        }
        gathered
    }

    fn say_topics(&mut self, now: Timestamp, errand: Errand, topics: Vec<TopicNo>, out: &mut Actions<P>) {
        let op = self.next_op();
        let named: Vec<_> = topics.iter().filter_map(|no| Some(self.topics.get(*no)?.topic.clone())).collect();
        let by = now.after(self.config.subscriptions.answer_timeout);
        let Some(mut writer) = self.writer(now, out) else { return };
        let say = if errand == Errand::Subscribe {
            Say::Subscribe { op, topics: &named }
        } else {
            Say::Unsubscribe { op, topics: &named }
        };
        let last_frame = writer.topics(say);
        let Some(link) = &mut self.link else { return };
        if errand == Errand::Subscribe {
            for no in &topics {
                let Some(wanted) = self.topics.get_mut(*no) else { continue };
                // Whatever came since it was lost has not closed the gap.
                wanted.has_gap |= wanted.was_had;
                if wanted.snapshot.is_some() {
                    link.topics.hold(*no);
                }
            }
        }
        let by = if link.abilities.confirms { Ok(by) } else { Err(()) };
        link.topics.on_said(op, errand, topics, last_frame, by);
        self.on_topics_flushed(now, out);
    }

    fn next_op(&mut self) -> OpId {
        self.last_op += 1;
        // What answers it late is nobody's.
        self.questions.on_asked(OpId(self.last_op));
        OpId(self.last_op)
    }

    /// Whether a restore has come to its end; then the queue goes on.
    pub(super) fn end_restore(&mut self, now: Timestamp, out: &mut Actions<P>) {
        let Some(link) = self.link.as_mut().filter(|link| link.is_logged_in()) else { return };
        if link.topics.take_restored() {
            out.push(Action::Emit(Event::Restored { topics: link.topics.count_in() }));
        }
        if matches!(link.stage, Stage::Restoring { .. }) && !link.topics.restores {
            self.go_online(now);
        }
    }

    /// When something of topics is due: only on a link that is logged in, and not while reading is held back.
    pub(super) fn topics_deadline(&self) -> Option<Timestamp> {
        let link = self.link.as_ref().filter(|link| link.is_logged_in())?;
        let asked = if link.paused { None } else { link.topics.deadline() };
        crate::time::earlier(self.topics.deadline(), asked)
    }
}

/// What a link that is closed still knows.
pub(super) type Kept<P> = Option<Box<Standings<<P as Protocol>::Incoming>>>;
