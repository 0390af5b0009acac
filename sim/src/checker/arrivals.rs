//! What has the peer got, and what must it never get?

use std::collections::BTreeSet;

use steadfast::{OpId, Outcome};

/// What the harness knows of the peer.
#[derive(Clone, Debug, Default)]
pub(super) struct Arrivals {
    got: BTreeSet<u64>,
    never: BTreeSet<u64>,
}

impl Arrivals {
    pub(super) fn arrived(&mut self, id: OpId) -> Result<(), String> {
        self.got.insert(id.0);
        if self.never.contains(&id.0) {
            return Err(format!("peer: {id} arrived after it was said that it would not"));
        }
        Ok(())
    }

    pub(super) fn end(&mut self, id: OpId, outcome: &Outcome) -> Result<(), String> {
        let got = self.got.contains(&id.0);
        match outcome {
            Outcome::Acked if !got => Err(format!("peer: {id} is told acknowledged and never arrived")),
            Outcome::Expired | Outcome::Dropped(_) | Outcome::Cancelled | Outcome::Duplicate(_) => {
                self.never.insert(id.0);
                if got { Err(format!("peer: {id} is told {outcome:?} and has arrived")) } else { Ok(()) }
            }
            Outcome::Written | Outcome::Acked | Outcome::Failed(_) | Outcome::InDoubt | _ => Ok(()),
        }
    }
}
