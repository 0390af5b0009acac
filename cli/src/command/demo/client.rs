//! The client of the demo: `steadfast` on tokio, speaking `json`.

use std::{error::Error, net::SocketAddr};

use steadfast::{
    Text,
    protocol::json::{Incoming, Message},
};
use steadfast_tokio::{Trust, connect};

pub(super) use steadfast::protocol::json::Json;

use super::{check::Class, plan::Plan};
use crate::{Failure, server::Identity, trace::Recording};

pub(super) type Client = steadfast_tokio::Client<Json>;
pub(super) type Events = steadfast_tokio::Events<Json>;
pub(super) type Item = steadfast_tokio::Item<Incoming, Text>;
pub(super) type Driver = steadfast_tokio::Driver<Json>;

/// A client of the server at this address, inside of TLS if it has an identity. Nothing happens before its driver is
/// polled.
///
/// # Errors
///
/// Something does not fit together.
pub(super) fn open(
    plan: &Plan,
    address: SocketAddr,
    server: Option<&Identity>,
    recording: Option<&Recording>,
) -> Result<(Client, Events, Driver), Failure> {
    let protocol = Json::new(plan.seed).acks(plan.class == Class::AtLeastOnce);
    let builder = match server {
        None => connect(&format!("ws://{address}/")),
        Some(server) => {
            let trust = Trust::only(server.root()).map_err(|bad| cannot_build(&bad))?;
            connect(&format!("wss://{address}/")).trust(trust)
        }
    };
    let builder = builder.config(plan.config.clone()).seed(plan.seed).protocol(protocol.clone());
    let builder = match recording {
        None => builder,
        Some(recording) => recording.watch(builder, &protocol, plan.seed, plan.config.clone())?,
    };
    builder.build().map_err(|error| cannot_build(&error))
}

fn cannot_build(error: &dyn Error) -> Failure {
    Failure::new(format!("cannot build the client: {error}"))
}

/// The message of this number.
pub(super) fn message(seq: u64) -> Message {
    Message::raw("count", format!(r#"{{"seq":{seq}}}"#)).expect("a number in an object is JSON")
}
