//! What becomes of topics when a link comes and goes?

use steadfast::{LinkId, Timestamp};

use super::{Has, Restoring, Topics};

impl Topics {
    /// A link is logged in: what it has to ask for.
    pub(in super::super) fn begin(&mut self, now: Timestamp, link: LinkId, is_kept: bool, holds_queue: bool) {
        if self.link.is_some() {
            return;
        }
        let is_kept = is_kept && self.last.is_some();
        (self.link, self.last, self.restore) = (Some(link), Some(link), Restoring::default());
        self.restore.holds_queue = holds_queue;
        if !is_kept {
            self.ops.clear();
        }
        for name in self.topics.keys().cloned().collect::<Vec<_>>() {
            let Some(topic) = self.topics.get_mut(&name) else { continue };
            if !is_kept {
                (topic.has, topic.is_told) = (Has::No, false);
                topic.owes_gap |= topic.was_confirmed && topic.count > 0;
            }
            if topic.waits.is_some_and(|wait| wait.until <= now || !(is_kept || wait.is_asked)) {
                self.end_wait(&name);
            }
            let Some(topic) = self.topics.get(&name) else { continue };
            let is_missing = match topic.has {
                Has::No => topic.is_due(),
                Has::Yes(_) => !topic.is_due(),
                Has::Perhaps(_) => true,
                Has::Asked(_) | Has::Leaving(_) => false,
            };
            if is_missing {
                self.restore.is_needed = true;
                self.restore.missing.insert(name.clone());
            }
            if topic.count == 0 {
                self.touched.push(name.clone());
            }
            if topic.is_left && topic.is_local {
                // There is nobody to be told, and the application knows.
                self.restore.missing.remove(&name);
                self.topics.remove(&name);
            }
            self.refresh(&name);
        }
    }

    /// The link is gone, and says nothing more.
    pub(in super::super) fn end(&mut self, link: LinkId) {
        self.leave(link);
        if self.leaving.take_if(|leaving| *leaving == link).is_some() {
            let unwanted = self.topics.iter().filter(|(_, topic)| topic.count == 0);
            self.touched.extend(unwanted.map(|(name, _)| name.clone()));
        }
    }

    /// The link goes: what was not answered is in doubt, if the next one is a continuation.
    pub(in super::super) fn leave(&mut self, link: LinkId) {
        if self.link.take_if(|present| *present == link).is_none() {
            return;
        }
        self.leaving = Some(link);
        for topic in self.topics.values_mut() {
            topic.has = match topic.has {
                Has::Asked(_) | Has::Leaving(_) | Has::Perhaps(_) => Has::Perhaps(None),
                Has::No | Has::Yes(_) => topic.has,
            };
        }
        self.restore = Restoring::default();
        self.spared = Timestamp::ZERO;
        self.due.clear();
        self.unflushed.clear();
        self.unsettled.clear();
    }
}
