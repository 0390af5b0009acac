//! What does the peer still have of a link that is gone?

use super::{Standings, Step, TopicNo, standing::Op};
use crate::OpId;

impl<I> Standings<I> {
    /// What the next link has, if the peer keeps the session: all that was confirmed, with the operations that speak
    /// of it. What was asked and not answered is in doubt. The link itself still knows its operations, for what it may
    /// yet hear.
    pub(crate) fn take_kept(&mut self) -> Self {
        let mut kept = Self::new();
        kept.standings = core::mem::take(&mut self.standings);
        for standing in &mut kept.standings {
            (standing.is_queued, standing.is_restored) = (false, false);
            standing.step = match standing.step {
                Step::In(op) => Step::In(op),
                Step::Leaving(_) | Step::Asked(_) | Step::InDoubt => Step::InDoubt,
                Step::Out => Step::Out,
            };
            standing.snapshot = None;
            if let Some(held) = &mut standing.held {
                held.op = None;
            }
        }
        let hangs = |op: &OpId, known: &Op| known.topics.iter().any(|no| kept.step(*no) == Step::In(Some(*op)));
        let ops = self.ops.iter().filter(|(op, known)| hangs(op, known));
        kept.ops = ops.map(|(op, known)| (*op, Op { by: None, last_frame: 0, ..known.clone() })).collect();
        kept
    }

    /// Whether the peer may have this topic.
    pub(crate) fn may_have(&self, no: TopicNo) -> bool {
        self.step(no) != Step::Out
    }
}
