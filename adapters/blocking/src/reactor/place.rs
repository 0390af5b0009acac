//! What is a socket ready for, and who waits until it is?

use std::{
    fmt, io,
    sync::{Arc, Mutex},
    task::{Poll, Waker},
};

use mio::{Interest, Token, event::Source};

use super::{HERE, Here, Reactor, check, lock};

/// What a socket is known to be ready for.
#[derive(Default)]
pub(super) struct Seat {
    pub(super) reading: Side,
    pub(super) writing: Side,
    /// Nothing more will be told of reading.
    pub(super) is_read_closed: bool,
}

/// One direction. At first it is tried: the system tells what changes, and nobody has told it what is.
#[derive(Default)]
pub(super) struct Side {
    is_blocked: bool,
    waiting: Option<Waker>,
}

impl Side {
    pub(super) fn open(&mut self) -> Option<Waker> {
        self.is_blocked = false;
        self.waiting.take()
    }

    /// And who waited before, to be dropped without the lock: that may drop a whole task.
    fn poll(&mut self, waker: &Waker) -> (Poll<()>, Option<Waker>) {
        if !self.is_blocked {
            return (Poll::Ready(()), None);
        }
        let is_kept = self.waiting.as_ref().is_some_and(|kept| kept.will_wake(waker));
        (Poll::Pending, if is_kept { None } else { self.waiting.replace(waker.clone()) })
    }
}

/// Where a socket belongs.
pub(crate) struct Place {
    reactor: Arc<Reactor>,
    token: Token,
    seat: Arc<Mutex<Seat>>,
}

impl Place {
    /// The place of a socket in the reactor of this thread: the one that it has, or a new one.
    pub(crate) fn here<'a>(place: &'a mut Option<Self>, socket: &mut impl Source) -> io::Result<&'a Self> {
        if place.as_ref().is_none_or(|place| !place.reactor.is_here()) {
            check()?;
            let former = place.take().map(|former| former.leave(socket));
            *place = Some(HERE.with(|here| Self::new(here, socket))?);
            // Who waited there waits here.
            former.into_iter().flatten().for_each(Waker::wake);
        }
        Ok(place.as_ref().expect("it was made if there was none"))
    }

    fn new(here: &Here, socket: &mut impl Source) -> io::Result<Self> {
        let registry = &here.poller()?.registry;
        let seat = Arc::default();
        let mut book = here.reactor.book();
        book.last += 1;
        let token = Token(book.last);
        registry.register(socket, token, Interest::READABLE | Interest::WRITABLE)?;
        book.seats.insert(token, Arc::clone(&seat));
        drop(book);
        Ok(Self { reactor: Arc::clone(&here.reactor), token, seat })
    }

    /// Takes the socket out again. Gives those who waited for it.
    pub(crate) fn leave(self, socket: &mut impl Source) -> Vec<Waker> {
        if let Some(poller) = self.reactor.poller.get() {
            // What fails here is closed next.
            drop(poller.registry.deregister(socket));
        }
        self.reactor.book().seats.remove(&self.token);
        let mut seat = lock(&self.seat);
        let Seat { reading, writing, .. } = &mut *seat;
        reading.waiting.take().into_iter().chain(writing.waiting.take()).collect()
    }

    /// Ready unless a read would block; then the waker is called when it would no longer.
    pub(crate) fn poll_readable(&self, waker: &Waker) -> Poll<()> {
        let (polled, _former) = lock(&self.seat).reading.poll(waker);
        polled
    }

    /// The same of a write.
    pub(crate) fn poll_writable(&self, waker: &Waker) -> Poll<()> {
        let (polled, _former) = lock(&self.seat).writing.poll(waker);
        polled
    }

    /// A read would block, until the system says that there is something.
    pub(crate) fn block_reading(&self) {
        lock(&self.seat).reading.is_blocked = true;
    }

    /// A read took all there was. Where nothing more will be told, it does not block: the next one brings the end.
    pub(crate) fn drained(&self) {
        let mut seat = lock(&self.seat);
        seat.reading.is_blocked = !seat.is_read_closed;
    }

    /// A write would block, until the system says that there is room.
    pub(crate) fn block_writing(&self) {
        lock(&self.seat).writing.is_blocked = true;
    }

    /// Whether it is that of another thread, and this one could have it.
    pub(crate) fn is_elsewhere(&self) -> bool {
        !self.reactor.is_here() && check().is_ok()
    }

    /// Whether a write would block, as far as is known.
    pub(crate) fn is_writing_blocked(&self) -> bool {
        lock(&self.seat).writing.is_blocked
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Place").field("token", &self.token).finish_non_exhaustive()
    }
}
