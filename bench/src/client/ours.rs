//! The same through `steadfast-tokio`.

use std::net::SocketAddr;

use super::Sample;
use crate::Outcome;

pub(super) async fn echo(_: SocketAddr, _: u64) -> Outcome<Sample> {
    Err("not yet".into())
}

pub(super) async fn idle(_: SocketAddr, _: u64) -> Outcome<u64> {
    Err("not yet".into())
}
