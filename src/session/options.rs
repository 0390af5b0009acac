//! How a message is sent.

use alloc::boxed::Box;
use core::{
    num::{NonZeroU32, NonZeroU64},
    time::Duration,
};

use super::request::Asked;
use crate::{Text, Timestamp};

/// How a message is sent. Made from its class, and then grown:
///
/// ```
/// use core::time::Duration;
/// use steadfast::SendOptions;
///
/// let price = SendOptions::latest("EURUSD").ttl(Duration::from_secs(2));
/// let order = SendOptions::at_least_once().tracked().label("order 17");
/// let quick = SendOptions::default().ttl(Duration::from_millis(500)).secret();
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(from = "Spelled", into = "Spelled"))]
pub struct SendOptions {
    /// What is promised.
    pub class: Class,
    /// Whether its outcome is told in any case. Without it only bad news are.
    pub tracked: bool,
    /// Whether no log and no trace may show it.
    pub secret: bool,
    /// What few messages have.
    pub(crate) rare: Option<Box<Rare>>,
}

/// What few messages have.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Rare {
    pub(crate) ttl: Option<Ttl>,
    pub(crate) key: Option<Text>,
    pub(crate) label: Option<Text>,
    pub(crate) bucket: Option<Text>,
    pub(crate) weight: Option<NonZeroU32>,
    /// It is a request.
    pub(crate) asked: Option<Asked>,
}

/// What is promised for a message. In the order in which [`Overflow::DropLowest`](crate::Overflow::DropLowest) drops
/// them, lowest first; `Bypass` is never in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Class {
    /// It leaves at once or not at all: refused unless the session is online, nothing waits and the window has room.
    /// For what is worth nothing a moment later: a cursor, a voice.
    Volatile,
    /// It takes the place of the waiting message of this class with the same key, which ends `Dropped(Replaced)`. One
    /// that is with the transport is not replaced, and one that came back from there goes before it. Needs a key.
    Latest,
    /// Sent once. If the link dies while it is on its way it ends in doubt.
    #[default]
    AtMostOnce,
    /// Kept until the peer acknowledges it; sent again, with the same id, on every new link until then.
    /// Refused where the protocol has no acknowledgements.
    AtLeastOnce,
    /// It belongs to the link it was accepted on, and ends with it. It overtakes the queue, and may leave before the
    /// login is answered; refused while no link is open. For what belongs to a handshake of the application's own.
    Bypass,
}

/// How long it makes sense to send a message: a duration of at least a microsecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Ttl(NonZeroU64);

impl Rare {
    /// When it is worth nothing any more, if it is accepted now.
    pub(crate) fn expires(&self, now: Timestamp) -> Option<Timestamp> {
        self.ttl.and_then(|ttl| now.after(ttl.duration()))
    }

    pub(crate) fn slots(&self) -> u32 {
        self.weight.map_or(1, NonZeroU32::get)
    }
}

impl SendOptions {
    /// Of this class.
    #[must_use]
    pub const fn new(class: Class) -> Self {
        Self { class, tracked: false, secret: false, rare: None }
    }

    /// [`Class::Volatile`].
    #[must_use]
    pub const fn volatile() -> Self {
        Self::new(Class::Volatile)
    }

    /// [`Class::Latest`], with its key.
    #[must_use]
    pub fn latest(key: impl Into<Text>) -> Self {
        Self::new(Class::Latest).key(key)
    }

    /// [`Class::AtMostOnce`], the default.
    #[must_use]
    pub const fn at_most_once() -> Self {
        Self::new(Class::AtMostOnce)
    }

    /// [`Class::AtLeastOnce`].
    #[must_use]
    pub const fn at_least_once() -> Self {
        Self::new(Class::AtLeastOnce)
    }

    /// [`Class::Bypass`].
    #[must_use]
    pub const fn bypass() -> Self {
        Self::new(Class::Bypass)
    }

    /// Its outcome is told, whatever it is.
    #[must_use]
    pub const fn tracked(mut self) -> Self {
        self.tracked = true;
        self
    }

    /// No log and no trace shows it. Its key and its label are shown.
    #[must_use]
    pub const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    /// How long it makes sense to send it; without it for ever. One that never left then ends `Expired`, any other
    /// `InDoubt`.
    #[must_use]
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.rare().ttl = Some(Ttl::new(ttl));
        self
    }

    /// What it is about. A newer message can take the place of one with the same key: see [`Class::Latest`] and
    /// [`Overflow::ReplaceByKey`](crate::Overflow::ReplaceByKey).
    #[must_use]
    pub fn key(mut self, key: impl Into<Text>) -> Self {
        self.rare().key = Some(key.into());
        self
    }

    /// A note of the host's own that comes back with the outcome, for its logs. Nobody else reads it.
    #[must_use]
    pub fn label(mut self, label: impl Into<Text>) -> Self {
        self.rare().label = Some(label.into());
        self
    }

    /// It draws on the buckets of this name too: see [`Bucket`](crate::Bucket). Refused if there is none.
    #[must_use]
    pub fn bucket(mut self, name: impl Into<Text>) -> Self {
        self.rare().bucket = Some(name.into());
        self
    }

    /// How many slots it takes of the buckets it draws on, where a server counts some messages as several. At least one,
    /// which is the default. Refused if no bucket ever has so many.
    #[must_use]
    pub fn weight(mut self, slots: u32) -> Self {
        self.rare().weight = NonZeroU32::new(slots).filter(|slots| slots.get() > 1);
        self
    }

    /// Its time to live.
    #[must_use]
    pub fn time_to_live(&self) -> Option<Ttl> {
        self.rare.as_ref()?.ttl
    }

    /// Its key.
    #[must_use]
    pub fn keyed(&self) -> Option<&Text> {
        self.rare.as_ref()?.key.as_ref()
    }

    /// Its label.
    #[must_use]
    pub fn labelled(&self) -> Option<&Text> {
        self.rare.as_ref()?.label.as_ref()
    }

    /// The name of the buckets that it draws on beside those of all.
    #[must_use]
    pub fn draws_on(&self) -> Option<&Text> {
        self.rare.as_ref()?.bucket.as_ref()
    }

    /// How many slots it takes.
    #[must_use]
    pub fn slots(&self) -> u32 {
        self.rare.as_ref().map_or(1, |rare| rare.slots())
    }

    pub(super) fn is_request(&self) -> bool {
        self.rare.as_ref().is_some_and(|rare| rare.asked.is_some())
    }

    fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }
}

impl Ttl {
    /// A time to live; nothing under a microsecond.
    #[must_use]
    pub fn new(ttl: Duration) -> Self {
        Self(NonZeroU64::new(crate::time::micros(ttl)).unwrap_or(NonZeroU64::MIN))
    }

    /// As a duration.
    #[must_use]
    pub const fn duration(self) -> Duration {
        Duration::from_micros(self.0.get())
    }
}

/// The options as they are written: flat, and without what is not there.
#[cfg(feature = "serde")]
#[derive(Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
struct Spelled {
    class: Class,
    tracked: bool,
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    secret: bool,
    ttl: Option<Ttl>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bucket: Option<Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    weight: Option<NonZeroU32>,
}

#[cfg(feature = "serde")]
impl From<SendOptions> for Spelled {
    fn from(options: SendOptions) -> Self {
        let SendOptions { class, tracked, secret, rare } = options;
        let Rare { ttl, key, label, bucket, weight, asked: _ } = rare.map(|rare| *rare).unwrap_or_default();
        Self { class, tracked, secret, ttl, key, label, bucket, weight }
    }
}

#[cfg(feature = "serde")]
impl From<Spelled> for SendOptions {
    fn from(spelled: Spelled) -> Self {
        let Spelled { class, tracked, secret, ttl, key, label, bucket, weight } = spelled;
        let rare = Rare { ttl, key, label, bucket, weight, asked: None };
        Self { class, tracked, secret, rare: (rare != Rare::default()).then(|| Box::new(rare)) }
    }
}

const _: () = assert!(size_of::<SendOptions>() <= 16);
