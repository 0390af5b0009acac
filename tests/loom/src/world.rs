//! A world for a driver in a model: no time passes, and the peer answers at once.

use std::{
    collections::VecDeque,
    future::{Ready, ready},
    mem::take,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll, Waker},
};

use loom::{
    future::block_on,
    model,
    sync::{Mutex, MutexGuard},
    thread::{self, JoinHandle},
};
use steadfast::{Attempt, Cause, CloseCode, Frame, Handshake, Phase, StopCause, Text, Timestamp};
use steadfast_driver::{Builder, Client, Clock, Dial, Dialer, Driver, Events, Runtime, Sleep, Transport};

use crate::toy::Toy;

pub(crate) type Parts = (Client<Toy>, Events<Toy>, Driver<Toy, World, World>);

pub(crate) const START: Timestamp = Timestamp::from_millis(1_000_000);
/// A debug build needs more than a small stack.
const STACK: usize = 256 << 10;

/// Runs a scenario in every order with so many forced switches.
pub(crate) fn in_every_order(switches: usize, scenario: impl Fn() + Copy + Send + Sync + 'static) {
    let mut model = model::Builder::new();
    model.preemption_bound.get_or_insert(switches);
    model.max_branches = 100_000;
    let orders = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&orders);
    model.check(move || {
        counted.fetch_add(1, Relaxed);
        spawn(scenario).join().unwrap();
    });
    println!("{} orders", orders.load(Relaxed));
}

pub(crate) fn spawn<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    thread::Builder::new().stack_size(STACK).spawn(run).unwrap()
}

/// A thread that keeps a session going to its end.
pub(crate) fn drive(driver: Driver<Toy, World, World>) -> JoinHandle<StopCause> {
    spawn(|| block_on(driver))
}

/// Polls once, with nobody to be woken.
pub(crate) fn poll<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// One link, and the peer behind it, which answers what is asked.
#[derive(Clone, Default)]
pub(crate) struct World(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    fed: Vec<Frame>,
    flushed: u64,
    said: Vec<String>,
    coming: VecDeque<Frame>,
    goodbye: Option<CloseCode>,
    end: Option<Cause>,
    reader: Option<Waker>,
    armed: Option<Timestamp>,
}

impl World {
    pub(crate) fn builder(&self, acks: bool) -> Builder<Toy, Self, Self> {
        Builder::new(self.clone(), Ok(self.clone())).seed(7).protocol(Toy { acks })
    }

    /// A session that is online, and a driver that sleeps.
    pub(crate) fn online(&self, builder: Builder<Toy, Self, Self>) -> Parts {
        let (client, events, mut driver) = builder.build().unwrap();
        assert!(poll(&mut driver).is_pending());
        assert_eq!(client.phase(), Phase::Online);
        (client, events, driver)
    }

    /// The peer says this, at once.
    pub(crate) fn say<const N: usize>(&self, lines: [&str; N]) {
        let mut state = self.lock();
        state.coming.extend(lines.map(Frame::from));
        let reader = state.reader.take();
        drop(state);
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    /// What the peer was told since this was last asked.
    pub(crate) fn said(&self) -> Vec<String> {
        take(&mut self.lock().said)
    }

    /// For when the timer is set.
    pub(crate) fn armed(&self) -> Option<Timestamp> {
        self.lock().armed
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

/// What the peer says to this: of a topic it tells something at once.
fn answers(line: &str) -> Vec<Frame> {
    let words: Vec<_> = line.split(' ').collect();
    match words[..] {
        ["ask", op, ..] => vec![format!("answer {op} this").into()],
        ["sub", op, topic] => vec![format!("ok {op}").into(), format!("{topic}!m7 news").into()],
        ["unsub", op, ..] => vec![format!("ok {op}").into()],
        _ => Vec::new(),
    }
}

impl Clock for World {
    fn now(&self) -> Timestamp {
        START
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

    fn poll_due(&mut self, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}

impl Dialer for World {
    type Transport = Self;
    type Dial = Ready<Dial<Self>>;

    fn dial(&mut self, _: Attempt) -> Self::Dial {
        ready(Ok((self.clone(), Handshake::default())))
    }
}

impl Transport for World {
    fn feed(&mut self, frame: Frame) {
        self.lock().fed.push(frame);
    }

    fn close(&mut self, code: CloseCode, _: &str) {
        self.lock().goodbye = Some(code);
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        for frame in take(&mut state.fed) {
            let line = frame.as_str().unwrap_or_default();
            state.coming.extend(answers(line));
            state.said.push(line.to_owned());
            state.flushed += 1;
        }
        if let Some(code) = state.goodbye.take() {
            state.end = Some(Cause::Closed { code, reason: Text::default() });
        }
        let reader = state.reader.take();
        drop(state);
        reader.into_iter().for_each(Waker::wake);
        Poll::Ready(())
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, frames: &mut Vec<Frame>, most: usize) -> Poll<Result<(), Cause>> {
        let mut state = self.lock();
        let count = most.min(state.coming.len());
        frames.extend(state.coming.drain(..count));
        match state.end.clone() {
            Some(cause) if state.coming.is_empty() => Poll::Ready(Err(cause)),
            Some(_) | None if count > 0 => Poll::Ready(Ok(())),
            Some(_) | None => {
                state.reader = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    fn left(&self) -> u64 {
        self.lock().flushed
    }

    fn fed(&self) -> u64 {
        let state = self.lock();
        state.flushed + state.fed.len() as u64
    }
}
