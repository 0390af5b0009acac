//! All that can be set, as plain data.

use core::{fmt, time::Duration};

/// The settings of a session. Plain data: comparable, printable, cloneable.
///
/// ```
/// use core::time::Duration;
/// use steadfast::{Config, Jitter};
///
/// let mut config = Config::default();
/// config.retry.base = Duration::from_millis(200);
/// config.retry.jitter = Jitter::Equal;
/// assert!(config.check().is_ok());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// How long to wait between attempts.
    pub retry: RetryPolicy,
    /// How a dead link is found.
    pub heartbeat: HeartbeatPolicy,
    /// How much is kept for the peer.
    pub queue: QueuePolicy,
    /// How much may be with the transport at once.
    pub window: Window,
    /// How long an attempt may take until the transport is open. **10 s**
    pub connect_timeout: Duration,
    /// How long the login may take, greeting included. **10 s**
    pub login_timeout: Duration,
    /// How long to wait for the peer's answer to our Close. **2 s**
    pub close_timeout: Duration,
    /// How long a link must have been online before the count of failures starts anew. **5 s**
    pub stable_for: Duration,
    /// Whether a normal closure (1000) by the peer is followed by a reconnect, as it is within
    /// [`stable_for`](Self::stable_for) in any case. **false**
    pub long_lived: bool,
    /// The largest message in either direction, in bytes. **16 MiB**
    pub max_message: u32,
    /// How many meanings one frame may have. **4,096**
    pub heard_max: u32,
    /// How many phase changes the history keeps. **64**
    pub history: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            retry: RetryPolicy::default(),
            heartbeat: HeartbeatPolicy::default(),
            queue: QueuePolicy::default(),
            window: Window::default(),
            connect_timeout: Duration::from_secs(10),
            login_timeout: Duration::from_secs(10),
            close_timeout: Duration::from_secs(2),
            stable_for: Duration::from_secs(5),
            long_lived: false,
            max_message: 16 << 20,
            heard_max: 4_096,
            history: 64,
        }
    }
}

/// How long to wait between attempts: `min(base * factor^n, cap)`, spread by the jitter, never below the
/// floor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The first delay. **1 s**
    pub base: Duration,
    /// What each further delay is multiplied with. **2**
    pub factor: u32,
    /// The longest delay of our own. **30 s**
    pub cap: Duration,
    /// How delays are spread. **full**
    pub jitter: Jitter,
    /// No two dials are closer than this. **100 ms**
    pub floor: Duration,
    /// The longest delay that a server can ask for. **1 h**
    pub directed_cap: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            base: Duration::from_secs(1),
            factor: 2,
            cap: Duration::from_secs(30),
            jitter: Jitter::Full,
            floor: Duration::from_millis(100),
            directed_cap: Duration::from_secs(3_600),
        }
    }
}

/// How delays are spread, so that a thousand clients do not come back at the same moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Jitter {
    /// Anywhere from the floor to the delay.
    #[default]
    Full,
    /// Anywhere in the upper half of the delay.
    Equal,
    /// Anywhere from the base to three times the last delay, at most the cap.
    Decorrelated,
    /// The delay and up to this much more.
    Additive(Duration),
    /// None: exactly the delay.
    None,
}

/// How a dead link is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeartbeatPolicy {
    /// After this much silence the peer is probed (up to a tenth earlier, by the seed). `Duration::MAX`
    /// switches it off. **25 s**
    pub interval: Duration,
    /// How long the peer may stay silent after a probe before the link is dropped. **10 s**
    pub timeout: Duration,
    /// Something goes out at least this often, for peers that drop clients which only listen.
    /// `Duration::MAX` switches it off. **25 s**
    pub keepalive: Duration,
    /// Whether only the answer to a probe proves that the peer lives, instead of any frame. **false**
    pub pong_only: bool,
}

impl Default for HeartbeatPolicy {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(25),
            timeout: Duration::from_secs(10),
            keepalive: Duration::from_secs(25),
            pong_only: false,
        }
    }
}

/// How much is kept for the peer: queued and unacknowledged messages together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueuePolicy {
    /// How many messages. **16,384**
    pub max_messages: u32,
    /// How many bytes, as encoded. **16 MiB**
    pub max_bytes: u64,
    /// What happens at the bound. **refuse**
    pub overflow: Overflow,
}

impl Default for QueuePolicy {
    fn default() -> Self {
        Self { max_messages: 16_384, max_bytes: 16 << 20, overflow: Overflow::Refuse }
    }
}

/// What happens to a message for which there is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Overflow {
    /// It is refused and comes back.
    #[default]
    Refuse,
    /// The oldest messages that have not left make room; each ends `Dropped(Overflow)`. What is with the
    /// transport or waits for its acknowledgement cannot make room; if that is all, the message is refused.
    DropOldest,
}

/// How much may be with the transport at once. It bounds memory and, when a link dies, doubt. One frame
/// is allowed however large it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// How many frames. **1,024**
    pub frames: u32,
    /// How many bytes. **64 KiB**
    pub bytes: u32,
}

impl Default for Window {
    fn default() -> Self {
        Self { frames: 1_024, bytes: 64 << 10 }
    }
}

/// A setting that makes no sense, and what to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadConfig {
    /// The setting.
    pub field: &'static str,
    /// What is wrong with it and what to do.
    pub problem: &'static str,
}

impl fmt::Display for BadConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "config: {} {}", self.field, self.problem)
    }
}

impl core::error::Error for BadConfig {}

const MINUTE: Duration = Duration::from_secs(60);

impl Config {
    /// Looks for values that are zero where zero makes no sense, and for values that contradict each other.
    ///
    /// # Errors
    ///
    /// The first such setting.
    pub fn check(&self) -> Result<(), BadConfig> {
        let is_zero = |d: Duration| d < Duration::from_micros(1);
        let problems = [
            (is_zero(self.retry.base), "retry.base", "is zero: set it above zero"),
            (self.retry.factor == 0, "retry.factor", "is zero: 1 keeps delays as they are, 2 doubles them"),
            (
                is_zero(self.retry.floor),
                "retry.floor",
                "is zero: without it a server that accepts and drops is stormed",
            ),
            (self.retry.cap < self.retry.base, "retry.cap", "is below retry.base: raise it"),
            (self.retry.cap < self.retry.floor, "retry.cap", "is below retry.floor: raise it"),
            (self.retry.directed_cap < self.retry.floor, "retry.directed_cap", "is below retry.floor: raise it"),
            (is_zero(self.heartbeat.interval), "heartbeat.interval", "is zero: Duration::MAX switches it off"),
            (is_zero(self.heartbeat.timeout), "heartbeat.timeout", "is zero: give the peer time to answer"),
            (is_zero(self.heartbeat.keepalive), "heartbeat.keepalive", "is zero: Duration::MAX switches it off"),
            (self.queue.max_messages == 0, "queue.max_messages", "is zero: nothing could be sent"),
            (self.queue.max_bytes == 0, "queue.max_bytes", "is zero: nothing could be sent"),
            (self.window.frames == 0, "window.frames", "is zero: nothing could be sent"),
            (self.window.bytes == 0, "window.bytes", "is zero: nothing could be sent"),
            (is_zero(self.connect_timeout), "connect_timeout", "is zero: no attempt could succeed"),
            (is_zero(self.login_timeout), "login_timeout", "is zero: no login could succeed"),
            (is_zero(self.close_timeout), "close_timeout", "is zero: give the peer time to answer"),
            (self.close_timeout > MINUTE, "close_timeout", "is over a minute: a stop would not end"),
            (self.max_message == 0, "max_message", "is zero: nothing could be sent"),
            (self.heard_max == 0, "heard_max", "is zero: nothing could be received"),
        ];
        match problems.into_iter().find(|(bad, ..)| *bad) {
            Some((_, field, problem)) => Err(BadConfig { field, problem }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_sound() {
        assert_eq!(Config::default().check(), Ok(()));
    }

    #[test]
    fn a_contradiction_is_named() {
        let mut config = Config::default();
        config.retry.cap = Duration::from_millis(500);
        let bad = config.check().expect_err("cap below base");
        assert_eq!(bad.field, "retry.cap");
    }
}
