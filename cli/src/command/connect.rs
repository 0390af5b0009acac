//! `steadfast connect`: lines in, frames out, for as long as somebody is there.

use std::{
    convert::Infallible,
    fs,
    future::pending,
    hash::{BuildHasher, RandomState},
    io::{self, BufRead, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    thread,
    time::Duration,
};

use clap::ValueEnum;
use steadfast::{
    Change, Class, Config, Error, Event, Kind, Phase, Plain, Protocol, SendOptions, Stats, StopCause,
    protocol::json::{Json, Login},
    trace::Header,
};
use steadfast_tokio::{BadTrust, Builder, Client, Drain, Driver, Events, Item, Tcp, Tokio, Trust};
use tokio::{
    join, select,
    signal::ctrl_c,
    sync::{mpsc, watch},
};

use super::{habit::Habit, printable::printable, slash::Line, span, token};
use crate::{
    Failure,
    trace::{Recordable, Recording},
};

/// Lines that were read and not yet accepted. Beyond that the terminal waits.
const LINES: usize = 64;
/// The exit code if a message did not, or may not have, arrived.
const LOST: u8 = 1;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The server, as ws://host:port/path or wss://host/path
    url: String,
    /// What is spoken
    #[arg(long, default_value = "plain")]
    protocol: Tongue,
    /// A header for the handshake, as 'Name: value'; may be repeated
    #[arg(long, value_name = "HEADER", value_parser = header)]
    header: Vec<(String, String)>,
    /// A PEM file with root certificates to trust instead of those of the machine (wss)
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// A PEM file with a client certificate to show to the server (wss)
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// A PEM file with the private key of that certificate
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
    /// The credential for the login of json; 'env:NAME' takes it from the environment
    #[arg(long, value_name = "TOKEN")]
    token: Option<String>,
    /// With json: every line is kept until the server acknowledges it
    #[arg(long)]
    acks: bool,
    /// Write down all that the session is told and does, without credentials: see 'replay' and 'explain'
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// With --record: without what is said, too
    #[arg(long, requires = "record")]
    redact: bool,
    /// Give up if the first attempt fails, instead of trying for ever
    #[arg(long)]
    fail_fast: bool,
    /// How long lines may take to leave after the end of the input
    #[arg(long, default_value = "10s", value_parser = span::parse, value_name = "TIME")]
    drain: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Tongue {
    /// A line is a text frame
    Plain,
    /// A line is a name and its content: order {"table":4}
    Json,
}

/// Stays connected until the input ends, Ctrl-C is pressed, or the session stops by itself.
pub(super) async fn run(args: Args) -> Result<ExitCode, Failure> {
    if args.protocol == Tongue::Plain && (args.acks || args.token.is_some()) {
        return Err(Failure::new("--acks and --token are for --protocol json; a plain server may want --header"));
    }
    let is_secure = args.url.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case("wss://"));
    if !is_secure && (args.ca.is_some() || args.cert.is_some()) {
        return Err(Failure::new("--ca, --cert and --key are for TLS: write wss:// instead of ws://"));
    }
    let mut config = Config::default();
    // Whoever sits at the terminal says when it is over, not the server.
    config.long_lived = true;
    let recording = args.record.as_deref().map(|path| Recording::start(path, args.redact)).transpose()?;
    let seed = RandomState::new().hash_one(());
    let builder = steadfast_tokio::connect(&args.url).config(config.clone()).seed(seed).trust(args.trust()?);
    let builder = args.header.iter().fold(builder, |builder, (name, value)| builder.header(name, value));
    let ended = match args.protocol {
        Tongue::Plain => {
            let header = Header::new("plain", &(), seed, config);
            let builder = watched(builder, recording.as_ref(), Plain, &header)?;
            hold(builder, Habit::plain(), &args).await
        }
        Tongue::Json => {
            let (protocol, credential) = args.json()?;
            let header = Header::new("json", &protocol, seed, config);
            let builder = watched(builder.protocol(protocol.clone()), recording.as_ref(), protocol, &header)?;
            let builder = match credential {
                Some(credential) => builder.credential(credential),
                None => builder,
            };
            hold(builder, Habit::json(), &args).await
        }
    };
    recording.map_or(Ok(()), Recording::finish).and(ended)
}

/// The same session, recorded if that is wanted.
fn watched<P: Recordable>(
    builder: Builder<P, Tokio, Tcp>,
    recording: Option<&Recording>,
    protocol: P,
    header: &Header,
) -> Result<Builder<P, Tokio, Tcp>, Failure> {
    match recording {
        Some(recording) => recording.watch(builder, protocol, header),
        None => Ok(builder),
    }
}

impl Args {
    /// The protocol, and what to log in with.
    fn json(&self) -> Result<(Json, Option<String>), Failure> {
        let incarnation = u64::from(std::process::id()) << 32 | u64::from(nanos());
        let json = Json::new(incarnation).acks(self.acks);
        let credential = token::read(self.token.as_deref())?;
        Ok((if credential.is_some() { json.login(Login::default()) } else { json }, credential))
    }

    /// Whom to trust, and what to show.
    fn trust(&self) -> Result<Trust, Failure> {
        let trust = match &self.ca {
            None => Trust::platform(),
            Some(path) => Trust::only(pem("--ca", path)?).map_err(|bad| unusable("--ca", path, &bad))?,
        };
        match (&self.cert, &self.key) {
            (Some(cert), Some(key)) => trust
                .identity(pem("--cert", cert)?, pem("--key", key)?)
                .map_err(|bad| unusable("--cert, --key", cert, &bad)),
            _ => Ok(trust),
        }
    }

    /// The URL without its query, where people put tokens.
    fn shown(&self) -> &str {
        self.url.split('?').next().unwrap_or_default()
    }

    /// The host and port of the URL.
    fn host(&self) -> &str {
        let rest = self.shown().split_once("://").map_or(self.shown(), |(_, rest)| rest);
        rest.split('/').next().unwrap_or_default()
    }

    const fn options(&self) -> SendOptions {
        let class = if self.acks { Class::AtLeastOnce } else { Class::AtMostOnce };
        SendOptions::new(class)
    }
}

fn pem(option: &str, path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|error| Failure::new(format!("{option}: cannot read {}: {error}", path.display())))
}

fn unusable(option: &str, path: &Path, bad: &BadTrust) -> Failure {
    Failure::new(format!("{option}: {}: {bad}", path.display()))
}

/// Runs a session until it ends.
async fn hold<P: Protocol>(builder: Builder<P, Tokio, Tcp>, habit: Habit<P>, args: &Args) -> Result<ExitCode, Failure> {
    let (client, events, driver) = builder.build().map_err(|error| Failure::new(error.to_string()))?;
    let driver: Driver<P> = driver;
    let mut watch = Watch::new(args);
    let leaving = leave(&client, &habit, watch.tried.subscribe(), args);
    select! {
        ended = listen(events, habit.show, &mut watch) => ended?,
        never = async { join!(driver, leaving); pending::<Infallible>().await } => match never {},
    }
    let stats = client.stats();
    if stats.online == 0 {
        return Err(watch.never_there(stats.dropped));
    }
    let Some(lost) = lost(&stats) else { return Ok(ExitCode::SUCCESS) };
    tell(&lost);
    Ok(ExitCode::from(LOST))
}

/// What did not end well, in one line.
fn lost(stats: &Stats) -> Option<String> {
    let ends = [
        (stats.in_doubt, "in doubt"),
        (stats.failed, "refused by the server"),
        (stats.expired, "expired"),
        (stats.dropped, "never sent"),
    ];
    let ends: Vec<String> =
        ends.iter().filter(|(count, _)| *count > 0).map(|(count, end)| format!("{count} {end}")).collect();
    (!ends.is_empty()).then(|| format!("not every message arrived for certain: {}", ends.join(", ")))
}

/// Sends lines until there are no more, or until Ctrl-C; then closes the session. The end of the input does not
/// overtake the first attempt: whether the server is there is worth knowing.
async fn leave<P: Protocol>(client: &Client<P>, habit: &Habit<P>, mut tried: watch::Receiver<bool>, args: &Args) {
    let fed = async {
        feed(client, habit, args.options()).await;
        // It fails when nobody watches any more; then the session has ended.
        let _ = tried.wait_for(|tried| *tried).await;
    };
    let within = select! {
        () = fed => args.drain,
        _ = ctrl_c() => Duration::ZERO,
    };
    client.close(Drain::within(within)).await;
}

async fn feed<P: Protocol>(client: &Client<P>, habit: &Habit<P>, options: SendOptions) {
    let mut lines = input();
    while let Some(line) = lines.recv().await {
        let message = match Line::read(line) {
            Ok(Line::Text(text)) => (habit.read)(text),
            Ok(Line::Emit(text)) => (habit.emit)(text),
            Ok(Line::Ask(ask)) => {
                ask.answer(client).iter().for_each(|line| tell(line));
                continue;
            }
            Err(problem) => {
                tell(&problem);
                continue;
            }
        };
        let sent = match message {
            Ok(message) => {
                client.send_when_ready_with(message, options.clone()).await.map_err(|refused| refused.to_string())
            }
            Err(problem) => Err(problem),
        };
        if let Err(problem) = sent {
            tell(&format!("not sent: {problem}"));
        }
    }
}

/// The lines of the standard input. A thread of its own reads them, because nothing can wake a reader of a
/// terminal; it ends with the process.
fn input() -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel(LINES);
    thread::spawn(move || {
        for line in io::stdin().lock().split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line);
            if sender.blocking_send(line.trim_end_matches('\r').to_owned()).is_err() {
                return;
            }
        }
    });
    lines
}

/// Shows what happens until the session has ended.
///
/// # Errors
///
/// It ended by a failure, or the first one was one too many.
async fn listen<P: Protocol>(
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
struct Watch<'a> {
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
    fn new(args: &'a Args) -> Self {
        let (tried, last_error) = (watch::Sender::new(false), "the session ended before it was".into());
        Self { args, was_online: false, last_error, tried, is_hint_due: false, was_hinted: false }
    }

    /// The session has ended and was never online.
    fn never_there(&self, dropped: u64) -> Failure {
        let unsent = if dropped > 0 { format!("; {dropped} messages could not be sent") } else { String::new() };
        let (url, error) = (self.args.shown(), &self.last_error);
        let hint = if self.is_hint_due { "; is the server there?" } else { "" };
        Failure::new(format!("cannot connect to {url}: {error}{unsent}{hint}"))
    }

    fn tell<I, T>(&mut self, item: Item<I, T>) -> Result<(), Failure> {
        match item {
            Item::Event(Event::Phase(change)) => return self.phase(&change),
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
        tell(&status(change, url));
        if self.was_online {
            self.tried.send_replace(true);
        } else if change.to == Phase::Connecting && self.is_hint_due && !self.was_hinted {
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
fn tell(line: &str) {
    eprintln!("steadfast: {}", printable(line));
}

fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("write it as 'Name: value'")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

fn nanos() -> u32 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().subsec_nanos()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_did_not_end_well_is_summed_up() {
        let mut stats = Stats::default();
        (stats.acked, stats.written) = (7, 7);
        assert_eq!(lost(&stats), None);
        (stats.in_doubt, stats.failed, stats.expired, stats.dropped) = (1, 2, 3, 4);
        let expected =
            "not every message arrived for certain: 1 in doubt, 2 refused by the server, 3 expired, 4 never sent";
        assert_eq!(lost(&stats).as_deref(), Some(expected));
    }

    #[test]
    fn a_header_is_a_name_and_a_value() {
        assert_eq!(header("X-Region: eu:west"), Ok(("X-Region".into(), "eu:west".into())));
        assert!(header("X-Region").is_err());
    }
}
