//! What does a thread sleep in, and what wakes it?
//!
//! Each thread has a reactor of its own: one that only waits for others parks, one that has sockets sleeps in the system's
//! poller. A socket and a timer belong to the reactor of the thread that polled them last.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    fmt, io,
    mem::replace,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    task::{Wake, Waker},
    thread::{self, Thread, park, park_timeout},
    time::{Duration, Instant},
};

use mio::{Events, Registry, Token};

mod place;

pub(crate) use place::Place;
use place::Seat;

thread_local! {
    static HERE: Here =
        Here { reactor: Arc::new(Reactor::new()), poller: RefCell::new(None), waits: Cell::new(0) };
}

/// What only the thread itself uses.
struct Here {
    reactor: Arc<Reactor>,
    /// Made for the first socket.
    poller: RefCell<Option<Poller>>,
    /// How many waits are under way, one within the other.
    waits: Cell<usize>,
}

struct Poller {
    poll: mio::Poll,
    events: Events,
}

/// What others use, too: to wake the thread, and to drop what belongs to it.
pub(crate) struct Reactor {
    thread: Thread,
    /// Whether the thread sleeps in its poller, or is about to: then it takes the bell to wake it.
    is_polling: AtomicBool,
    poller: OnceLock<Handle>,
    book: Mutex<Book>,
}

/// The poller, seen from outside.
struct Handle {
    registry: Registry,
    bell: mio::Waker,
}

/// Who is to be told of what.
#[derive(Default)]
struct Book {
    last: usize,
    seats: BTreeMap<Token, Arc<Mutex<Seat>>>,
    timers: BTreeMap<(Instant, usize), Waker>,
}

/// So many of the system's events are taken at once; the rest at once after them.
const EVENTS: usize = 256;
/// What is polled by another executor would never be woken.
const NOBODY_WAITS: &str = "sockets of steadfast-blocking are looked after by its spawn, run, run_all, wait and recv alone: \
                            poll the driver with one of these, or take the adapter of the executor that polls it";
/// No socket has it: they are counted from one.
const BELL: Token = Token(0);

impl Reactor {
    fn new() -> Self {
        Self {
            thread: thread::current(),
            is_polling: AtomicBool::new(false),
            poller: OnceLock::new(),
            book: Mutex::default(),
        }
    }

    /// That of this thread.
    pub(crate) fn here() -> Arc<Self> {
        HERE.with(|here| Arc::clone(&here.reactor))
    }

    /// Whether it is that of this thread. One that ends has none any more.
    fn is_here(self: &Arc<Self>) -> bool {
        HERE.try_with(|here| Arc::ptr_eq(&here.reactor, self)).unwrap_or(false)
    }

    /// Wakes the thread, whatever it sleeps in.
    fn wake(&self) {
        let is_polling = self.is_polling.load(SeqCst);
        match self.poller.get().filter(|_| is_polling) {
            // A counter that can be written to: there is nothing else that could go wrong.
            Some(poller) => drop(poller.bell.wake()),
            None => self.thread.unpark(),
        }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        lock(&self.book)
    }
}

/// That somebody looks after the sockets of this thread.
///
/// # Errors
///
/// What to do, because nobody does.
pub(crate) fn check() -> io::Result<()> {
    HERE.try_with(Here::check).unwrap_or_else(|_| Err(io::Error::other(NOBODY_WAITS)))
}

impl Here {
    fn check(&self) -> io::Result<()> {
        if self.waits.get() == 0 { Err(io::Error::other(NOBODY_WAITS)) } else { Ok(()) }
    }

    /// Makes the poller, if there is none yet.
    fn poller(&self) -> io::Result<&Handle> {
        if let Some(handle) = self.reactor.poller.get() {
            return Ok(handle);
        }
        let poll = mio::Poll::new()?;
        let handle = Handle { registry: poll.registry().try_clone()?, bell: mio::Waker::new(poll.registry(), BELL)? };
        *self.poller.borrow_mut() = Some(Poller { poll, events: Events::with_capacity(EVENTS) });
        Ok(self.reactor.poller.get_or_init(|| handle))
    }

    /// Sleeps until the signal is given, something happens to a socket, a timer is over, or until then. Tells whom it concerns.
    fn sleep(&self, signal: &Signal, until: Option<Instant>) {
        let until = self.reactor.book().timers.keys().map(|(at, _)| *at).next().into_iter().chain(until).min();
        let timeout = until.map(|until| until.saturating_duration_since(Instant::now()));
        match self.poller.borrow_mut().as_mut() {
            Some(poller) => {
                self.reactor.is_polling.store(true, SeqCst);
                // Who gave the signal before that did not ring.
                let timeout = if signal.is_given() { Some(Duration::ZERO) } else { timeout };
                // It fails when a system signal interrupts it, and then nothing has happened.
                if poller.poll.poll(&mut poller.events, timeout).is_err() {
                    poller.events.clear();
                }
                self.reactor.is_polling.store(false, SeqCst);
            }
            // The token of an earlier wake may be used up; this says whether there was one.
            None if signal.is_given() => {}
            None => timeout.map_or_else(park, park_timeout),
        }
        // Who is woken may use the reactor.
        self.woken().into_iter().for_each(Waker::wake);
    }

    fn woken(&self) -> Vec<Waker> {
        let (mut woken, now) = (Vec::new(), Instant::now());
        let mut book = self.reactor.book();
        while let Some(timer) = book.timers.first_entry().filter(|timer| timer.key().0 <= now) {
            woken.push(timer.remove());
        }
        let poller = self.poller.borrow();
        for event in poller.iter().flat_map(|poller| &poller.events) {
            if let Some(seat) = book.seats.get(&event.token()) {
                let mut seat = lock(seat);
                // What is over stays so: the next read or write says how.
                seat.is_read_closed |= event.is_read_closed() || event.is_error();
                if event.is_readable() || seat.is_read_closed {
                    woken.extend(seat.reading.open());
                }
                if event.is_writable() || event.is_write_closed() || event.is_error() {
                    woken.extend(seat.writing.open());
                }
            }
        }
        woken
    }
}

/// Wakes the one thread that waits.
struct Signal {
    is_given: AtomicBool,
    reactor: Arc<Reactor>,
}

impl Signal {
    fn is_given(&self) -> bool {
        self.is_given.load(SeqCst)
    }
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.is_given.swap(true, SeqCst) {
            self.reactor.wake();
        }
    }
}

/// A wait of this thread. While there is one, somebody looks after what belongs to the thread.
pub(crate) struct Waiting(Arc<Signal>);

impl Waiting {
    pub(crate) fn begin() -> Self {
        HERE.with(|here| here.waits.set(here.waits.get() + 1));
        Self(Arc::new(Signal { is_given: AtomicBool::new(false), reactor: Reactor::here() }))
    }

    /// What ends it.
    pub(crate) fn waker(&self) -> Waker {
        Arc::clone(&self.0).into()
    }

    /// Sleeps until the waker is called, or until then, and meanwhile looks after what belongs to this thread: once at least, so
    /// that neither who is always woken nor who has no time to wait keeps it from that. `false` if it was late already.
    pub(crate) fn sleep(&self, until: Option<Instant>) -> bool {
        loop {
            let is_late = until.is_some_and(|until| until <= Instant::now());
            HERE.with(|here| here.sleep(&self.0, until));
            if is_late {
                return false;
            }
            if self.0.is_given.swap(false, SeqCst) {
                return true;
            }
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        HERE.with(|here| here.waits.set(here.waits.get() - 1));
    }
}

/// A timer that waits in the reactor of a thread.
pub(crate) struct Booking {
    reactor: Arc<Reactor>,
    key: (Instant, usize),
}

impl Booking {
    /// The waker is called at this time, by the thread that it is now.
    pub(crate) fn here(booking: &mut Option<Self>, at: Instant, waker: &Waker) {
        if let Some(present) = booking.as_ref().filter(|present| present.key.0 == at && present.reactor.is_here()) {
            let mut book = present.reactor.book();
            if let Some(kept) = book.timers.get_mut(&present.key) {
                let former = replace(kept, waker.clone());
                drop(book);
                return drop(former);
            }
        }
        let reactor = Reactor::here();
        let mut book = reactor.book();
        book.last += 1;
        let key = (at, book.last);
        book.timers.insert(key, waker.clone());
        drop(book);
        *booking = Some(Self { reactor, key });
    }
}

impl Drop for Booking {
    fn drop(&mut self) {
        let former = self.reactor.book().timers.remove(&self.key);
        drop(former);
    }
}

/// Whoever panicked with it left nothing half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Booking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Booking").field("at", &self.key.0).finish_non_exhaustive()
    }
}
