//! A stream in memory: the near end is asynchronous, the far end blocks.

use std::{
    collections::VecDeque,
    io::{self, Read, Write},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use steadfast_driver::Io;

/// How many bytes are on their way in each direction at most.
const ROOM: usize = 64 << 10;

#[derive(Default)]
struct Pipe {
    ways: Mutex<Ways>,
    changed: Condvar,
}

#[derive(Default)]
struct Ways {
    to_near: VecDeque<u8>,
    to_far: VecDeque<u8>,
    is_closed: bool,
    /// Those who wait at the near end.
    wakers: Vec<Waker>,
}

impl Pipe {
    fn lock(&self) -> MutexGuard<'_, Ways> {
        self.ways.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<T>(&self, mut ways: MutexGuard<'_, Ways>, result: T) -> T {
        let wakers = std::mem::take(&mut ways.wakers);
        drop(ways);
        wakers.into_iter().for_each(Waker::wake);
        self.changed.notify_all();
        result
    }

    fn close(&self) {
        let mut ways = self.lock();
        ways.is_closed = true;
        self.change(ways, ());
    }
}

pub(crate) struct Near(Arc<Pipe>);
pub(crate) struct Far(Arc<Pipe>);

pub(crate) fn pipe() -> (Near, Far) {
    let pipe = Arc::new(Pipe::default());
    (Near(Arc::clone(&pipe)), Far(pipe))
}

impl Io for Near {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut ways = self.0.lock();
        if ways.to_near.is_empty() && !ways.is_closed {
            ways.wakers.push(cx.waker().clone());
            return Poll::Pending;
        }
        let read = ways.to_near.read(buf);
        Poll::Ready(self.0.change(ways, read))
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let mut ways = self.0.lock();
        let count = buf.len().min(ROOM - ways.to_far.len());
        if ways.is_closed {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if count == 0 {
            ways.wakers.push(cx.waker().clone());
            return Poll::Pending;
        }
        ways.to_far.extend(&buf[..count]);
        Poll::Ready(Ok(self.0.change(ways, count)))
    }
}

impl Read for Far {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let ways = self.0.lock();
        let is_waiting = |ways: &mut Ways| ways.to_far.is_empty() && !ways.is_closed;
        let mut ways = self.0.changed.wait_while(ways, is_waiting).unwrap_or_else(PoisonError::into_inner);
        let read = ways.to_far.read(buf);
        self.0.change(ways, read)
    }
}

impl Write for Far {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let ways = self.0.lock();
        let is_waiting = |ways: &mut Ways| ways.to_near.len() == ROOM && !ways.is_closed;
        let mut ways = self.0.changed.wait_while(ways, is_waiting).unwrap_or_else(PoisonError::into_inner);
        if ways.is_closed {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let count = buf.len().min(ROOM - ways.to_near.len());
        ways.to_near.extend(&buf[..count]);
        self.0.change(ways, Ok(count))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Near {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Drop for Far {
    fn drop(&mut self) {
        self.0.close();
    }
}
