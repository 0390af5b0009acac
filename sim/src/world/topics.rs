//! Does the server have the topics that are wanted, and each of them once?

use std::collections::{BTreeMap, BTreeSet};

use steadfast::{Command, Event, Input, Phase, Text, Timestamp, TopicNews, TopicState};

use super::{Happening, World};

/// What the application wants and was told, by a count of its own.
#[derive(Clone, Debug, Default)]
pub(super) struct Account {
    /// By how many each is wanted; local ones aside.
    wanted: BTreeMap<Text, u32>,
    /// Refused or ended: not asked for until somebody subscribes anew.
    over: BTreeSet<Text>,
    confirmed: BTreeSet<Text>,
    /// They had been confirmed on a link before this one, and nothing was said of a gap.
    without_gap: BTreeSet<Text>,
    /// An answer did not come in time on this link: what was asked for may be asked for again.
    is_overdue: bool,
    pub(super) violations: Vec<String>,
}

/// A topic is wanted once more, or once less.
pub(super) enum Wish {
    More(Text),
    Less(Text),
}

impl Wish {
    /// Local topics never come to the server.
    pub(super) fn of(input: &Input<Text, Text>) -> Option<Self> {
        let Input::Command(command) = input else { return None };
        let wish = if let Command::Subscribe { topic, .. } = command {
            Self::More(topic.clone())
        } else if let Command::Unsubscribe { topic } = command {
            Self::Less(topic.clone())
        } else {
            return None;
        };
        let (Self::More(topic) | Self::Less(topic)) = &wish;
        (!topic.as_str().starts_with('#')).then_some(wish)
    }
}

impl Account {
    /// The session has taken it.
    pub(super) fn want(&mut self, wish: Wish) {
        match wish {
            Wish::More(topic) => {
                self.over.remove(&topic);
                *self.wanted.entry(topic).or_default() += 1;
            }
            Wish::Less(topic) => {
                let left = self.wanted.get(&topic).map_or(0, |count| count - 1);
                if left == 0 {
                    self.wanted.remove(&topic);
                } else {
                    self.wanted.insert(topic, left);
                }
            }
        }
    }

    pub(super) fn hear(&mut self, event: &Event<Text, Text>) {
        match event {
            Event::Phase(change) if change.to == Phase::Connecting => {
                self.without_gap.clone_from(&self.confirmed);
                self.is_overdue = false;
            }
            Event::Topic { topic, news } => self.news(topic, news),
            Event::Message { topic: Some(topic), link, .. } if self.without_gap.contains(topic) => {
                self.violations.push(format!("topics: {topic} goes on on link {link} without a gap"));
            }
            Event::Message { .. }
            | Event::Phase(_)
            | Event::Outcome { .. }
            | Event::Room
            | Event::Watermark { .. }
            | Event::GoingAway(_)
            | Event::Bad(_)
            | Event::Trouble(_)
            | Event::Degraded
            | Event::Recovered
            | Event::Level(_)
            | Event::RefreshFailed { .. }
            | Event::Duplicate { .. }
            | Event::Snapshot { .. }
            | Event::Restored { .. }
            | Event::Reply(_)
            | _ => {}
        }
    }

    fn news(&mut self, topic: &Text, news: &TopicNews) {
        match news {
            TopicNews::Confirmed => {
                self.confirmed.insert(topic.clone());
            }
            TopicNews::Gap { .. } => {
                self.without_gap.remove(topic);
            }
            TopicNews::Lost { why, .. } => self.is_overdue |= why.is_none(),
            TopicNews::Refused { retry_at: None, .. } | TopicNews::Ended { .. } => {
                self.over.insert(topic.clone());
                self.forget(topic);
            }
            TopicNews::Left => self.forget(topic),
            TopicNews::Refused { .. } | TopicNews::Stale | TopicNews::NoSnapshot { .. } | _ => {}
        }
    }

    fn forget(&mut self, topic: &Text) {
        self.confirmed.remove(topic);
        self.without_gap.remove(topic);
    }

    /// The server was asked for what the link has already.
    pub(super) fn asked_again(&mut self, now: Timestamp, topics: Vec<String>) {
        if !topics.is_empty() && !self.is_overdue {
            self.violations.push(format!("topics: {topics:?} asked for twice on one link, at {now}"));
        }
    }

    fn due(&self) -> BTreeSet<&str> {
        self.wanted.keys().filter(|topic| !self.over.contains(*topic)).map(Text::as_str).collect()
    }
}

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
        let due = self.topics.due();
        if has != due {
            self.topics.violations.push(format!("topics: the server has {has:?}, and wanted are {due:?}"));
        }
    }
}
