//! Where is room for one more message?

use super::{Books, Ended, Outbox, Place, Wanted};
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

/// Where to look for what may be dropped: what stands before, of that kind, is gone or has left. So each message is
/// looked at once for each kind, however long the queue is, and only where something is dropped.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Droppable {
    from: [Place; 4],
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
    pub(super) const NEW: Self = Self { from: [Place::FIRST; 4] };

    /// A message of this class stands where one of another class stood.
    pub(super) fn on_replaced(&mut self, place: Place, class: Class) {
        for kind in [Kind::Any, Kind::Only(class)] {
            let from = &mut self.from[kind.index()];
            *from = place.min(*from);
        }
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
        let is_latest = |class| new.class == Class::Latest && class == Class::Latest;
        if let Some(place) = self.replaceable(policy, new, is_latest) {
            return Room::Instead(place);
        }
        if self.fits(policy, new.bytes) {
            return Room::Behind;
        }
        let kinds = match policy.overflow {
            Overflow::Refuse => return Room::No,
            Overflow::DropNewest => return Room::Gone,
            Overflow::ReplaceByKey => {
                let place = self.replaceable(policy, new, |class| class != Class::AtLeastOnce);
                return place.map_or(Room::No, Room::Instead);
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
        self.replaceable(policy, new, is_latest).map_or(Room::Behind, Room::Instead)
    }

    /// The place of the newest message with the same key: if it waits, is of a class that gives way, and the bounds
    /// allow the change.
    fn replaceable(
        &self,
        policy: &QueuePolicy,
        new: &Newcomer<'_>,
        gives_way: impl Fn(Class) -> bool,
    ) -> Option<Place> {
        let at = self.at(self.books.extras.newest(new.key?)?)?;
        let old = &self.entries[at].label;
        let bytes = self.books.bytes - u64::from(old.bytes) + u64::from(new.bytes);
        (self.is_here(at) && gives_way(old.class) && bytes <= policy.max_bytes).then_some(old.place)
    }

    /// Drops the oldest messages of the first of these kinds, then of the next, until there is room. Nothing is
    /// dropped in vain: `false` if all of them are not enough.
    fn drop_some(&mut self, policy: &QueuePolicy, bytes: u32, kinds: &[Kind], end: &mut impl FnMut(Ended)) -> bool {
        let mut messages = (u64::from(self.books.live) + 1).saturating_sub(policy.max_messages.into());
        let mut bytes = (self.books.bytes + u64::from(bytes)).saturating_sub(policy.max_bytes);
        let (mut from, mut victims) = (self.droppable, 0_u32);
        while (messages, bytes) != (0, 0) {
            let Some(at) = self.victim(kinds, &mut from) else {
                if victims == 0 {
                    self.droppable = from;
                }
                return false;
            };
            messages = messages.saturating_sub(1);
            bytes = bytes.saturating_sub(self.entries[at].label.bytes.into());
            victims += 1;
        }
        let mut from = self.droppable;
        for _ in 0..victims {
            if let Some(at) = self.victim(kinds, &mut from) {
                self.end_in_place(at, Outcome::Dropped(Dropped::Overflow), end);
            }
        }
        self.droppable = from;
        self.tidy();
        true
    }

    /// The next message that may be dropped; the search goes on behind it.
    fn victim(&self, kinds: &[Kind], from: &mut Droppable) -> Option<usize> {
        for kind in kinds {
            let from = &mut from.from[kind.index()];
            let oldest = self.doubtful_below.max(*from);
            let first = self.entries.partition_point(|entry| entry.label.place < oldest).max(self.cursor);
            let fits = |at: &usize| self.entries[*at].message.is_some() && kind.fits(self.entries[*at].label.class);
            let found = (first..self.entries.len()).find(fits);
            let seen = found.or(self.entries.len().checked_sub(1));
            *from = seen.map_or(*from, |at| self.entries[at].label.place.next().max(*from));
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

    /// Other bounds, or other marks.
    pub(crate) const fn on_policy(&mut self) {
        self.alarm = ANY;
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
