//! What the host decides in code: its verdicts, and its credentials.
//!
//! All of it runs in the driver, outside the lock. If it panics that is an error of the host's, not the end of the
//! session.

use std::{
    future::Future,
    mem::take,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll},
};

use steadfast::{AskWhy, Cause, Command, LinkId, Recovery, Secret, Text};

use crate::log;

/// A credential is needed: for which link, and why.
///
/// The host is asked before an attempt begins, and again when the login of a link runs out
/// ([`CredentialPolicy`](steadfast::CredentialPolicy)). It knows from `why` whether what it has in its cache will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ask {
    /// The link it is for.
    pub link: LinkId,
    /// Why it is asked for.
    pub why: AskWhy,
}

/// The host's side of a session.
#[derive(Default)]
pub(crate) struct Host {
    pub(crate) classifier: Classifier,
    pub(crate) provider: Provider,
}

/// What the host decides when a link is lost or could not be had.
#[derive(Default)]
pub(crate) struct Classifier(Option<Box<Classify>>);

type Classify = dyn FnMut(&Cause) -> Option<Recovery> + Send;

impl Classifier {
    pub(crate) fn new(classify: impl FnMut(&Cause) -> Option<Recovery> + Send + 'static) -> Self {
        Self(Some(Box::new(classify)))
    }

    /// The verdict; none after a panic.
    pub(crate) fn judge(&mut self, cause: &Cause) -> Option<Recovery> {
        let classify = self.0.as_mut()?;
        guarded(|| classify(cause)).unwrap_or_else(|| {
            log::host_panicked("the verdict");
            None
        })
    }
}

type Answer = Result<Secret, Text>;
type Answering = Pin<Box<dyn Future<Output = Answer> + Send>>;
/// Whom to ask.
pub(crate) type Provider = Option<Box<dyn FnMut(Ask) -> Answering + Send>>;

/// Who is asked for credentials, and what was asked and not answered yet: one question at a time.
pub(crate) struct Asking {
    provider: Provider,
    open: Option<Question>,
    /// The answer to this question, to be told.
    answer: Option<(u64, Answer)>,
}

struct Question {
    number: u64,
    link: LinkId,
    answering: Answering,
}

const NOBODY: Text = Text::from_static("a credential is needed, and nobody was named who has one");
const PANICKED: Text = Text::from_static("whoever was asked for a credential panicked");

impl Asking {
    pub(crate) const fn new(provider: Provider) -> Self {
        Self { provider, open: None, answer: None }
    }

    /// Asks the host. A question that is still open is void.
    pub(crate) fn ask(&mut self, number: u64, ask: Ask) {
        self.forget();
        log::asked(&ask);
        let Some(provider) = &mut self.provider else {
            self.answer = Some((number, Err(NOBODY)));
            return;
        };
        match guarded(|| provider(ask)) {
            Some(answering) => self.open = Some(Question { number, link: ask.link, answering }),
            None => self.answered(number, Err(PANICKED)),
        }
    }

    /// Drives the answer to the open question, if there is one.
    #[inline]
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) {
        if self.open.is_some() {
            self.drive(cx);
        }
    }

    #[cold]
    fn drive(&mut self, cx: &mut Context<'_>) {
        let Some(Question { number, answering, .. }) = &mut self.open else { return };
        let number = *number;
        match guarded(|| answering.as_mut().poll(cx)) {
            Some(Poll::Pending) => {}
            Some(Poll::Ready(answer)) => self.answered(number, answer),
            None => self.answered(number, Err(PANICKED)),
        }
    }

    fn answered(&mut self, number: u64, answer: Answer) {
        self.forget();
        self.answer = Some((number, answer));
    }

    /// The link is gone, or is left: what was asked for it is void.
    #[inline]
    pub(crate) fn void(&mut self, link: LinkId) {
        if self.open.as_ref().is_some_and(|question| question.link == link) {
            self.forget();
        }
    }

    /// Drops the open question.
    pub(crate) fn forget(&mut self) {
        let question = take(&mut self.open);
        if guarded(|| drop(question)).is_none() {
            log::host_panicked("dropping the question for a credential");
        }
    }

    #[inline]
    pub(crate) const fn has_news(&self) -> bool {
        self.answer.is_some()
    }

    /// The answer, for the session.
    #[inline]
    pub(crate) fn take_news<M, T>(&mut self) -> Option<Command<M, T>> {
        self.answer.take().map(|(ask, answer)| Command::Credential { ask, answer })
    }
}

/// Runs the host's code; `None` if it panics. What it holds is its own, and is not looked at afterwards.
fn guarded<T>(run: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(run)).ok()
}
