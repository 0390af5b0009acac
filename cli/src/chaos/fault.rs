//! What can go wrong with a connection.

use std::{fmt, time::Duration};

/// One fault. It hits every connection that the proxy carries at that moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The connection ends in both directions, in order (FIN).
    Cut,
    /// The connection ends in both directions, at once (RST).
    Reset,
    /// For a while nothing is forwarded. Nothing is lost, unless somebody gives up before.
    Freeze(Duration),
    /// The connection is reset, and for a while so is every new one.
    Refuse(Duration),
    /// What is sent is swallowed, in both directions, until the client gives the connection up.
    BlackHole,
    /// One side is told that the other has finished (FIN); the other direction goes on.
    HalfClose(Side),
    /// For a while everything arrives later.
    Delay {
        /// How much later.
        by: Duration,
        /// For how long.
        lasts: Duration,
    },
    /// For a while each direction of each connection is slow.
    Throttle {
        /// Bytes per second.
        rate: u32,
        /// For how long.
        lasts: Duration,
    },
}

/// Which side of the proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The one that connected to the proxy.
    Client,
    /// The one that the proxy connected to.
    Upstream,
}

impl Fault {
    /// Which kind it is.
    #[must_use]
    pub const fn kind(self) -> Kind {
        match self {
            Self::Cut => Kind::Cut,
            Self::Reset => Kind::Reset,
            Self::Freeze(_) => Kind::Freeze,
            Self::Refuse(_) => Kind::Refuse,
            Self::BlackHole => Kind::BlackHole,
            Self::HalfClose(_) => Kind::HalfClose,
            Self::Delay { .. } => Kind::Delay,
            Self::Throttle { .. } => Kind::Throttle,
        }
    }

    /// How long it lasts; zero if it is done when it has struck.
    #[must_use]
    pub const fn lasts(self) -> Duration {
        match self {
            Self::Freeze(lasts) | Self::Refuse(lasts) | Self::Delay { lasts, .. } | Self::Throttle { lasts, .. } => {
                lasts
            }
            Self::Cut | Self::Reset | Self::BlackHole | Self::HalfClose(_) => Duration::ZERO,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cut | Self::Reset | Self::BlackHole => write!(f, "{}", self.kind()),
            Self::Freeze(lasts) | Self::Refuse(lasts) => write!(f, "{} for {} ms", self.kind(), lasts.as_millis()),
            Self::HalfClose(Side::Client) => f.write_str("half close towards the client"),
            Self::HalfClose(Side::Upstream) => f.write_str("half close towards the upstream"),
            Self::Delay { by, lasts } => write!(f, "delay of {} ms for {} ms", by.as_millis(), lasts.as_millis()),
            Self::Throttle { rate, lasts } => write!(f, "throttle to {rate} bytes/s for {} ms", lasts.as_millis()),
        }
    }
}

/// The kinds of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// [`Fault::Cut`]
    Cut,
    /// [`Fault::Reset`]
    Reset,
    /// [`Fault::Freeze`]
    Freeze,
    /// [`Fault::Refuse`]
    Refuse,
    /// [`Fault::BlackHole`]
    BlackHole,
    /// [`Fault::HalfClose`]
    HalfClose,
    /// [`Fault::Delay`]
    Delay,
    /// [`Fault::Throttle`]
    Throttle,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Cut,
        Self::Reset,
        Self::Freeze,
        Self::Refuse,
        Self::BlackHole,
        Self::HalfClose,
        Self::Delay,
        Self::Throttle,
    ];
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cut => "cut",
            Self::Reset => "reset",
            Self::Freeze => "freeze",
            Self::Refuse => "refuse",
            Self::BlackHole => "black hole",
            Self::HalfClose => "half close",
            Self::Delay => "delay",
            Self::Throttle => "throttle",
        })
    }
}

/// How many faults of each kind there were.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Counts([u64; Kind::ALL.len()]);

impl Counts {
    /// One more.
    pub const fn add(&mut self, kind: Kind) {
        self.0[kind as usize] += 1;
    }

    /// How many of this kind.
    #[must_use]
    pub const fn of(&self, kind: Kind) -> u64 {
        self.0[kind as usize]
    }

    /// The kinds that struck and have no count in `hits`: whatever they did, nobody noticed.
    #[must_use]
    pub fn without(&self, hits: &Self) -> Vec<Kind> {
        Kind::ALL.into_iter().filter(|kind| self.of(*kind) > 0 && hits.of(*kind) == 0).collect()
    }

    /// How many in all.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = Kind::ALL.into_iter().filter(|kind| self.of(*kind) > 0);
        for (i, kind) in kinds.enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            write!(f, "{comma}{kind} {}", self.of(kind))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_that_struck_and_hit_nothing_is_named() {
        let (mut struck, mut hits) = (Counts::default(), Counts::default());
        assert_eq!(struck.without(&hits), []);
        struck.add(Kind::Freeze);
        struck.add(Kind::Cut);
        hits.add(Kind::Cut);
        hits.add(Kind::Reset);
        assert_eq!(struck.without(&hits), [Kind::Freeze]);
    }
}
