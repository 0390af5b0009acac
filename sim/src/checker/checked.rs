//! A machine that is checked while it runs.

use std::fmt::Debug;

use steadfast::{Action, Answer, Config, Input, Machine, OpId, Protocol, Session, Timestamp};

use super::{Checker, Spy};

/// A machine around a session that hands every turn to a [`Checker`].
///
/// ```
/// use steadfast::{Commands, Config, Plain, Session, Timestamp};
/// use steadfast_sim::Checked;
///
/// let session = Session::new(Plain, Config::default(), 7)?;
/// let mut checked = Checked::new(session, Plain, Config::default());
/// let mut actions = Vec::new();
/// checked.connect(Timestamp::ZERO, &mut actions);
/// checked.assert_sound();
/// # Ok::<(), steadfast::BadConfig>(())
/// ```
#[derive(Clone, Debug)]
pub struct Checked<M, S> {
    machine: M,
    checker: Checker<S>,
}

impl<M, S: Spy> Checked<M, S> {
    /// Checks a new machine with this configuration from now on.
    #[must_use]
    pub fn new(machine: M, spy: S, config: Config) -> Self {
        Self { machine, checker: Checker::new(spy, config) }
    }

    /// The machine within.
    #[must_use]
    pub const fn machine(&self) -> &M {
        &self.machine
    }

    /// The checker.
    #[must_use]
    pub const fn checker(&self) -> &Checker<S> {
        &self.checker
    }

    /// See [`Checker::arrived`].
    pub fn arrived(&mut self, id: OpId) {
        self.checker.arrived(id);
    }

    /// See [`Checker::watch_arrivals`].
    pub fn watch_arrivals(&mut self) {
        self.checker.watch_arrivals();
    }

    /// # Panics
    ///
    /// With all violations, if there were any.
    pub fn assert_sound(&self) {
        let violations = self.checker.violations();
        assert!(violations.is_empty(), "the session broke its promises:\n  {}", violations.join("\n  "));
    }
}

impl<P: Protocol, S: Spy> Checked<Session<P>, S> {
    /// Compares what was seen with what the session says of itself: see [`Checker::audit`].
    pub fn audit(&mut self, now: Timestamp) {
        let history = self.machine.history().count();
        self.checker.audit(&self.machine.health(now), self.machine.stats(), history);
    }
}

impl<N, I, T, M, S> Machine for Checked<M, S>
where
    I: Debug,
    T: Debug,
    M: Machine<Input = Input<N, T>, Action = Action<I, T>, Answer = Answer<N>>,
    S: Spy,
{
    type Input = Input<N, T>;
    type Action = Action<I, T>;
    type Answer = Answer<N>;

    fn handle(&mut self, now: Timestamp, input: Input<N, T>, actions: &mut Vec<Action<I, T>>) -> Answer<N> {
        let (before, brief) = (actions.len(), self.checker.before(&input));
        let answer = self.machine.handle(now, input, actions);
        self.checker.after(now, brief, &answer, &actions[before..], self.machine.next_deadline());
        answer
    }

    fn next_deadline(&self) -> Option<Timestamp> {
        self.machine.next_deadline()
    }
}
