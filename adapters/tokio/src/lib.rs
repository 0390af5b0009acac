//! `steadfast` on tokio.
