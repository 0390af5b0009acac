//! A terminal and its sessions: one, unless a recording begins in between.

use std::{
    convert::Infallible,
    future::pending,
    io::{self, BufRead},
    path::{Path, PathBuf},
    process::ExitCode,
    thread,
    time::Duration,
};

use steadfast::{Protocol, Stats};
use steadfast_tokio::{Client, Drain, Driver, Trust};
use tokio::{
    join, select,
    signal::ctrl_c,
    sync::{mpsc, watch},
    task::spawn_blocking,
};

use super::{
    super::{habit::Habit, slash::Line},
    Args,
    asked::{Asked, Wish},
    watch::{Watch, listen, tell},
};
use crate::{
    Failure,
    trace::{Recordable, Recording},
};

/// Lines that were read and not yet accepted. Beyond that the terminal waits.
const LINES: usize = 64;
/// The exit code if a message did not, or may not have, arrived.
const LOST: u8 = 1;

/// Runs sessions until the last of them ends.
pub(super) async fn hold<P: Recordable>(
    args: &Args,
    habit: &Habit<P>,
    credential: Option<String>,
    speak: impl Fn() -> P,
) -> Result<ExitCode, Failure> {
    let trust = args.trust()?;
    let recording = args.record.as_deref().map(|path| Recording::start("--record", path, args.redact)).transpose()?;
    let mut desk = Desk { args, trust, credential, lines: input(), recording, watch: Watch::new(args) };
    let ended = desk.sessions(habit, speak).await;
    desk.stop().await.and(ended)
}

/// What stays when one session follows another.
struct Desk<'a> {
    args: &'a Args,
    trust: Trust,
    credential: Option<String>,
    lines: mpsc::Receiver<String>,
    recording: Option<Recording>,
    watch: Watch<'a>,
}

/// Another session is wanted, recorded from its first turn on: a trace of the second half of one could not be replayed.
struct Next<M> {
    recording: Recording,
    /// What has not left with the session before.
    unsent: Vec<M>,
}

impl Desk<'_> {
    async fn sessions<P: Recordable>(&mut self, habit: &Habit<P>, speak: impl Fn() -> P) -> Result<ExitCode, Failure> {
        let (mut total, mut unsent) = (Stats::default(), Vec::new());
        while let Some(next) = self.session(habit, speak(), unsent, &mut total).await? {
            if let Err(problem) = self.stop().await {
                tell(&problem.to_string());
            }
            self.watch.begin_again();
            (self.recording, unsent) = (Some(next.recording), next.unsent);
        }
        if total.online == 0 {
            return Err(self.watch.never_there(total.dropped));
        }
        let Some(lost) = lost(&total) else { return Ok(ExitCode::SUCCESS) };
        tell(&lost);
        Ok(ExitCode::from(LOST))
    }

    /// Runs one session until it ends, and sums up.
    async fn session<P: Recordable>(
        &mut self,
        habit: &Habit<P>,
        protocol: P,
        unsent: Vec<P::Message>,
        total: &mut Stats,
    ) -> Result<Option<Next<P::Message>>, Failure> {
        let Self { args, trust, credential, lines, recording, watch } = self;
        let builder = args.session(protocol, credential.as_deref(), trust.clone(), recording.as_ref())?;
        let (client, events, driver) = builder.build().map_err(|error| Failure::new(error.to_string()))?;
        let driver: Driver<P> = driver;
        let tried = watch.tried();
        let (wishes, wished) = mpsc::unbounded_channel();
        let mut asked = Asked::new(wished, habit.show);
        let mut typist = Typist { args, client: &client, habit, lines, wishes, recording, next: None, dropped: 0 };
        let leaving = typist.leave(unsent, tried);
        let ended = select! {
            ended = listen(events, habit.show, watch) => ended,
            never = async { join!(driver, leaving); pending::<Infallible>().await } => match never {},
            () = asked.run() => Ok(()),
        };
        asked.finish();
        add(total, &client.stats());
        total.dropped += typist.dropped;
        ended.map(|()| typist.next)
    }

    /// Ends the recording if there is one.
    async fn stop(&mut self) -> Result<(), Failure> {
        stop(&mut self.recording).await.map(drop)
    }
}

/// Waits until all that was recorded is written, and says where.
async fn stop(recording: &mut Option<Recording>) -> Result<Option<PathBuf>, Failure> {
    let Some(recording) = recording.take() else { return Ok(None) };
    let path = recording.path().to_owned();
    let finished = spawn_blocking(|| recording.finish()).await;
    finished.map_err(|_| Failure::new("the recording could not be finished"))?.map(|()| Some(path))
}

fn add(total: &mut Stats, one: &Stats) {
    total.online += one.online;
    total.in_doubt += one.in_doubt;
    total.failed += one.failed;
    total.expired += one.expired;
    total.dropped += one.dropped;
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

/// Whoever types, and the session that it is for.
struct Typist<'a, P: Protocol> {
    args: &'a Args,
    client: &'a Client<P>,
    habit: &'a Habit<P>,
    lines: &'a mut mpsc::Receiver<String>,
    wishes: mpsc::UnboundedSender<Wish<P>>,
    recording: &'a mut Option<Recording>,
    next: Option<Next<P::Message>>,
    /// What was to go along into another session, which there will not be.
    dropped: u64,
}

impl<P: Protocol<Incoming: Clone>> Typist<'_, P> {
    /// Sends lines until there are no more, another session is wanted, or Ctrl-C is pressed; then closes this one. The
    /// end of the input does not overtake the first attempt: whether the server is there is worth knowing.
    async fn leave(&mut self, unsent: Vec<P::Message>, mut tried: watch::Receiver<bool>) {
        let (client, drain) = (self.client, self.args.drain);
        let fed = async {
            self.next = self.feed(unsent).await;
            if self.next.is_none() {
                // It fails when nobody watches any more; then the session has ended.
                let _ = tried.wait_for(|tried| *tried).await;
            }
        };
        let within = select! {
            () = fed => drain,
            _ = ctrl_c() => Duration::ZERO,
        };
        select! {
            _ = client.close(Drain::within(within)) => {}
            _ = ctrl_c() => {
                self.dropped = self.next.take().map_or(0, |next| next.unsent.len() as u64);
                client.close(Drain::within(Duration::ZERO)).await;
            }
        }
    }

    async fn feed(&mut self, unsent: Vec<P::Message>) -> Option<Next<P::Message>> {
        for message in unsent {
            self.send(Ok(message)).await;
        }
        while let Some(line) = self.lines.recv().await {
            match Line::read(line) {
                Ok(Line::Text(text)) => self.send((self.habit.read)(text)).await,
                Ok(Line::Emit(text)) => self.send((self.habit.emit)(text)).await,
                Ok(Line::Request(text)) => self.request(text),
                Ok(Line::Subscribe(topic)) => self.subscribe(topic),
                Ok(Line::Unsubscribe(topic)) => self.wish(Wish::Leave(topic)),
                Ok(Line::Ask(ask)) => ask.answer(self.client).iter().for_each(|line| tell(line)),
                Ok(Line::Record(None)) => self.stop_recording().await,
                Ok(Line::Record(Some(path))) => match self.start_recording(&path) {
                    Ok(next) => return Some(next),
                    Err(problem) => tell(&problem.to_string()),
                },
                Err(problem) => tell(&problem),
            }
        }
        None
    }

    fn request(&self, text: String) {
        let name = text.split(char::is_whitespace).next().unwrap_or_default().to_owned();
        match (self.habit.emit)(text) {
            Ok(message) => self.wish(Wish::Answer(name, self.client.request(message))),
            Err(problem) => tell(&format!("not asked: {problem}")),
        }
    }

    fn subscribe(&self, name: String) {
        let topic = (self.habit.topic)(&name);
        match topic.and_then(|topic| self.client.subscribe(topic).map_err(|error| error.to_string())) {
            Ok(topic) => self.wish(Wish::Topic(name, topic)),
            Err(problem) => tell(&format!("not subscribed: {problem}")),
        }
    }

    fn wish(&self, wish: Wish<P>) {
        // It fails when the session has ended; then nothing comes of it.
        let _ = self.wishes.send(wish);
    }

    async fn send(&self, message: Result<P::Message, String>) {
        let sent = match message {
            Ok(message) => self
                .client
                .send_when_ready_with(message, self.args.options())
                .await
                .map_err(|refused| refused.to_string()),
            Err(problem) => Err(problem),
        };
        if let Err(problem) = sent {
            tell(&format!("not sent: {problem}"));
        }
    }

    /// What has not left goes along into the next session; what has left is waited for.
    fn start_recording(&self, path: &Path) -> Result<Next<P::Message>, Failure> {
        let recording = Recording::start("/record", path, self.args.redact)?;
        tell("a trace begins with a session: this one ends, and another one is recorded");
        let unsent = self.client.take_queued().into_iter().map(|taken| taken.message).collect();
        Ok(Next { recording, unsent })
    }

    async fn stop_recording(&mut self) {
        tell(&match stop(self.recording).await {
            Ok(Some(path)) => format!("recorded to {0}; see steadfast explain {0}", path.display()),
            Ok(None) => "nothing is recorded; /record FILE begins".into(),
            Err(problem) => problem.to_string(),
        });
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
}
