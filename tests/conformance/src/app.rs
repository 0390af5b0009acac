//! This side: a session as an application has it.

use std::{future::Future, ops::Deref, sync::mpsc, time::Duration};

use futures_util::future::{AbortHandle, abortable};
use steadfast::{
    Change, Config, Error, Event, Frame, OpId, Outcome, Phase, Plain, Protocol, SendOptions, StopCause,
    protocol::json::Json,
};
use steadfast_driver::{Builder, Client, Dialer, Drain, Driver, Events, Item, Lagged, Native};

use crate::adapters::{Adapter, Start};

/// A session on an adapter: the handle, what happens, and the driver in the background.
pub(crate) struct App<'a, A, P: Protocol> {
    pub(crate) adapter: &'a A,
    pub(crate) client: Client<P>,
    pub(crate) events: Events<P>,
    pub(crate) driver: Running,
}

/// A driver in the background.
pub(crate) struct Running {
    abort: AbortHandle,
    over: mpsc::Receiver<StopCause>,
}

impl Running {
    /// Waits for its end; `None` if it was dropped, or panicked.
    pub(crate) fn over(&self) -> Option<StopCause> {
        self.over.recv().ok()
    }

    /// Drops it, wherever it is.
    pub(crate) fn cut(&self) {
        self.abort.abort();
        assert_eq!(self.over(), None);
    }
}

/// A driver as a task, and how to get hold of it.
pub(crate) fn task(
    driver: impl Future<Output = StopCause> + Send + 'static,
) -> (impl Future<Output = ()> + Send + 'static, Running) {
    let ((driver, abort), (told, over)) = (abortable(driver), mpsc::channel());
    let task = async move {
        if let Ok(cause) = driver.await {
            // Not everybody waits for it.
            let _ = told.send(cause);
        }
    };
    (task, Running { abort, over })
}

/// Comes back at once. On a busy machine the server may be late, and an attempt that is given up meanwhile would still wait
/// to be accepted by it: so none is.
pub(crate) fn quick() -> Config {
    let mut config = Config::default();
    config.connect_timeout = Duration::from_secs(3_600);
    config.retry.base = Duration::from_millis(10);
    config.retry.cap = Duration::from_millis(50);
    config.retry.floor = Duration::from_millis(1);
    config
}

/// As `quick`, with this changed.
pub(crate) fn tuned(change: impl FnOnce(&mut Config)) -> Config {
    let mut config = quick();
    change(&mut config);
    config
}

/// Never comes back by itself in the time of a scenario.
pub(crate) fn patient() -> Config {
    let mut config = Config::default();
    config.retry.base = Duration::from_secs(3_600);
    config.retry.cap = Duration::from_secs(3_600);
    config.retry.jitter = steadfast::Jitter::None;
    config
}

/// Long enough for everything that happens at all.
pub(crate) const AGES: Duration = Duration::from_secs(20);
/// Short, and yet long enough to be told from at once.
pub(crate) const MOMENT: Duration = Duration::from_millis(150);

/// A session of plain frames that comes back at once.
pub(crate) fn plain<'a, A: Adapter>(adapter: &'a A, url: &str) -> App<'a, A, Plain> {
    run(adapter, A::connect(url).config(quick()))
}

/// The same with these settings.
pub(crate) fn with<'a, A: Adapter>(adapter: &'a A, url: &str, config: Config) -> App<'a, A, Plain> {
    run(adapter, A::connect(url).config(config))
}

/// A session of the `json` protocol that comes back at once.
pub(crate) fn json<'a, A: Adapter>(adapter: &'a A, url: &str, protocol: Json) -> App<'a, A, Json> {
    run(adapter, json_builder::<A>(url, protocol))
}

pub(crate) fn json_builder<A: Adapter>(
    url: &str,
    protocol: Json,
) -> Builder<Json, Native<A::Net>, steadfast_driver::Tcp<A::Net>> {
    let builder: Start<A> = A::connect(url);
    builder.config(quick()).protocol(protocol)
}

/// Puts it together and runs it.
pub(crate) fn run<A, P, D>(adapter: &A, builder: Builder<P, Native<A::Net>, D>) -> App<'_, A, P>
where
    A: Adapter,
    P: Protocol,
    D: Dialer,
    Driver<P, Native<A::Net>, D>: Future<Output = StopCause> + Send + 'static,
{
    let (client, events, driver) = builder.build().expect("it fits together");
    let (task, driver) = task(driver);
    adapter.spawn(task);
    App { adapter, client, events, driver }
}

impl<A, P: Protocol> Deref for App<'_, A, P> {
    type Target = Client<P>;

    fn deref(&self) -> &Client<P> {
        &self.client
    }
}

impl<A: Adapter, P: Protocol> App<'_, A, P> {
    pub(crate) fn wait<F: Future>(&self, future: F) -> F::Output {
        self.adapter.wait(future)
    }

    /// The next thing that happens; `None` at the end.
    pub(crate) fn next(&mut self) -> Option<Item<P::Incoming, P::Topic>> {
        self.adapter.wait(self.events.next())
    }

    /// The first of what happens that this takes.
    pub(crate) fn find<T>(&mut self, mut take: impl FnMut(Item<P::Incoming, P::Topic>) -> Option<T>) -> T {
        loop {
            if let Some(found) = take(self.next().expect("the session goes on")) {
                return found;
            }
        }
    }

    /// Waits until it is in this phase.
    pub(crate) fn until(&mut self, phase: Phase) -> Box<Change> {
        self.find(|item| match item {
            Item::Event(Event::Phase(change)) if change.to == phase => Some(change),
            _ => None,
        })
    }

    pub(crate) fn online(&mut self) -> Box<Change> {
        self.until(Phase::Online)
    }

    /// Waits until it has given up.
    pub(crate) fn failed(&mut self) -> Box<Change> {
        self.until(Phase::Stopped(StopCause::Failed))
    }

    pub(crate) fn message(&mut self) -> P::Incoming {
        self.find(Item::into_message)
    }

    pub(crate) fn error(&mut self) -> Error {
        self.find(|item| match item {
            Item::Error(error) => Some(*error),
            _ => None,
        })
    }

    pub(crate) fn outcome(&mut self, wanted: OpId) -> Outcome {
        self.find(|item| match item {
            Item::Event(Event::Outcome { id, outcome, .. }) if id == wanted => Some(outcome),
            _ => None,
        })
    }

    pub(crate) fn lagged(&mut self) -> Lagged {
        self.find(|item| match item {
            Item::Lagged(lagged) => Some(lagged),
            _ => None,
        })
    }

    /// All that happens until there is nothing more to come.
    pub(crate) fn rest(&mut self) -> Vec<Item<P::Incoming, P::Topic>> {
        let mut rest = Vec::new();
        while let Some(item) = self.next() {
            rest.push(item);
        }
        rest
    }

    /// Sends it and waits for what becomes of it.
    pub(crate) fn sent(&self, message: impl Into<P::Message>, options: SendOptions) -> Outcome {
        let ticket = self.client.send_tracked(message, options).expect("it is accepted");
        self.wait(ticket)
    }

    /// Ends it, with time for what was accepted.
    pub(crate) fn close(&self) -> StopCause {
        self.wait(self.client.close(Drain::within(AGES)))
    }
}

impl<A: Adapter> App<'_, A, Plain> {
    /// The next message, which is a text.
    pub(crate) fn text(&mut self) -> String {
        let message: Frame = self.message();
        message.as_str().expect("a text").to_owned()
    }
}
