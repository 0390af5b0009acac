//! What happened lately?

use alloc::collections::VecDeque;

use crate::Change;

/// The last changes of phase, oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct History {
    changes: VecDeque<Change>,
    most: u32,
}

impl History {
    pub(crate) const fn new(most: u32) -> Self {
        Self { changes: VecDeque::new(), most }
    }

    /// Another bound: of what is there the last stays.
    pub(crate) fn keep(&mut self, most: u32) {
        self.most = most;
        let surplus = self.changes.len().saturating_sub(most as usize);
        self.changes.drain(..surplus);
    }

    pub(crate) fn push(&mut self, change: Change) {
        if self.changes.len() as u64 >= u64::from(self.most) {
            self.changes.pop_front();
        }
        if self.most > 0 {
            self.changes.push_back(change);
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Change> {
        self.changes.iter()
    }
}
