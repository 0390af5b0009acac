//! What a session has in common with other values, for any protocol that has it too.

use alloc::vec::Vec;
use core::fmt;

use super::Session;
use crate::Protocol;

impl<P: Protocol> fmt::Debug for Session<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("phase", &self.phase())
            .field("link", &self.link.as_ref().map(|link| link.id))
            .field("queued", &self.outbox.len())
            .field("next_timer", &self.next_timer())
            .finish_non_exhaustive()
    }
}

impl<P> Clone for Session<P>
where
    P: Protocol + Clone,
    P::Message: Clone,
    P::Incoming: Clone,
    P::Link: Clone,
{
    fn clone(&self) -> Self {
        Self {
            protocol: self.protocol.clone(),
            config: self.config.clone(),
            rng: self.rng.clone(),
            wants: self.wants.clone(),
            facts: self.facts.clone(),
            link: self.link.clone(),
            next: self.next.clone(),
            leaving: self.leaving.clone(),
            outbox: self.outbox.clone(),
            holds: self.holds.clone(),
            questions: self.questions.clone(),
            taken: self.taken.clone(),
            topics: self.topics.clone(),
            kept_topics: self.kept_topics.clone(),
            endpoints: self.endpoints.clone(),
            backoff: self.backoff.clone(),
            patience: self.patience.clone(),
            network: self.network.clone(),
            activity: self.activity,
            credentials: self.credentials.clone(),
            ids: self.ids.clone(),
            proof: self.proof.clone(),
            dedup: self.dedup.clone(),
            history: self.history.clone(),
            stats: self.stats.clone(),
            seeing: self.seeing.clone(),
            last_link: self.last_link,
            last_op: self.last_op,
            told: self.told,
            not_before: self.not_before,
            last_now: self.last_now,
            stir: self.stir,
            heard: Vec::new(),
            frames: Vec::new(),
        }
    }
}
