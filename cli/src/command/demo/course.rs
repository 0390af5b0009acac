//! One run: the client sends through the proxy while the storm rages.

use std::{sync::Arc, time::Duration};

use steadfast::OpId;
use steadfast_tokio::Drain;
use tokio::{
    select,
    sync::mpsc,
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval, timeout},
};

use super::{
    check::Sent,
    client::{self, Client, Start},
    journal::Journal,
    plan::{Plan, TICK},
    sender::Sender,
    view::{Standing, View},
};
use crate::{
    Failure,
    chaos::{Counts, Fault, Proxy, Storm},
    server::Identity,
    trace::Recording,
};

/// How long the client may take to close when all outcomes are known.
const CLOSING: Duration = Duration::from_secs(5);

/// How long a connection has to be up before the last messages are sent.
const SETTLED: Duration = Duration::from_millis(100);

/// What came of a run.
#[derive(Debug)]
pub(super) struct Course {
    pub(super) accepted: Vec<Sent>,
    pub(super) refused: Vec<u64>,
    pub(super) counts: Counts,
    /// What the faults really did.
    pub(super) hits: Counts,
    pub(super) outages: Vec<Duration>,
    pub(super) took: Duration,
    /// Why it did not go to its end, if it did not.
    pub(super) cut_short: Option<String>,
    /// The last failure that the client told.
    pub(super) last_error: Option<String>,
}

/// Runs the plan against the server behind the proxy, inside of TLS if the server has an identity.
///
/// # Errors
///
/// The client cannot be built.
pub(super) async fn run(
    plan: &Plan,
    proxy: &Arc<Proxy>,
    server: Option<&Identity>,
    recording: Option<&Recording>,
) -> Result<Course, Failure> {
    let start = Instant::now();
    let (client, events, start_driver) = client::open(plan, proxy.address(), server, recording)?;
    let journal = tokio::spawn(Journal::keep(events));
    let mut storm = JoinSet::new();
    let faults = rage(&mut storm, Storm::new(Arc::clone(proxy), plan.schedule()));
    let mut sending = Sending::new(plan, start, client.clone(), faults);
    let sent = sending.run(start_driver).await;
    let Sending { sender, counts, .. } = sending;
    let (accepted, refused) = sender.outcomes(Instant::now() + plan.outcomes_limit()).await;
    let took = start.elapsed();
    let closing = async {
        client.close(Drain::within(CLOSING / 2)).await;
        journal.await.ok()
    };
    let journal = timeout(CLOSING, closing).await.ok().flatten();
    let cut_short = sent.err().or_else(|| unsettled(plan, &accepted)).or_else(|| unclosed(journal.as_ref()));
    let mut journal = journal.unwrap_or_default();
    let accepted = accepted.into_iter().map(|(id, sent)| journal.complete(id, sent)).collect();
    let Journal { outages, last_error, .. } = journal;
    Ok(Course { accepted, refused, counts, hits: proxy.hits(), outages, took, cut_short, last_error })
}

fn unsettled(plan: &Plan, accepted: &[(OpId, Sent)]) -> Option<String> {
    let count = accepted.iter().filter(|(_, sent)| sent.outcomes.is_empty()).count();
    let limit = plan.outcomes_limit().as_secs();
    (count > 0).then(|| format!("{count} messages had no outcome {limit} s after the last was sent"))
}

fn unclosed(journal: Option<&Journal>) -> Option<String> {
    journal.is_none().then(|| format!("the client had not closed after {} s", CLOSING.as_secs()))
}

/// Lets a storm rage in a task of its own, and tells each fault.
fn rage(tasks: &mut JoinSet<()>, mut storm: Storm) -> mpsc::UnboundedReceiver<Fault> {
    let (told, faults) = mpsc::unbounded_channel();
    tasks.spawn(async move {
        while let Some(fault) = storm.next().await {
            // If nobody listens any more the task is about to be ended.
            let _ = told.send(fault);
        }
        // What is sent from now on meets no fault: it has to arrive, also if the last one was a black hole.
        storm.up_for(SETTLED).await;
    });
    faults
}

/// The sending of all messages, spread over all faults.
struct Sending<'a> {
    plan: &'a Plan,
    start: Instant,
    client: Client,
    sender: Sender,
    faults: mpsc::UnboundedReceiver<Fault>,
    counts: Counts,
    is_over: bool,
    view: View,
}

impl<'a> Sending<'a> {
    fn new(plan: &'a Plan, start: Instant, client: Client, faults: mpsc::UnboundedReceiver<Fault>) -> Self {
        let sender = Sender::new(client.clone(), plan.class);
        Self { plan, start, client, sender, faults, counts: Counts::default(), is_over: false, view: View::new(plan) }
    }

    /// Sends a first part when there is no link and nobody tries to have one; then the rest, until all faults
    /// have struck.
    async fn run(&mut self, start: Start) -> Result<(), String> {
        self.send_up_to(self.plan.early())?;
        start();
        match timeout(self.plan.limit(), self.go_on()).await {
            Ok(sent) => sent,
            Err(_) => Err(format!(
                "after {} s, {} of {} faults had struck and {} of {} messages were accepted; the client was {}",
                self.plan.limit().as_secs(),
                self.counts.total(),
                self.plan.faults,
                self.sender.accepted(),
                self.plan.messages,
                self.client.phase(),
            )),
        }
    }

    async fn go_on(&mut self) -> Result<(), String> {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !self.is_over || self.sender.accepted() < self.plan.messages {
            select! {
                fault = self.faults.recv(), if !self.is_over => self.struck(fault),
                _ = ticks.tick() => self.tick()?,
            }
        }
        Ok(())
    }

    fn struck(&mut self, fault: Option<Fault>) {
        let Some(fault) = fault else {
            self.is_over = true;
            return;
        };
        self.counts.add(fault.kind());
        self.view.note(self.start.elapsed(), &format!("fault {}: {fault}", self.counts.total()));
    }

    fn tick(&mut self) -> Result<(), String> {
        let due = self.plan.due(self.counts.total());
        let pace = if self.is_over { due } else { self.plan.pace() };
        self.send_up_to(due.min(self.sender.accepted().saturating_add(pace)))?;
        let health = self.client.health();
        self.view.show(&Standing {
            accepted: self.sender.accepted(),
            struck: self.counts.total(),
            phase: health.phase.to_string(),
            attempts: health.attempts,
            queued: health.queued,
        });
        Ok(())
    }

    fn send_up_to(&mut self, accepted: u64) -> Result<(), String> {
        self.sender.send_up_to(accepted).map_err(|why| format!("a message was refused: {why}"))
    }
}
