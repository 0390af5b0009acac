//! What the session says of itself while it runs.

use std::{collections::BTreeMap, time::Duration};

use steadfast::{Change, Event, OpId, Outcome, Phase, Timestamp};

use super::{
    check::Sent,
    client::{Events, Item},
};

/// What was said.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) struct Journal {
    /// How long each outage took, from offline to online.
    pub(super) outages: Vec<Duration>,
    /// Outcomes that were told as events. All messages have tickets, so each of these is one too many.
    surplus: BTreeMap<OpId, Vec<Outcome>>,
    /// The last failure, in its own words.
    pub(super) last_error: Option<String>,
    offline_since: Option<Timestamp>,
}

impl Journal {
    /// Listens until the session has ended.
    pub(super) async fn keep(mut events: Events) -> Self {
        let mut journal = Self::default();
        while let Some(item) = events.next().await {
            journal.note(item);
        }
        journal
    }

    /// Adds to a message the outcomes that were told beside its ticket.
    pub(super) fn complete(&mut self, id: OpId, mut sent: Sent) -> Sent {
        sent.outcomes.extend(self.surplus.remove(&id).into_iter().flatten());
        sent
    }

    fn note(&mut self, item: Item) {
        match item {
            Item::Event(Event::Phase(change)) => self.phase(&change),
            Item::Event(Event::Outcome { id, outcome, label: _ }) => self.surplus.entry(id).or_default().push(outcome),
            Item::Error(error) => self.last_error = Some(error.to_string()),
            // The server says nothing but acknowledgements, which are the session's own affair.
            Item::Event(_) | Item::Lagged(_) | _ => {}
        }
    }

    fn phase(&mut self, change: &Change) {
        if change.from == Phase::Online {
            self.offline_since = Some(change.at);
        }
        if change.to == Phase::Online {
            self.outages.extend(self.offline_since.take().map(|since| change.at.since(since)));
        }
    }
}
