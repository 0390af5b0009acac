//! What is owed for every request? It ends like a message, with an answer besides.

use std::time::Duration;

use steadfast::{Class, LinkId, OpId, Outcome, RequestOptions, SendOptions, Timestamp};

use super::ledger::{Context, Entry, Ledger, Why};

/// What is known of a request beside what any message has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// It may be asked again when the peer says no.
    retries: bool,
    /// It may be answered by the name of a message.
    named: bool,
    /// It may be failed by the name of a message, or was refused and may be asked again.
    pub(super) may_fail: bool,
    /// It may be failed by the name of a message: what a message is about the checker does not know.
    fails_by_name: bool,
    /// It was refused: from then on nobody but the session knows where in the queue it stands.
    floats: bool,
    /// Where it was refused last. What is said of it there is about it still.
    refused_on: Option<LinkId>,
}

impl Ledger {
    /// A request is accepted.
    pub(super) fn ask(
        &mut self,
        now: Timestamp,
        id: OpId,
        options: &RequestOptions,
        usual: Duration,
    ) -> Result<(), String> {
        let class = if options.idempotent { Class::AtLeastOnce } else { Class::AtMostOnce };
        let mut sent = SendOptions::new(class).tracked().ttl(options.deadline.unwrap_or(usual));
        sent.secret = options.secret;
        self.requests.insert(id.0);
        let verdict = self.accept(now, id, sent, None);
        let asked = Asked {
            retries: options.retry.is_some(),
            named: options.answered_by.is_some(),
            may_fail: options.failed_by.is_some(),
            fails_by_name: options.failed_by.is_some(),
            floats: false,
            refused_on: None,
        };
        if let Some(entry) = self.entry(id) {
            entry.asked = Some(asked);
        }
        verdict
    }

    /// An answer to a call of the peer's is accepted: it is for this link only, and ends in this turn if that is gone.
    pub(super) fn answer_call(&mut self, now: Timestamp, id: OpId, link: LinkId) -> Result<(), String> {
        self.answers.insert(id.0);
        self.accept(now, id, SendOptions::bypass(), Some(link))
    }

    /// Whether it is, or was, a request of the application.
    pub(super) fn was_asked(&self, op: OpId) -> bool {
        self.requests.contains(&op.0)
    }

    pub(super) fn is_request(&mut self, op: OpId) -> bool {
        self.entry(op).is_some_and(|entry| entry.asked.is_some())
    }

    /// The peer answers it. `false`: it is no request that this link was given.
    pub(super) fn replied(&mut self, op: OpId, link: LinkId) -> bool {
        let is_given =
            |entry: &mut Entry| entry.asked.is_some_and(|asked| entry.handed || asked.refused_on == Some(link));
        let is_given = self.entry(op).is_some_and(is_given);
        if is_given {
            self.owe(op, Why::Replied);
        }
        is_given
    }

    /// The peer has it, or says no. An acknowledgement ends no request; a no may be the beginning of another try.
    pub(super) fn refused(&mut self, op: OpId, link: LinkId, why: Why) {
        let Some(entry) = self.entry(op).filter(|entry| entry.handed && why == Why::Denied) else { return };
        match &mut entry.asked {
            Some(asked) if asked.retries => {
                (asked.floats, asked.may_fail, asked.refused_on) = (true, true, Some(link));
                (entry.handed, entry.doubtful) = (false, false);
            }
            Some(_) | None => self.owe(op, why),
        }
    }

    /// Its link is gone, and nothing was told of it: it had been failed by a name, or it is idempotent.
    pub(super) fn outlives_its_link(&mut self, op: OpId) -> bool {
        let is_lost =
            |entry: &&mut Entry| entry.may_wait_again() && matches!(entry.owed, Some(Why::Lost | Why::Poison));
        let Some(entry) = self.entry(op).filter(is_lost) else { return false };
        (entry.doubtful, entry.owed) = (entry.owed == Some(Why::Poison), None);
        true
    }

    /// One that was refused, or failed by a name, goes to a transport again, whenever that is. `false`: it is another one.
    pub(super) fn hand_over_again(&mut self, op: OpId) -> bool {
        let goes_again = |entry: &Entry| {
            if entry.handed { entry.may_wait_again() } else { entry.floats() }
        };
        let Some(entry) = self.entry(op).filter(|entry| goes_again(entry)) else { return false };
        entry.handed = true;
        true
    }

    /// It ends with an answer, with or without content, or in another way.
    pub(super) fn end_request(
        &mut self,
        id: OpId,
        result: Result<bool, &Outcome>,
        context: &Context,
    ) -> Result<(), String> {
        let Some((asked, owed, handed)) =
            self.entry(id).and_then(|entry| Some((entry.asked?, entry.owed, entry.handed)))
        else {
            return Err(format!("one outcome: {id} is answered with {result:?} and is no request that waits"));
        };
        match result {
            Err(outcome) => self.end_any(id, outcome, context),
            Ok(_) if owed == Some(Why::Replied) || (asked.named && handed) => {
                self.remove(id);
                Ok(())
            }
            Ok(_) => Err(format!("one outcome: {id} is answered, and nobody has answered it")),
        }
    }
}

impl Entry {
    /// Whether the session may have taken a message for its failure, and asks again.
    pub(super) fn may_wait_again(&self) -> bool {
        self.asked.is_some_and(|asked| asked.retries && asked.fails_by_name)
    }

    /// Its link is gone: nobody but the session knows whether it stands in the row or waits for its next try.
    pub(super) fn lose_sight(&mut self) {
        let unsure = self.may_wait_again();
        self.asked.iter_mut().for_each(|asked| asked.floats |= unsure);
    }

    pub(super) fn floats(&self) -> bool {
        self.asked.is_some_and(|asked| asked.floats)
    }
}
