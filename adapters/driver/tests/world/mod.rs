//! A world for a driver: a clock that stands still until it is moved, a timer on it, and links whose other
//! end is the test. Wakers are called as a runtime would call them, and counted.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its part of it")]
#![allow(clippy::unwrap_used, reason = "tests")]

pub mod toy;

use std::{
    collections::VecDeque,
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use steadfast::{Attempt, Cause, CloseCode, Frame, Handshake, Plain, Protocol, Secret, StopCause, Timestamp};
use steadfast_driver::{Builder, Client, Clock, Dial, Dialer, Driver, Events, Item, Runtime, Sleep, Transport};

/// The start of the world.
pub const START: Timestamp = Timestamp::from_millis(1_000_000);

#[derive(Clone, Default)]
pub struct World(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    passed: Duration,
    /// How much passes with each reading of the clock.
    tick: Duration,
    readings: usize,
    armed: Option<Timestamp>,
    /// The timer never fires, as on a machine that is too busy.
    is_late: bool,
    /// Done once when the driver polls its timer, which is the last thing before it sleeps.
    before_sleep: Option<Box<dyn FnOnce() + Send>>,
    /// Done once when the driver has a frame for a link.
    before_feed: Option<Box<dyn FnOnce() + Send>>,
    sleeper: Option<Waker>,
    dials: Vec<Attempt>,
    /// What comes of the attempts, in order.
    answers: VecDeque<Result<(), Cause>>,
    dialer: Option<Waker>,
    links: Vec<Line>,
    /// What lies in the receive buffer of each new link, and the end of the link behind it.
    welcome: Option<(Vec<Frame>, Cause)>,
    /// Whether links take bytes.
    is_blocked: bool,
}

/// The wire of one link.
#[derive(Default)]
struct Line {
    coming: VecDeque<Frame>,
    end: Option<Cause>,
    fed: Vec<Frame>,
    left: usize,
    closing: Option<(CloseCode, String)>,
    closed: Option<(CloseCode, String)>,
    was_blocked: bool,
    moved: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
    reads: usize,
}

impl World {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn builder(&self) -> Builder<Plain, Self, Self> {
        Builder::new(self.clone(), Ok(self.clone())).seed(7)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Lets time pass and fires the timer if it is due.
    pub fn pass(&self, time: Duration) {
        let mut state = self.lock();
        state.passed += time;
        let now = START.after(state.passed).unwrap();
        let due = state.armed.is_some_and(|at| at <= now) && !state.is_late;
        let waker = if due { state.sleeper.take() } else { None };
        drop(state);
        wake(waker);
    }

    /// From now on so much time passes with each reading of the clock.
    pub fn tick(&self, tick: Duration) {
        self.lock().tick = tick;
    }

    /// Goes to the time for which the timer is armed.
    pub fn pass_to_timer(&self) {
        let now = self.time();
        let at = self.armed().expect("a timer is armed");
        self.pass(at.since(now));
    }

    /// From now on the timer never fires.
    pub fn delay_timer(&self) {
        self.lock().is_late = true;
    }

    /// Does this once, when the driver is about to sleep.
    pub fn before_sleep(&self, hook: impl FnOnce() + Send + 'static) {
        self.lock().before_sleep = Some(Box::new(hook));
    }

    /// Does this once, when the driver has a frame for a link: it performs what the session has said, and has told nobody.
    pub fn before_feed(&self, hook: impl FnOnce() + Send + 'static) {
        self.lock().before_feed = Some(Box::new(hook));
    }

    pub fn armed(&self) -> Option<Timestamp> {
        self.lock().armed
    }

    pub fn time(&self) -> Timestamp {
        START.after(self.lock().passed).unwrap()
    }

    /// How often the clock was read.
    pub fn readings(&self) -> usize {
        self.lock().readings
    }

    /// The attempts so far.
    pub fn dials(&self) -> usize {
        self.lock().dials.len()
    }

    /// What they had to show.
    pub fn credentials(&self) -> Vec<Option<Secret>> {
        self.lock().dials.iter().map(|attempt| attempt.credential.clone()).collect()
    }

    /// Where they went; nowhere in particular if nothing was said.
    pub fn endpoints(&self) -> Vec<String> {
        let endpoint = |attempt: &Attempt| attempt.endpoint.as_ref().map(ToString::to_string);
        self.lock().dials.iter().map(|attempt| endpoint(attempt).unwrap_or_default()).collect()
    }

    /// The next attempt succeeds.
    pub fn accept(&self) {
        self.answer(Ok(()));
    }

    /// The next attempt fails.
    pub fn refuse(&self, cause: Cause) {
        self.answer(Err(cause));
    }

    fn answer(&self, answer: Result<(), Cause>) {
        let mut state = self.lock();
        state.answers.push_back(answer);
        let waker = state.dialer.take();
        drop(state);
        wake(waker);
    }

    /// From now on the peer says all this on each new link, and leaves.
    pub fn welcome(&self, frames: impl IntoIterator<Item = Frame>, end: Cause) {
        self.lock().welcome = Some((frames.into_iter().collect(), end));
    }

    /// The peer says something on the newest link.
    pub fn say(&self, frame: impl Into<Frame>) {
        self.say_all([frame.into()]);
    }

    /// The peer says all this at once.
    pub fn say_all(&self, frames: impl IntoIterator<Item = Frame>) {
        let mut state = self.lock();
        let line = state.links.last_mut().unwrap();
        line.coming.extend(frames);
        let waker = line.reader.take();
        drop(state);
        wake(waker);
    }

    /// Takes the memory for so many frames in advance.
    pub fn reserve(&self, frames: usize) {
        let mut state = self.lock();
        let line = state.links.last_mut().unwrap();
        line.fed.reserve(frames);
        line.coming.reserve(frames);
    }

    /// The newest link ends.
    pub fn end(&self, cause: Cause) {
        let mut state = self.lock();
        let line = state.links.last_mut().unwrap();
        line.end = Some(cause);
        let waker = line.reader.take();
        drop(state);
        wake(waker);
    }

    /// From now on nothing can be written, or all can.
    pub fn block(&self, is_blocked: bool) {
        let mut state = self.lock();
        state.is_blocked = is_blocked;
        let writers: Vec<_> = state.links.iter_mut().filter_map(|line| line.writer.take()).collect();
        drop(state);
        writers.into_iter().for_each(Waker::wake);
    }

    /// How many links there were.
    pub fn links(&self) -> usize {
        self.lock().links.len()
    }

    /// What has left on link `index`, as text.
    pub fn left(&self, index: usize) -> Vec<String> {
        let state = self.lock();
        let line = &state.links[index];
        line.fed[..line.left].iter().filter_map(|frame| frame.as_str().map(str::to_owned)).collect()
    }

    /// The goodbye that has left on link `index`.
    pub fn closed(&self, index: usize) -> Option<(CloseCode, String)> {
        self.lock().links[index].closed.clone()
    }

    /// How often the newest link was read.
    pub fn reads(&self) -> usize {
        self.lock().links.last().unwrap().reads
    }

    /// How many frames of the newest link nobody has read.
    pub fn unread(&self) -> usize {
        self.lock().links.last().unwrap().coming.len()
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

impl Clock for World {
    fn now(&self) -> Timestamp {
        let now = self.time();
        let mut state = self.lock();
        state.readings += 1;
        let tick = state.tick;
        state.passed += tick;
        now
    }
}

impl Runtime for World {
    type Sleep = Self;

    fn sleep(&self) -> Self {
        self.clone()
    }
}

impl Sleep for World {
    fn arm(&mut self, at: Timestamp) {
        self.lock().armed = Some(at);
    }

    fn poll_due(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let hook = self.lock().before_sleep.take();
        if let Some(hook) = hook {
            hook();
        }
        let now = self.time();
        let mut state = self.lock();
        if state.armed.expect("polled only when armed") <= now && !state.is_late {
            return Poll::Ready(());
        }
        state.sleeper = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Dialer for World {
    type Transport = End;
    type Dial = Way;

    fn dial(&mut self, attempt: Attempt) -> Way {
        self.lock().dials.push(attempt);
        Way(self.clone())
    }
}

/// An attempt.
pub struct Way(World);

impl Future for Way {
    type Output = Dial<End>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.0.lock();
        match state.answers.pop_front() {
            None => {
                state.dialer = Some(cx.waker().clone());
                Poll::Pending
            }
            Some(Err(cause)) => Poll::Ready(Err(cause)),
            Some(Ok(())) => {
                let (coming, end) =
                    state.welcome.clone().map_or_else(Default::default, |(frames, end)| (frames, Some(end)));
                state.links.push(Line { coming: coming.into(), end, ..Line::default() });
                let index = state.links.len() - 1;
                Poll::Ready(Ok((End { world: self.0.clone(), index }, Handshake::default())))
            }
        }
    }
}

/// The driver's end of a link.
pub struct End {
    world: World,
    index: usize,
}

impl End {
    fn line<T>(&self, look: impl FnOnce(&mut Line) -> T) -> T {
        look(&mut self.world.lock().links[self.index])
    }
}

impl Transport for End {
    fn feed(&mut self, frame: Frame) {
        let hook = self.world.lock().before_feed.take();
        if let Some(hook) = hook {
            hook();
        }
        self.line(|line| line.fed.push(frame));
    }

    fn close(&mut self, code: CloseCode, reason: &str) {
        self.line(|line| line.closing = Some((code, reason.to_owned())));
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let is_blocked = self.world.lock().is_blocked;
        self.line(|line| {
            // A runtime may have one place for both, and may wake the one that makes room.
            assert!(line.reader.as_ref().is_none_or(|reader| reader.will_wake(cx.waker())), "a link has one waker");
            if is_blocked {
                line.writer = Some(cx.waker().clone());
                line.was_blocked = true;
                return Poll::Pending;
            }
            line.moved |= std::mem::take(&mut line.was_blocked);
            line.left = line.fed.len();
            line.closed = line.closed.take().or(line.closing.take());
            Poll::Ready(())
        })
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, frames: &mut Vec<Frame>, most: usize) -> Poll<Result<(), Cause>> {
        self.line(|line| {
            line.reads += 1;
            let count = most.min(line.coming.len());
            frames.extend(line.coming.drain(..count));
            match line.end.clone() {
                Some(cause) if line.coming.is_empty() => Poll::Ready(Err(cause)),
                Some(_) | None if count > 0 => Poll::Ready(Ok(())),
                Some(_) | None => {
                    line.reader = Some(cx.waker().clone());
                    Poll::Pending
                }
            }
        })
    }

    fn left(&self) -> u64 {
        self.line(|line| line.left as u64)
    }

    fn fed(&self) -> u64 {
        self.line(|line| line.fed.len() as u64)
    }

    fn take_progress(&mut self) -> bool {
        self.line(|line| std::mem::take(&mut line.moved))
    }
}

/// Counts how often it was woken.
#[derive(Default)]
pub struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

impl Wakes {
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// How often since it was last asked.
    pub fn take(&self) -> usize {
        self.0.swap(0, SeqCst)
    }
}

/// A future and the count of its wake-ups.
pub struct Task<F> {
    pub future: Pin<Box<F>>,
    pub wakes: Arc<Wakes>,
}

impl<F: Future> Task<F> {
    pub fn new(future: F) -> Self {
        Self { future: Box::pin(future), wakes: Wakes::new() }
    }

    pub fn poll(&mut self) -> Poll<F::Output> {
        let waker = Waker::from(Arc::clone(&self.wakes));
        self.wakes.take();
        self.future.as_mut().poll(&mut Context::from_waker(&waker))
    }

    /// Polls for as long as it is woken.
    pub fn run(&mut self) -> Poll<F::Output> {
        for _ in 0..1_000 {
            if let Poll::Ready(output) = self.poll() {
                return Poll::Ready(output);
            }
            if self.wakes.0.load(SeqCst) == 0 {
                return Poll::Pending;
            }
        }
        panic!("it wakes itself for ever");
    }
}

pub type Parts<P = Plain> = (Client<P>, Events<P>, Task<Driver<P, World, World>>);

/// Puts a session together.
pub fn build<P: Protocol>(builder: Builder<P, World, World>) -> Parts<P> {
    let (client, events, driver) = builder.build().expect("settings that fit");
    (client, events, Task::new(driver))
}

/// A session that is online, its driver parked, its events taken.
pub fn online(world: &World) -> Parts {
    online_with(world, world.builder())
}

pub fn online_with<P: Protocol>(world: &World, builder: Builder<P, World, World>) -> Parts<P> {
    let (client, mut events, mut driver) = build(builder);
    world.accept();
    assert!(driver.run().is_pending());
    assert_eq!(client.phase(), steadfast::Phase::Online);
    take(&mut events);
    (client, events, driver)
}

/// All items that are there.
pub fn take<P: Protocol>(events: &mut Events<P>) -> Vec<Item<P::Incoming, P::Topic>> {
    let mut items = Vec::new();
    while let Poll::Ready(Some(item)) = events.poll_next(&mut Context::from_waker(Waker::noop())) {
        items.push(item);
    }
    items
}

/// The texts among all messages that are there.
pub fn texts(events: &mut Events<Plain>) -> Vec<String> {
    take(events).into_iter().filter_map(|item| item.into_message()?.as_str().map(str::to_owned)).collect()
}

/// Why it ended, if it did.
pub fn ended(poll: Poll<StopCause>) -> StopCause {
    match poll {
        Poll::Ready(cause) => cause,
        Poll::Pending => panic!("the driver still runs"),
    }
}
