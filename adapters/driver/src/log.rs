//! What the logs say. Nothing here is reached in a hot path unless somebody listens.

use steadfast::{
    Action, Attempt, Change, CloseCode, Dropped, Error, Event, GaveUp, LinkId, OpId, Outcome, Phase, Recovery,
    StopCause, Text, Timestamp, shown_address,
};
use tracing::{
    Level, debug, enabled, error,
    field::{debug, display},
    info, trace, warn,
};

use crate::{Ask, ticket::is_good};

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
    let endpoint = attempt.endpoint.as_ref().map(|endpoint| display(shown_address(endpoint.as_str())));
    debug!(target: TARGET, link = %attempt.link, attempt = attempt.attempt, endpoint, "connecting");
}

pub(crate) fn reconnect_after(at: Timestamp, attempt: u64, error: u64) {
    debug!(target: TARGET, %at, attempt, error, "waiting");
}

/// There is another list of endpoints.
pub(crate) fn endpoints(list: &[Text]) {
    let list: Vec<_> = list.iter().map(|endpoint| shown_address(endpoint.as_str())).collect();
    debug!(target: TARGET, ?list, "endpoints");
}

/// The host is asked for a credential. What it answers is not shown.
pub(crate) fn asked(ask: &Ask) {
    debug!(target: TARGET, link = %ask.link, why = ?ask.why, "asking for a credential");
}

/// The host's own code has panicked.
pub(crate) fn host_panicked(what: &'static str) {
    error!(target: TARGET, "the host panicked in {what}");
}

/// What is too frequent to be looked at unasked.
pub(crate) fn detail<I, T>(action: &Action<I, T>) {
    match action {
        Action::Send { link, frame, secret } => {
            trace!(target: TARGET, %link, bytes = frame.len(), secret, "sent");
        }
        Action::FlushQueue(link) => trace!(target: TARGET, %link, "flushing"),
        Action::Abort(link) => debug!(target: TARGET, %link, "aborted"),
        Action::Emit(Event::Message { link, .. }) => trace!(target: TARGET, %link, "received"),
        // These have a word of their own.
        Action::Connect(_)
        | Action::Close { .. }
        | Action::ReconnectAfter { .. }
        | Action::AskCredential { .. }
        | Action::EmitError(_)
        | Action::Emit(_) => {}
    }
}

/// We say goodbye.
pub(crate) fn closing(link: LinkId, attempt: Option<u64>, client_id: Option<Text>, code: CloseCode, reason: &Text) {
    let client_id = client_id.map(display);
    debug!(target: TARGET, %link, attempt, client_id, %code, %reason, "closing");
}

/// A message was given to the transport as a whole.
pub(crate) fn sent(id: OpId, link: LinkId) {
    debug!(target: TARGET, %id, %link, "sent");
}

/// A message is with the operating system as a whole.
pub(crate) fn flushed_message(id: OpId, link: LinkId) {
    debug!(target: TARGET, %id, %link, "flushed");
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
        phase(change);
    } else if let Event::Outcome { id, outcome, label } = event {
        outcome_of(*id, outcome, label.as_ref());
    } else if let Event::Reply(reply) = event {
        match &reply.result {
            Ok(_) => {
                debug!(target: TARGET, id = %reply.id, label = reply.label.as_ref().map_or("", Text::as_str), "answered")
            }
            Err(outcome) => outcome_of(reply.id, outcome, reply.label.as_ref()),
        }
    } else if let Event::GoingAway(away) = event {
        let address = away.address.as_ref().map(|address| display(shown_address(address.as_str())));
        info!(target: TARGET, reason = %away.reason, comeback = ?away.comeback, address, "the server goes away");
    } else if let Event::Bad(complaint) = event {
        warn!(target: TARGET, "the peer makes no sense: {complaint}");
    } else if let Event::Trouble(rejected) = event {
        warn!(target: TARGET, "the peer reports an error: {rejected}");
    } else if let Event::RefreshFailed { why } = event {
        warn!(target: TARGET, %why, "the login is not renewed yet");
    } else if let Event::Duplicate { id, link } = event {
        debug!(target: TARGET, %link, id = %id.escape_ascii(), "a message came again");
    } else if let Event::Degraded = event {
        warn!(target: TARGET, "degraded");
    } else if let Event::Recovered = event {
        info!(target: TARGET, "recovered");
    } else if let Event::Level(level) = event {
        info!(target: TARGET, %level, "level");
    } else if let Event::Watermark { high } = event {
        debug!(target: TARGET, high, "watermark");
    }
}

fn phase(change: &Change) {
    let Change { from, to, attempt, .. } = *change;
    if let Some(given_up) = &change.gave_up {
        let GaveUp { limit, first, last, .. } = &**given_up;
        let limit = limit.map(debug);
        error!(target: TARGET, %from, %to, attempt, limit, first = %first.message, last = %last.message, "given up");
        return;
    }
    match to {
        Phase::Stopped(StopCause::Failed) => error!(target: TARGET, %from, %to, attempt, "phase"),
        Phase::Online | Phase::Suspended | Phase::Stopped(_) => info!(target: TARGET, %from, %to, attempt, "phase"),
        Phase::Idle
        | Phase::Connecting
        | Phase::Authenticating
        | Phase::Restoring
        | Phase::Waiting
        | Phase::Draining => debug!(target: TARGET, %from, %to, attempt, "phase"),
    }
}

fn outcome_of(id: OpId, outcome: &Outcome, label: Option<&Text>) {
    let label = label.map_or("", Text::as_str);
    if is_good(outcome) || is_wanted(outcome) {
        debug!(target: TARGET, %id, ?outcome, label, "done");
    } else {
        warn!(target: TARGET, %id, ?outcome, label, "not done");
    }
}

/// Whether it is what the application itself has brought about.
fn is_wanted(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Cancelled | Outcome::Dropped(Dropped::Replaced) | Outcome::Duplicate(_))
}
