//! What the terminal is told of its session.

use std::io::{self, Write};

use steadfast::{Change, Error, Event, Kind, Outcome, Phase, Protocol, StopCause};
use steadfast_tokio::{Events, Item};
use tokio::sync::watch;

use super::{super::printable::printable, Args};
use crate::Failure;

/// Shows what happens until the session has ended.
///
/// # Errors
///
/// It ended by a failure, or the first one was one too many.
pub(super) async fn listen<P: Protocol>(
    mut events: Events<P>,
    show: fn(&P::Incoming) -> String,
    watch: &mut Watch<'_>,
) -> Result<(), Failure> {
    while let Some(item) = events.next().await {
        if let Item::Event(Event::Message { message, .. }) = &item {
            // Nobody reads our output any more: then there is nothing left to do.
            let Ok(()) = writeln!(io::stdout(), "{}", printable(&show(message))) else { return Ok(()) };
        }
        watch.tell(item)?;
    }
    Ok(())
}

/// Says how the session does.
pub(super) struct Watch<'a> {
    args: &'a Args,
    was_online: bool,
    last_error: String,
    /// Whether the first attempt has had a result.
    tried: watch::Sender<bool>,
    /// Whether the next attempt is the time to say what may be wrong.
    is_hint_due: bool,
    was_hinted: bool,
}

impl<'a> Watch<'a> {
    pub(super) fn new(args: &'a Args) -> Self {
        let (tried, last_error) = (watch::Sender::new(false), "the session ended before it was".into());
        Self { args, was_online: false, last_error, tried, is_hint_due: false, was_hinted: false }
    }

    /// Becomes true when the first attempt has had a result.
    pub(super) fn tried(&self) -> watch::Receiver<bool> {
        self.tried.subscribe()
    }

    /// There is another session now.
    pub(super) fn begin_again(&self) {
        self.tried.send_replace(false);
    }

    /// No session was ever online, and the last has ended.
    pub(super) fn never_there(&self, dropped: u64) -> Failure {
        let unsent = if dropped > 0 { format!("; {dropped} messages could not be sent") } else { String::new() };
        let (url, error) = (self.args.shown(), &self.last_error);
        let hint = if self.is_hint_due { "; is the server there?" } else { "" };
        Failure::new(format!("cannot connect to {url}: {error}{unsent}{hint}"))
    }

    fn tell<I, T>(&mut self, item: Item<I, T>) -> Result<(), Failure> {
        match item {
            Item::Event(Event::Phase(change)) => return self.phase(&change),
            // Taken along into the next session.
            Item::Event(Event::Outcome { outcome: Outcome::Cancelled, .. }) => {}
            Item::Event(Event::Outcome { id, outcome, label: _ }) => tell(&format!("message {id} ended {outcome:?}")),
            Item::Event(Event::Bad(complaint)) => tell(&format!("the server makes no sense: {complaint}")),
            Item::Event(Event::Level(level)) => tell(&format!("level {level}")),
            Item::Event(Event::Degraded) => tell("degraded: away for long; whoever has another way should take it"),
            Item::Event(Event::Recovered) => tell("recovered"),
            Item::Event(Event::Trouble(rejected)) => tell(&format!("the server reports an error: {rejected}")),
            Item::Error(error) => return self.failed(&error),
            Item::Lagged(lagged) => tell(&format!("too slow: {} messages were dropped", lagged.messages)),
            // Messages are shown elsewhere; the rest changes nothing for who sits at the terminal.
            Item::Event(_) | _ => {}
        }
        Ok(())
    }

    fn phase(&mut self, change: &Change) -> Result<(), Failure> {
        self.was_online |= change.to == Phase::Online;
        let url = self.args.shown();
        if change.to == Phase::Stopped(StopCause::Failed) {
            return Err(Failure::new(format!("gave up {url}: {}", self.last_error)));
        }
        tell(&status(change, &url));
        if change.to == Phase::Online {
            self.tried.send_replace(true);
        } else if !self.was_online && change.to == Phase::Connecting && self.is_hint_due && !self.was_hinted {
            self.was_hinted = true;
            tell(&format!("is the server running at {}? trying again; Ctrl-C ends", self.args.host()));
        }
        Ok(())
    }

    fn failed(&mut self, error: &Error) -> Result<(), Failure> {
        self.last_error = error.to_string();
        self.is_hint_due |= matches!(error.kind, Kind::NetworkError | Kind::Timeout);
        if self.args.fail_fast && !self.was_online {
            return Err(self.never_there(0));
        }
        tell(&self.last_error);
        self.tried.send_replace(true);
        Ok(())
    }
}

/// A change of phase, for people.
fn status(change: &Change, url: &str) -> String {
    match (change.to, change.retry_at) {
        (Phase::Connecting, _) => format!("connecting to {url}, attempt {}", change.attempt),
        (Phase::Waiting, Some(at)) => format!("waiting {} ms for the next attempt", at.since(change.at).as_millis()),
        (phase, _) => phase.to_string(),
    }
}

/// A line about the session, beside what it carries.
pub(super) fn tell(line: &str) {
    eprintln!("steadfast: {}", printable(line));
}
