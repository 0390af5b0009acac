//! Who are we, to the peer?

use bytes::Bytes;

use crate::{Secret, Timestamp};

/// The credential of a session, and what the peer made of it.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Credentials {
    current: Option<Secret>,
    refused: bool,
}

/// What a refused login means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It may have been a slip; once more.
    First,
    /// The same credential was refused twice in a row.
    Again,
}

impl Credentials {
    pub(crate) const fn current(&self) -> Option<&Secret> {
        self.current.as_ref()
    }

    /// From now on this. A new credential has not been refused yet.
    pub(crate) fn set(&mut self, credential: Option<Secret>) {
        if credential != self.current {
            *self = Self { current: credential, refused: false };
        }
    }

    pub(crate) const fn on_accepted(&mut self) {
        self.refused = false;
    }

    /// An expired token that is tried for ever is the best known bug of hand-written clients (openhuman #2892: 237
    /// crash reports).
    pub(crate) const fn on_refused(&mut self) -> Refusal {
        if self.refused {
            return Refusal::Again;
        }
        self.refused = true;
        Refusal::First
    }
}

/// A login under way on one link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Login {
    deadline: Option<Timestamp>,
    step: Step,
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
        Self { deadline, step: if hello { Step::Greeting } else { Step::Ours(None) } }
    }

    pub(crate) const fn deadline(&self) -> Option<Timestamp> {
        self.deadline
    }

    /// The server greeted.
    pub(crate) fn on_hello(&mut self) {
        if self.step == Step::Greeting {
            self.step = Step::Ours(None);
        }
    }

    /// The server asks for one more step.
    pub(crate) fn on_challenge(&mut self, challenge: Bytes) {
        self.step = Step::Ours(Some(challenge));
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
    fn the_same_credential_is_refused_once_and_no_more() {
        let mut credentials = Credentials::default();
        credentials.set(Some("old".into()));
        assert_eq!(credentials.on_refused(), Refusal::First);
        credentials.set(Some("old".into()));
        assert_eq!(credentials.on_refused(), Refusal::Again);
        credentials.set(Some("new".into()));
        assert_eq!(credentials.on_refused(), Refusal::First);
        credentials.on_accepted();
        assert_eq!(credentials.on_refused(), Refusal::First);
    }

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
}
