//! Is what a session tells of its topics true, complete, and told once?

use steadfast::{LinkId, Phase, Recovery, Rejected, Text, Timestamp, TopicNews};

use super::{Has, Topics, Wait};

/// What a turn has to tell of a topic, because the peer has said it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Owed {
    Confirmed,
    Lost,
    Refused,
    /// Refused or ended.
    Over,
}

impl Topics {
    /// The session tells something of a topic.
    pub(in super::super) fn told(&mut self, name: &Text, news: &TopicNews) -> Result<(), String> {
        let Some(topic) = self.topics.get(name).copied() else {
            return Err(format!("topics: {news:?} of {name}, which nobody wants"));
        };
        let (has, is_wanted) = (topic.has, topic.count > 0);
        let was_overdue = matches!(has, Has::Perhaps(Some(_)));
        let fits = match news {
            TopicNews::Confirmed => {
                let is_in = matches!(has, Has::Yes(_) | Has::Perhaps(_)) || (topic.is_local && topic.is_due());
                let fits = is_wanted && is_in && !topic.is_told && !topic.owes_gap;
                self.is_confirmed(name);
                fits
            }
            TopicNews::Gap { .. } => {
                if let Some(topic) = self.topics.get_mut(name) {
                    topic.owes_gap = false;
                }
                is_wanted
            }
            TopicNews::Lost { why, retry_at } => {
                let fits = self.pay(name, &[Owed::Lost]) || was_overdue;
                self.is_out(name, was_overdue, *retry_at, why.as_deref());
                fits
            }
            TopicNews::Refused { why, retry_at } => {
                let fits = self.pay(name, &[Owed::Refused, Owed::Over]) || was_overdue;
                self.is_out(name, was_overdue, *retry_at, Some(why));
                fits
            }
            TopicNews::Ended { .. } => {
                let fits = self.pay(name, &[Owed::Over]) || was_overdue;
                self.is_out(name, was_overdue, None, None);
                fits
            }
            TopicNews::Left => {
                let is_gone = self.link.is_none() && self.leaving.is_none();
                let is_out = is_gone || has == Has::No || was_overdue || topic.is_local;
                let fits = !is_wanted && !topic.is_left && is_out;
                self.is_left(name);
                fits
            }
            TopicNews::Stale => is_wanted && matches!(has, Has::Yes(_)),
            TopicNews::NoSnapshot { .. } | _ => is_wanted,
        };
        let is_over = matches!(news, TopicNews::Refused { retry_at: None, .. } | TopicNews::Ended { .. });
        if let Some(topic) = self.topics.get_mut(name).filter(|_| is_over) {
            topic.is_over = true;
        }
        self.refresh(name);
        if fits { Ok(()) } else { Err(format!("topics: {news:?} of {name}, which stands so: {topic:?}")) }
    }

    /// Whether this was owed, and is no longer.
    fn pay(&mut self, name: &Text, one_of: &[Owed]) -> bool {
        let at = self.owed.iter().position(|(of, owed)| of == name && one_of.contains(owed));
        at.map(|at| self.owed.swap_remove(at)).is_some()
    }

    fn is_confirmed(&mut self, name: &Text) {
        self.pay(name, &[Owed::Confirmed]);
        self.restore.missing.remove(name);
        if let Some(topic) = self.topics.get_mut(name) {
            topic.has = match topic.has {
                Has::Yes(op) | Has::Perhaps(op) => Has::Yes(op),
                Has::No | Has::Asked(_) | Has::Leaving(_) => Has::Yes(None),
            };
            (topic.is_told, topic.was_confirmed) = (true, true);
        }
    }

    /// It is told that the link does not have it, and perhaps when it is asked for again.
    fn is_out(&mut self, name: &Text, was_overdue: bool, until: Option<Timestamp>, why: Option<&Rejected>) {
        if was_overdue {
            self.goes_out(name, None);
        }
        self.end_wait(name);
        if let (Some(topic), Some(until)) = (self.topics.get_mut(name), until) {
            let asks =
                |why: &Rejected| why.retry_after.is_some() || matches!(why.recovery, Some(Recovery::RetryAfter(_)));
            topic.waits = Some(Wait { until, is_asked: why.is_some_and(asks) });
            self.waiting.insert((until, name.clone()));
        }
    }

    fn is_left(&mut self, name: &Text) {
        self.restore.missing.remove(name);
        let Some(topic) = self.topics.get_mut(name) else { return };
        topic.is_left = true;
        // A peer that keeps the session may have it until it is told.
        if self.link.is_some() || topic.has == Has::No {
            self.topics.remove(name);
        }
    }

    /// A message of this topic comes to the application.
    pub(in super::super) fn message(&self, name: &Text, link: LinkId) -> Result<(), String> {
        let goes_on = |topic: &&super::Topic| topic.count > 0 && !topic.is_over && topic.owes_gap;
        match self.topics.get(name).filter(goes_on) {
            Some(topic) if self.last == Some(link) => {
                Err(format!("topics: {name} goes on on link {link} without a gap, and stands so: {topic:?}"))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// The restore is told to be over, and the link to have so many.
    pub(in super::super) fn restored(&mut self, told: u32) -> Result<(), String> {
        let (restore, is_up) = (&mut self.restore, self.link.is_some());
        let count = |fits: fn(Has) -> bool| self.topics.values().filter(|topic| fits(topic.has)).count() as u32;
        let least = count(|has| matches!(has, Has::Yes(_)));
        let most = least + count(|has| matches!(has, Has::Perhaps(_)));
        if !is_up || !restore.is_needed || std::mem::replace(&mut restore.is_told, true) {
            return Err("topics: the end of a restore is told, and there is none".into());
        }
        if !restore.missing.is_empty() {
            return Err(format!("topics: {:?} are missing, and the restore is said to be over", restore.missing));
        }
        if !(least..=most).contains(&told) {
            return Err(format!("topics: {told} are said to be restored, and the link has {least}"));
        }
        Ok(())
    }

    /// The link is not online before its topics are restored.
    pub(in super::super) fn holds_back(&self) -> bool {
        self.link.is_some() && self.restore.holds_queue && self.restore.is_needed && !self.restore.is_told
    }

    /// What is queued leaves, or may do so from now on.
    pub(in super::super) fn queue_goes(&self, what: &str) -> Result<(), String> {
        if !self.holds_back() {
            return Ok(());
        }
        Err(format!("topics: {what} before the restore is over: {:?} are missing", self.restore.missing))
    }

    /// The phase changes.
    pub(in super::super) fn phase(&self, to: Phase) -> Result<(), String> {
        if to == Phase::Online { self.queue_goes("online") } else { Ok(()) }
    }

    /// What had to be told has been, and what could be said. `is_free`: nothing hinders the session from saying it;
    /// `is_paused`: nobody reads, and so nobody waits for answers.
    pub(in super::super) fn close_turn(
        &mut self,
        deadline: Option<Timestamp>,
        is_free: bool,
        is_paused: bool,
    ) -> Result<(), String> {
        let mut verdict = Ok(());
        if let Some((name, owed)) = std::mem::take(&mut self.owed).pop() {
            verdict = Err(format!("topics: nobody says of {name} what the peer said: {owed:?}"));
        }
        for name in std::mem::take(&mut self.touched) {
            let is_out = |has| (self.link.is_none() && self.leaving.is_none()) || has == Has::No;
            let Some(topic) = self.topics.get(&name).filter(|topic| topic.count == 0 && is_out(topic.has)) else {
                continue;
            };
            if !topic.is_left {
                verdict = Err(format!("topics: nobody says that {name} is left: {topic:?}"));
            }
            if topic.has == Has::No {
                self.topics.remove(&name);
            }
        }
        if let Some(name) = self.unsettled.first().filter(|_| is_free && self.link.is_some()) {
            verdict = Err(format!("topics: nothing is done about {name}: {:?}", self.topics.get(name)));
        }
        let by = self.due.first().map(|(by, _)| (*by).max(self.spared));
        if let Some(by) = by.filter(|by| !is_paused && *by < Timestamp::MAX && deadline.is_none_or(|at| at > *by)) {
            verdict = Err(format!("topics: an answer is due by {by}, and the deadline is {deadline:?}"));
        }
        verdict
    }
}
