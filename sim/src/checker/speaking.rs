//! What of a turn is about topics?

use steadfast::{Answer, Frame, LinkId, Phase, Restore, Text, Timestamp};

use super::{
    Checker, Got, Sent, Spy,
    brief::{Saw, What},
    topics::{Named, Said},
};

impl<S: Spy> Checker<S> {
    /// What the input says of topics.
    pub(super) fn absorb_topics<M>(&mut self, now: Timestamp, what: What, names: &[Text], answer: &Answer<M>) {
        if !self.spy.has_topics() {
            return;
        }
        let has_stopped = matches!(self.phase, Phase::Stopped(_));
        match what {
            What::Subscribe if matches!(answer, Answer::Done) => {
                names.iter().for_each(|name| self.topics.want(name, self.spy.is_local(name)));
            }
            What::Unsubscribe if matches!(answer, Answer::Done) => {
                names.iter().for_each(|name| self.topics.unwant(name, has_stopped));
            }
            What::Report(link, Saw::Down(_)) => self.topics.end(link),
            What::Report(link, saw) => self.hear_topics(now, link, saw, names),
            What::Wake
            | What::Connect { .. }
            | What::Stop
            | What::Send
            | What::Request
            | What::Reply
            | What::Cancel(_)
            | What::Credential(_)
            | What::Endpoints { .. }
            | What::Configure
            | What::Lost
            | What::Back
            | What::Suspend(_)
            | What::TakeQueued
            | What::Subscribe
            | What::Unsubscribe
            | What::Other => {}
        }
        self.topics.pass(now);
    }

    /// What the present link reports of them.
    fn hear_topics(&mut self, now: Timestamp, id: LinkId, saw: Saw, names: &[Text]) {
        let Some(link) = self.links.present().filter(|link| link.id() == id && link.is_logged_in()) else { return };
        let (flushed, _) = link.progress();
        let confirms = self.spy.confirms();
        match saw {
            Saw::Up { .. } | Saw::Frame(Got::LoginOk) => self.begin_topics(now, id, false),
            Saw::Frame(Got::Kept) => self.begin_topics(now, id, true),
            Saw::Frame(Got::Done(op)) => self.topics.answered(op, true, confirms),
            Saw::Frame(Got::Denied(op)) => self.topics.answered(op, false, confirms),
            Saw::Frame(Got::On) => names.iter().for_each(|name| self.topics.named(name, Named::On)),
            Saw::Frame(Got::Off) => names.iter().for_each(|name| self.topics.named(name, Named::Off)),
            Saw::Frame(Got::Gone) => names.iter().for_each(|name| self.topics.named(name, Named::Gone)),
            Saw::Resumed => self.topics.resume(now.after(self.config.subscriptions.answer_timeout)),
            Saw::Frame(Got::Acked(_) | Got::Replied(_) | Got::Other)
            | Saw::Flushed(_)
            | Saw::Down(_)
            | Saw::Progress
            | Saw::Paused => {}
        }
        // An answer proves that its operation was flushed, and says more of it than that.
        self.topics.flushed(flushed);
    }

    fn begin_topics(&mut self, now: Timestamp, link: LinkId, is_kept: bool) {
        let holds_queue = self.config.subscriptions.restore == Restore::Before;
        self.topics.begin(now, link, is_kept, holds_queue);
    }

    /// A frame goes out: it asks for topics, or the queue goes on. `passes`: it has passed the queue by.
    pub(super) fn topics_sent(&mut self, now: Timestamp, id: LinkId, (sent, passes): (Sent, bool), frame: &Frame) {
        let verdict = match sent {
            Sent::Subscribe(op) | Sent::Unsubscribe(op) => {
                let Some(number) = self.links.get(id).map(|link| link.asks(op)) else { return };
                self.topics.said(Said {
                    op,
                    subscribes: matches!(sent, Sent::Subscribe(_)),
                    topics: self.spy.topics(frame),
                    frame: number,
                    by: now.after(self.config.subscriptions.answer_timeout),
                    confirms: self.spy.confirms(),
                })
            }
            Sent::Message(_) | Sent::Batch if !passes => self.topics.queue_goes("a message leaves"),
            Sent::Request(op) if self.ledger.was_asked(op) => self.topics.queue_goes("a request leaves"),
            // For a snapshot: its answer proves that it was flushed.
            Sent::Request(op) => {
                self.links.get(id).map(|link| link.asks(op));
                Ok(())
            }
            Sent::Message(_) | Sent::Batch | Sent::Login | Sent::Pong | Sent::Control => Ok(()),
        };
        self.note(verdict);
    }

    /// Nothing is owed of topics. What is to be said has been, if all that was sent is flushed and nothing is paced.
    pub(super) fn close_topics(&mut self, now: Timestamp, deadline: Option<Timestamp>) {
        let is_paced = !self.config.pacing.buckets.is_empty() || !self.config.pacing.gap.is_zero();
        let (is_free, is_paused) = match self.links.present() {
            // At the end of time there is no later at which something could be tried again.
            Some(link) => (link.progress().1 && !is_paced && now < Timestamp::MAX, link.silence().is_paused()),
            None => (false, false),
        };
        let verdict = self.topics.close_turn(deadline, is_free, is_paused);
        self.note(verdict);
        // One that drains restores without a phase of its own.
        self.links.restoring(now, self.phase == Phase::Restoring || self.topics.holds_back());
    }
}
