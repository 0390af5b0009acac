//! Whose turn is it in the login?

use bytes::Bytes;

use crate::Timestamp;

/// The most steps of one login that are answered. Longer than any method needs; a server that goes on asking runs into
/// the deadline.
const MOST_STEPS: u32 = 16;

/// A login under way on one link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Login {
    deadline: Option<Timestamp>,
    step: Step,
    challenges: u32,
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
    /// A login that ends at the deadline; `hello` says whether the server speaks first.
    pub(crate) const fn new(deadline: Option<Timestamp>, hello: bool) -> Self {
        Self { deadline, step: if hello { Step::Greeting } else { Step::Ours(None) }, challenges: 0 }
    }

    pub(crate) const fn deadline(&self) -> Option<Timestamp> {
        self.deadline
    }

    pub(crate) const fn deadline_mut(&mut self) -> &mut Option<Timestamp> {
        &mut self.deadline
    }

    /// The server greeted.
    pub(crate) fn on_hello(&mut self) {
        if self.step == Step::Greeting {
            self.step = Step::Ours(None);
        }
    }

    /// The server asks for one more step.
    pub(crate) fn on_challenge(&mut self, challenge: Bytes) {
        self.challenges = self.challenges.saturating_add(1);
        if self.challenges <= MOST_STEPS {
            self.step = Step::Ours(Some(challenge));
        }
    }

    /// What is to be said now, once: a login, with the challenge if there is one.
    pub(crate) fn take_step(&mut self) -> Option<Option<Bytes>> {
        match core::mem::replace(&mut self.step, Step::Theirs) {
            Step::Ours(challenge) => Some(challenge),
            waiting @ (Step::Greeting | Step::Theirs) => {
                self.step = waiting;
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_waits_for_the_greeting_and_answers_each_challenge_once() {
        let mut login = Login::new(None, true);
        assert_eq!(login.take_step(), None);
        login.on_hello();
        assert_eq!(login.take_step(), Some(None));
        assert_eq!(login.take_step(), None);
        login.on_challenge(Bytes::from_static(b"nonce"));
        assert_eq!(login.take_step(), Some(Some(Bytes::from_static(b"nonce"))));
        login.on_hello();
        assert_eq!(login.take_step(), None, "a second greeting starts no second login");
    }

    /// Each answer costs us a frame, and perhaps a signature.
    #[test]
    fn a_server_that_goes_on_asking_is_not_answered_for_ever() {
        let mut login = Login::new(None, false);
        let answers = (0..100).filter(|_| {
            login.on_challenge(Bytes::from_static(b"more"));
            login.take_step().is_some()
        });
        assert_eq!(answers.count(), MOST_STEPS as usize);
    }
}
