//! What the application changes its mind about, and when.

use std::time::Duration;

use steadfast::{Queued, Recovery, Rng};

/// What the application wants differently, and when: in order of time.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Whims(pub Vec<(Duration, Whim)>);

/// One thing that the application wants differently. What has two sides has both: its end comes after the time that is
/// said, as a whim of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whim {
    /// It takes back all that has not left.
    TakeQueued,
    /// It wants nothing of the network for this long.
    Suspend(Duration),
    /// That is over.
    Resume,
    /// Its network is gone for this long.
    Lose(Duration),
    /// The network is there again, or it is another one.
    Find,
    /// It has another list of endpoints. All lead to the same server.
    Endpoints(&'static [&'static str], Queued),
    /// It has other settings: so much room in the queue, and such a first delay.
    Configure {
        /// [`QueuePolicy::max_messages`](steadfast::QueuePolicy::max_messages).
        room: u32,
        /// [`RetryPolicy::base`](steadfast::RetryPolicy::base).
        base: Duration,
    },
    /// It drains for so long at most, and connects again after this long.
    Drain {
        /// How long it may take.
        within: Duration,
        /// When it connects again.
        until: Duration,
    },
    /// It stops, and connects again after this long.
    Stop(Duration),
    /// It wants to be online.
    Connect,
    /// It wants that now.
    ConnectNow,
    /// It knows what the next end of a link means.
    Judge(Recovery),
    /// It wants a topic, with its state first or without.
    Subscribe(&'static str, bool),
    /// It wants a topic for this long.
    Glance(&'static str, Duration),
    /// It wants the state of a topic again.
    Resync(&'static str),
    /// It wants a topic no longer.
    Unsubscribe(&'static str),
    /// It logs in with a wrong credential for this long.
    Forget(Duration),
    /// It knows the right one again, and wants to be online.
    Remember,
}

/// Lists of endpoints that have some in common, and the dialer's own.
const LISTS: [&[&str]; 5] = [&["first"], &["first", "second"], &["second", "third", "first"], &["third"], &[]];
/// Topics, and a local one.
const TOPICS: [&str; 4] = ["news", "sport", "weather", "#own"];

impl Whims {
    /// So many whims of all kinds, spread over a time, and at its end the wish to be online, twice.
    #[must_use]
    pub fn seeded(seed: u64, count: u64, over: Duration) -> Self {
        let mut rng = Rng::new(seed ^ 0x0077_6869_6d73_0000);
        let mut times: Vec<Duration> = (0..count).map(|_| rng.between(Duration::ZERO, over)).collect();
        times.sort_unstable();
        let mut whims: Vec<_> = times.into_iter().map(|at| (at, Whim::any(&mut rng))).collect();
        // Whatever it was given up for is over; and a minute later what was frozen has come, too.
        let frozen = over.saturating_add(Duration::from_secs(60));
        whims.extend([(over, Whim::Remember), (frozen, Whim::Remember)]);
        Self(whims)
    }
}

impl Whim {
    // A table: one number, one whim.
    fn any(rng: &mut Rng) -> Self {
        let short = rng.between(Duration::from_millis(1), Duration::from_secs(3));
        let long = rng.between(Duration::from_secs(1), Duration::from_secs(20));
        let topic = TOPICS[rng.up_to(3) as usize];
        let chance = rng.up_to(1) == 0;
        match rng.up_to(23) {
            0 | 1 => Self::TakeQueued,
            2 => Self::Suspend(short),
            3 => Self::Suspend(long),
            4 => Self::Lose(short),
            5 => Self::Lose(long),
            6 => Self::Find,
            7 | 8 => {
                let queued = if chance { Queued::GoAlong } else { Queued::ComeBack };
                Self::Endpoints(LISTS[rng.up_to(4) as usize], queued)
            }
            9 => Self::Configure { room: 5 + rng.up_to(2_000) as u32, base: short },
            10 => Self::Drain { within: short, until: long },
            11 => Self::Stop(short),
            12 => Self::ConnectNow,
            13 => Self::Judge(Recovery::Retry),
            14 => Self::Judge(Recovery::RetryAfter(long)),
            15 => Self::Forget(long),
            16 | 17 => Self::Subscribe(topic, chance),
            18 => Self::Resync(topic),
            19..=21 => Self::Glance(topic, short / 20),
            _ => Self::Unsubscribe(topic),
        }
    }
}
