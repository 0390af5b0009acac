//! A stream in memory: pieces of any length that take their time, room for so much, and an end of any kind.

use std::{
    collections::VecDeque,
    io,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll, Waker},
    time::Duration,
};

use steadfast::Timestamp;
use steadfast_driver::{Io, Runtime, Sleep};

use super::{Fake, Timer};

/// One end of it.
pub struct End {
    line: Line,
    side: usize,
    timer: Timer,
}

/// Both ways of it, for those who break it.
#[derive(Clone)]
pub struct Line {
    fake: Fake,
    ways: Arc<Mutex<Ways>>,
}

struct Ways {
    /// What the end of this number has written.
    ways: [Way; 2],
    is_cut: bool,
    frozen_until: Timestamp,
    habits: Habits,
}

/// How a line behaves.
#[derive(Clone, Copy, Debug)]
pub struct Habits {
    /// How many bytes are on their way at most.
    pub room: usize,
    /// Reads and writes are cut into pieces.
    pub in_pieces: bool,
    /// How long a piece takes at most. None overtakes another.
    pub slowest: Duration,
}

impl Habits {
    /// Slow, or narrow: what is both opens no link in time.
    pub fn any(fake: &Fake) -> Self {
        let is_narrow = fake.once_in(4);
        let slowest = if is_narrow { Duration::ZERO } else { fake.between(Duration::ZERO, Duration::from_secs(1)) };
        let room = if is_narrow { 1 + fake.up_to(60) } else { 500 + fake.up_to(2_000) };
        Self { room: room as usize, in_pieces: true, slowest }
    }
}

#[derive(Default)]
struct Way {
    /// When they arrive.
    pieces: VecDeque<(Timestamp, VecDeque<u8>)>,
    bytes: usize,
    /// Nothing more will be written.
    is_ended: bool,
    /// Nobody reads any more.
    is_deserted: bool,
    /// Who waits for the next piece, and the number of its timer.
    reader: Option<(u64, Waker)>,
    writer: Option<Waker>,
}

impl Line {
    /// A line and its two ends.
    pub fn new(fake: &Fake, habits: Habits) -> (Self, End, End) {
        let ways = Ways { ways: Default::default(), is_cut: false, frozen_until: Timestamp::ZERO, habits };
        let line = Self { fake: fake.clone(), ways: Arc::new(Mutex::new(ways)) };
        let end = |side| End { line: line.clone(), side, timer: fake.sleep() };
        let (near, far) = (end(0), end(1));
        (line, near, far)
    }

    fn lock(&self) -> MutexGuard<'_, Ways> {
        self.ways.lock().unwrap()
    }

    /// Something has changed, and the ends of these numbers look again.
    fn change(&self, sides: &[usize], act: impl FnOnce(&mut Ways)) {
        let mut ways = self.lock();
        act(&mut ways);
        let mut wakers = Vec::new();
        for side in sides {
            wakers.extend(ways.ways[1 - side].reader.take().map(|(_, waker)| waker));
            wakers.extend(ways.ways[*side].writer.take());
        }
        drop(ways);
        self.fake.stir();
        wakers.into_iter().for_each(Waker::wake);
    }

    /// It is reset: both ends learn it at once.
    pub fn cut(&self) {
        self.change(&[0, 1], |ways| ways.is_cut = true);
    }

    /// Nothing arrives for so long.
    pub fn freeze(&self, time: Duration) {
        let until = self.fake.time().after(time).unwrap();
        self.change(&[0, 1], |ways| ways.frozen_until = until);
    }
}

impl End {
    /// Ready when there is nobody at the other end.
    pub fn poll_gone(&self, cx: &Context<'_>) -> Poll<()> {
        let mut ways = self.line.lock();
        if ways.is_cut || ways.ways[self.side].is_deserted {
            return Poll::Ready(());
        }
        ways.ways[self.side].writer = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Says that nothing more will be written.
    pub fn shut_down(&self) {
        self.line.change(&[1 - self.side], |ways| ways.ways[self.side].is_ended = true);
    }
}

impl Ways {
    /// How many bytes of so many there are in one piece.
    fn piece(&self, fake: &Fake, most: usize) -> usize {
        if self.habits.in_pieces && most > 1 && !fake.once_in(3) {
            1 + fake.up_to(most as u64 - 1) as usize
        } else {
            most
        }
    }
}

impl Io for End {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut ways = self.line.lock();
        if ways.is_cut {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let (now, frozen_until, is_whole) = (self.line.fake.time(), ways.frozen_until, !ways.habits.in_pieces);
        let way = &ways.ways[1 - self.side];
        let (arrives, there) = way.pieces.front().map_or((Timestamp::ZERO, 0), |(at, piece)| (*at, piece.len()));
        let at = arrives.max(frozen_until);
        if there == 0 && way.is_ended && at <= now {
            return Poll::Ready(Ok(0));
        }
        if there == 0 || at > now {
            ways.ways[1 - self.side].reader = Some((self.timer.number, cx.waker().clone()));
            drop(ways);
            if at > now {
                self.timer.arm(at);
                let _ = self.timer.poll_due(cx);
            }
            return Poll::Pending;
        }
        let count = if is_whole { there.min(buf.len()) } else { ways.piece(&self.line.fake, there.min(buf.len())) };
        let way = &mut ways.ways[1 - self.side];
        let (_, piece) = &mut way.pieces[0];
        piece.drain(..count).zip(buf).for_each(|(byte, into)| *into = byte);
        if piece.is_empty() {
            way.pieces.pop_front();
        }
        way.bytes -= count;
        let (_, writer) = (way.reader.take(), way.writer.take());
        drop(ways);
        self.line.fake.stir();
        writer.into_iter().for_each(Waker::wake);
        Poll::Ready(Ok(count))
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let fake = &self.line.fake;
        let mut ways = self.line.lock();
        let way = &ways.ways[self.side];
        if ways.is_cut || way.is_deserted || way.is_ended {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let room = ways.habits.room - way.bytes;
        if room == 0 {
            ways.ways[self.side].writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let count = ways.piece(fake, room.min(buf.len()));
        let arrives = fake.time().after(fake.between(Duration::ZERO, ways.habits.slowest)).unwrap();
        let frozen_until = ways.frozen_until;
        let way = &mut ways.ways[self.side];
        let arrives = way.pieces.back().map_or(arrives, |(last, _)| arrives.max(*last));
        way.pieces.push_back((arrives, buf[..count].iter().copied().collect()));
        way.bytes += count;
        // It stays, for it may have to be told of an end before.
        let reader = way.reader.clone();
        drop(ways);
        fake.stir();
        if let Some((timer, reader)) = reader {
            fake.wake_at(arrives.max(frozen_until), timer, reader);
        }
        Poll::Ready(Ok(count))
    }
}

/// What is on its way still arrives.
impl Drop for End {
    fn drop(&mut self) {
        self.line.change(&[1 - self.side], |ways| {
            ways.ways[self.side].is_ended = true;
            ways.ways[1 - self.side].is_deserted = true;
        });
    }
}
