//! A watch that can be asked.

use std::{
    fmt,
    sync::{Arc, PoisonError},
};

use steadfast::{Machine, Timestamp, Watch};

use crate::sync::Mutex;

/// A [`Watch`] of a session that its host can look at meanwhile: one clone goes to
/// [`Builder::watch`](crate::Builder::watch), another stays.
///
/// ```
/// use steadfast::MessageLog;
/// use steadfast_driver::Kept;
///
/// let log = Kept::new(MessageLog::new(1_000));
/// // steadfast_tokio::connect(url).watch(log.clone())
/// assert_eq!(log.look(|log| log.entries().len()), 0);
/// ```
pub struct Kept<W>(Arc<Mutex<W>>);

impl<W> Kept<W> {
    /// Keeps it.
    pub fn new(watch: W) -> Self {
        Self(Arc::new(Mutex::new(watch)))
    }

    /// Looks at it. The session's turns wait meanwhile, so take what you need and go.
    pub fn look<T>(&self, look: impl FnOnce(&mut W) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<M: Machine, W: Watch<M>> Watch<M> for Kept<W> {
    fn before(&mut self, now: Timestamp, input: &M::Input) {
        self.look(|watch| watch.before(now, input));
    }

    fn after(&mut self, now: Timestamp, machine: &M, answer: &M::Answer, actions: &[M::Action]) {
        self.look(|watch| watch.after(now, machine, answer, actions));
    }
}

impl<W> Clone for Kept<W> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<W: fmt::Debug> fmt::Debug for Kept<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Kept").field(&self.0).finish()
    }
}
