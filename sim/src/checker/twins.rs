//! Which message is the same as an earlier one, and said to be?

use std::collections::VecDeque;

use steadfast::{Alike, Class, DedupPolicy, Mark, OpId, Outcome, SendOptions, Text, Timestamp};

/// What is remembered of what was accepted, as the policy says it: as a list, and looked through from end to end. What
/// the content of a message is the checker does not know, so by content it only checks what was said.
#[derive(Clone, Debug, Default)]
pub(super) struct Twins {
    known: VecDeque<Known>,
    /// What was accepted in this turn, and what it has to be the same as.
    newcomer: Option<(OpId, Option<OpId>)>,
    /// Ids of the peer, and when they were delivered.
    seen: VecDeque<(Timestamp, Vec<u8>)>,
}

#[derive(Clone, Debug)]
struct Known {
    id: OpId,
    at: Timestamp,
    key: Option<Text>,
}

impl Twins {
    /// A message is accepted.
    pub(super) fn accept(&mut self, now: Timestamp, id: OpId, options: &SendOptions, policy: &DedupPolicy) {
        let key = options.keyed().filter(|_| policy.outgoing == Alike::ByKey);
        let compares = key.is_some() || policy.outgoing == Alike::ByContent;
        if !compares || matches!(options.class, Class::Latest | Class::Bypass) {
            return;
        }
        self.known.retain(|known| now.since(known.at) < policy.within);
        let twin = key.and_then(|key| self.known.iter().find(|known| known.key.as_ref() == Some(key)));
        let twin = twin.map(|known| known.id);
        self.newcomer = Some((id, twin));
        // One that is said to be the same is taken out again.
        self.known.push_back(Known { id, at: now, key: key.cloned() });
    }

    /// A message ended. One that the peer certainly does not have is not remembered.
    pub(super) fn end(&mut self, id: OpId, outcome: &Outcome, policy: &DedupPolicy) -> Result<(), String> {
        if let Outcome::Duplicate(said) = outcome {
            let (newcomer, twin) =
                self.newcomer.take().ok_or_else(|| format!("one outcome: {id} is said to be {said}"))?;
            let is_known = self.known.iter().any(|known| known.id == *said && *said != id);
            self.known.retain(|known| known.id != id);
            let fits = newcomer == id && is_known && (policy.outgoing == Alike::ByContent || twin == Some(*said));
            return if fits { Ok(()) } else { Err(format!("one outcome: {id} is said to be {said}, and is {twin:?}")) };
        }
        if matches!(outcome, Outcome::Expired | Outcome::Dropped(_) | Outcome::Cancelled | Outcome::Failed(_)) {
            self.known.retain(|known| known.id != id);
        }
        Ok(())
    }

    /// A message of the peer is delivered.
    pub(super) fn delivered(&mut self, now: Timestamp, mark: &Mark, policy: &DedupPolicy) -> Result<(), String> {
        let id = mark.marks().filter(|marks| marks.call.is_none()).and_then(|marks| marks.id.as_ref());
        let Some(id) = id.filter(|_| policy.incoming) else { return Ok(()) };
        let is_known = self.has_seen(now, policy, |seen| seen == &id[..]);
        self.seen.push_back((now, id.to_vec()));
        keep_last(&mut self.seen, policy.count);
        if is_known { Err(format!("order: {} of the peer is delivered again", id.escape_ascii())) } else { Ok(()) }
    }

    /// A message of the peer is said to have come before.
    pub(super) fn dropped(&mut self, now: Timestamp, id: &[u8], policy: &DedupPolicy) -> Result<(), String> {
        // Of a long one only the beginning is told.
        let fits = |seen: &[u8]| seen == id || (id.len() == 1_024 && seen.starts_with(id));
        let is_known = policy.incoming && self.has_seen(now, policy, fits);
        if is_known { Ok(()) } else { Err(format!("order: {} of the peer is dropped, and is new", id.escape_ascii())) }
    }

    fn has_seen(&mut self, now: Timestamp, policy: &DedupPolicy, fits: impl Fn(&[u8]) -> bool) -> bool {
        self.seen.retain(|(at, _)| now.since(*at) < policy.within);
        let most = policy.count as usize;
        self.seen.iter().rev().take(most).any(|(_, seen)| fits(seen))
    }

    /// Whatever had to be said to be the same has been.
    pub(super) fn close_turn(&mut self, policy: &DedupPolicy) -> Result<(), String> {
        // What has ended in this turn without being there is the same as nothing.
        let is_known = |twin: &OpId| self.known.iter().any(|known| known.id == *twin);
        let untold = self.newcomer.take().and_then(|(id, twin)| Some((id, twin.filter(is_known)?)));
        keep_last(&mut self.known, policy.count);
        untold.map_or(Ok(()), |(id, twin)| Err(format!("one outcome: {id} is the same as {twin}, and nobody said so")))
    }

    /// There are other settings.
    pub(super) fn adopt(&mut self, now: Timestamp, was: &DedupPolicy, is: &DedupPolicy) {
        // What less is kept of now does not come back with a larger number.
        self.known.retain(|known| now.since(known.at) < is.within);
        self.seen.retain(|(at, _)| now.since(*at) < is.within);
        keep_last(&mut self.known, is.count);
        keep_last(&mut self.seen, is.count);
        if was.outgoing != is.outgoing {
            self.known.clear();
        }
        if !is.incoming {
            self.seen.clear();
        }
    }
}

fn keep_last<T>(list: &mut VecDeque<T>, most: u32) {
    list.drain(..list.len().saturating_sub(most as usize));
}
