//! What the logs say. Nothing here is reached in a hot path unless somebody listens.

use steadfast::{Action, Attempt, Error, Event, LinkId, OpId, Outcome, Phase, Recovery, StopCause, Text, Timestamp};
use tracing::{Level, debug, enabled, error, field::display, info, trace, warn};

use crate::ticket::is_good;

/// The target of all that is said.
const TARGET: &str = "steadfast";

/// Whether each frame and each message shall be told; asked once a round.
pub(crate) fn is_detailed() -> bool {
    enabled!(target: TARGET, Level::DEBUG)
}

/// A message was accepted.
pub(crate) fn queued(id: OpId) {
    debug!(target: TARGET, %id, "queued");
}

pub(crate) fn connect(attempt: &Attempt) {
    debug!(target: TARGET, link = %attempt.link, attempt = attempt.attempt, "connecting");
}

pub(crate) fn reconnect_after(at: Timestamp, attempt: u64, error: u64) {
    debug!(target: TARGET, %at, attempt, error, "waiting");
}

/// What is too frequent to be looked at unasked.
pub(crate) fn detail<I, T>(action: &Action<I, T>) {
    match action {
        Action::Send { link, frame, secret } => {
            trace!(target: TARGET, %link, bytes = frame.len(), secret, "sent");
        }
        Action::FlushQueue(link) => trace!(target: TARGET, %link, "flushing"),
        Action::Close { link, code, reason } => debug!(target: TARGET, %link, %code, %reason, "closing"),
        Action::AskCredential { ask, link, why } => debug!(target: TARGET, ask, %link, ?why, "asking for a credential"),
        Action::Abort(link) => debug!(target: TARGET, %link, "aborted"),
        Action::Emit(Event::Message { link, .. }) => trace!(target: TARGET, %link, "received"),
        // These have a word of their own.
        Action::Connect(_) | Action::ReconnectAfter { .. } | Action::EmitError(_) | Action::Emit(_) => {}
    }
}

/// A link has written all that it was given.
pub(crate) fn flushed(link: LinkId, frames: u64) {
    trace!(target: TARGET, %link, frames, "flushed");
}

/// Whether anybody wants to hear of failures.
pub(crate) fn is_worried() -> bool {
    enabled!(target: TARGET, Level::ERROR)
}

pub(crate) fn error(failure: &Error, client_id: Option<Text>) {
    let Error { number, kind, code, message, attempt, link, .. } = failure;
    let (code, client_id) = (code.as_ref().map(display), client_id.map(display));
    if failure.recovery == Recovery::Fatal {
        error!(target: TARGET, number, %kind, code, client_id, %link, attempt, "{message}; not tried again");
    } else {
        warn!(target: TARGET, number, %kind, code, client_id, %link, attempt, "{message}");
    }
}

/// What is no message.
pub(crate) fn event<I, T>(event: &Event<I, T>) {
    if let Event::Phase(change) = event {
        let (from, to, attempt) = (change.from, change.to, change.attempt);
        match to {
            Phase::Stopped(StopCause::Failed) => error!(target: TARGET, %from, %to, attempt, "phase"),
            Phase::Online | Phase::Stopped(_) => info!(target: TARGET, %from, %to, attempt, "phase"),
            Phase::Idle
            | Phase::Connecting
            | Phase::Authenticating
            | Phase::Restoring
            | Phase::Waiting
            | Phase::Suspended
            | Phase::Draining => debug!(target: TARGET, %from, %to, attempt, "phase"),
        }
    } else if let Event::Outcome { id, outcome } = event {
        outcome_of(*id, outcome);
    } else if let Event::GoingAway(away) = event {
        info!(target: TARGET, reason = %away.reason, after = ?away.after, "the server goes away");
    } else if let Event::Bad(complaint) = event {
        warn!(target: TARGET, "the peer makes no sense: {complaint}");
    } else if let Event::Trouble(rejected) = event {
        warn!(target: TARGET, "the peer reports an error: {rejected}");
    }
}

fn outcome_of(id: OpId, outcome: &Outcome) {
    if is_good(outcome) {
        debug!(target: TARGET, %id, ?outcome, "done");
    } else {
        warn!(target: TARGET, %id, ?outcome, "not done");
    }
}
