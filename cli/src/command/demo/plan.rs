//! What a run of the demo does, in numbers.

use std::{fmt, time::Duration};

use steadfast::Config;

use super::{Args, check::Class, client::Adapter};
use crate::chaos::Schedule;

/// The numbers of a run.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// What is promised for each message.
    pub(super) class: Class,
    /// What the client is on.
    pub(super) adapter: Adapter,
    /// How many messages are to be accepted.
    pub(super) messages: u64,
    /// How many faults are to strike.
    pub(super) faults: u64,
    /// What determines the faults and the client's chance.
    pub(super) seed: u64,
    /// How the client is set.
    pub(super) config: Config,
    /// The mean time from fault to fault while a connection is up.
    every: Duration,
    /// How long one fault and what follows may take at most, before something must be wrong.
    patience: Duration,
}

/// How often messages are sent, so that a live line is never idle for long.
pub(super) const TICK: Duration = Duration::from_millis(10);
/// A fault and its aftermath take about so many intervals. Only the speed of sending depends on it.
const INTERVALS_A_FAULT: u32 = 3;

impl Plan {
    pub(super) fn new(args: &Args) -> Self {
        let (config, every, patience) = if args.defaults {
            (Config::default(), Duration::from_secs(2), Duration::from_secs(120))
        } else {
            (quick(), Duration::from_millis(350), Duration::from_secs(10))
        };
        let Args { class, adapter, messages, faults, seed, .. } = *args;
        Self { class, adapter, messages, faults, seed, config, every, patience }
    }

    pub(super) const fn schedule(&self) -> Schedule {
        Schedule::new(self.seed, self.every, Some(self.faults))
    }

    /// How many messages are accepted before the client may dial: a tenth, and never more than half the queue.
    pub(super) fn early(&self) -> u64 {
        (self.messages / 10).min(u64::from(self.config.queue.max_messages) / 2)
    }

    /// How many messages may have been accepted when so many faults have struck: the sending is spread over
    /// all of them.
    pub(super) fn due(&self, struck: u64) -> u64 {
        let spread = u128::from(self.messages - self.early()) * u128::from(struck + 1) / u128::from(self.faults + 1);
        (self.early() + u64::try_from(spread).unwrap_or(u64::MAX)).min(self.messages)
    }

    /// How many messages are sent in one [`TICK`].
    pub(super) fn pace(&self) -> u64 {
        let stretch = (self.messages - self.early()) / (self.faults + 1);
        let ticks = self.every.saturating_mul(INTERVALS_A_FAULT).as_millis() / TICK.as_millis();
        (stretch / u64::try_from(ticks).unwrap_or(u64::MAX).max(1)).max(1)
    }

    /// How long the sending may take at most.
    pub(super) fn limit(&self) -> Duration {
        self.patience.saturating_mul(u32::try_from(self.faults.saturating_add(3)).unwrap_or(u32::MAX))
    }

    /// How long the last outcomes may take at most.
    pub(super) const fn outcomes_limit(&self) -> Duration {
        self.patience.saturating_mul(3)
    }
}

/// Settings for a run of less than a minute.
fn quick() -> Config {
    let mut config = Config::default();
    config.retry.base = Duration::from_millis(50);
    config.retry.cap = Duration::from_secs(1);
    config.retry.floor = Duration::from_millis(20);
    config.heartbeat.interval = Duration::from_millis(300);
    config.heartbeat.timeout = Duration::from_millis(300);
    // So few that a window for each fault is far less than all: otherwise the bound of the doubt would hold of itself.
    config.window.frames = 64;
    config
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let class = match self.class {
            Class::AtLeastOnce => "at least once",
            Class::AtMostOnce => "at most once",
        };
        write!(f, "{} messages {class}, {} faults, seed {}", self.messages, self.faults, self.seed)?;
        if self.adapter != Adapter::Tokio {
            write!(f, ", on {}", self.adapter)?;
        }
        writeln!(f)?;
        let (retry, heartbeat) = (&self.config.retry, &self.config.heartbeat);
        write!(
            f,
            "retry: base {} ms, cap {} ms, floor {} ms; ping after {} ms, dead after {} ms more; window {} frames",
            retry.base.as_millis(),
            retry.cap.as_millis(),
            retry.floor.as_millis(),
            heartbeat.interval.as_millis(),
            heartbeat.timeout.as_millis(),
            self.config.window.frames,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::Kind;

    fn plan(messages: u64, faults: u64) -> Plan {
        let (class, adapter, server) = (Class::AtMostOnce, Adapter::Tokio, Kind::Embedded);
        Plan::new(&Args {
            messages,
            faults,
            seed: 1,
            class,
            adapter,
            server,
            tls: false,
            record: None,
            defaults: false,
        })
    }

    #[test]
    fn the_sending_is_spread_over_the_faults_and_ends_with_the_last() {
        for (messages, faults) in [(20_000, 30), (500, 5), (1, 0), (3, 7), (1_000_000, 1), (10, 1_000)] {
            let plan = plan(messages, faults);
            assert!(plan.early() <= plan.due(0));
            assert!((0..faults).all(|struck| plan.due(struck) <= plan.due(struck + 1)));
            assert!(faults == 0 || messages < 10 || plan.due(faults - 1) < messages);
            assert_eq!(plan.due(faults), messages);
            assert!(plan.pace() > 0);
        }
    }

    #[test]
    fn what_is_sent_early_has_room() {
        let plan = plan(1_000_000, 30);
        assert!(plan.early() < u64::from(plan.config.queue.max_messages));
    }

    #[test]
    fn the_quick_window_leaves_the_bound_of_the_doubt_room_to_be_broken() {
        let plan = plan(20_000, 30);
        assert!(u64::from(plan.config.window.frames) * plan.faults * 10 <= plan.messages);
    }

    #[test]
    fn the_quick_settings_are_sound_and_printed() {
        assert_eq!(quick().check(), Ok(()));
        let printed = plan(20_000, 30).to_string();
        assert!(
            printed
                .contains("base 50 ms, cap 1000 ms, floor 20 ms; ping after 300 ms, dead after 300 ms more; window 64"),
            "{printed}"
        );
    }
}
