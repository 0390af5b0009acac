//! The contract between a machine and whoever drives it.

use alloc::vec::Vec;

use crate::Timestamp;

/// A pure state machine: it is told what happened and when, and says what to do.
///
/// ```text
/// loop {
///     for action in actions.drain(..) { transport.perform(action) }   // never blocks
///     let input = transport.next(machine.next_deadline());            // one input: a command, a report, or Wake
///     machine.handle(clock.now(), input, &mut actions);
/// }
/// ```
///
/// * Actions are appended to the caller's buffer and performed in order. Nothing is held back inside, so
///   there is nothing to drain and no wake-up to miss.
/// * After each `handle`, the next deadline is `None` or later than the `now` of that turn. When it
///   passes, hand in a wake-up; waking too early or too late is harmless.
/// * Time may stand still, jump ahead or go backwards. It neither panics nor spins; what lies before the latest
///   `now` counts as that `now`.
/// * The same inputs at the same times give the same actions, byte for byte, on every target.
pub trait Machine {
    /// What happened: a command, a report, or the passing of time.
    type Input;
    /// What the driver shall do.
    type Action;
    /// What the caller must know at once: an id, or the refusal with the message back.
    type Answer;

    /// Takes one input and appends what is to be done to `actions`.
    fn handle(&mut self, now: Timestamp, input: Self::Input, actions: &mut Vec<Self::Action>) -> Self::Answer;

    /// When the machine wants to be woken, if nothing else happens before.
    fn next_deadline(&self) -> Option<Timestamp>;
}

/// Sees every turn of a machine, and has no say in it: what a recording and a log of messages are.
///
/// Whoever runs the machine calls it, in this order: `before`, [`Machine::handle`], `after`. Where turns are run under a
/// lock it is called under the lock, so it is to be quick and must not wait.
pub trait Watch<M: Machine + ?Sized> {
    /// The machine is about to be given this.
    fn before(&mut self, now: Timestamp, input: &M::Input);

    /// This is what it answered and did.
    fn after(&mut self, now: Timestamp, machine: &M, answer: &M::Answer, actions: &[M::Action]);
}

/// Two who watch; the first is told first.
impl<M: Machine + ?Sized, A: Watch<M>, B: Watch<M>> Watch<M> for (A, B) {
    fn before(&mut self, now: Timestamp, input: &M::Input) {
        self.0.before(now, input);
        self.1.before(now, input);
    }

    fn after(&mut self, now: Timestamp, machine: &M, answer: &M::Answer, actions: &[M::Action]) {
        self.0.after(now, machine, answer, actions);
        self.1.after(now, machine, answer, actions);
    }
}
