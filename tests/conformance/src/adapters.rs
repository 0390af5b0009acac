//! The adapters, behind one small interface.

use std::{
    future::Future,
    mem::take,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
};

use async_std::task::{self, JoinHandle as Task};
use futures_util::future::{AbortHandle, abortable};
use smol::{
    Executor,
    channel::{Receiver, Sender, bounded},
};
use steadfast::Plain;
use steadfast_blocking::{Wait, run_all};
use steadfast_driver::{Builder, Dialer, Native, Net, Tcp};

/// What a session is built with on this adapter.
pub(crate) type Start<A> = Builder<Plain, Native<<A as Adapter>::Net>, Tcp<<A as Adapter>::Net>>;

/// A runtime of an adapter's: what a program on it does with a session.
pub(crate) trait Adapter: Sized + Send + Sync + 'static {
    const NAME: &'static str;
    type Net: Net<Countdown: Send>;

    fn start() -> Self;
    /// Runs this in the background: a driver, most of the time.
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static);
    /// Waits on this thread.
    fn wait<F: Future>(&self, future: F) -> F::Output;
    /// Ends all that was spawned, wherever it is, and waits for that.
    fn shut_down(self);
    fn connect(url: &str) -> Start<Self>;
    fn over<D: Dialer>(dialer: D) -> Builder<Plain, Native<Self::Net>, D>;

    /// The same for many drivers at once.
    fn spawn_all(&self, tasks: Vec<impl Future<Output = ()> + Send + 'static>) {
        tasks.into_iter().for_each(|task| self.spawn(task));
    }
}

/// A runtime of its own.
pub(crate) struct Tokio(tokio::runtime::Runtime);

impl Adapter for Tokio {
    const NAME: &'static str = "tokio";
    type Net = steadfast_tokio::Net;

    fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        Self(runtime.expect("a runtime"))
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        drop(self.0.spawn(task));
    }

    fn wait<F: Future>(&self, future: F) -> F::Output {
        self.0.block_on(future)
    }

    fn shut_down(self) {
        drop(self.0);
    }

    fn connect(url: &str) -> Start<Self> {
        steadfast_tokio::connect(url)
    }

    fn over<D: Dialer>(dialer: D) -> Builder<Plain, Native<Self::Net>, D> {
        steadfast_tokio::over(dialer)
    }
}

/// An executor of its own, and the thread that runs it.
pub(crate) struct Smol {
    executor: Arc<Executor<'static>>,
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Adapter for Smol {
    const NAME: &'static str = "smol";
    type Net = steadfast_smol::Net;

    fn start() -> Self {
        let executor = Arc::new(Executor::new());
        let (stop, stopped) = bounded(1);
        let thread = thread::spawn({
            let executor = Arc::clone(&executor);
            move || run(&executor, &stopped)
        });
        Self { executor, stop, thread }
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.executor.spawn(task).detach();
    }

    fn wait<F: Future>(&self, future: F) -> F::Output {
        smol::block_on(future)
    }

    fn shut_down(self) {
        drop(self.stop);
        self.thread.join().expect("it ends by itself");
        drop(self.executor);
    }

    fn connect(url: &str) -> Start<Self> {
        steadfast_smol::connect(url)
    }

    fn over<D: Dialer>(dialer: D) -> Builder<Plain, Native<Self::Net>, D> {
        steadfast_smol::over(dialer)
    }
}

/// As smol's own threads do: a task that panics is the end of that task.
fn run(executor: &Executor<'_>, stopped: &Receiver<()>) {
    while catch_unwind(AssertUnwindSafe(|| smol::block_on(executor.run(stopped.recv())))).is_err() {}
}

/// It has one runtime for all, which never ends; so its tasks are cancelled.
pub(crate) struct AsyncStd(Mutex<Vec<Task<()>>>);

impl Adapter for AsyncStd {
    const NAME: &'static str = "async-std";
    type Net = steadfast_async_std::Net;

    fn start() -> Self {
        Self(Mutex::default())
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(task::spawn(task));
    }

    fn wait<F: Future>(&self, future: F) -> F::Output {
        task::block_on(future)
    }

    fn shut_down(self) {
        for task in take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)) {
            self.wait(task.cancel());
        }
    }

    fn connect(url: &str) -> Start<Self> {
        steadfast_async_std::connect(url)
    }

    fn over<D: Dialer>(dialer: D) -> Builder<Plain, Native<Self::Net>, D> {
        steadfast_async_std::over(dialer)
    }
}

/// A thread for each; nothing ends a thread from outside, so what it runs can be called off.
pub(crate) struct Blocking(Mutex<Vec<(Vec<AbortHandle>, JoinHandle<()>)>>);

impl Adapter for Blocking {
    const NAME: &'static str = "blocking";
    type Net = steadfast_blocking::Net;

    fn start() -> Self {
        Self(Mutex::default())
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let (task, abort) = abortable(task);
        let thread = steadfast_blocking::spawn(async { task.await.unwrap_or_default() }).expect("a thread");
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((vec![abort], thread));
    }

    /// One thread for all of them.
    fn spawn_all(&self, tasks: Vec<impl Future<Output = ()> + Send + 'static>) {
        let (tasks, aborts): (Vec<_>, _) = tasks.into_iter().map(abortable).unzip();
        let thread = thread::spawn(|| drop(run_all(tasks)));
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((aborts, thread));
    }

    fn wait<F: Future>(&self, future: F) -> F::Output {
        future.wait()
    }

    fn shut_down(self) {
        for (aborts, thread) in take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)) {
            aborts.iter().for_each(AbortHandle::abort);
            drop(thread.join());
        }
    }

    fn connect(url: &str) -> Start<Self> {
        steadfast_blocking::connect(url)
    }

    fn over<D: Dialer>(dialer: D) -> Builder<Plain, Native<Self::Net>, D> {
        steadfast_blocking::over(dialer)
    }
}
