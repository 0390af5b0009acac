//! Sends the messages of a run, and keeps what became of each.

use steadfast::{OpId, Refused, SendOptions, Why};
use tokio::time::{Instant, timeout_at};

use super::{
    check::{Class, Sent},
    client::{Client, Json, message},
};

/// Sends numbered messages.
#[derive(Debug)]
pub(super) struct Sender {
    client: Client,
    options: SendOptions,
    tickets: Vec<(u64, steadfast_tokio::Ticket<Json>)>,
    refused: Vec<u64>,
    last: u64,
}

impl Sender {
    pub(super) fn new(client: Client, class: Class) -> Self {
        let class = match class {
            Class::AtLeastOnce => steadfast::Class::AtLeastOnce,
            Class::AtMostOnce => steadfast::Class::AtMostOnce,
        };
        let options = SendOptions::new(class);
        Self { client, options, tickets: Vec::new(), refused: Vec::new(), last: 0 }
    }

    /// How many messages were accepted.
    pub(super) fn accepted(&self) -> u64 {
        self.tickets.len() as u64
    }

    /// Sends until so many messages were accepted, or the queue is full. A message that was refused is not
    /// tried again: the next one has the next number.
    ///
    /// # Errors
    ///
    /// Nothing will be accepted any more; this is why.
    pub(super) fn send_up_to(&mut self, accepted: u64) -> Result<(), Why> {
        while self.accepted() < accepted {
            self.last += 1;
            match self.client.send_tracked(message(self.last), self.options.clone()) {
                Ok(ticket) => self.tickets.push((self.last, ticket)),
                Err(Refused { why, .. }) => {
                    self.refused.push(self.last);
                    return if why == Why::Full { Ok(()) } else { Err(why) };
                }
            }
        }
        Ok(())
    }

    /// What became of each message, as far as it is known at the deadline; and the numbers of those that
    /// were refused.
    pub(super) async fn outcomes(self, deadline: Instant) -> (Vec<(OpId, Sent)>, Vec<u64>) {
        let mut accepted = Vec::with_capacity(self.tickets.len());
        for (seq, ticket) in self.tickets {
            let id = ticket.id();
            let outcome = timeout_at(deadline, ticket).await;
            accepted.push((id, Sent { seq, outcomes: outcome.into_iter().collect() }));
        }
        (accepted, self.refused)
    }
}
