//! Which message is in which frame? For the logs, and nothing is done here unless somebody reads them.

use steadfast::{LinkId, OpId, Protocol, Session};

use crate::log;

/// The messages that the links were given and that were not flushed when the actions were taken.
#[derive(Debug, Default)]
pub(crate) struct Lives {
    is_told: bool,
    given: Vec<(LinkId, OpId, u64)>,
}

impl Lives {
    /// Asks whether anybody reads; once a round.
    pub(crate) fn ask(&mut self) -> bool {
        self.is_told = log::is_detailed();
        self.is_told
    }

    pub(crate) const fn is_told(&self) -> bool {
        self.is_told
    }

    /// Under the lock, before the actions are performed.
    pub(crate) fn look<P: Protocol>(&mut self, session: &Session<P>) {
        self.given.clear();
        self.given.extend(session.in_flight());
    }

    /// So many frames have been given to the link by now. A message is sent with its last one.
    pub(crate) fn sent(&self, link: LinkId, frames: u64) {
        let last = self.given.iter().filter(|(on, _, last)| (*on, *last) == (link, frames));
        last.for_each(|(_, id, _)| log::sent(*id, link));
    }

    /// So many frames of the link are with the operating system.
    pub(crate) fn flushed(&self, link: LinkId, frames: u64) {
        let all = self.given.iter().filter(|(on, _, last)| *on == link && *last <= frames);
        all.for_each(|(_, id, _)| log::flushed_message(*id, link));
    }

    pub(crate) fn shrink(&mut self) {
        self.given.shrink_to_fit();
    }
}
