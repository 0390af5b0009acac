//! Which messages expire when? Time limits are rare, so only messages that have one pay for it.

use alloc::collections::{BTreeMap, BTreeSet};

use crate::{OpId, Timestamp};

/// Which messages expire when.
#[derive(Clone, Debug, Default)]
pub(super) struct Expiries {
    at: BTreeMap<OpId, Timestamp>,
    due: BTreeSet<(Timestamp, OpId)>,
}

impl Expiries {
    pub(super) const fn new() -> Self {
        Self { at: BTreeMap::new(), due: BTreeSet::new() }
    }

    /// When the first is due.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        self.due.first().map(|(at, _)| *at)
    }

    pub(super) fn of(&self, id: OpId) -> Option<Timestamp> {
        self.at.get(&id).copied()
    }

    pub(super) fn insert(&mut self, id: OpId, at: Timestamp) {
        self.at.insert(id, at);
        self.due.insert((at, id));
    }

    pub(super) fn remove(&mut self, id: OpId) {
        if let Some(at) = self.at.remove(&id) {
            self.due.remove(&(at, id));
        }
    }

    pub(super) fn take_due(&mut self, now: Timestamp) -> Option<OpId> {
        let (at, id) = *self.due.first()?;
        if at > now {
            return None;
        }
        self.remove(id);
        Some(id)
    }
}
