//! Rows of the table: what they fit, and what they say.

use core::{fmt, ops::RangeInclusive, time::Duration};

use super::{Kind, Recovery};

/// One row: which failures it is for, and what is done about them.
///
/// ```
/// use steadfast::{Kind, Match, Recovery, Row, Stage};
///
/// // This venue bans with 4000 to 4009, and its gateway answers 403 for a moment after each deploy.
/// let banned = Row::close(4000..=4009, Recovery::Fatal).kind(Kind::AuthenticationFailed);
/// let deploy = Row::http(403, Recovery::Retry).at(Stage::Dialing);
/// assert!(banned.what.covers(Match::Close(4005.into())));
/// # let _ = deploy;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
#[non_exhaustive]
pub struct Row {
    /// Which failures.
    pub what: Match,
    /// How far the link must have come; `None` is any stage.
    #[cfg_attr(feature = "serde", serde(default))]
    pub stage: Option<Stage>,
    /// What else must be the case.
    #[cfg_attr(feature = "serde", serde(default))]
    pub occasion: Occasion,
    /// What kind of failure it is. `None`, for rows of your own, leaves that to the table.
    #[cfg_attr(feature = "serde", serde(default))]
    pub kind: Option<Kind>,
    /// What is done about it.
    pub remedy: Remedy,
    /// Whether it is taken at its word. Of the table's rows most are not: what has worked before is given time; see
    /// [`ErrorPolicy`](crate::ErrorPolicy). Rows of your own are.
    #[cfg_attr(feature = "serde", serde(default = "crate::written::yes"))]
    pub is_final: bool,
}

impl Row {
    /// What is done about such a failure.
    pub fn new(what: Match, remedy: impl Into<Remedy>) -> Self {
        Self { what, stage: None, occasion: Occasion::Always, kind: None, remedy: remedy.into(), is_final: true }
    }

    /// What is done when the peer closes with this code, or with one of these.
    pub fn close(codes: impl Into<Codes>, remedy: impl Into<Remedy>) -> Self {
        Self::new(Match::Close(codes.into()), remedy)
    }

    /// What is done when the server answers the upgrade with this HTTP status, or with one of these.
    pub fn http(statuses: impl Into<Codes>, remedy: impl Into<Remedy>) -> Self {
        Self::new(Match::Http(statuses.into()), remedy)
    }

    /// The same row, for failures in this stage only.
    #[must_use]
    pub const fn at(self, stage: Stage) -> Self {
        Self { stage: Some(stage), ..self }
    }

    /// The same row, on this occasion only.
    #[must_use]
    pub const fn on(self, occasion: Occasion) -> Self {
        Self { occasion, ..self }
    }

    /// The same row, which also says what kind of failure it is.
    #[must_use]
    pub const fn kind(self, kind: Kind) -> Self {
        Self { kind: Some(kind), ..self }
    }
}

/// What a row fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Match {
    /// The peer closed with such a code. 1005 is a Close frame without a code, 1006 the end of the stream without a
    /// Close frame.
    #[cfg_attr(feature = "serde", serde(with = "crate::written::codes"))]
    Close(Codes),
    /// The server answered the upgrade with such a status.
    #[cfg_attr(feature = "serde", serde(with = "crate::written::codes"))]
    Http(Codes),
    /// Reading or writing failed, for instance by a reset.
    Broken,
    /// Nobody listens there, or there is no way to it.
    Unreachable,
    /// The name could not be resolved.
    Unresolved,
    /// The server's certificate, or ours, was not accepted.
    Certificate,
    /// TLS failed in another way.
    Tls,
    /// The server answered 101, but not as the RFC demands.
    Handshake,
    /// The peer broke the framing.
    Violation,
    /// The dialer could not go on.
    Impossible,
    /// The host was asked for a credential and had none.
    NoCredential,
    /// The host was asked for a credential and did not answer in time.
    CredentialTimeout,
    /// The transport was not open in time.
    ConnectTimeout,
    /// The login was not answered in time.
    LoginTimeout,
    /// The peer was silent for too long.
    Silence,
    /// The peer refused or took back the login.
    LoginRefused,
    /// The server did not negotiate what the protocol needs, for instance the subprotocol.
    Unfit,
    /// The peer said something after which the link cannot go on.
    Nonsense,
    /// Anything at all.
    Anything,
    /// A topic that the queue waited for was not answered in time.
    RestoreTimeout,
    /// A proxy on the way does not let us through.
    Denied,
}

impl Match {
    /// Whether all of `other` is in this.
    #[must_use]
    pub fn covers(self, other: Self) -> bool {
        match (self, other) {
            (Self::Anything, _) => true,
            (Self::Close(all), Self::Close(some)) | (Self::Http(all), Self::Http(some)) => all.covers(some),
            (one, other) => one == other,
        }
    }
}

impl fmt::Display for Match {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Close(codes) => return write!(f, "close {codes}"),
            Self::Http(statuses) => return write!(f, "HTTP {statuses}"),
            Self::Broken => "connection reset",
            Self::Unreachable => "refused or unreachable",
            Self::Unresolved => "name not resolved",
            Self::Denied => "denied by a proxy",
            Self::Certificate => "certificate refused",
            Self::Tls => "TLS failure",
            Self::Handshake => "bad answer to the upgrade",
            Self::Violation => "broken framing",
            Self::Impossible => "the dialer cannot go on",
            Self::NoCredential => "no credential from the host",
            Self::CredentialTimeout => "no answer from the host in time",
            Self::ConnectTimeout => "not open in time",
            Self::LoginTimeout => "login not answered in time",
            Self::RestoreTimeout => "topic not answered in time",
            Self::Silence => "silent for too long",
            Self::LoginRefused => "login refused",
            Self::Unfit => "wrong subprotocol",
            Self::Nonsense => "nonsense",
            Self::Anything => "anything else",
        })
    }
}

/// A code, or all from the first to the last.
///
/// ```
/// use steadfast::Codes;
///
/// assert_eq!(Codes::from(4000..=4009).to_string(), "4000-4009");
/// assert_eq!(Codes::from(404).to_string(), "404");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Codes {
    /// The first.
    pub first: u16,
    /// The last, included.
    pub last: u16,
}

impl Codes {
    const fn covers(self, other: Self) -> bool {
        self.first <= other.first && other.last <= self.last
    }
}

impl From<u16> for Codes {
    fn from(code: u16) -> Self {
        Self { first: code, last: code }
    }
}

impl From<RangeInclusive<u16>> for Codes {
    fn from(codes: RangeInclusive<u16>) -> Self {
        Self { first: *codes.start(), last: *codes.end() }
    }
}

impl fmt::Display for Codes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last { write!(f, "{}", self.first) } else { write!(f, "{}-{}", self.first, self.last) }
    }
}

/// How far a link had come when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Stage {
    /// It was being dialled, or the upgrade was not answered yet.
    Dialing,
    /// The login was not answered yet.
    LoggingIn,
    /// It was online, for less than [`Config::stable_for`](crate::Config::stable_for).
    Young,
    /// It had been online for longer.
    Stable,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dialing => "dialing",
            Self::LoggingIn => "logging in",
            Self::Young => "online, young",
            Self::Stable => "online, stable",
        })
    }
}

/// What else must be the case for a row to count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Occasion {
    /// Nothing.
    #[default]
    Always,
    /// [`Config::long_lived`](crate::Config::long_lived) is set.
    LongLived,
    /// It is at least the third breach of the protocol without a stable link between.
    ThirdBreach,
    /// It is at least the third loss of the network in a row while logging in with the same credential.
    ThirdLoss,
}

/// What a row does about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Remedy {
    /// Try again with the backoff, or when the server asks for it.
    Retry,
    /// Try again, and not before this time has passed.
    #[cfg_attr(feature = "serde", serde(with = "crate::written::span"))]
    RetryAfter(Duration),
    /// Try again when the server asks for it, else after the longest delay of our own.
    RetryAtCap,
    /// Try again with fresh credentials, though nobody has refused the old ones.
    RetryFresh,
    /// Try again with fresh credentials, once: the same one refused twice in a row is fatal.
    Reauthenticate,
    /// Stop.
    Fatal,
}

impl From<Recovery> for Remedy {
    fn from(recovery: Recovery) -> Self {
        match recovery {
            Recovery::Retry => Self::Retry,
            Recovery::RetryAfter(wait) => Self::RetryAfter(wait),
            Recovery::Reauthenticate => Self::Reauthenticate,
            Recovery::Fatal => Self::Fatal,
        }
    }
}

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Retry => f.write_str("Retry"),
            Self::RetryAfter(wait) => write!(f, "Retry after {wait:?}"),
            Self::RetryAtCap => f.write_str("Retry at the cap"),
            Self::RetryFresh => f.write_str("Retry with fresh credentials"),
            Self::Reauthenticate => f.write_str("Reauthenticate once, then Fatal"),
            Self::Fatal => f.write_str("Fatal"),
        }
    }
}
