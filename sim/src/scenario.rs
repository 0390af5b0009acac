//! What happens in a world, as plain data.

use std::time::Duration;

use steadfast::{CloseCode, Config, Rng, Secret};

use crate::{Toy, Whims};

/// Everything that a run of a [`World`](crate::World) depends on. The same scenario runs in the same way.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Chance: of the session, the network and the application.
    pub seed: u64,
    /// The session's settings.
    pub config: Config,
    /// What is spoken.
    pub toy: Toy,
    /// What the session logs in with.
    pub credential: Option<Secret>,
    /// What the host does when it is asked for a credential.
    pub host: Host,
    /// How the server behaves.
    pub script: Script,
    /// The server closes a link (with 1008) as soon as more than so many frames have come within any such time, on all
    /// links together.
    pub limit: Option<(u32, Duration)>,
    /// So often the server says something of its own accord: a message that wants to be acknowledged, or the last one
    /// again; a call; something of a topic, or that a topic is lost or over.
    pub talks: Option<Duration>,
    /// Whether the server keeps a session over its links, if it has seen the end of the last one.
    pub keeps: bool,
    /// How the network behaves.
    pub network: Network,
    /// What the application does.
    pub app: App,
    /// What the application changes its mind about, and when.
    pub whims: Whims,
    /// What goes wrong, and when.
    pub faults: Faults,
    /// The run ends at this time at the latest.
    pub lasts: Duration,
    /// Whether the run ends as soon as all messages have ended and all faults are over.
    pub until_settled: bool,
    /// Whether the story keeps what the session was told, to be told to another one.
    pub keep_inputs: bool,
}

impl Scenario {
    /// A server that serves, a network that delays a little, an application that sends nothing; an hour at
    /// most.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            config: Config::default(),
            toy: Toy::default(),
            credential: Some(Secret::from("right")),
            host: Host::default(),
            script: Script::default(),
            limit: None,
            talks: None,
            keeps: false,
            network: Network::default(),
            app: App::default(),
            whims: Whims::default(),
            faults: Faults::default(),
            lasts: Duration::from_secs(3_600),
            until_settled: true,
            keep_inputs: false,
        }
    }
}

/// What the host does when it is asked for a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Host {
    /// How long it takes for its answer.
    pub takes: Duration,
    /// What it answers.
    pub gives: Gives,
}

/// What a host answers when it is asked for a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Gives {
    /// The one that it has at hand, which is the scenario's, unless it is told that another is needed: then what the
    /// server accepts, and from then on that.
    #[default]
    Cached,
    /// Always the scenario's.
    Same,
    /// It has none.
    Nothing,
    /// It does not answer.
    Silence,
}

/// How the server behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// What it does with a dial.
    pub door: Door,
    /// What it does with an open link.
    pub then: Then,
    /// The only credential that it accepts.
    pub password: &'static str,
    /// It asks so many times for one more step of the login.
    pub challenges: u32,
    /// A login holds for this long; then the server says that it is lost.
    pub expires: Option<Duration>,
    /// It closes a link (with 1008) on which it has heard nothing for this long.
    pub needs_life: Option<Duration>,
    /// It sends a message so often.
    pub streams: Option<Duration>,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            door: Door::Open,
            then: Then::Serve,
            password: "right",
            challenges: 0,
            expires: None,
            needs_life: None,
            streams: None,
        }
    }
}

/// What a server does with a dial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// It accepts.
    Open,
    /// Nobody listens.
    Shut,
    /// It answers with a status.
    Http {
        /// The status.
        status: u16,
        /// The `Retry-After` that comes with it.
        retry_after: Option<Duration>,
    },
    /// Nothing ever comes back.
    Hang,
}

/// What a server does with an open link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// It serves.
    Serve,
    /// It drops the link after this long, without a word.
    Drop(Duration),
    /// It closes the link after this long.
    Close(Duration, CloseCode),
    /// It reads, and says nothing.
    Mute,
}

/// How the network behaves when nothing is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// The shortest way to the other side.
    pub fastest: Duration,
    /// The longest one. Nothing overtakes on a link.
    pub slowest: Duration,
    /// How long a write takes at most.
    pub write: Duration,
}

impl Default for Network {
    fn default() -> Self {
        Self {
            fastest: Duration::from_millis(5),
            slowest: Duration::from_millis(40),
            write: Duration::from_micros(200),
        }
    }
}

/// What the application does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct App {
    /// So many messages are sent before the session is told to connect.
    pub ahead: u64,
    /// So many are sent afterwards.
    pub messages: u64,
    /// One every so often.
    pub every: Duration,
    /// So many of a hundred are at-least-once.
    pub at_least_once: u64,
    /// So many of a hundred are not tracked.
    pub untracked: u64,
    /// So many of a hundred make no sense after a while of up to a second.
    pub perishable: u64,
    /// After so many of a hundred a cancel of one of the last few is tried.
    pub cancels: u64,
    /// So many of a hundred are of a class that the queue does not keep as it is: volatile, the latest of their key, or
    /// past the queue.
    pub others: u64,
    /// So many of a hundred are questions.
    pub requests: u64,
    /// So many of a hundred say what the last one said, or have a key that others have.
    pub alike: u64,
}

impl Default for App {
    fn default() -> Self {
        Self {
            ahead: 0,
            messages: 0,
            every: Duration::from_millis(50),
            at_least_once: 50,
            untracked: 0,
            perishable: 0,
            cancels: 0,
            others: 0,
            requests: 0,
            alike: 0,
        }
    }
}

/// What goes wrong, and when: in order of time.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Faults(pub Vec<(Duration, Fault)>);

/// One thing that goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The link is reset. Part of what was with the transport may have left.
    Cut,
    /// Nothing passes for this long, either way; then everything does.
    Freeze(Duration),
    /// Nothing passes any more on the present link, and nobody is told.
    BlackHole,
    /// Writes do not complete for this long.
    Block(Duration),
    /// The application is slow, and reading is held back for this long.
    Pause(Duration),
    /// The computer sleeps for this long: the client sees nothing, the world goes on.
    Sleep(Duration),
    /// The server says that it will go, and that nobody is to come again for this long. Then it goes.
    Away(Duration),
    /// The server says that it will go, and where else there is one.
    Go(&'static str),
    /// The server closes the present link.
    Close(CloseCode),
    /// The server behaves differently from now on.
    Script(Script),
}

/// How long a server that has said goodbye stays.
pub(crate) const GOODBYE: Duration = Duration::from_secs(2);

impl Faults {
    /// So many faults of all kinds, spread over a time. The last one leaves a server that serves.
    #[must_use]
    pub fn seeded(seed: u64, count: u64, over: Duration) -> Self {
        let mut rng = Rng::new(seed ^ 0x0066_6175_6c74_7300);
        let mut times: Vec<Duration> = (0..count).map(|_| rng.between(Duration::ZERO, over)).collect();
        times.sort_unstable();
        let mut faults: Vec<_> = times.into_iter().map(|at| (at, Fault::any(&mut rng))).collect();
        faults.push((over, Fault::Script(Script::default())));
        Self(faults)
    }

    /// With so many goodbyes of the server besides, spread over the same time.
    #[must_use]
    pub fn with_goodbyes(mut self, seed: u64, count: u64, over: Duration) -> Self {
        let mut rng = Rng::new(seed ^ 0x676f_6f64_6279_6500);
        for _ in 0..count {
            let at = rng.between(Duration::ZERO, over);
            let wait = rng.between(Duration::ZERO, Duration::from_secs(20));
            let address = ["first", "elsewhere"][rng.up_to(1) as usize];
            self.0.push((at, if rng.up_to(1) == 0 { Fault::Away(wait) } else { Fault::Go(address) }));
        }
        self.0.sort_by_key(|(at, _)| *at);
        self
    }

    /// With so many times besides at which the server turns dials away for a moment, spread over the same time.
    #[must_use]
    pub fn with_refusals(mut self, seed: u64, count: u64, over: Duration) -> Self {
        let mut rng = Rng::new(seed ^ 0x0072_6566_7573_6500);
        for _ in 0..count {
            let at = rng.between(Duration::ZERO, over);
            let until = at.saturating_add(rng.between(Duration::ZERO, Duration::from_secs(5))).min(over);
            let status = [401, 403, 404, 429, 500, 503][rng.up_to(5) as usize];
            let retry_after = (status == 429).then(|| rng.between(Duration::ZERO, Duration::from_secs(10)));
            let script = Script { door: Door::Http { status, retry_after }, ..Script::default() };
            self.0.extend([(at, Fault::Script(script)), (at, Fault::Cut), (until, Fault::Script(Script::default()))]);
        }
        self.0.sort_by_key(|(at, _)| *at);
        self
    }

    /// When the last of them is over.
    #[must_use]
    pub fn end(&self) -> Duration {
        self.0.iter().map(|(at, fault)| at.saturating_add(fault.lasts())).max().unwrap_or_default()
    }
}

impl Fault {
    fn any(rng: &mut Rng) -> Self {
        let short = rng.between(Duration::from_millis(1), Duration::from_secs(3));
        let long = rng.between(Duration::from_secs(1), Duration::from_secs(60));
        match rng.up_to(11) {
            0 | 1 => Self::Cut,
            2 => Self::Freeze(short),
            3 => Self::Freeze(long),
            4 => Self::BlackHole,
            5 => Self::Block(long),
            6 => Self::Pause(long),
            7 => Self::Sleep(long),
            8 => Self::Close([CloseCode::GOING_AWAY, CloseCode::RESTART, CloseCode(4_000)][rng.up_to(2) as usize]),
            9 => Self::Script(Script { door: Door::Shut, ..Script::default() }),
            10 => Self::Script(Script { then: Then::Drop(short), ..Script::default() }),
            _ => Self::Script(Script::default()),
        }
    }

    const fn lasts(&self) -> Duration {
        match self {
            Self::Freeze(lasts) | Self::Block(lasts) | Self::Pause(lasts) | Self::Sleep(lasts) => *lasts,
            Self::Away(wait) => GOODBYE.saturating_add(*wait),
            Self::Go(_) => GOODBYE,
            Self::Cut | Self::BlackHole | Self::Close(_) | Self::Script(_) => Duration::ZERO,
        }
    }
}
