//! Is the host asked as it should be, and does a credential go only where it may?

use std::{fmt::Debug, time::Duration};

use steadfast::{
    Action, Attempt, Command, CredentialPolicy, CredentialUse, Event, Frame, Input, LinkId, Secret, Timestamp,
};

/// The question that is open, and the credentials that were given.
#[derive(Clone, Debug, Default)]
pub(super) struct Asks {
    last: u64,
    open: Option<Question>,
    /// The attempt that has its answer, and not dialled yet.
    answered: Option<LinkId>,
    secrets: Vec<Secret>,
}

#[derive(Clone, Copy, Debug)]
struct Question {
    number: u64,
    link: LinkId,
    until: Option<Timestamp>,
    was_spared: bool,
}

/// A deadline that is looked at more than this late was slept through.
const LATE: Duration = Duration::from_secs(1);
/// So many credentials are looked for.
const SECRETS: usize = 4;
/// A shorter one would be found by chance.
const SHORTEST: usize = 4;

impl Asks {
    /// Remembers the credentials that go in.
    pub(super) fn learn<M, T>(&mut self, input: &Input<M, T>) {
        let (Input::Command(Command::Authenticate(Some(secret)))
        | Input::Command(Command::Credential { answer: Ok(secret), .. })) = input
        else {
            return;
        };
        if secret.expose().len() >= SHORTEST && !self.secrets.contains(secret) {
            self.secrets.push(secret.clone());
        }
        let excess = self.secrets.len().saturating_sub(SECRETS);
        self.secrets.drain(..excess);
    }

    pub(super) fn is_open(&self, number: u64) -> bool {
        self.open.is_some_and(|question| question.number == number)
    }

    pub(super) fn answer(&mut self, number: u64) {
        self.answered = self.open.take_if(|question| question.number == number).map(|question| question.link);
    }

    /// A link is gone, or an attempt, and its question with it. `true` if there was one.
    pub(super) fn gone(&mut self, link: LinkId) -> bool {
        self.open.take_if(|question| question.link == link).is_some()
    }

    pub(super) fn ask(
        &mut self,
        now: Timestamp,
        (number, link): (u64, LinkId),
        policy: &CredentialPolicy,
    ) -> Result<(), String> {
        let was_open =
            self.open.replace(Question { number, link, until: now.after(policy.answer_timeout), was_spared: false });
        let last = std::mem::replace(&mut self.last, number);
        match was_open {
            _ if !policy.asked || policy.when == CredentialUse::Never => {
                Err("asks: the host is asked, and is not to be".into())
            }
            Some(open) => Err(format!("asks: question {number} while {} is open", open.number)),
            None if number <= last => Err(format!("asks: question {number} after {last}")),
            None => Ok(()),
        }
    }

    pub(super) fn dial(&mut self, attempt: &Attempt, policy: &CredentialPolicy) -> Result<(), String> {
        let is_asked = policy.asked && policy.when != CredentialUse::Never;
        let answered = self.answered.take();
        if is_asked && answered != Some(attempt.link) {
            return Err(format!("asks: dials link {} without an answer of the host", attempt.link));
        }
        let may = matches!(policy.when, CredentialUse::AtDial | CredentialUse::Both);
        if attempt.credential.is_some() && !may {
            return Err("asks: a credential is given to the dialer, and is not for it".into());
        }
        Ok(())
    }

    /// Credentials stand in secret frames, and in nothing else that is said. (What the application sends is its own
    /// affair, and so is what the peer says to it.)
    pub(super) fn look<I: Debug, T: Debug>(&mut self, action: &Action<I, T>) -> Result<(), String> {
        if matches!(action, Action::Emit(Event::RefreshFailed { .. })) {
            self.open = None;
        }
        let text = match action {
            Action::Send { frame: Frame::Text(text), secret: false, .. } => text.as_str().to_owned(),
            Action::Send { .. } | Action::FlushQueue(_) | Action::Emit(Event::Message { .. }) => return Ok(()),
            Action::Connect(_)
            | Action::AskCredential { .. }
            | Action::Close { .. }
            | Action::Abort(_)
            | Action::ReconnectAfter { .. }
            | Action::EmitError(_)
            | Action::Emit(_) => format!("{action:?}"),
        };
        let shown = |secret: &Secret| std::str::from_utf8(secret.expose()).is_ok_and(|secret| text.contains(secret));
        if self.secrets.iter().any(shown) { Err(format!("asks: a credential is shown: {text}")) } else { Ok(()) }
    }

    /// A turn came late. An answer may be behind it, and has a second more, once.
    pub(super) fn overslept(&mut self, now: Timestamp) {
        let Some(question) = self.open.as_mut().filter(|question| !question.was_spared) else { return };
        if question.until.is_some_and(|until| now.since(until) > LATE) {
            (question.until, question.was_spared) = (now.after(LATE), true);
        }
    }

    /// The host that is asked is not waited for any longer than its time.
    pub(super) fn close_turn(&self, deadline: Option<Timestamp>) -> Result<(), String> {
        match self.open.and_then(|question| question.until) {
            Some(until) if deadline.is_none_or(|at| at > until) => {
                Err(format!("asks: the host has time until {until}, and the deadline is {deadline:?}"))
            }
            Some(_) | None => Ok(()),
        }
    }
}
