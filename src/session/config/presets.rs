//! Settings that belong together.

use alloc::vec;
use core::time::Duration;

use super::{Config, Jitter, Overflow};
use crate::{Match, Recovery, Row, Stage};

/// # Presets
impl Config {
    /// All presets by name, the default first.
    ///
    /// Side by side; an empty cell is as in the default. The last column says from when a change counts in a session
    /// that runs; see [`Counts`](crate::Counts):
    ///
    #[doc = include_str!("presets.md")]
    #[must_use]
    pub fn presets() -> [(&'static str, Self); 7] {
        [
            ("default", Self::default()),
            ("long_lived", Self::long_lived()),
            ("dashboard", Self::dashboard()),
            ("market_data", Self::market_data()),
            ("throughput", Self::throughput()),
            ("embedded", Self::embedded()),
            ("no_jitter", Self::no_jitter()),
        ]
    }

    /// For services that are to stay connected for weeks: a normal closure by the peer (1000) is followed by a
    /// reconnect like any other end. Many servers close with 1000 when they restart.
    #[must_use]
    pub fn long_lived() -> Self {
        Self { long_lived: true, ..Self::default() }
    }

    /// For a page that a person looks at: the numbers that hand-written dashboards use. Five attempts, a second first
    /// and then twice as long each time up to 30 s, up to a second more by chance, a ping after 30 s of silence; a
    /// normal closure ends the session, and a refused credential is not tried again.
    ///
    /// What is sent leaves in batches of ten messages or after 100 ms, where the protocol has batches. Not in a config are
    /// the health report every 30 s (ask [`Session::health`](crate::Session::health) as often as you like) and both
    /// spellings of names (`Json::both_spellings`). That 1011 is followed by 5 s of waiting says the table of errors.
    #[must_use]
    pub fn dashboard() -> Self {
        let mut config = Self::default();
        config.retry.jitter = Jitter::Additive(Duration::from_secs(1));
        config.retry.max_attempts = Some(5);
        config.heartbeat.interval = Duration::from_secs(30);
        config.heartbeat.keepalive = Duration::from_secs(30);
        config.batching.enabled = true;
        config.batching.count = 10;
        config.batching.linger = Duration::from_millis(100);
        config.errors.rows = vec![
            Row::new(Match::LoginRefused, Recovery::Fatal),
            Row::new(Match::Denied, Recovery::Fatal),
            Row::close(1000, Recovery::Fatal).at(Stage::LoggingIn),
            Row::close(1008, Recovery::Fatal).at(Stage::LoggingIn),
            Row::close(3000, Recovery::Fatal),
            Row::close(3003, Recovery::Fatal),
            Row::close(4401, Recovery::Fatal),
            Row::close(4403, Recovery::Fatal),
            Row::http(401, Recovery::Fatal),
            Row::http(403, Recovery::Fatal),
            Row::http(407, Recovery::Fatal),
        ];
        config
    }

    /// For feeds of an exchange: a silent link is found within 10 s, because a price that stands still looks like a calm
    /// market. Dials are at least a second apart, because venues count them (three hundred in five minutes and one a
    /// second are common), and something is sent every 15 s, because many drop clients which are silent for 20 to 60 s.
    /// Few messages may be with the transport, so that few orders are in doubt when it is lost.
    #[must_use]
    pub fn market_data() -> Self {
        let mut config = Self { long_lived: true, ..Self::default() };
        config.retry.base = Duration::from_secs(2);
        config.retry.cap = Duration::from_secs(15);
        config.retry.floor = Duration::from_secs(1);
        config.heartbeat.interval = Duration::from_secs(5);
        config.heartbeat.timeout = Duration::from_secs(5);
        config.heartbeat.keepalive = Duration::from_secs(15);
        config.queue.max_messages = 1_024;
        config.window.frames = 64;
        config.connect_timeout = Duration::from_secs(5);
        config.greeting_timeout = Duration::from_secs(5);
        config.login_timeout = Duration::from_secs(5);
        config.stable_for = Duration::from_secs(10);
        config.degraded_after = Duration::from_secs(5);
        config
    }

    /// For pipelines that send as much as the line takes: sixteen times the queue and the window. The price is memory,
    /// and more messages in doubt when a link is lost; it suits messages that are numbered or acknowledged.
    #[must_use]
    pub fn throughput() -> Self {
        let mut config = Self { long_lived: true, ..Self::default() };
        config.queue.max_messages = 16 * 16_384;
        config.queue.max_bytes = 16 * (16 << 20);
        config.window.frames = 16 * 1_024;
        config.window.bytes = 16 * (64 << 10);
        config.heard_max = 16 * 4_096;
        config
    }

    /// For small devices on slow and costly networks: at most 32 KiB wait, and the oldest make room, because
    /// measurements age. Little is sent to stay alive, though still more often than once a minute, after which many
    /// networks forget a connection. Whoever cannot be reached is tried ever more rarely, down to every five minutes.
    #[must_use]
    pub fn embedded() -> Self {
        let mut config = Self { long_lived: true, ..Self::default() };
        config.retry.base = Duration::from_secs(2);
        config.retry.cap = Duration::from_secs(300);
        config.heartbeat.interval = Duration::from_secs(50);
        config.heartbeat.timeout = Duration::from_secs(20);
        config.heartbeat.keepalive = Duration::from_secs(50);
        config.queue.max_messages = 64;
        config.queue.max_bytes = 32 << 10;
        config.queue.overflow = Overflow::DropOldest;
        config.window.frames = 8;
        config.window.bytes = 8 << 10;
        config.connect_timeout = Duration::from_secs(30);
        config.greeting_timeout = Duration::from_secs(30);
        config.login_timeout = Duration::from_secs(30);
        config.stable_for = Duration::from_secs(30);
        config.degraded_after = Duration::from_secs(300);
        config.requests.deadline = Duration::from_secs(60);
        config.requests.grace = Duration::from_secs(60);
        config.max_message = 16 << 10;
        config.heard_max = 64;
        config.history = 8;
        config
    }

    /// For tests that count seconds, and for the only client of a server: delays are exactly what the formula says. For
    /// a fleet this is wrong, and [`lint`](Self::lint) says so. (The heartbeat still varies by a tenth, with the seed.)
    #[must_use]
    pub fn no_jitter() -> Self {
        let mut config = Self::default();
        config.retry.jitter = Jitter::None;
        config
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error_table;

    #[test]
    fn presets_are_sound_and_differ() {
        let presets = Config::presets();
        for (at, (name, config)) in presets.iter().enumerate() {
            assert_eq!(config.check(), Ok(()), "{name}");
            assert!(presets[..at].iter().all(|(_, before)| before != config), "{name} is another one");
        }
    }

    /// What hand-written dashboards do, as far as a config says it.
    #[test]
    fn the_numbers_of_a_dashboard() {
        let (config, second) = (Config::dashboard(), Duration::from_secs(1));
        assert_eq!((config.retry.base, config.retry.factor, config.retry.cap), (second, 2, 30 * second));
        assert_eq!(config.retry.jitter, Jitter::Additive(second));
        assert_eq!(config.retry.max_attempts, Some(5));
        assert_eq!((config.heartbeat.interval, config.heartbeat.keepalive), (30 * second, 30 * second));
        let batching = config.batching;
        assert_eq!((batching.enabled, batching.count, batching.linger), (true, 10, second / 10));
        assert!(!config.long_lived, "1000 stops");
        for row in [
            "close 1000 | online, stable | connection_failed | Fatal",
            "close 1011 | | service_unavailable | Retry after 5s",
        ] {
            assert!(error_table().contains(row), "{row} is the table's own");
        }
    }

    /// Each way in which a peer says that it does not accept us ends a dashboard's session, at the row's word.
    #[test]
    fn a_dashboard_never_retries_authentication() {
        let table = error_table();
        let refusals = table.lines().filter(|row| row.contains("authentication_failed"));
        let known = [
            "close 1000, 1008",
            "close 3000, 4401, HTTP 401, login refused",
            // The host's own word: nobody has refused anything.
            "no credential from the host",
            "close 3003, 4403, HTTP 403, 407, denied by a proxy",
        ];
        assert!(refusals.map(|row| row.split('|').nth(1).unwrap_or_default().trim()).eq(known), "all are known here");
        let rows = Config::dashboard().errors.rows;
        let refusals = [Match::LoginRefused, Match::Denied]
            .into_iter()
            .chain([1000, 1008, 3000, 3003, 4401, 4403].map(|code: u16| Match::Close(code.into())))
            .chain([401, 403, 407].map(|status: u16| Match::Http(status.into())));
        for refusal in refusals {
            let row = rows.iter().find(|row| row.what == refusal).expect("a row for each");
            let normal_elsewhere = matches!(refusal, Match::Close(codes) if codes.first <= 1008);
            assert_eq!(row.stage, normal_elsewhere.then_some(Stage::LoggingIn), "{refusal}");
            assert!(row.is_final && row.remedy == Recovery::Fatal.into(), "{refusal}");
        }
    }
}
