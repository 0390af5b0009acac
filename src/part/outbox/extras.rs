//! What do few messages have? A key, a label, the place of another; only those that have it pay for it.

use alloc::{
    boxed::Box,
    collections::{BTreeMap, BTreeSet},
};

use super::Place;
use crate::{
    Class, LinkId, OpId, Text, Timestamp,
    session::{Asked, Rare},
};

/// What few messages have, by their place.
#[derive(Clone, Debug, Default)]
pub(super) struct Extras {
    of: BTreeMap<Place, Extra>,
    keys: BTreeSet<(Text, Class, Place)>,
    /// Where those stand that have taken the place of others.
    moved: BTreeMap<OpId, Place>,
}

#[derive(Clone, Debug)]
pub(super) struct Extra {
    pub(super) id: OpId,
    pub(super) class: Class,
    /// When it was accepted, if it has taken the place of another.
    pub(super) since: Option<Timestamp>,
    pub(super) key: Option<Text>,
    pub(super) label: Option<Text>,
    /// What it draws on beside what all do, and how much.
    pub(super) bucket: Option<Text>,
    pub(super) slots: u32,
    /// It is a request, and what is noted of it.
    pub(super) is_request: bool,
    pub(super) asked: Option<Box<Asked>>,
}

impl Extra {
    /// What was asked for, and when, if it takes the place of another.
    pub(super) fn new(id: OpId, class: Class, rare: Rare, since: Option<Timestamp>) -> Self {
        let slots = rare.slots();
        let Rare { key, label, bucket, asked, .. } = rare;
        let is_request = asked.is_some();
        let asked = asked.filter(|asked| !asked.is_plain()).map(Box::new);
        Self { id, class, since, key, label, bucket, slots, is_request, asked }
    }

    pub(super) fn was_refused_on(&self, link: LinkId) -> bool {
        self.asked.as_ref().is_some_and(|asked| asked.refused_on == Some(link))
    }

    /// Nothing is to be noted.
    pub(super) const fn is_plain(&self) -> bool {
        let draws = self.bucket.is_some() || self.slots != 1;
        self.since.is_none() && self.key.is_none() && self.label.is_none() && self.asked.is_none() && !draws
    }
}

impl Extras {
    pub(super) const fn new() -> Self {
        Self { of: BTreeMap::new(), keys: BTreeSet::new(), moved: BTreeMap::new() }
    }

    pub(super) fn insert(&mut self, place: Place, extra: Extra) {
        if let Some(key) = &extra.key {
            self.keys.insert((key.clone(), extra.class, place));
        }
        if place != Place::of(extra.id) {
            self.moved.insert(extra.id, place);
        }
        self.of.insert(place, extra);
    }

    pub(super) fn remove(&mut self, place: Place) -> Option<Extra> {
        let extra = self.of.remove(&place)?;
        self.moved.remove(&extra.id);
        Some(match extra.key {
            Some(key) => {
                let found = (key, extra.class, place);
                self.keys.remove(&found);
                Extra { key: Some(found.0), ..extra }
            }
            None => extra,
        })
    }

    pub(super) fn at(&self, place: Place) -> Option<&Extra> {
        self.of.get(&place)
    }

    /// Where a message stands, if it stands anywhere.
    #[inline]
    pub(super) fn place_of(&self, id: OpId) -> Place {
        if self.moved.is_empty() { Place::of(id) } else { *self.moved.get(&id).unwrap_or(&Place::of(id)) }
    }

    /// Where the newest message with this key stands.
    pub(super) fn newest(&self, key: &Text) -> Option<Place> {
        let classes = [Class::Latest, Class::AtMostOnce, Class::AtLeastOnce];
        classes.into_iter().filter_map(|class| self.newest_of(key, class)).max()
    }

    /// The newest of this class.
    pub(super) fn newest_of(&self, key: &Text, class: Class) -> Option<Place> {
        let of_key = (key.clone(), class, Place::FIRST)..=(key.clone(), class, Place::LAST);
        self.keys.range(of_key).next_back().map(|(_, _, place)| *place)
    }
}
