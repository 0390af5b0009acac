//! The client of the demo: `steadfast` on tokio, speaking `json`.

use std::net::SocketAddr;

use steadfast::Text;
use steadfast::protocol::json::{Incoming, Message};

pub(super) use steadfast::protocol::json::Json;

use super::{check::Class, plan::Plan};
use crate::Failure;

pub(super) type Client = steadfast_tokio::Client<Json>;
pub(super) type Events = steadfast_tokio::Events<Json>;
pub(super) type Item = steadfast_tokio::Item<Incoming, Text>;
pub(super) type Driver = steadfast_tokio::Driver<Json>;

/// A client of the server at this address. Nothing happens before its driver is polled.
///
/// # Errors
///
/// Something does not fit together.
pub(super) fn open(plan: &Plan, address: SocketAddr) -> Result<(Client, Events, Driver), Failure> {
    let protocol = Json::new(plan.seed).acks(plan.class == Class::AtLeastOnce);
    let builder = steadfast_tokio::connect(&format!("ws://{address}/")).config(plan.config.clone()).seed(plan.seed);
    builder.protocol(protocol).build().map_err(|error| Failure::new(format!("cannot build the client: {error}")))
}

/// The message of this number.
pub(super) fn message(seq: u64) -> Message {
    Message::raw("count", format!(r#"{{"seq":{seq}}}"#)).expect("a number in an object is JSON")
}
