//! What the host knows and the session cannot see: its network, its sleep, where the peer is, what has been set.

use alloc::{boxed::Box, sync::Arc, vec::Vec};

use super::{Actions, Answer, Config, Dropped, OpId, Queued, Session, Stage, can_compare, tell};
use crate::{
    Protocol, Text, Timestamp,
    part::{Activity, Destination},
};

impl<P: Protocol> Session<P> {
    /// A hint that the network is gone is worth a probe, and holds dials back.
    pub(super) fn on_network_lost(&mut self, now: Timestamp) {
        if self.network.on_lost(now, self.config.connect.network_wait) {
            self.probe(now);
        }
    }

    /// The present link may not have survived the change; the next dial has nothing to wait for.
    pub(super) fn on_network_back(&mut self, now: Timestamp) {
        self.network.on_back(now, self.config.retry.base, &mut self.rng);
        self.probe(now);
    }

    fn probe(&mut self, now: Timestamp) {
        let Some(link) = &mut self.link else { return };
        if link.heartbeat().is_some_and(|heartbeat| heartbeat.on_doubt(now)) {
            link.owed.ping = true;
        }
    }

    /// Another list of endpoints. Where the present one is not in it, the link is left, and what waits goes along or
    /// comes back.
    pub(super) fn on_endpoints(
        &mut self,
        now: Timestamp,
        list: Vec<Text>,
        queued: Queued,
        out: &mut Actions<P>,
    ) -> Answer<P::Message> {
        let busy = match self.endpoints.set(now, list) {
            Err(bad) => return Answer::BadEndpoints(bad),
            Ok(Destination::Kept) => return Answer::Done,
            Ok(Destination::Gone(busy)) => busy,
        };
        // Whoever asked us to wait is not asked again, unless there is nobody else.
        (self.facts.retry_at, self.facts.is_asked) = (None, false);
        self.stay_away(now, busy.map(|until| until.since(now)));
        self.wants.elsewhere = true;
        match queued {
            Queued::GoAlong => Answer::Done,
            Queued::ComeBack => {
                self.facts.stays_behind = Some(OpId(self.last_op));
                let end = &mut tell(&mut self.stats, &mut self.dedup, out);
                let back = self.outbox.take_waiting(end);
                self.outbox.end_doubtful(end);
                Answer::CameBack(back)
            }
        }
    }

    /// No link has what was to come back and could not: it ends here.
    pub(super) fn end_what_stays_behind(&mut self, out: &mut Actions<P>) {
        if let Some(last) = self.facts.stays_behind.take() {
            self.outbox.end_up_to(last, Dropped::Elsewhere, &mut tell(&mut self.stats, &mut self.dedup, out));
        }
    }

    /// Other settings, if they are sound. What is under way keeps what it began with.
    pub(super) fn on_config(
        &mut self,
        now: Timestamp,
        config: Box<Config>,
        out: &mut Actions<P>,
    ) -> Answer<P::Message> {
        if let Err(bad) = config.check().and_then(|()| can_compare(&config, self.protocol.abilities())) {
            return Answer::BadConfig(bad);
        }
        let (was, is) = (self.config.connect, config.connect);
        let alike = self.config.dedup.outgoing;
        self.config = Arc::new(*config);
        self.on_dedup_policy(now, alike);
        self.outbox.on_policy();
        self.history.keep(self.config.history);
        self.ids.on_choice(&self.config.identity.client_id);
        self.adopt_config();
        if was.lazy || is.idle_close > was.idle_close {
            self.wake_unless_lazy();
        }
        if !self.wants.online {
            self.activity = Activity::new(is.lazy);
        }
        if self.facts.ended.is_some() && !self.config.keep_on_stop {
            // What was kept over the stop is kept no longer. The outcomes belong to the answer to this command.
            self.outbox.end_all(&mut tell(&mut self.stats, &mut self.dedup, out));
        }
        Answer::Done
    }

    /// Whether the present link is not wanted any more, though the session is: it is left, and perhaps comes back.
    pub(super) fn leave_if_unwanted(&mut self, now: Timestamp, out: &mut Actions<P>) {
        let elsewhere = self.wants.elsewhere && self.link.is_some();
        // While the host is asked for a credential nothing has been dialed yet.
        let asks = self.link.as_ref().is_some_and(|link| matches!(link.stage, Stage::Asking(_)));
        let held = asks && self.network.holds(now);
        if elsewhere || held || self.network.is_suspended() || self.activity.is_asleep() {
            self.leave_for_now(now, out);
            if self.wants_link() {
                self.look_at_patience(now);
            }
        }
        if self.link.is_none() && self.leaving.is_none() {
            self.end_what_stays_behind(out);
        }
    }

    /// The link is wanted for its own sake. Who is lazy wants it for messages only.
    pub(super) fn wake_unless_lazy(&mut self) {
        if !self.config.connect.lazy {
            self.activity.wake();
        }
    }

    /// What was accepted, is to be acknowledged or is subscribed to needs a link.
    pub(super) fn wake_for_messages(&mut self) {
        if self.facts.ended.is_none() && (self.outbox.len() > 0 || !self.taken.is_empty() || self.topics.len() > 0) {
            self.activity.wake();
        }
    }

    /// Nothing has passed for a long time. Whatever is pending puts off the sleep.
    pub(super) fn on_idle(&mut self, now: Timestamp) {
        if self.is_busy() {
            self.activity.on_message(now);
        } else {
            self.activity.fall_asleep();
        }
    }

    /// A link was lost that was online. Who is lazy dials the next one when there is something to send.
    pub(super) fn doze(&mut self) {
        if self.config.connect.lazy && !self.is_busy() {
            self.activity.fall_asleep();
        }
    }

    /// Whether something is to be sent or answered for, or is subscribed to.
    fn is_busy(&self) -> bool {
        self.kept().0 > 0 || !self.taken.is_empty() || self.topics.len() > 0
    }
}
