//! Is all at rest, and as it is to be?

use std::collections::BTreeSet;
use std::time::Duration;

use steadfast::{Phase, Timestamp, TopicState};

use super::{Happening, World};

impl World {
    pub(super) fn look_whether_settled(&mut self, calm: Timestamp) {
        let idle = self.to_send == 0 && self.stirring == 0 && self.session.checker().pending() == 0;
        let is_there = match self.session.checker().phase() {
            Phase::Online => true,
            Phase::Idle => self.scenario.config.connect.lazy || self.scenario.config.connect.idle_close < Duration::MAX,
            Phase::Connecting
            | Phase::Authenticating
            | Phase::Restoring
            | Phase::Waiting
            | Phase::Suspended
            | Phase::Draining
            | Phase::Stopped(_) => false,
        };
        if !idle || !is_there || !self.has_its_topics() {
            self.story.settled_at = None;
        } else if self.now >= calm {
            self.story.settled_at.get_or_insert(self.now);
        }
    }

    /// All topics have what they are to have, and nothing is on its way.
    fn has_its_topics(&self) -> bool {
        let is_at_rest = |state| matches!(state, TopicState::Confirmed | TopicState::Over);
        self.session.machine().subscriptions().all(|topic| is_at_rest(topic.state))
            && self.wires.iter().all(|(link, wire)| self.link != Some(*link) || wire.unwritten() == 0)
            && !self.agenda.values().any(|due| {
                matches!(due, Happening::ToServer(link, _) | Happening::ToClient(link, _) if self.link == Some(*link))
            })
    }

    /// Once all is well the server has what is wanted, and nothing else.
    pub(super) fn compare_topics(&mut self) {
        let peer = self.link.and_then(|link| self.peers.get(&link)).filter(|_| self.story.settled_at.is_some());
        let Some(peer) = peer else { return };
        let has: BTreeSet<&str> = peer.topics.iter().map(String::as_str).collect();
        let wanted: BTreeSet<&str> = self.session.checker().wanted().collect();
        if has != wanted {
            self.story.violations.push(format!("topics: the server has {has:?}, and wanted are {wanted:?}"));
        }
    }
}
