//! How settings are written, for people.

pub(crate) mod span;
