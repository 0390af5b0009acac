//! What the driver and the handles share: a session and one buffer of actions, under one lock.
//!
//! Every turn, whoever runs it, appends to that buffer. Only the driver takes from it, all at once, and
//! performs outside the lock. Under the lock no waker is called, and no message of the application's dropped;
//! only the protocol and the clock run there, and both are to be quick. (What the protocol heard too early the
//! session drops there as well.)
//!
//! If a turn panics (a protocol can), the lock is poisoned and the session is not trusted any more:
//! [`Shared::enter`] gives no more turns, and the driver ends everything in order.

use std::{fmt, mem::swap, sync::PoisonError, task::Waker};

use steadfast::{
    Action, Answer, Change, Command, Input, Machine, Outcome, Phase, Protocol, Refused, Reply, Session, StopCause,
    Timestamp, Watch, Why,
};

use crate::{
    Clock, Mailbox,
    desk::{Desk, Key},
    inbox::Inbox,
    slots::Slots,
    sync::{Mutex, MutexGuard},
    waiters::Waiters,
};

mod turn;

/// An action of a session that speaks `P`.
pub(crate) type ActionOf<P> = Action<<P as Protocol>::Incoming, <P as Protocol>::Topic>;
/// The inbox of a session that speaks `P`.
pub(crate) type InboxOf<P> = Inbox<<P as Protocol>::Incoming, <P as Protocol>::Topic>;
/// The trays of its subscribers.
type DeskOf<P> = Desk<<P as Protocol>::Incoming, <P as Protocol>::Topic>;

pub(crate) struct Shared<P: Protocol> {
    clock: Box<dyn Clock>,
    core: Mutex<Core<P>>,
    /// Has a lock of its own, so that a reader does not hold up the session.
    pub(crate) inbox: InboxOf<P>,
    /// Likewise. Who holds both locks has taken that of the core first.
    pub(crate) desk: DeskOf<P>,
    /// How much may wait in a mailbox for which nothing else is said.
    pub(crate) mailbox: Mailbox,
    /// Whether the protocol acknowledges.
    pub(crate) has_acks: bool,
}

/// Somebody who sees every turn, if there is one.
pub(crate) type Watching<P> = Option<Box<dyn Watch<Session<P>> + Send>>;

/// What lies under the lock.
pub(crate) struct Core<P: Protocol> {
    pub(crate) session: Session<P>,
    watch: Watching<P>,
    /// The one buffer.
    pub(crate) actions: Vec<ActionOf<P>>,
    /// Messages that have ended, to be dropped by the driver outside the lock: how one is dropped is the
    /// user's business.
    pub(crate) dead: Vec<P::Message>,
    pub(crate) driver: Whereabouts,
    /// What the driver's timer is armed for.
    pub(crate) armed: Option<Timestamp>,
    /// Who waits for the outcome of a message.
    pub(crate) tickets: Slots<Outcome>,
    /// Who waits for the answer to a request.
    pub(crate) requests: Slots<Box<Reply<P::Incoming>>>,
    /// How many subscribers there are.
    pub(crate) subscribers: usize,
    /// New ones, and from which action on something may be for them.
    pub(crate) joins: Vec<(usize, Key)>,
    /// Those who wait for room in the queue, in the order in which they came.
    pub(crate) senders: Waiters,
    /// Those who wait for the end.
    pub(crate) closers: Waiters,
    /// No handle is left, or one of them closed the session: once stopped it stays stopped.
    pub(crate) is_final: bool,
}

/// Where the driver is.
#[derive(Debug)]
pub(crate) enum Whereabouts {
    /// It was not polled yet.
    Unpolled,
    /// It runs, or it was woken and will. This is the last reading of the clock, whoever made it.
    Awake(Timestamp),
    /// It sleeps.
    Parked(Waker),
    /// It has ended.
    Gone,
}

impl<P: Protocol> Shared<P> {
    pub(crate) fn new(
        session: Session<P>,
        clock: impl Clock,
        inbox: InboxOf<P>,
        has_acks: bool,
        watch: Watching<P>,
    ) -> Self {
        let core = Core {
            session,
            watch,
            actions: Vec::new(),
            dead: Vec::new(),
            driver: Whereabouts::Unpolled,
            armed: None,
            tickets: Slots::new(),
            requests: Slots::new(),
            subscribers: 0,
            joins: Vec::new(),
            senders: Waiters::default(),
            closers: Waiters::default(),
            is_final: false,
        };
        let mailbox = inbox.limits;
        Self { clock: Box::new(clock), core: Mutex::new(core), inbox, desk: Desk::new(), mailbox, has_acks }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The lock, for the driver; `None` after a panic under it.
    pub(crate) fn lock(&self) -> Option<MutexGuard<'_, Core<P>>> {
        self.core.lock().ok()
    }

    /// The lock, for those who only look, or who clear up after a panic.
    pub(crate) fn look(&self) -> MutexGuard<'_, Core<P>> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<P: Protocol> Core<P> {
    /// One input, at this time.
    pub(crate) fn handle(&mut self, now: Timestamp, input: Input<P::Message, P::Topic>) -> Answer<P::Message> {
        self.handle_made(now, || input)
    }

    /// The same, for the inputs that are many: where the closure says which it is, the turn folds to it. (An input that
    /// may be shown to a watch has to lie in memory; so it is made for either.)
    #[inline(always)]
    pub(crate) fn handle_made(
        &mut self,
        now: Timestamp,
        make: impl FnOnce() -> Input<P::Message, P::Topic>,
    ) -> Answer<P::Message> {
        // Those of the turn before. The answer is returned as it is made: a copy of it costs as much as a lock.
        self.session.take_dead(&mut self.dead);
        if self.watch.is_some() {
            return self.handle_watched(now, make());
        }
        self.session.handle(now, make(), &mut self.actions)
    }

    /// The same, seen by somebody.
    #[cold]
    fn handle_watched(&mut self, now: Timestamp, input: Input<P::Message, P::Topic>) -> Answer<P::Message> {
        let Self { session, watch, actions, .. } = self;
        let before = actions.len();
        if let Some(watch) = watch {
            watch.before(now, &input);
        }
        let answer = session.handle(now, input, actions);
        if let Some(watch) = watch {
            watch.after(now, session, &answer, &actions[before..]);
        }
        answer
    }

    /// All that is to be done, and all that has ended, in exchange for empty buffers.
    pub(crate) fn take(&mut self, actions: &mut Vec<ActionOf<P>>, dead: &mut Vec<P::Message>) {
        self.session.take_dead(&mut self.dead);
        swap(&mut self.actions, actions);
        swap(&mut self.dead, dead);
    }

    /// Gives back the memory of the last burst.
    pub(crate) fn shrink(&mut self) {
        self.actions.shrink_to_fit();
        self.dead.shrink_to_fit();
        self.session.shrink_to_fit();
    }

    /// Whether anybody waits for something that the session says.
    pub(crate) fn is_awaited(&self) -> bool {
        !(self.tickets.is_empty() && self.requests.is_empty() && self.senders.is_empty())
    }

    /// Somebody has subscribed to a topic.
    pub(crate) fn on_subscriber(&mut self, from: usize, key: Key) {
        self.subscribers += 1;
        self.joins.push((from, key));
    }

    /// Connects, unless somebody already said what the session shall do.
    pub(crate) fn start(&mut self, now: Timestamp) {
        if self.session.phase() == Phase::Idle {
            self.handle(now, Input::Command(Command::Connect));
        }
    }

    /// The phase as people see it: without a driver there is no other than stopped.
    pub(crate) fn phase(&self) -> Phase {
        match (&self.driver, self.session.phase()) {
            (_, stopped @ Phase::Stopped(_)) => stopped,
            (Whereabouts::Gone, _) => Phase::Stopped(StopCause::Failed),
            (Whereabouts::Unpolled | Whereabouts::Awake(_) | Whereabouts::Parked(_), phase) => phase,
        }
    }

    /// Once stopped it stays stopped, so nothing is kept for another start.
    pub(crate) fn end_for_good(&mut self, now: Timestamp) {
        self.is_final = true;
        if self.session.config().keep_on_stop {
            let mut config = self.session.config().clone();
            config.keep_on_stop = false;
            self.handle(now, Input::Command(Command::Configure(Box::new(config))));
        }
    }

    /// The last change of a session whose driver ends although it has not stopped: a turn has panicked, and it
    /// cannot say so itself.
    pub(crate) fn failure(&self, now: Timestamp) -> Option<Change> {
        if matches!(self.session.phase(), Phase::Stopped(_)) {
            return None;
        }
        let mut change = self.session.history().last()?.clone();
        (change.from, change.to, change.at) = (change.to, Phase::Stopped(StopCause::Failed), now);
        (change.link, change.error, change.retry_at) = (None, None, None);
        Some(change)
    }

    /// Why it is over, if it is: stopped, and nobody can start it again.
    pub(crate) fn is_over(&self) -> Option<StopCause> {
        match self.session.phase() {
            Phase::Stopped(cause) if self.is_final => Some(cause),
            Phase::Stopped(_)
            | Phase::Idle
            | Phase::Connecting
            | Phase::Authenticating
            | Phase::Restoring
            | Phase::Online
            | Phase::Waiting
            | Phase::Suspended
            | Phase::Draining => None,
        }
    }

    /// Whether a parked driver has something to do.
    #[inline]
    pub(crate) fn needs_driver(&self) -> bool {
        !self.actions.is_empty() || is_earlier(self.session.next_deadline(), self.armed)
    }
}

/// Whether `deadline` comes before the timer would.
fn is_earlier(deadline: Option<Timestamp>, armed: Option<Timestamp>) -> bool {
    match (deadline, armed) {
        (Some(deadline), Some(armed)) => deadline < armed,
        (Some(_), None) => true,
        (None, _) => false,
    }
}

impl<P: Protocol> fmt::Debug for Shared<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

/// The refusal of a session whose driver has ended.
pub(crate) fn gone<M>(message: M) -> Refused<M> {
    Refused { why: Why::Stopped, message }
}
