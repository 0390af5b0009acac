//! May something be said now, or would that pass a limit of the peer's?
//!
//! A window slides over each limit. A slot is taken when something is handed over, and is free again when the time of the
//! limit, and some slack, have passed since it was *flushed*: a transport may hold frames for long and then let all of
//! them go, and whoever counts from the handing over sends twice as much as allowed within the time (as a bucket of tokens
//! does: nautilus #5012). What was never flushed stays taken.

use alloc::{collections::VecDeque, vec::Vec};
use core::time::Duration;

use crate::{Bucket, PacingPolicy, Text, Timestamp};

/// What was said lately, as far as somebody limits it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pacing {
    gap: Duration,
    meters: Vec<Meter>,
    /// When something was last handed over.
    last: Option<Timestamp>,
    waits: Waits,
}

/// What has to happen before that may leave which was last asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waits {
    /// Nothing waits.
    Nothing,
    /// Something has to be flushed first.
    Flush,
    /// This time has to come.
    Until(Timestamp),
}

/// Whose it is: what may use how much of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// The session's own. It may use the reserve, but for what is kept for signs of life.
    Ours,
    /// The application's.
    Theirs,
}

/// Something to say, and what it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Draw<'a> {
    pub(crate) whose: Whose,
    pub(crate) bucket: Option<&'a Text>,
    pub(crate) slots: u32,
}

/// One limit.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Meter {
    bucket: Bucket,
    used: u64,
    /// What was handed over and not flushed.
    away: VecDeque<Away>,
    /// What was flushed when, and is not free yet.
    cooling: VecDeque<(Timestamp, u32)>,
}

/// What was handed over: on which link, as which of its frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Away {
    link: u64,
    first: u64,
    last: u64,
    slots: u32,
}

impl Pacing {
    /// `None` if nothing is limited.
    pub(crate) fn new(policy: &PacingPolicy) -> Option<Self> {
        let meters = policy.buckets.iter().cloned().map(Meter::new).collect();
        let is_on = !policy.gap.is_zero() || !policy.buckets.is_empty();
        is_on.then_some(Self { gap: policy.gap, meters, last: None, waits: Waits::Nothing })
    }

    /// The same by another policy. What was said stays said: a limit goes on from what the one of its name knows, if
    /// possible one of its length.
    pub(crate) fn adopt(&mut self, policy: &PacingPolicy) {
        let before = core::mem::take(&mut self.meters);
        self.gap = policy.gap;
        self.meters = policy.buckets.iter().map(|bucket| Meter::new(bucket.clone()).after(&before)).collect();
    }

    /// The server counts anew.
    pub(crate) fn forget(&mut self) {
        self.meters.iter_mut().for_each(Meter::forget);
    }

    /// Whether there is such a bucket.
    pub(crate) fn knows(&self, bucket: &Text) -> bool {
        self.meters.iter().any(|meter| meter.bucket.name == *bucket)
    }

    /// The most slots that a message can take; `None` if nobody limits that.
    pub(crate) fn most(&self, bucket: Option<&Text>) -> Option<u32> {
        let drawn = self.meters.iter().filter(|meter| meter.is_drawn_on(bucket));
        drawn.map(|meter| meter.cap(Whose::Theirs)).min()
    }

    /// All that may leave is asked for anew.
    pub(crate) const fn begin(&mut self) {
        self.waits = Waits::Nothing;
    }

    /// Whether something may leave now. If not it waits, and all that is asked for after it waits behind it, until
    /// [`begin`](Self::begin).
    pub(crate) fn may_leave(&mut self, now: Timestamp, draw: Draw<'_>) -> bool {
        if self.waits == Waits::Nothing {
            self.waits = self.wait_for(now, draw);
        }
        self.waits == Waits::Nothing
    }

    /// Whether something may leave now. If not it does not wait.
    pub(crate) fn has_slot(&mut self, now: Timestamp, draw: Draw<'_>) -> bool {
        self.waits == Waits::Nothing && self.wait_for(now, draw) == Waits::Nothing
    }

    /// How many slots are free for it now.
    pub(crate) fn free(&mut self, now: Timestamp, draw: Draw<'_>) -> u32 {
        let drawn = self.meters.iter_mut().filter(|meter| meter.is_drawn_on(draw.bucket));
        drawn.map(|meter| meter.free(now, draw.whose)).min().unwrap_or(u32::MAX)
    }

    /// When what waits may leave, if only time has to pass for that.
    pub(crate) const fn until(&self) -> Option<Timestamp> {
        match self.waits {
            Waits::Until(at) => Some(at),
            Waits::Nothing | Waits::Flush => None,
        }
    }

    /// Something was handed over as these frames of this link: the numbers of the first and the last of them. `false` if
    /// there was no slot for it.
    pub(crate) fn on_handed(&mut self, now: Timestamp, link: u64, frames: (u64, u64), draw: Draw<'_>) -> bool {
        let (first, last) = frames;
        self.last = Some(now);
        let mut had_slots = true;
        for meter in self.meters.iter_mut().filter(|meter| meter.is_drawn_on(draw.bucket)) {
            meter.cool(now);
            meter.take(Away { link, first, last, slots: draw.slots });
            had_slots &= meter.used <= u64::from(meter.bucket.limit);
        }
        had_slots
    }

    /// The transport says something by itself: its pong. Nobody tells when that is flushed.
    pub(crate) fn on_echo(&mut self, now: Timestamp) {
        for meter in self.meters.iter_mut().filter(|meter| meter.is_drawn_on(None)) {
            meter.cool(now);
            meter.used = meter.used.saturating_add(1);
            meter.let_cool(now, 1);
        }
    }

    /// The first so many frames of this link are with the operating system.
    #[inline]
    pub(crate) fn on_flushed(&mut self, now: Timestamp, link: u64, frames: u64) {
        self.meters.iter_mut().for_each(|meter| meter.on_flushed(now, link, frames));
    }

    /// The link is gone. Of its frames those after the first `left` have not left and took no slot; of the others nobody
    /// will say more.
    pub(crate) fn on_lost(&mut self, now: Timestamp, link: u64, left: u64) {
        self.meters.iter_mut().for_each(|meter| meter.on_lost(now, link, left));
    }

    fn wait_for(&mut self, now: Timestamp, draw: Draw<'_>) -> Waits {
        let mut until = self.last.map_or(now, |last| last.after(self.gap).unwrap_or(Timestamp::MAX));
        for meter in self.meters.iter_mut().filter(|meter| meter.is_drawn_on(draw.bucket)) {
            match meter.free_at(now, draw) {
                Some(at) => until = until.max(at),
                None => return Waits::Flush,
            }
        }
        if until <= now { Waits::Nothing } else { Waits::Until(until) }
    }
}

impl Meter {
    const fn new(bucket: Bucket) -> Self {
        Self { bucket, used: 0, away: VecDeque::new(), cooling: VecDeque::new() }
    }

    /// Goes on from what was known before.
    fn after(mut self, before: &[Self]) -> Self {
        let same_name = || before.iter().filter(|old| old.bucket.name == self.bucket.name);
        let found = same_name().find(|old| old.bucket.per == self.bucket.per).or_else(|| same_name().next());
        if let Some(old) = found {
            (self.used, self.away, self.cooling) = (old.used, old.away.clone(), old.cooling.clone());
        }
        self
    }

    fn forget(&mut self) {
        self.used = 0;
        self.away.clear();
        self.cooling.clear();
    }

    fn is_drawn_on(&self, bucket: Option<&Text>) -> bool {
        self.bucket.name.is_empty() || bucket == Some(&self.bucket.name)
    }

    /// How much of the limit they may use.
    fn cap(&self, whose: Whose) -> u32 {
        let kept = match whose {
            Whose::Ours => self.bucket.kept_for_life(),
            Whose::Theirs => self.bucket.kept_back(),
        };
        self.bucket.limit - kept
    }

    fn free(&mut self, now: Timestamp, whose: Whose) -> u32 {
        self.cool(now);
        let used = u32::try_from(self.used).unwrap_or(u32::MAX);
        self.cap(whose).saturating_sub(used)
    }

    /// When there is room for it if nothing more is flushed; `None` if something has to be. What is heavier than the limit
    /// was accepted under another one, and needs all of this one.
    fn free_at(&mut self, now: Timestamp, draw: Draw<'_>) -> Option<Timestamp> {
        self.cool(now);
        let cap = self.cap(draw.whose);
        let wanted = self.used.saturating_add(draw.slots.min(cap).into());
        let mut missing = wanted.saturating_sub(cap.into());
        let mut cooling = self.cooling.iter();
        let mut at = now;
        while missing > 0 {
            let (flushed, slots) = cooling.next()?;
            at = self.free_after(*flushed)?;
            missing = missing.saturating_sub((*slots).into());
        }
        Some(at)
    }

    fn free_after(&self, flushed: Timestamp) -> Option<Timestamp> {
        flushed.after(self.bucket.holds())
    }

    /// Frees what has been flushed for long enough.
    fn cool(&mut self, now: Timestamp) {
        while let Some((flushed, slots)) = self.cooling.front().copied() {
            if self.free_after(flushed).is_none_or(|at| at > now) {
                break;
            }
            self.used = self.used.saturating_sub(slots.into());
            self.cooling.pop_front();
        }
    }

    fn take(&mut self, away: Away) {
        self.used = self.used.saturating_add(away.slots.into());
        let is_full = self.is_full();
        match self.away.back_mut().filter(|last| is_full && last.link == away.link) {
            // Beyond the limit only what is never held back comes. It shares a note, and so is free later.
            Some(last) => (last.last, last.slots) = (away.last, last.slots.saturating_add(away.slots)),
            None => self.away.push_back(away),
        }
    }

    fn let_cool(&mut self, now: Timestamp, slots: u32) {
        let is_full = self.is_full();
        match self.cooling.back_mut().filter(|(at, _)| is_full || *at == now) {
            Some(last) => *last = (now, last.1.saturating_add(slots)),
            None => self.cooling.push_back((now, slots)),
        }
    }

    /// Whether there are as many notes as slots.
    fn is_full(&self) -> bool {
        (self.away.len() + self.cooling.len()) as u64 >= u64::from(self.bucket.limit)
    }

    fn on_flushed(&mut self, now: Timestamp, link: u64, frames: u64) {
        while let Some(away) = self.away.front().copied().filter(|away| away.link == link && away.last <= frames) {
            self.away.pop_front();
            self.let_cool(now, away.slots);
        }
    }

    fn on_lost(&mut self, now: Timestamp, link: u64, left: u64) {
        let mut lost = 0_u32;
        let mut unsent = 0_u32;
        self.away.retain(|away| {
            let count = if away.first <= left { &mut lost } else { &mut unsent };
            if away.link == link {
                *count = count.saturating_add(away.slots);
            }
            away.link != link
        });
        self.used = self.used.saturating_sub(unsent.into());
        if lost > 0 {
            self.let_cool(now, lost);
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    const fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    const fn data(slots: u32) -> Draw<'static> {
        Draw { whose: Whose::Theirs, bucket: None, slots }
    }

    const OURS: Draw<'static> = Draw { whose: Whose::Ours, bucket: None, slots: 1 };

    /// A pacing beside the count of frames on its link.
    struct Book {
        pacing: Pacing,
        link: u64,
        frames: u64,
    }

    impl Book {
        fn new(buckets: Vec<Bucket>) -> Self {
            let policy = PacingPolicy { buckets, ..PacingPolicy::default() };
            Self { pacing: Pacing::new(&policy).expect("something is limited"), link: 1, frames: 0 }
        }

        /// Hands it over if it may leave.
        fn say(&mut self, millis: u64, draw: Draw<'_>) -> bool {
            self.pacing.begin();
            let may_leave = self.pacing.may_leave(at(millis), draw);
            if may_leave {
                self.hand(millis, draw);
            }
            may_leave
        }

        fn hand(&mut self, millis: u64, draw: Draw<'_>) -> bool {
            self.frames += 1;
            self.pacing.on_handed(at(millis), self.link, (self.frames, self.frames), draw)
        }

        /// How many of the application's may leave now.
        fn burst(&mut self, millis: u64) -> usize {
            (0..1_000).take_while(|_| self.say(millis, data(1))).count()
        }

        fn flush(&mut self, millis: u64) {
            self.pacing.on_flushed(at(millis), self.link, self.frames);
        }

        fn until(&self) -> Option<u64> {
            self.pacing.until().map(|at| at.as_micros() / 1_000)
        }
    }

    fn five() -> Bucket {
        Bucket::new(5, Duration::from_secs(1)).reserve(0)
    }

    #[test]
    fn what_a_bucket_says_by_default() {
        let table = [(1, 0, 0), (2, 1, 0), (3, 2, 1), (5, 2, 1), (19, 2, 1), (30, 3, 1), (100, 10, 5)];
        for (limit, kept, life) in table {
            let bucket = Bucket::new(limit, Duration::from_secs(1));
            assert_eq!((bucket.kept_back(), bucket.kept_for_life()), (kept, life), "{limit}");
        }
        for (per, holds) in [(10, 30), (400, 420), (1_000, 1_050), (60_000, 63_000)] {
            assert_eq!(Bucket::new(1, Duration::from_millis(per)).holds().as_millis(), holds, "{per}");
        }
        assert_eq!(Bucket::new(9, Duration::MAX).named("x").reserve(3).kept_back(), 0);
        assert_eq!(Bucket::new(9, Duration::MAX).holds(), Duration::MAX);
        assert_eq!(Pacing::new(&PacingPolicy::default()), None);
    }

    #[test]
    fn a_slot_is_free_when_its_frame_has_been_flushed_for_long_enough() {
        let mut book = Book::new(vec![five()]);
        assert_eq!(book.burst(0), 5);
        assert_eq!((book.burst(10_000), book.until()), (0, None), "nothing was flushed, so no time will help");
        book.flush(10_400);
        assert_eq!((book.burst(10_400), book.until()), (0, Some(11_450)));
        assert_eq!(book.burst(11_449), 0);
        assert_eq!(book.burst(11_450), 5);
    }

    /// Five, and five more just before the second is over: a bucket of tokens allows it.
    #[test]
    fn there_is_no_burst_at_the_edge() {
        let mut book = Book::new(vec![five()]);
        for millis in [0, 900, 910, 920, 930] {
            assert!(book.say(millis, data(1)));
            book.flush(millis);
        }
        assert_eq!((book.burst(1_049), book.until()), (0, Some(1_050)));
        assert_eq!((book.burst(1_050), book.until()), (1, Some(1_950)));
        book.flush(1_050);
        assert_eq!((book.burst(1_060), book.until()), (0, Some(1_950)));
    }

    #[test]
    fn the_reserve_is_for_the_session_and_half_of_it_for_signs_of_life() {
        let mut book = Book::new(vec![Bucket::new(10, Duration::from_secs(1)).reserve(4)]);
        assert_eq!(book.burst(0), 6);
        assert_eq!((book.pacing.free(at(0), data(1)), book.pacing.free(at(0), OURS)), (0, 2));
        assert!(book.say(0, OURS) && book.say(0, OURS) && !book.say(0, OURS));
        assert!(book.hand(0, OURS) && book.hand(0, OURS), "they go anyway, and there were slots");
        assert!(!book.hand(0, OURS), "here was none");
        book.flush(0);
        assert_eq!(book.burst(1_049), 0);
        assert_eq!(book.burst(1_050), 6);
    }

    #[test]
    fn what_waits_holds_back_what_comes_after_it() {
        let mut book = Book::new(vec![five()]);
        assert!(book.say(0, data(3)));
        book.flush(0);
        book.pacing.begin();
        assert!(!book.pacing.may_leave(at(1), data(3)));
        assert!(!book.pacing.may_leave(at(1), data(1)), "two slots are free, and are not for those behind");
        assert!(!book.pacing.has_slot(at(1), data(1)));
        book.pacing.begin();
        assert!(book.pacing.has_slot(at(1), data(2)) && !book.pacing.has_slot(at(1), data(3)));
        assert_eq!(book.until(), None, "who only asks does not wait");
    }

    #[test]
    fn a_message_draws_on_its_bucket_and_on_those_of_all() {
        let orders = Text::from_static("orders");
        let order = Draw { bucket: Some(&orders), ..data(1) };
        let mut book = Book::new(vec![five(), Bucket::new(2, Duration::from_secs(60)).named("orders")]);
        assert!(book.say(0, order) && book.say(0, order) && !book.say(0, order));
        assert_eq!(book.burst(0), 3);
        book.flush(0);
        assert!(!book.say(1_050, order) && book.say(1_050, data(1)));
        book.pacing.begin();
        assert!(!book.pacing.may_leave(at(1_050), order));
        assert_eq!(book.until(), Some(63_000));
        assert!(book.pacing.knows(&orders) && !book.pacing.knows(&Text::from_static("ordres")));
        assert_eq!((book.pacing.most(Some(&orders)), book.pacing.most(None)), (Some(2), Some(5)));
    }

    #[test]
    fn a_lost_link_frees_what_has_not_left_and_the_rest_counts_from_then() {
        let mut book = Book::new(vec![five()]);
        assert_eq!(book.burst(0), 5);
        book.pacing.on_flushed(at(100), 1, 1);
        book.pacing.on_lost(at(500), 1, 3);
        (book.link, book.frames) = (2, 0);
        assert_eq!(book.burst(600), 2, "the fourth and the fifth have not left");
        book.flush(600);
        for (millis, free) in [(1_149, 0), (1_150, 1), (1_549, 0), (1_550, 2), (1_650, 2)] {
            assert_eq!(book.burst(millis), free, "{millis}");
            book.flush(millis);
        }
        book.pacing.forget();
        assert_eq!(book.burst(1_650), 5);
    }

    #[test]
    fn frames_of_several_numbers_have_left_with_their_first() {
        let mut book = Book::new(vec![five()]);
        book.pacing.on_handed(at(0), 1, (1, 3), data(4));
        book.frames = 3;
        book.pacing.on_flushed(at(10), 1, 2);
        assert_eq!((book.burst(9_000), book.until()), (1, None));
        book.pacing.on_lost(at(9_000), 1, 1);
        assert_eq!((book.burst(9_000), book.until()), (1, Some(10_050)), "four count from now, the fifth has not left");
    }

    #[test]
    fn the_gap_is_kept_between_any_two() {
        let policy = PacingPolicy { gap: Duration::from_millis(50), ..PacingPolicy::default() };
        let pacing = Pacing::new(&policy).expect("there is a gap");
        let mut book = Book { pacing, link: 1, frames: 0 };
        assert!(book.say(0, data(1)));
        assert!(!book.say(49, OURS));
        assert_eq!(book.until(), Some(50));
        assert!(book.say(50, OURS) && !book.say(50, data(1)));
    }

    #[test]
    fn a_flood_of_what_is_never_held_back_is_noted_in_bounds() {
        let mut book = Book::new(vec![five()]);
        for millis in 0..10_000 {
            book.hand(millis, OURS);
            if millis % 3 == 0 {
                book.flush(millis);
            }
            book.pacing.on_echo(at(millis));
            let meter = &book.pacing.meters[0];
            assert!(meter.away.len() + meter.cooling.len() <= 7, "{millis}");
        }
        assert_eq!(book.burst(11_048), 0);
        assert_eq!(book.burst(11_049), 5);
    }

    #[test]
    fn another_policy_knows_what_was_said() {
        let mut book = Book::new(vec![five()]);
        assert_eq!(book.burst(0), 5);
        book.flush(0);
        let wider = Bucket::new(8, Duration::from_secs(2)).reserve(0);
        let buckets = vec![wider, Bucket::new(1, Duration::from_secs(1)).named("new")];
        book.pacing.adopt(&PacingPolicy { buckets, ..PacingPolicy::default() });
        assert_eq!((book.burst(100), book.until()), (3, Some(2_100)));
        book.flush(100);
        assert_eq!((book.burst(2_099), book.until()), (0, Some(2_100)));
        assert!(book.say(2_100, Draw { bucket: Some(&Text::from_static("new")), ..data(1) }));
        book.pacing
            .adopt(&PacingPolicy { buckets: vec![Bucket::new(2, Duration::from_secs(1))], ..PacingPolicy::default() });
        book.flush(9_999);
        assert!(book.say(99_999, data(50)), "what was accepted under another limit takes all of this one");
    }

    #[test]
    fn at_the_end_of_time_nothing_overflows() {
        let mut book = Book::new(vec![Bucket::new(u32::MAX, Duration::MAX)]);
        book.pacing.on_handed(Timestamp::MAX, 1, (1, u64::MAX), data(u32::MAX));
        book.pacing.on_handed(Timestamp::MAX, 1, (1, u64::MAX), data(u32::MAX));
        book.pacing.on_flushed(Timestamp::MAX, 1, u64::MAX);
        assert!(!book.pacing.has_slot(Timestamp::MAX, data(1)));
        book.pacing.on_lost(Timestamp::MAX, 1, u64::MAX);
    }
}
