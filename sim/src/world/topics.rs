//! Does the server have the topics that are wanted, and nothing else?

use std::collections::BTreeSet;

use steadfast::TopicState;

use super::{Happening, World};

impl World {
    /// All topics have what they are to have, and nothing is on its way.
    pub(super) fn has_its_topics(&self) -> bool {
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
