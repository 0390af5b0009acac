//! What waits for one subscriber.

use std::{collections::VecDeque, sync::Arc, task::Waker};

use bytes::Bytes;
use steadfast::TopicNews;

use super::{After, rooms::Rooms};
use crate::{
    Mailbox, Update,
    mailbox::Slow,
    queue::{Next, Queue},
    sync::{AtomicBool, Ordering},
};

pub(super) struct Tray<I, T> {
    pub(super) topic: T,
    /// How a message is copied. Only those who subscribe have to know.
    pub(super) copy: fn(&I) -> I,
    pub(super) limits: Mailbox,
    /// Whether a message that was replaced by a newer one counts as taken.
    pub(super) is_latest: bool,
    pub(super) queue: Queue<Letter<I>, TopicNews>,
    pub(super) reader: Option<Waker>,
    /// Whether nothing is read because of it.
    pub(super) is_full: bool,
    /// Whether something may still come.
    pub(super) is_open: bool,
    /// Whether the session counts it among those who want the topic.
    pub(super) is_counted: bool,
}

/// What lies in a tray.
pub(crate) struct Letter<I> {
    pub(crate) update: Update<I>,
    /// Where several have the same message: whether one of them has taken it.
    pub(super) receipt: Option<Arc<AtomicBool>>,
}

/// How many letters a reader takes at once.
const SOME: usize = 64;

impl<I, T> Tray<I, T> {
    /// The reader is woken, and what it left lying for too long is dropped.
    pub(super) fn put(
        &mut self,
        letter: Letter<I>,
        bytes: u32,
        rooms: &mut Rooms,
        after: &mut After<I, T>,
        woken: &mut Vec<Waker>,
    ) {
        rooms.leave(self);
        self.queue.push(letter, bytes.into());
        if self.limits.slow == Slow::Lag {
            let is_latest = self.is_latest;
            self.queue.drop_oldest(&self.limits, |(letter, _)| {
                if is_latest {
                    after.taken.extend(letter.take_receipt().cloned());
                }
                after.dead.push(letter);
            });
        }
        rooms.enter(self);
        woken.extend(self.reader.take());
    }

    /// One who waits keeps little memory.
    pub(super) fn take(&mut self, batch: &mut VecDeque<Letter<I>>) {
        while batch.len() < SOME {
            let Some(next) = self.queue.next() else {
                if batch.is_empty() {
                    self.queue.shrink_to(SOME);
                }
                return;
            };
            batch.push_back(match next {
                Next::Message(letter) => letter,
                Next::Other(news) => Letter { update: Update::News(news), receipt: None },
                Next::Lagged(lagged) => Letter { update: Update::Lagged(lagged), receipt: None },
            });
        }
    }

    /// Its room, if that matters to those who read from the link.
    pub(super) fn room(&self) -> Option<(u64, u64)> {
        let matters = self.is_open && self.limits.slow == Slow::Pause;
        matters.then(|| {
            let messages = u64::from(self.limits.messages).saturating_sub(self.queue.len() as u64);
            (messages, self.limits.bytes.saturating_sub(self.queue.bytes()))
        })
    }
}

impl<I> Letter<I> {
    /// The id to be acknowledged now that this was taken, unless it was not the first.
    pub(crate) fn take_receipt(&self) -> Option<&Bytes> {
        let id = self.update.wants_ack()?;
        let is_first = self.receipt.as_ref().is_none_or(|receipt| !receipt.swap(true, Ordering::Relaxed));
        is_first.then_some(id)
    }
}

impl<I> Update<I> {
    pub(super) fn copy(&self, copy: fn(&I) -> I) -> Self {
        match self {
            Self::Message { message, mark, link } => {
                Self::Message { message: copy(message), mark: mark.clone(), link: *link }
            }
            Self::Snapshot(message) => Self::Snapshot(copy(message)),
            Self::News(news) => Self::News(news.clone()),
            Self::Lagged(lagged) => Self::Lagged(*lagged),
        }
    }

    pub(super) fn wants_ack(&self) -> Option<&Bytes> {
        match self {
            Self::Message { mark, .. } => mark.wants_ack(),
            Self::Snapshot(_) | Self::News(_) | Self::Lagged(_) => None,
        }
    }
}
