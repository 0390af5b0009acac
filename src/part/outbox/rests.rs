//! Which requests wait for their next try? The peer said no to them, so they are neither with a link nor in the row.

use alloc::collections::{BTreeMap, BTreeSet};

use super::{Label, extras::Extra};
use crate::{OpId, Timestamp};

/// The requests that wait for their next try.
#[derive(Clone, Debug)]
pub(super) struct Rests<M> {
    of: BTreeMap<OpId, Rest<M>>,
    due: BTreeSet<(Timestamp, OpId)>,
}

/// A request, and all that is known of it.
#[derive(Clone, Debug)]
pub(super) struct Rest<M> {
    pub(super) message: M,
    pub(super) label: Label,
    pub(super) extra: Extra,
    pub(super) until: Timestamp,
    /// Its deadline, which is later.
    pub(super) expires: Option<Timestamp>,
}

impl<M> Rests<M> {
    pub(super) const fn new() -> Self {
        Self { of: BTreeMap::new(), due: BTreeSet::new() }
    }

    /// When the first is to be put back.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        self.due.first().map(|(at, _)| *at)
    }

    /// The first that is due.
    pub(super) fn due(&self, now: Timestamp) -> Option<OpId> {
        self.due.first().filter(|(at, _)| *at <= now).map(|(_, id)| *id)
    }

    pub(super) fn of(&self, id: OpId) -> Option<&Rest<M>> {
        self.of.get(&id)
    }

    pub(super) fn insert(&mut self, rest: Rest<M>) {
        self.due.insert((rest.until, rest.extra.id));
        self.of.insert(rest.extra.id, rest);
    }

    pub(super) fn remove(&mut self, id: OpId) -> Option<Rest<M>> {
        let rest = self.of.remove(&id)?;
        self.due.remove(&(rest.until, id));
        Some(rest)
    }

    /// The oldest of all.
    pub(super) fn oldest(&self) -> Option<OpId> {
        self.of.first_key_value().map(|(id, _)| *id)
    }
}
