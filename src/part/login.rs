//! Whose turn is it in the login?

use bytes::Bytes;

use crate::{Secret, Timestamp};

/// The most steps of one login that are answered. Longer than any method needs; a server that goes on asking runs into
/// the deadline.
const MOST_STEPS: u32 = 16;

/// A login under way on one link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Login {
    deadline: Option<Timestamp>,
    step: Step,
    challenges: u32,
    /// Whether the first step was said.
    has_begun: bool,
    /// What it was said with. A login that has begun ends with the credential it began with, whatever has been set since.
    credential: Option<Secret>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// The server speaks first.
    Greeting,
    /// It is our turn, with the challenge if there is one.
    Ours(Option<Bytes>),
    /// It is the server's turn.
    Theirs,
}

impl Login {
    /// A login that ends at the deadline; `hello` says whether the server speaks first, and then it is the deadline for
    /// that.
    pub(crate) const fn new(deadline: Option<Timestamp>, hello: bool) -> Self {
        let step = if hello { Step::Greeting } else { Step::Ours(None) };
        Self { deadline, step, challenges: 0, has_begun: false, credential: None }
    }

    pub(crate) const fn deadline(&self) -> Option<Timestamp> {
        self.deadline
    }

    pub(crate) const fn deadline_mut(&mut self) -> &mut Option<Timestamp> {
        &mut self.deadline
    }

    /// The server greeted: it is our turn, until then. A second greeting changes nothing.
    pub(crate) fn on_hello(&mut self, deadline: Option<Timestamp>) {
        if self.step == Step::Greeting {
            (self.step, self.deadline) = (Step::Ours(None), deadline);
        }
    }

    /// Whether the server is still to greet.
    pub(crate) const fn waits_for_greeting(&self) -> bool {
        matches!(self.step, Step::Greeting)
    }

    /// The server asks for one more step.
    pub(crate) fn on_challenge(&mut self, challenge: Bytes) {
        self.challenges = self.challenges.saturating_add(1);
        if self.challenges <= MOST_STEPS {
            self.step = Step::Ours(Some(challenge));
        }
    }

    /// Whether something is to be said now.
    pub(crate) const fn is_our_turn(&self) -> bool {
        matches!(self.step, Step::Ours(_))
    }

    /// Whether the first step was said.
    pub(crate) const fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// What is to be said now, once: a login, with the challenge if there is one. It is to be said with
    /// [`credential`](Self::credential): the present one if it begins now.
    pub(crate) fn take_step(&mut self, present: Option<&Secret>) -> Option<Option<Bytes>> {
        match core::mem::replace(&mut self.step, Step::Theirs) {
            Step::Ours(challenge) => {
                if !core::mem::replace(&mut self.has_begun, true) {
                    self.credential = present.cloned();
                }
                Some(challenge)
            }
            waiting @ (Step::Greeting | Step::Theirs) => {
                self.step = waiting;
                None
            }
        }
    }

    /// What it began with; `None` if it has not begun, or without a credential.
    pub(crate) const fn credential(&self) -> Option<&Secret> {
        self.credential.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_waits_for_the_greeting_and_answers_each_challenge_once() {
        let mut login = Login::new(None, true);
        assert_eq!(login.take_step(None), None);
        login.on_hello(None);
        assert_eq!(login.take_step(None), Some(None));
        assert_eq!(login.take_step(None), None);
        login.on_challenge(Bytes::from_static(b"nonce"));
        assert_eq!(login.take_step(None), Some(Some(Bytes::from_static(b"nonce"))));
        login.on_hello(None);
        assert_eq!(login.take_step(None), None, "a second greeting starts no second login");
    }

    /// Each answer costs us a frame, and perhaps a signature.
    #[test]
    fn a_server_that_goes_on_asking_is_not_answered_for_ever() {
        let mut login = Login::new(None, false);
        let answers = (0..100).filter(|_| {
            login.on_challenge(Bytes::from_static(b"more"));
            login.take_step(None).is_some()
        });
        assert_eq!(answers.count(), MOST_STEPS as usize);
    }

    #[test]
    fn a_login_that_has_begun_goes_on_with_its_credential() {
        let (first, second) = (Secret::from("first"), Secret::from("second"));
        let mut login = Login::new(None, true);
        assert_eq!((login.take_step(Some(&first)), login.credential()), (None, None), "it has not begun");
        login.on_hello(None);
        assert_eq!((login.take_step(Some(&second)), login.credential()), (Some(None), Some(&second)));
        login.on_challenge(Bytes::new());
        assert!(login.take_step(Some(&first)).is_some());
        assert_eq!(login.credential(), Some(&second));
        let mut without = Login::new(None, false);
        assert!(without.take_step(None).is_some());
        without.on_challenge(Bytes::new());
        assert!(without.take_step(Some(&first)).is_some());
        assert_eq!(without.credential(), None);
    }

    #[test]
    fn the_greeting_has_a_deadline_of_its_own() {
        let at = Timestamp::from_millis;
        let mut login = Login::new(Some(at(5)), true);
        assert!(login.waits_for_greeting());
        login.on_hello(Some(at(12)));
        assert_eq!((login.waits_for_greeting(), login.deadline()), (false, Some(at(12))));
        login.on_hello(Some(at(99)));
        assert_eq!(login.deadline(), Some(at(12)), "a second one puts nothing off");
    }
}
