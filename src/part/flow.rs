//! How much passes, and how much of it fails?
//!
//! The session counts for all time anyway. Here is kept what those counts were every five seconds of the last minute,
//! so a message costs nothing, a turn one comparison, and a session that has counted nothing no memory.

use alloc::boxed::Box;
use core::time::Duration;

use crate::Timestamp;

/// Between two pictures.
const STEP: Duration = Duration::from_secs(5);

/// How many are kept, and how long that is.
const KEPT: usize = 12;
const MINUTE: Duration = STEP.saturating_mul(KEPT as u32);

/// Totals since the session was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Totals {
    pub(crate) messages_in: u64,
    pub(crate) bytes_in: u64,
    pub(crate) messages_out: u64,
    pub(crate) bytes_out: u64,
    pub(crate) errors: u64,
}

/// What came and went within a time of at most about a minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Passed {
    pub(crate) counts: Totals,
    pub(crate) within: Duration,
}

impl Passed {
    /// So many a second, in thousandths, because one message in ten seconds is not none. What came within less than a
    /// second counts as if it were one.
    pub(crate) fn a_second(&self, count: u64) -> u64 {
        let micros = self.within.as_micros().max(1_000_000);
        u64::try_from(u128::from(count) * 1_000_000_000 / micros).unwrap_or(u64::MAX)
    }

    /// Of a thousand messages either way, so many failures. Without a message, each failure stands for all.
    pub(crate) fn error_rate(&self) -> u32 {
        let Totals { messages_in, messages_out, errors, .. } = self.counts;
        let all = u128::from(messages_in) + u128::from(messages_out) + u128::from(errors);
        u32::try_from(u128::from(errors) * 1_000 / all.max(1)).unwrap_or(1_000)
    }
}

/// The counts as they were.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Flow {
    /// When the next picture is due.
    next: Timestamp,
    /// The last time at which nothing had been counted yet.
    since: Timestamp,
    album: Option<Box<Album>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Album {
    pictures: [Picture; KEPT],
    /// The latest of them.
    at: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
struct Picture {
    at: Timestamp,
    counts: Totals,
}

impl Flow {
    /// Whether it is time for a picture. To be asked at the start of a turn, before anything is counted.
    #[inline]
    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        self.next <= now
    }

    /// Takes a picture. Nothing has been counted since the last turn, so it is as good as one taken on time.
    #[inline(never)]
    pub(crate) fn on_due(&mut self, now: Timestamp, counts: Totals) {
        self.next = now.after(STEP).unwrap_or(Timestamp::MAX);
        if self.album.is_none() && counts == Totals::default() {
            self.since = now;
            return;
        }
        let first = Picture { at: self.since, counts: Totals::default() };
        let album = self.album.get_or_insert_with(|| Box::new(Album { pictures: [first; KEPT], at: 0 }));
        album.at = (album.at + 1) % KEPT;
        album.pictures[album.at] = Picture { at: now, counts };
    }

    /// What has passed in the last minute, or since the first turn; asking changes nothing.
    pub(crate) fn passed(&self, now: Timestamp, counts: Totals) -> Passed {
        let first = Picture { at: self.since, counts: Totals::default() };
        let recent = |picture: &Picture| now.since(picture.at) <= MINUTE;
        let found = match &self.album {
            Some(album) => album.oldest_first().find(recent),
            None => Some(first).filter(recent),
        };
        match found {
            Some(picture) => Passed { counts: counts.since(&picture.counts), within: now.since(picture.at) },
            // What was counted after the latest was counted within a step of it.
            None => Passed { counts: Totals::default(), within: MINUTE },
        }
    }
}

impl Album {
    fn oldest_first(&self) -> impl Iterator<Item = Picture> {
        (1..=KEPT).map(|ago| self.pictures[(self.at + ago) % KEPT])
    }
}

impl Totals {
    const fn since(&self, before: &Self) -> Self {
        Self {
            messages_in: self.messages_in.saturating_sub(before.messages_in),
            bytes_in: self.bytes_in.saturating_sub(before.bytes_in),
            messages_out: self.messages_out.saturating_sub(before.messages_out),
            bytes_out: self.bytes_out.saturating_sub(before.bytes_out),
            errors: self.errors.saturating_sub(before.errors),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    /// A flow beside the counts that a session would have.
    #[derive(Default)]
    struct Book {
        flow: Flow,
        counts: Totals,
    }

    impl Book {
        /// A turn in which so many messages of 100 bytes came.
        fn turn(&mut self, second: u64, messages: u64) {
            if self.flow.is_due(at(second)) {
                self.flow.on_due(at(second), self.counts);
            }
            self.counts.messages_in += messages;
            self.counts.bytes_in += 100 * messages;
        }

        fn a_second(&self, second: u64) -> u64 {
            let passed = self.flow.passed(at(second), self.counts);
            passed.a_second(passed.counts.messages_in)
        }
    }

    #[test]
    fn a_steady_flow_is_told_as_it_is() {
        let mut book = Book::default();
        for second in 1_000..1_300 {
            book.turn(second, 7);
        }
        let rate = book.a_second(1_300);
        assert!((6_900..=7_200).contains(&rate), "{rate}");
        let passed = book.flow.passed(at(1_300), book.counts);
        assert_eq!(passed.counts.bytes_in, 100 * passed.counts.messages_in);
        assert!((Duration::from_secs(50)..=MINUTE).contains(&passed.within), "{:?}", passed.within);
    }

    #[test]
    fn a_young_session_divides_by_its_age() {
        let mut book = Book::default();
        book.turn(5_000, 0);
        book.turn(5_002, 40);
        assert_eq!(book.a_second(5_004), 10_000);
        assert_eq!(Flow::default().passed(at(9), Totals::default()).counts, Totals::default());
    }

    #[test]
    fn a_burst_is_forgotten_after_a_minute_also_without_a_turn() {
        let mut book = Book::default();
        book.turn(100, 0);
        book.turn(101, 600);
        assert!(book.a_second(130) > 0);
        for later in [170, 500, u64::MAX / 10_000] {
            assert_eq!(book.a_second(later), 0, "{later}");
        }
        book.turn(10_000, 0);
        assert_eq!(book.a_second(10_001), 0);
    }

    #[test]
    fn after_a_break_only_what_came_after_it_counts() {
        let mut book = Book::default();
        for second in 0..100 {
            book.turn(second, 50);
        }
        book.turn(130, 10);
        assert!(book.a_second(130) > 10_000, "the break is within the minute");
        book.turn(500, 10);
        assert_eq!(book.a_second(510), 1_000);
    }

    #[test]
    fn failures_are_a_share_of_all() {
        for (messages_in, messages_out, errors, rate) in
            [(0, 0, 0, 0), (90, 9, 1, 10), (0, 0, 3, 1_000), (u64::MAX, u64::MAX, u64::MAX, 333)]
        {
            let counts = Totals { messages_in, messages_out, errors, ..Totals::default() };
            assert_eq!(Passed { counts, within: STEP }.error_rate(), rate, "{counts:?}");
        }
        let passed = Passed { counts: Totals::default(), within: Duration::ZERO };
        assert_eq!(passed.a_second(u64::MAX), u64::MAX);
    }
}
