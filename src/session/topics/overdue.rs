//! What is not said of topics in time.

use crate::session::{Actions, Session, Stage, TopicNews, lifecycle::Parting};
use crate::{
    OpId, Protocol, Timestamp,
    error::Failure,
    part::{Errand, LATE, Step, TopicNo},
};

impl<P: Protocol> Session<P> {
    /// Something of topics is due: a wait of one's own, an answer, a silence.
    pub(in crate::session) fn on_topics_due(&mut self, now: Timestamp, out: &mut Actions<P>) {
        while let Some(no) = self.topics.take_due(now) {
            self.stir_topic(no);
        }
        while let Some(link) = self.link.as_mut().filter(|link| !link.paused) {
            let Some((by, op)) = link.topics.overdue(now) else { break };
            if link.mercy.spares(by, now) {
                // It was slept through: what came meanwhile may still be unread.
                link.topics.put_off(now.after(LATE));
                break;
            }
            let errand = link.topics.op(op).map_or(Errand::Snapshot, |known| known.errand);
            match (&link.stage, errand) {
                (_, Errand::Snapshot) => self.on_no_snapshot(now, op, None, out),
                (Stage::Restoring { .. }, Errand::Subscribe | Errand::Unsubscribe) => {
                    return self.lose(now, Failure::RestoreTimeout, None, Parting::Abort, out);
                }
                (_, Errand::Unsubscribe) => self.on_left(op, out),
                (_, Errand::Subscribe) => self.on_unanswered(now, op, out),
            }
            // A snapshot that comes late is to be known.
            if errand != Errand::Snapshot {
                self.end_op(op);
            }
        }
        while let Some(no) =
            self.link.as_mut().filter(|link| !link.paused).and_then(|link| link.topics.take_silent(now))
        {
            self.on_silent_topic(now, no, out);
        }
    }

    /// A subscription was not answered in time. If nobody wants it any more the peer is told so: it may have it.
    fn on_unanswered(&mut self, now: Timestamp, op: OpId, out: &mut Actions<P>) {
        let waiting = self.link.as_mut().map(|link| link.topics.on_answered(op)).unwrap_or_default();
        for no in waiting {
            if self.topics.get(no).is_some_and(|wanted| wanted.count > 0) {
                self.on_lost(now, no, None, out);
            } else if let Some(link) = &mut self.link {
                link.topics.on_doubt(no);
                link.topics.end_restore(no);
                link.topics.stir(no);
            }
        }
    }

    /// It is time to look whether something has come of a topic lately.
    fn on_silent_topic(&mut self, now: Timestamp, no: TopicNo, out: &mut Actions<P>) {
        let Some(link) = self.link.as_mut().filter(|link| matches!(link.topics.step(no), Step::In(_))) else { return };
        let Some(wanted) = self.topics.get_mut(no).filter(|wanted| wanted.count > 0 && !wanted.is_stale) else {
            return;
        };
        let from = link.topics.since(no).max(wanted.last_at.unwrap_or(Timestamp::ZERO));
        match wanted.stale_after.and_then(|after| from.after(after)) {
            Some(at) if at <= now => {
                wanted.is_stale = true;
                self.stats.topics_stale += 1;
                self.tell_topic(no, TopicNews::Stale, out);
            }
            at => link.topics.watch(no, at),
        }
    }
}
