//! Is a server that wants to be left alone left alone?

use std::time::Duration;

use steadfast::{RetryPolicy, Timestamp};

/// What the server has asked for. Where there are several, each asks for itself alone, and nothing is known here.
#[derive(Clone, Debug, Default)]
pub(super) struct Wishes {
    /// No dial before that.
    until: Option<Timestamp>,
}

impl Wishes {
    /// It wants us away for so long.
    pub(super) fn asked(&mut self, now: Timestamp, wait: Duration, policy: &RetryPolicy) {
        let until = now.after(wait.clamp(policy.floor, policy.directed_cap));
        self.until = self.until.max(Some(until.unwrap_or(Timestamp::MAX)));
    }

    /// The application knows better, or goes elsewhere.
    pub(super) const fn overrule(&mut self) {
        self.until = None;
    }

    pub(super) fn dial(&mut self, now: Timestamp) -> Result<(), String> {
        match self.until.take().filter(|until| now < *until) {
            Some(until) => Err(format!("pace: dials, and the server wants to be left alone until {until}")),
            None => Ok(()),
        }
    }
}
