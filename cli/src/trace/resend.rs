//! The messages of a recorded application once more, to a real server, with their timing.

use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    path::Path,
    time::Duration,
};

use serde::de::DeserializeOwned;
use steadfast::{
    Command, Input, Outcome, Plain, Protocol, SendOptions, Timestamp,
    protocol::json::Json,
    trace::{Header, Turn},
};
use steadfast_tokio::{Builder, Drain, Tcp, Ticket, Tokio};
use tokio::{
    net::lookup_host,
    select,
    time::{Instant, sleep_until, timeout_at},
};

use super::{json, open, unknown, unreadable};
use crate::Failure;

/// Where the messages go.
#[derive(Debug)]
pub(crate) struct Target<'a> {
    pub(crate) url: &'a str,
    /// What to log in with: the trace does not know.
    pub(crate) credential: Option<String>,
    /// Whether it may be another machine.
    pub(crate) is_remote_allowed: bool,
}

/// How long the last messages may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What became of the messages.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    arrived: u64,
    written: u64,
    /// Those of which it is not certain, with the reason.
    lost: Vec<String>,
}

impl Tally {
    pub(crate) fn is_good(&self) -> bool {
        self.lost.is_empty()
    }

    fn count(&mut self, outcome: &Outcome) {
        if *outcome == Outcome::Acked {
            self.arrived += 1;
        } else if *outcome == Outcome::Written {
            self.written += 1;
        } else {
            self.lost.push(format!("{outcome:?}"));
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { arrived, written, lost } = self;
        write!(f, "{} messages: {arrived} acknowledged, {written} written", arrived + written + lost.len() as u64)?;
        if !lost.is_empty() {
            write!(f, ", {} not for certain ({})", lost.len(), lost[0])?;
        }
        Ok(())
    }
}

/// Sends what the recorded application sent, when it did, counted from the first turn.
///
/// # Errors
///
/// The trace cannot be read, or the server is not one to send to.
pub(crate) async fn resend(path: &Path, text: &str, target: &Target<'_>) -> Result<Tally, Failure> {
    target.check().await?;
    let header = open(path, text)?.header().clone();
    let builder = steadfast_tokio::connect(target.url).config(header.config.clone());
    let builder = match &target.credential {
        Some(credential) => builder.credential(credential.as_str()),
        None => builder,
    };
    match header.protocol.as_str() {
        "plain" => send(messages::<Plain>(path, text)?, builder).await,
        "json" => {
            let protocol = json(path, &as_another(header)?)?;
            send(messages::<Json>(path, text)?, builder.protocol(protocol)).await
        }
        other => Err(unknown(path, other)),
    }
}

/// The header of another life of the client. Messages with the ids of the recorded one would be taken for ones that the
/// server has already.
fn as_another(mut header: Header) -> Result<Header, Failure> {
    let json = Json::new(RandomState::new().hash_one(()));
    let mut fresh = serde_json::to_value(json).map_err(|error| Failure::new(error.to_string()))?;
    if let Some(members) = header.parameters.as_object_mut() {
        members.insert("prefix".into(), fresh["prefix"].take());
    }
    Ok(header)
}

impl Target<'_> {
    /// A recording is not sent to strangers by a slip of the hand.
    async fn check(&self) -> Result<(), Failure> {
        let (scheme, rest) = self.url.split_once("://").unwrap_or(("ws", self.url));
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let port = if scheme.eq_ignore_ascii_case("wss") { 443 } else { 80 };
        let found = match lookup_host(authority).await {
            Ok(found) => Ok(found.collect::<Vec<_>>()),
            Err(_) => lookup_host((authority, port)).await.map(Iterator::collect),
        };
        match found {
            Ok(found) if self.is_remote_allowed || found.iter().all(|address| address.ip().is_loopback()) => Ok(()),
            Ok(_) => {
                Err(Failure::new(format!("--to {} is not this machine; use 127.0.0.1 or add --allow-remote", self.url)))
            }
            Err(error) => Err(Failure::new(format!("--to {}: {error}; write ws://host:port/path", self.url))),
        }
    }
}

/// A message, how it was sent, and when.
type Sent<M> = (Duration, M, SendOptions);

fn messages<P>(path: &Path, text: &str) -> Result<Vec<Sent<P::Message>>, Failure>
where
    P: Protocol<Message: DeserializeOwned, Topic: DeserializeOwned>,
{
    let (mut reader, mut messages, mut start) = (open(path, text)?, Vec::new(), None::<Timestamp>);
    while let Some(turn) = reader.next_turn().map_err(|error| unreadable(path, &error))? {
        let start = *start.get_or_insert(turn.at);
        let Turn { at, .. } = turn;
        let input: Input<P::Message, P::Topic> = turn.input().map_err(|error| unreadable(path, &error))?;
        if let Input::Command(Command::Send { message, options }) = input {
            messages.push((at.since(start), message, options));
        }
    }
    Ok(messages)
}

async fn send<P: Protocol>(messages: Vec<Sent<P::Message>>, builder: Builder<P, Tokio, Tcp>) -> Result<Tally, Failure> {
    let (client, mut events, driver) = builder.build().map_err(|error| Failure::new(error.to_string()))?;
    let mut tally = Tally::default();
    let sending = async {
        let (start, mut tickets) = (Instant::now(), Vec::<Ticket<P>>::new());
        for (after, message, options) in messages {
            sleep_until(start + after).await;
            match client.send_tracked(message, options) {
                Ok(ticket) => tickets.push(ticket),
                Err(refused) => tally.lost.push(refused.to_string()),
            }
        }
        let patience = Instant::now() + PATIENCE;
        for ticket in tickets {
            match timeout_at(patience, ticket).await {
                Ok(outcome) => tally.count(&outcome),
                Err(_) => tally.lost.push("no outcome in time".into()),
            }
        }
        client.close(Drain::within(PATIENCE)).await;
    };
    // What the server says is not kept; but somebody has to take it.
    let listening = async { while events.next().await.is_some() {} };
    let ((), ()) = tokio::join!(sending, async {
        select! {
            _ = driver => {}
            () = listening => {}
        }
    });
    Ok(tally)
}
