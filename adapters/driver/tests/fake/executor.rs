//! Whose turn is it?

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    task::{Context, Wake, Waker},
};

use steadfast::Timestamp;

use super::Fake;

pub(super) struct Task {
    name: &'static str,
    /// Taken out while it is polled.
    future: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    bell: Arc<Bell>,
    waker: Waker,
    count: Count,
}

/// How a task was polled.
#[derive(Clone, Copy, Debug, Default)]
pub struct Count {
    /// Because it was woken.
    pub polls: u64,
    /// Among them those in which nothing happened that could be seen.
    pub idle: u64,
    /// How often it woke itself.
    pub self_wakes: u64,
}

/// Says whether a task was woken, and by the waker that counts.
#[derive(Default)]
struct Bell {
    life: AtomicU64,
    rung: AtomicU64,
}

struct Ring {
    bell: Arc<Bell>,
    life: u64,
    fake: Fake,
}

impl Wake for Ring {
    fn wake(self: Arc<Self>) {
        if self.bell.life.load(SeqCst) == self.life {
            self.bell.rung.fetch_add(1, SeqCst);
            self.fake.stir();
        }
    }
}

impl Fake {
    /// A task that is polled from now on.
    pub fn spawn(&self, name: &'static str, future: impl Future<Output = ()> + Send + 'static) {
        let bell = Arc::new(Bell::default());
        bell.rung.store(1, SeqCst);
        let waker = self.waker(&bell);
        let mut state = self.lock();
        state.activity += 1;
        state.tasks.push(Task { name, future: Some(Box::pin(future)), bell, waker, count: Count::default() });
    }

    fn waker(&self, bell: &Arc<Bell>) -> Waker {
        Waker::from(Arc::new(Ring { bell: Arc::clone(bell), life: bell.life.load(SeqCst), fake: self.clone() }))
    }

    /// Polls whoever is woken, and sometimes others, and lets time pass when nobody is; until this time, or until nothing
    /// would ever happen again. Gives the names of those that still wait.
    pub fn run_until(&self, end: Timestamp) -> Vec<&'static str> {
        for _ in 0..2_000_000 {
            if let Some(index) = self.choose() {
                self.poll(index);
            } else {
                self.probe();
                if !self.pass(end) {
                    return self.lock().tasks.iter().map(|task| task.name).collect();
                }
            }
        }
        panic!("it does not come to rest");
    }

    /// How the last task of this name was polled.
    pub fn count(&self, name: &str) -> Count {
        self.lock().counts[name]
    }

    /// One of those that are woken, by lot; sometimes one that is not.
    fn choose(&self) -> Option<usize> {
        let mut state = self.lock();
        let woken: Vec<_> = (0..state.tasks.len()).filter(|at| state.tasks[*at].bell.rung.load(SeqCst) > 0).collect();
        let last = (woken.len() as u64).checked_sub(1)?;
        let all = state.tasks.len() as u64 - 1;
        let is_whim = state.rng.up_to(9) == 0;
        Some(if is_whim { state.rng.up_to(all) as usize } else { woken[state.rng.up_to(last) as usize] })
    }

    fn poll(&self, index: usize) {
        let mut state = self.lock();
        let is_strict = state.is_strict;
        let task = &mut state.tasks[index];
        let (mut future, bell) = (task.future.take().expect("one is polled at a time"), Arc::clone(&task.bell));
        let is_woken = bell.rung.swap(0, SeqCst) > 0;
        if is_strict {
            bell.life.fetch_add(1, SeqCst);
            task.waker = self.waker(&bell);
        }
        let (waker, before) = (task.waker.clone(), state.activity);
        drop(state);
        let result = future.as_mut().poll(&mut Context::from_waker(&waker));
        let has_ended = result.is_ready();
        // What it holds goes before anybody else is polled.
        let future = if has_ended {
            drop(future);
            None
        } else {
            Some(future)
        };
        let mut state = self.lock();
        let is_idle = state.activity == before;
        let task = &mut state.tasks[index];
        task.future = future;
        task.count.polls += u64::from(is_woken);
        task.count.idle += u64::from(is_woken && is_idle);
        task.count.self_wakes += bell.rung.load(SeqCst);
        let (name, count) = (task.name, task.count);
        state.counts.insert(name, count);
        if has_ended {
            let over = state.tasks.swap_remove(index);
            state.activity += 1;
            drop(state);
            drop(over);
        }
    }

    /// Nobody is woken, so nobody may have anything to do. Who has, was not told: its waker was lost. Not always looked at,
    /// for a look also leaves a waker.
    fn probe(&self) {
        if !self.once_in(4) {
            return;
        }
        let mut state = self.lock();
        let (names, before) = (state.tasks.iter().map(|task| task.name).collect::<Vec<_>>(), state.activity);
        state.is_probing = true;
        drop(state);
        for (index, name) in names.iter().enumerate() {
            self.poll(index);
            assert_eq!(self.lock().activity, before, "{name} had something to do, and nobody had woken it");
        }
        self.lock().is_probing = false;
    }

    /// Goes to the next time for which a timer is set.
    fn pass(&self, end: Timestamp) -> bool {
        let mut state = self.lock();
        let Some((at, _)) = state.timers.keys().next().copied().filter(|(at, _)| *at <= end) else { return false };
        state.now = at;
        let later = state.timers.split_off(&(at, u64::MAX));
        let due = std::mem::replace(&mut state.timers, later);
        drop(state);
        due.into_values().for_each(Waker::wake);
        true
    }
}
