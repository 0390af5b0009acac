//! How settings are written in files, for people.

#[cfg(feature = "serde")]
pub(crate) mod codes;
#[cfg(feature = "serde")]
pub(crate) mod pairs;
pub(crate) mod span;

/// What a switch is where nothing is said, if it is not off.
#[cfg(feature = "serde")]
pub(crate) const fn yes() -> bool {
    true
}
