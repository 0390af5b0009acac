//! The `steadfast` command, as a library: its tests use the parts one by one.

pub mod chaos;
