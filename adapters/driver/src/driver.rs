//! The one async loop.
//!
//! Read [`Driver::round`] first: five steps, in this order, until nothing happens any more.

mod answering;
mod ending;
mod sorting;

use std::{
    fmt,
    future::Future,
    mem::{forget, replace, take},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use steadfast::{Action, Attempt, Error, Event, Frame, Input, LinkId, Machine, Protocol, StopCause, Text, Timestamp};

use sorting::{Sorting, with_trays};

use crate::{
    Dialer, Item, Runtime, Sleep,
    host::{Ask, Asking, Classifier, Host},
    inbox::Brought,
    links::Link,
    lives::Lives,
    log,
    shared::{ActionOf, Shared, Whereabouts},
    weights::Weights,
};

/// Keeps a session going: a future to be spawned, or polled by hand.
///
/// It is ready when the session has stopped for good: after [`close`](crate::Client::close), or when it has
/// stopped and no [`Client`](crate::Client) is left that could start it again. It says why.
///
/// Dropping it ends everything in order: links are cut, each message has its outcome, tickets and requests resolve,
/// events and subscriptions end, and what is sent afterwards is refused.
///
/// If the protocol panics, the session cannot be asked any more: tickets and requests end `InDoubt`, and the last event, once
/// there was any other change of phase, is one to `Stopped(Failed)`.
#[must_use = "a driver does nothing unless it is spawned or polled"]
pub struct Driver<P: Protocol, R: Runtime, D: Dialer> {
    shared: Arc<Shared<P>>,
    sleep: R::Sleep,
    dialer: D,
    classifier: Classifier,
    asking: Asking,
    /// One, most of the time; two while one of them says goodbye.
    links: Vec<Link<D>>,
    /// What the session said, taken out from under the lock.
    actions: Vec<ActionOf<P>>,
    /// Messages that have ended, likewise.
    dead: Vec<P::Message>,
    weights: Weights,
    lives: Lives,
    brought: Brought<P::Incoming, P::Topic>,
    /// What is to be sorted for subscribers first.
    sorting: Sorting<P::Incoming, P::Topic>,
    /// Those to wake outside the lock.
    woken: Vec<Waker>,
    deadline: Option<Timestamp>,
    armed: Option<Timestamp>,
    /// The waker of the last parking, to spare a clone.
    waker: Option<Waker>,
    /// Whether somebody had a ticket, or waited for room, when the actions were taken.
    is_awaited: bool,
    /// Whether a timer was due since the last parking.
    is_quiet: bool,
    over: Option<StopCause>,
}

/// A poll does so many rounds at most, then it lets others run.
const ROUNDS: usize = 64;
/// A round reads so many frames at most, so that it answers pings and flushes in between.
const FRAMES: usize = 512;

enum Round {
    Again,
    Parked,
    Over(StopCause),
}

impl<P: Protocol, R: Runtime, D: Dialer> Driver<P, R, D> {
    pub(crate) fn new(shared: Arc<Shared<P>>, sleep: R::Sleep, dialer: D, host: Host) -> Self {
        let Host { classifier, provider } = host;
        Self {
            shared,
            sleep,
            dialer,
            classifier,
            asking: Asking::new(provider),
            links: Vec::new(),
            actions: Vec::new(),
            dead: Vec::new(),
            weights: Weights::default(),
            lives: Lives::default(),
            brought: Brought::default(),
            sorting: Sorting::default(),
            woken: Vec::new(),
            deadline: None,
            armed: None,
            waker: None,
            is_awaited: false,
            is_quiet: false,
            over: None,
        }
    }

    fn round(&mut self, cx: &mut Context<'_>) -> Round {
        if self.turn().is_none() {
            return self.end(StopCause::Failed);
        }
        self.perform();
        self.deliver();
        self.poll_links(cx);
        self.asking.poll(cx);
        let has_news = self.asking.has_news() || self.links.iter().any(Link::has_news);
        if has_news { Round::Again } else { self.park(cx) }
    }

    /// Under the lock: tells the session what the links have to report, wakes it if its deadline is due, and
    /// takes all that it wants done. `None` if a turn has panicked.
    fn turn(&mut self) -> Option<()> {
        let is_told = self.lives.ask();
        let mut core = self.shared.lock()?;
        let now = self.shared.now();
        let former = replace(&mut core.driver, Whereabouts::Awake(now));
        if matches!(former, Whereabouts::Unpolled) {
            core.start(now);
        }
        if let Some(answer) = self.asking.take_news() {
            core.handle(now, Input::Command(answer));
        }
        for link in &mut self.links {
            link.report(now, &mut core, &mut self.weights);
        }
        if core.session.next_deadline().is_some_and(|at| at <= now) {
            core.handle(now, Input::Wake);
            self.is_quiet = true;
        }
        core.take(&mut self.actions, &mut self.dead);
        if is_told {
            self.lives.look(&core.session);
        }
        self.deadline = core.session.next_deadline();
        self.is_awaited = core.is_awaited();
        self.sorting.begin(core.subscribers, &mut core.joins);
        drop(core);
        self.dead.clear();
        if let Whereabouts::Parked(waker) = former {
            self.waker = Some(waker);
        }
        let asking = &mut self.asking;
        self.links.retain(|link| {
            if link.is_over() {
                asking.void(link.id);
            }
            !link.is_over()
        });
        Some(())
    }

    /// Outside the lock: does what the session wants. What is for a link that is gone is thrown away.
    ///
    /// Nearly all actions carry a message, and those are emptied where they lie: taken out whole, an action is copied
    /// in other pieces than it is read in, and a processor waits for that as long as for a lock.
    fn perform(&mut self) {
        let mut actions = take(&mut self.actions);
        for (index, action) in actions.iter_mut().enumerate() {
            if self.lives.is_told() {
                self.detail(action);
            }
            if let Action::Send { link, frame, secret: _ } = action {
                let frame = replace(frame, Frame::Text(Text::default()));
                self.feed(*link, frame);
            } else if let Action::Emit(event @ (Event::Message { .. } | Event::Snapshot { .. })) = action {
                let weight = self.weights.of(index);
                if self.sorting.is_needed {
                    self.sorting.message(index, replace(event, Event::Room), weight);
                } else {
                    self.brought.message(replace(event, Event::Room), weight);
                }
            } else {
                self.perform_rare(index, replace(action, Action::FlushQueue(LinkId(0))));
            }
        }
        // Nothing is left in them to be dropped. To look for it in each would cost more than all the rest here.
        actions.drain(..).for_each(forget);
        self.weights.clear();
        self.actions = actions;
    }

    fn perform_rare(&mut self, index: usize, action: ActionOf<P>) {
        match action {
            Action::Connect(attempt) => self.connect(*attempt),
            Action::Send { link, frame, secret: _ } => self.feed(link, frame),
            Action::FlushQueue(link) => self.with(link, Link::flush),
            Action::Close { link, code, reason } => {
                self.asking.void(link);
                self.with(link, |link| link.close(code, reason.as_str()));
            }
            Action::Abort(gone) => {
                self.asking.void(gone);
                self.links.retain(|link| link.id != gone);
            }
            Action::AskCredential { ask, link, why } => self.asking.ask(ask, Ask { link, why }),
            // An announcement: the session dials by itself.
            Action::ReconnectAfter { at, attempt, error } => log::reconnect_after(at, attempt, error),
            Action::EmitError(error) => self.emit_error(index, error),
            Action::Emit(event) => {
                log::event(&event);
                self.other(index, Item::Event(event));
            }
        }
    }

    fn connect(&mut self, attempt: Attempt) {
        log::connect(&attempt);
        let (id, number) = (attempt.link, attempt.attempt);
        let dial = self.dialer.dial(attempt);
        // There is one, most of the time, and a link is large; a vector would make room for four.
        self.links.reserve_exact(1);
        self.links.push(Link::new(id, number, dial));
    }

    fn feed(&mut self, id: LinkId, frame: Frame) {
        let Some(link) = self.links.iter_mut().find(|link| link.id == id) else { return };
        if let Some(frames) = link.feed(frame).filter(|_| self.lives.is_told()) {
            self.lives.sent(id, frames);
        }
    }

    #[cold]
    fn detail(&self, action: &ActionOf<P>) {
        log::detail(action);
        if let Action::Close { link, code, reason } = action {
            let attempt = self.links.iter().find(|open| open.id == *link).map(|open| open.attempt);
            log::closing(*link, attempt, self.client_id(), *code, reason);
        }
    }

    fn client_id(&self) -> Option<Text> {
        self.shared.look().session.health(self.shared.now()).client_id
    }

    fn with(&mut self, id: LinkId, act: impl FnOnce(&mut Link<D>)) {
        if let Some(link) = self.links.iter_mut().find(|link| link.id == id) {
            act(link);
        }
    }

    fn emit_error(&mut self, index: usize, error: Box<Error>) {
        if log::is_worried() {
            log::error(&error, self.client_id());
        }
        self.other(index, Item::Error(error));
    }

    fn other(&mut self, index: usize, item: Item<P::Incoming, P::Topic>) {
        if self.sorting.is_needed {
            self.sorting.other(index, item);
        } else {
            self.brought.other(item);
        }
    }

    /// The inbox is asked while a link is dialed too: the poll in which it opens reads.
    fn poll_links(&mut self, cx: &mut Context<'_>) {
        if self.links.is_empty() {
            return;
        }
        let mut room = self.shared.inbox.poll_room(cx, FRAMES);
        if self.sorting.is_needed {
            room = with_trays(room, self.shared.desk.poll_room(cx, FRAMES));
        }
        let room = match room {
            Poll::Ready(room) => Some(room),
            Poll::Pending => None,
        };
        for link in &mut self.links {
            link.poll(cx, room, &mut self.classifier, &self.lives);
        }
    }

    /// Nothing happened: sleeps, unless something did in the meantime.
    fn park(&mut self, cx: &mut Context<'_>) -> Round {
        if self.is_due(cx) {
            return Round::Again;
        }
        let waker = self.waker.take().filter(|waker| waker.will_wake(cx.waker()));
        let waker = waker.unwrap_or_else(|| cx.waker().clone());
        let Some(mut core) = self.shared.lock() else { return Round::Again };
        core.armed = self.armed;
        if core.needs_driver() {
            drop(core);
            self.waker = Some(waker);
            return Round::Again;
        }
        if let Some(cause) = core.is_over().filter(|_| self.links.is_empty()) {
            drop(core);
            return self.end(cause);
        }
        core.driver = Whereabouts::Parked(waker);
        if take(&mut self.is_quiet) {
            core.shrink();
            drop(core);
            self.shrink();
        }
        Round::Parked
    }

    /// Moves the timer with the deadline and polls it. The clock is asked first: on a busy machine a timer
    /// fires late.
    fn is_due(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(deadline) = self.deadline else {
            self.armed = None;
            return false;
        };
        if self.shared.now() >= deadline {
            return true;
        }
        if self.armed != Some(deadline) {
            self.sleep.arm(deadline);
            self.armed = Some(deadline);
        }
        let has_fired = self.sleep.poll_due(cx).is_ready();
        if has_fired {
            // If it was ahead of our clock it has to be armed again.
            self.armed = None;
        }
        has_fired
    }

    /// A session that only waits gives the memory of its last burst back.
    fn shrink(&mut self) {
        self.actions.shrink_to_fit();
        self.dead.shrink_to_fit();
        self.weights.shrink();
        self.lives.shrink();
        self.brought.shrink();
        self.sorting.shrink();
        self.links.iter_mut().for_each(|link| link.shrink());
        self.shared.inbox.shrink();
    }
}

impl<P: Protocol, R: Runtime, D: Dialer> Future for Driver<P, R, D> {
    type Output = StopCause;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<StopCause> {
        if let Some(cause) = self.over {
            return Poll::Ready(cause);
        }
        for _ in 0..ROUNDS {
            match self.round(cx) {
                Round::Again => {}
                Round::Parked => return Poll::Pending,
                Round::Over(cause) => return Poll::Ready(cause),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

// Nothing in it is ever pinned but the dials, and those can be moved.
impl<P: Protocol, R: Runtime, D: Dialer> Unpin for Driver<P, R, D> {}

impl<P: Protocol, R: Runtime, D: Dialer> Drop for Driver<P, R, D> {
    fn drop(&mut self) {
        if self.over.is_none() {
            self.stop();
            self.end(StopCause::User);
        }
    }
}

impl<P: Protocol, R: Runtime, D: Dialer> fmt::Debug for Driver<P, R, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let links: Vec<LinkId> = self.links.iter().map(|link| link.id).collect();
        f.debug_struct("Driver").field("links", &links).field("deadline", &self.deadline).finish_non_exhaustive()
    }
}
