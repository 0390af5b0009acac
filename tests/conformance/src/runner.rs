//! Runs the scenarios side by side, each on a thread with a watchdog, and prints the table.

use std::{
    any::Any,
    collections::{BTreeMap, BTreeSet, VecDeque},
    env,
    fmt::Write as _,
    panic,
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

/// One scenario on one adapter.
pub(crate) struct Job {
    pub(crate) adapter: &'static str,
    pub(crate) scenario: &'static str,
    pub(crate) play: Arc<dyn Fn() + Send + Sync>,
}

impl Job {
    fn name(&self) -> String {
        format!("{}::{}", self.adapter, self.scenario)
    }

    /// Those with a process that has to start first, or that play hundreds of links one after the other.
    fn is_long(&self) -> bool {
        let groups = ["autobahn", "fastapi", "haproxy", "nginx", "node", "python"];
        self.scenario.split_once("::").is_some_and(|(group, _)| groups.contains(&group))
    }

    /// Those that measure the whole process.
    fn is_alone(&self) -> bool {
        self.scenario.starts_with("many::")
    }
}

/// What becomes of a scenario.
enum End {
    Passed(Duration),
    /// What it needs is not here.
    Skipped(String),
    Failed,
    /// It was not over in time.
    Hung,
}

impl End {
    fn of_panic(payload: Box<dyn Any + Send>) -> Self {
        payload.downcast().map_or(Self::Failed, |skipped: Box<Skipped>| Self::Skipped(skipped.0))
    }

    fn skipped(&self) -> Option<&str> {
        if let Self::Skipped(why) = self { Some(why) } else { None }
    }
}

/// How long a scenario may take, and one that is long.
const WATCHDOG: Duration = Duration::from_secs(60);
const LONG_WATCHDOG: Duration = Duration::from_secs(300);
/// How many run at a time. Most of them wait most of the time.
const AT_ONCE: usize = 8;
/// What a host panics with on purpose: nobody needs to read of that.
pub(crate) const ON_PURPOSE: &str = "on purpose";

/// Why a scenario cannot be played.
struct Skipped(String);

/// Ends the scenario: what it needs is not here.
pub(crate) fn skip(why: String) -> ! {
    panic::panic_any(Skipped(why))
}

pub(crate) fn run(jobs: Vec<Job>) -> ExitCode {
    let mut arguments = env::args().skip(1).peekable();
    let (mut parts, mut list, mut times) = (Vec::new(), false, 1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--list" => list = true,
            "--times" => times = arguments.next().and_then(|times| times.parse().ok()).unwrap_or(1),
            // Those of the usual harness.
            flag if flag.starts_with('-') => {}
            _ => parts.push(argument),
        }
    }
    let is_wanted = |job: &Job| parts.is_empty() || parts.iter().any(|part| job.name().contains(part.as_str()));
    let jobs: Vec<_> = jobs.into_iter().filter(is_wanted).collect();
    if list {
        jobs.iter().for_each(|job| println!("{}: test", job.name()));
        return ExitCode::SUCCESS;
    }
    quieten();
    let bad = (1..=times).filter(|time| !run_once(&jobs, *time)).count();
    if bad == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A panic on purpose is not worth a word.
fn quieten() {
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let payload = info.payload();
        if payload.downcast_ref::<&str>() != Some(&ON_PURPOSE) && !payload.is::<Skipped>() {
            usual(info);
        }
    }));
}

fn run_once(jobs: &[Job], time: u32) -> bool {
    let began = Instant::now();
    let (alone, together): (Vec<_>, Vec<_>) = jobs.iter().partition(|job| job.is_alone());
    let mut ends = side_by_side(together, AT_ONCE);
    ends.extend(side_by_side(alone, 1));
    println!("{}", table(jobs, &ends));
    let passed = ends.values().filter(|end| matches!(end, End::Passed(_))).count();
    let skipped: Vec<_> = ends.values().filter_map(End::skipped).collect();
    for why in skipped.iter().collect::<BTreeSet<_>>() {
        println!("SKIPPED: {why}  <-- NOT CHECKED here");
    }
    let is_good = passed + skipped.len() == ends.len();
    let word = if is_good { "ok" } else { "FAILED" };
    print!("conformance {time}: {word}. {passed} of {} passed, ", ends.len());
    println!("{} skipped, in {:.1?}", skipped.len(), began.elapsed());
    is_good
}

type Ends = BTreeMap<(&'static str, &'static str), End>;

fn side_by_side(jobs: Vec<&Job>, at_once: usize) -> Ends {
    let (queue, ends) = (Mutex::new(VecDeque::from(jobs)), Mutex::new(Ends::new()));
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                while let Some(job) = next() {
                    let end = watched(job);
                    ends.lock().unwrap_or_else(PoisonError::into_inner).insert((job.scenario, job.adapter), end);
                }
            });
        }
    });
    ends.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// A thread of its own, so that one that hangs can be left behind.
fn watched(job: &Job) -> End {
    let (began, play, (done, over)) = (Instant::now(), Arc::clone(&job.play), mpsc::channel());
    let playing = thread::Builder::new().name(job.name()).spawn(move || {
        play();
        // Too late if the watchdog was there first.
        let _ = done.send(());
    });
    let playing = playing.expect("a thread");
    let limit = if job.is_long() { LONG_WATCHDOG } else { WATCHDOG };
    match over.recv_timeout(limit) {
        Ok(()) => End::Passed(began.elapsed()),
        Err(mpsc::RecvTimeoutError::Disconnected) => playing.join().map_or_else(End::of_panic, |()| End::Failed),
        Err(mpsc::RecvTimeoutError::Timeout) => {
            eprintln!("{} is not over after {limit:?}", job.name());
            End::Hung
        }
    }
}

/// Scenario x adapter, with the milliseconds that each took.
fn table(jobs: &[Job], ends: &Ends) -> String {
    let (mut scenarios, mut adapters) = (Vec::new(), Vec::new());
    for job in jobs {
        if !scenarios.contains(&job.scenario) {
            scenarios.push(job.scenario);
        }
        if !adapters.contains(&job.adapter) {
            adapters.push(job.adapter);
        }
    }
    let width = scenarios.iter().map(|name| name.len()).max().unwrap_or_default();
    let mut table = format!("{:width$}", "");
    for adapter in &adapters {
        let _ = write!(table, " {adapter:>10}");
    }
    for scenario in scenarios {
        let _ = write!(table, "\n{scenario:width$}");
        for adapter in &adapters {
            let cell = match ends.get(&(scenario, *adapter)) {
                Some(End::Passed(took)) => format!("ok {}", took.as_millis()),
                Some(End::Skipped(_)) => "skipped".to_owned(),
                Some(End::Failed) => "FAILED".to_owned(),
                Some(End::Hung) => "HUNG".to_owned(),
                None => "-".to_owned(),
            };
            let _ = write!(table, " {cell:>10}");
        }
    }
    table
}
