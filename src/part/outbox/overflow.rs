//! Where is room for one more message?

use super::{Books, Ended, Entry, Is, Label, Outbox, Place, Wanted};
use crate::{Class, Dropped, Outcome, Overflow, QueuePolicy, Text};

/// A message that wants to be taken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Newcomer<'a> {
    pub(crate) class: Class,
    pub(crate) bytes: u32,
    pub(crate) key: Option<&'a Text>,
}

/// Where there is room for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    /// Behind all others.
    Behind,
    /// Beside them, in the lane of its link.
    Beside,
    /// In the place of another.
    Instead(Place),
    /// Nowhere: it is accepted, and dropped.
    Gone,
    /// Nowhere: it is refused.
    No,
}

/// From how many messages and bytes on the marks have to be looked at.
pub(super) type Alarm = (u32, u64);

/// In any case.
pub(super) const ANY: Alarm = (0, 0);

/// Below this neither mark is reached, by a little.
fn alarm(policy: &QueuePolicy) -> Alarm {
    if policy.high == 0 {
        return (u32::MAX, u64::MAX);
    }
    let messages = u64::from(policy.max_messages) * u64::from(policy.high) / 100;
    let bytes = policy.max_bytes.saturating_mul(policy.high.into()) / 100;
    (u32::try_from(messages).unwrap_or(u32::MAX), bytes)
}

/// Of which class a message has to be to be dropped.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Any,
    Only(Class),
}

/// From low to high, as [`Overflow::DropLowest`] drops them. What is volatile never waits.
const RANKED: [Kind; 3] = [Kind::Only(Class::Latest), Kind::Only(Class::AtMostOnce), Kind::Only(Class::AtLeastOnce)];

/// What may be dropped: how much it is of each kind, and where to look for it. Each message is looked at once for each
/// kind, however long the queue is and however often there is no room, and only where something is to be dropped.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Droppable {
    /// What stands before, of that kind, is gone or has left.
    from: [Place; 4],
    /// What has been counted, and has not been found to have left: from the first place to before the second.
    counted: (Place, Place),
    /// How many messages of each kind stand there, and their bytes.
    sums: [Sum; 4],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
struct Sum {
    messages: u64,
    bytes: u64,
}

impl Kind {
    fn fits(self, class: Class) -> bool {
        match self {
            Self::Any => true,
            Self::Only(only) => only == class,
        }
    }

    const fn index(self) -> usize {
        match self {
            Self::Any => 0,
            Self::Only(Class::Volatile | Class::Latest | Class::Bypass) => 1,
            Self::Only(Class::AtMostOnce) => 2,
            Self::Only(Class::AtLeastOnce) => 3,
        }
    }
}

impl Droppable {
    pub(super) const NEW: Self = Self {
        from: [Place::FIRST; 4],
        counted: (Place::FIRST, Place::FIRST),
        sums: [Sum { messages: 0, bytes: 0 }; 4],
    };

    /// A message stands where another one stood, which has ended.
    pub(super) fn on_replaced(&mut self, label: &Label) {
        for kind in [Kind::Any, Kind::Only(label.class)] {
            let from = &mut self.from[kind.index()];
            *from = label.place.min(*from);
        }
        if self.counts(label) {
            self.add(label);
        }
    }

    /// A message has ended.
    #[inline]
    pub(super) fn on_ended(&mut self, label: &Label) {
        if label.place < self.counted.1 && self.counts(label) {
            self.take(label);
        }
    }

    fn counts(&self, label: &Label) -> bool {
        (self.counted.0..self.counted.1).contains(&label.place) && !label.is.any(Is::DOUBTFUL)
    }

    #[cold]
    fn add(&mut self, label: &Label) {
        for kind in [Kind::Any, Kind::Only(label.class)] {
            let sum = &mut self.sums[kind.index()];
            (sum.messages, sum.bytes) = (sum.messages + 1, sum.bytes + u64::from(label.bytes));
        }
    }

    #[cold]
    fn take(&mut self, label: &Label) {
        for kind in [Kind::Any, Kind::Only(label.class)] {
            let sum = &mut self.sums[kind.index()];
            (sum.messages, sum.bytes) = (sum.messages - 1, sum.bytes - u64::from(label.bytes));
        }
    }

    /// What there is of these kinds.
    fn sum(&self, kinds: &[Kind]) -> Sum {
        kinds.iter().map(|kind| self.sums[kind.index()]).fold(Sum::default(), |all, sum| Sum {
            messages: all.messages + sum.messages,
            bytes: all.bytes + sum.bytes,
        })
    }
}

impl<M> Outbox<M> {
    /// Where there is room for a message; makes room as the policy says.
    pub(crate) fn find_room(&mut self, policy: &QueuePolicy, new: &Newcomer<'_>, end: &mut impl FnMut(Ended)) -> Room {
        let room = self.look_for_room(policy, new, end);
        if room == Room::No {
            self.books.wanted = Wanted::Refused;
        }
        room
    }

    /// Whether one more message of this size is within the bounds.
    #[inline]
    pub(crate) fn fits(&self, policy: &QueuePolicy, bytes: u32) -> bool {
        self.books.live < policy.max_messages && self.books.bytes + u64::from(bytes) <= policy.max_bytes
    }

    fn look_for_room(&mut self, policy: &QueuePolicy, new: &Newcomer<'_>, end: &mut impl FnMut(Ended)) -> Room {
        if let Some(place) = self.outdated(policy, new) {
            return Room::Instead(place);
        }
        if self.fits(policy, new.bytes) {
            return Room::Behind;
        }
        let kinds = match policy.overflow {
            Overflow::Refuse => return Room::No,
            Overflow::DropNewest => return Room::Gone,
            Overflow::ReplaceByKey => {
                let extras = &self.books.extras;
                // Two of the class that stands for the latest would wait if this one took another's place.
                let latest = new.key.filter(|_| new.class == Class::Latest);
                let latest = latest.and_then(|key| extras.newest_of(key, Class::Latest));
                let newest = latest.or_else(|| extras.newest(new.key?));
                return self.replaceable(policy, new, newest).map_or(Room::No, Room::Instead);
            }
            Overflow::DropOldest => &[Kind::Any],
            Overflow::DropLowest => match new.class {
                Class::Volatile | Class::Bypass => return Room::No,
                Class::Latest => &RANKED[..1],
                Class::AtMostOnce => &RANKED[..2],
                Class::AtLeastOnce => &RANKED[..],
            },
        };
        if !self.drop_some(policy, new.bytes, kinds, end) {
            return Room::No;
        }
        self.outdated(policy, new).map_or(Room::Behind, Room::Instead)
    }

    /// The place of what this one brings up to date, if it is of the class for that.
    fn outdated(&self, policy: &QueuePolicy, new: &Newcomer<'_>) -> Option<Place> {
        let key = new.key.filter(|_| new.class == Class::Latest)?;
        self.replaceable(policy, new, self.books.extras.newest_of(key, Class::Latest))
    }

    /// This place, if its message waits and gives way, and the bounds allow the change.
    fn replaceable(&self, policy: &QueuePolicy, new: &Newcomer<'_>, place: Option<Place>) -> Option<Place> {
        let at = self.at(place?)?;
        let old = &self.entries[at].label;
        let bytes = self.books.bytes - u64::from(old.bytes) + u64::from(new.bytes);
        let gives_way = self.is_here(at) && old.class != Class::AtLeastOnce;
        (gives_way && bytes <= policy.max_bytes).then_some(old.place)
    }

    /// Drops the oldest messages of the first of these kinds, then of the next, until there is room. Nothing is
    /// dropped in vain: `false` if all of them are not enough.
    fn drop_some(&mut self, policy: &QueuePolicy, bytes: u32, kinds: &[Kind], end: &mut impl FnMut(Ended)) -> bool {
        let mut messages = (u64::from(self.books.live) + 1).saturating_sub(policy.max_messages.into());
        let mut bytes = (self.books.bytes + u64::from(bytes)).saturating_sub(policy.max_bytes);
        self.count_droppable();
        let sum = self.books.droppable.sum(kinds);
        if sum.messages < messages || sum.bytes < bytes {
            return false;
        }
        while (messages, bytes) != (0, 0) {
            let Some(at) = self.victim(kinds) else { break };
            messages = messages.saturating_sub(1);
            bytes = bytes.saturating_sub(self.entries[at].label.bytes.into());
            self.end_in_place(at, Outcome::Dropped(Dropped::Overflow), end);
        }
        self.tidy();
        true
    }

    /// Counts what has come since, and no longer counts what has left.
    fn count_droppable(&mut self) {
        let end = self.entries.back().map_or(Place::FIRST, |entry| entry.label.place.next());
        let waits = self.entries.get(self.cursor).map_or(end, |entry| entry.label.place).max(self.doubtful_below);
        let droppable = &mut self.books.droppable;
        let (first, last) = droppable.counted;
        let from = |place: Place| self.entries.partition_point(|entry| entry.label.place < place);
        let alive = |entry: &&Entry<M>| entry.message.is_some() && !entry.label.is.any(Is::DOUBTFUL);
        let left = self.entries.range(from(first)..from(waits.min(last)).max(from(first)));
        left.filter(alive).for_each(|entry| droppable.take(&entry.label));
        let new = self.entries.range(from(last.max(waits))..);
        new.filter(alive).for_each(|entry| droppable.add(&entry.label));
        droppable.counted = (waits, end);
    }

    /// The next message that may be dropped; the search goes on behind it.
    fn victim(&mut self, kinds: &[Kind]) -> Option<usize> {
        for kind in kinds {
            let from = self.books.droppable.from[kind.index()];
            let oldest = self.doubtful_below.max(from);
            let first = self.entries.partition_point(|entry| entry.label.place < oldest).max(self.cursor);
            let fits = |at: &usize| {
                let Entry { message, label } = &self.entries[*at];
                message.is_some() && kind.fits(label.class) && !self.is_doubtful(label)
            };
            let found = (first..self.entries.len()).find(fits);
            let seen = found.or(self.entries.len().checked_sub(1));
            let seen = seen.map_or(from, |at| self.entries[at].label.place.next().max(from));
            self.books.droppable.from[kind.index()] = seen;
            if found.is_some() {
                return found;
            }
        }
        None
    }

    /// True once when the queue becomes high, false once when it becomes low again.
    #[inline]
    pub(crate) fn take_crossing(&mut self, policy: &QueuePolicy) -> Option<bool> {
        let is_calm = self.books.live < self.alarm.0 && self.books.bytes < self.alarm.1;
        if is_calm { None } else { self.look_at_marks(policy) }
    }

    /// Other bounds, or other marks: there may be room again for what was refused.
    pub(crate) const fn on_policy(&mut self) {
        self.alarm = ANY;
        self.books.on_freed();
    }

    /// Whether it was called high, and not low since then.
    pub(crate) const fn is_high(&self) -> bool {
        self.is_high
    }

    #[cold]
    fn look_at_marks(&mut self, policy: &QueuePolicy) -> Option<bool> {
        let Books { live, bytes, .. } = self.books;
        let share = |percent: u32| {
            let of = |most: u64| most.saturating_mul(percent.into());
            (of(policy.max_messages.into()), of(policy.max_bytes))
        };
        let (live, bytes) = (u64::from(live) * 100, bytes.saturating_mul(100));
        let crossed = if self.is_high {
            let (low, low_bytes) = share(policy.low);
            live <= low && bytes <= low_bytes
        } else {
            let (high, high_bytes) = share(policy.high);
            policy.high > 0 && (live >= high || bytes >= high_bytes)
        };
        self.is_high ^= crossed;
        self.alarm = if self.is_high { ANY } else { alarm(policy) };
        crossed.then_some(self.is_high)
    }

    /// True once when there is room again after a refusal: a quarter of both bounds.
    #[inline]
    pub(crate) fn take_room(&mut self, policy: &QueuePolicy) -> bool {
        let roomy = self.books.wanted == Wanted::Freed
            && self.books.live <= policy.max_messages - policy.max_messages.div_ceil(4)
            && self.books.bytes <= policy.max_bytes - policy.max_bytes.div_ceil(4);
        if roomy {
            self.books.wanted = Wanted::No;
        }
        roomy
    }
}
