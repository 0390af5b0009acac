//! Which messages expire when? Time limits are rare, so only messages that have one pay for it.

use alloc::collections::{BTreeMap, BTreeSet};

use super::Place;
use crate::Timestamp;

/// Which messages expire when.
#[derive(Clone, Debug, Default)]
pub(super) struct Expiries {
    at: BTreeMap<Place, Timestamp>,
    due: BTreeSet<(Timestamp, Place)>,
}

impl Expiries {
    pub(super) const fn new() -> Self {
        Self { at: BTreeMap::new(), due: BTreeSet::new() }
    }

    /// When the first is due.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        self.due.first().map(|(at, _)| *at)
    }

    pub(super) fn of(&self, place: Place) -> Option<Timestamp> {
        self.at.get(&place).copied()
    }

    pub(super) fn insert(&mut self, place: Place, at: Timestamp) {
        self.at.insert(place, at);
        self.due.insert((at, place));
    }

    pub(super) fn remove(&mut self, place: Place) {
        if let Some(at) = self.at.remove(&place) {
            self.due.remove(&(at, place));
        }
    }

    pub(super) fn take_due(&mut self, now: Timestamp) -> Option<Place> {
        let (at, place) = *self.due.first()?;
        if at > now {
            return None;
        }
        self.remove(place);
        Some(place)
    }
}
