//! The client of the demo: `steadfast` on one of its adapters, speaking `json`.

use std::{error::Error, fmt, future::Future, net::SocketAddr};

use steadfast::{
    Plain, StopCause, Text,
    protocol::json::{Incoming, Message},
};
use steadfast_driver::{Builder, Native, Net, Tcp, Trust};

pub(super) use steadfast::protocol::json::Json;

use super::{check::Class, plan::Plan};
use crate::{Failure, server::Identity, trace::Recording};

pub(super) type Client = steadfast_tokio::Client<Json>;
pub(super) type Events = steadfast_tokio::Events<Json>;
pub(super) type Item = steadfast_tokio::Item<Incoming, Text>;

/// Which adapter the client is on. The handle is the same on each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Adapter {
    Tokio,
    Smol,
    AsyncStd,
    Blocking,
}

impl fmt::Display for Adapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tokio => "tokio",
            Self::Smol => "smol",
            Self::AsyncStd => "async-std",
            Self::Blocking => "blocking",
        })
    }
}

/// A client of the server at this address, inside of TLS if it has an identity; and what starts its driver. Nothing
/// happens before.
///
/// # Errors
///
/// Something does not fit together.
pub(super) fn open(
    plan: &Plan,
    address: SocketAddr,
    server: Option<&Identity>,
    recording: Option<&Recording>,
) -> Result<(Client, Events, Start), Failure> {
    let url = format!("{}://{address}/", if server.is_some() { "wss" } else { "ws" });
    let parts = Parts { plan, server, recording };
    match plan.adapter {
        Adapter::Tokio => parts.build(steadfast_tokio::connect(&url), |driver| drop(tokio::spawn(driver))),
        Adapter::Smol => parts.build(steadfast_smol::connect(&url), |driver| smol::spawn(driver).detach()),
        Adapter::AsyncStd => {
            parts.build(steadfast_async_std::connect(&url), |driver| drop(async_std::task::spawn(driver)))
        }
        Adapter::Blocking => parts.build(steadfast_blocking::connect(&url), |driver| {
            // Without a thread the driver is dropped, and each message has its outcome.
            drop(steadfast_blocking::spawn(driver));
        }),
    }
}

/// Starts a driver.
pub(super) type Start = Box<dyn FnOnce() + Send>;
type Driver<N> = steadfast_driver::Driver<Json, Native<N>, Tcp<N>>;

/// What a client is made of, on any adapter.
struct Parts<'a> {
    plan: &'a Plan,
    server: Option<&'a Identity>,
    recording: Option<&'a Recording>,
}

impl Parts<'_> {
    fn build<N: Net>(
        &self,
        builder: Builder<Plain, Native<N>, Tcp<N>>,
        spawn: impl FnOnce(Driver<N>) + Send + 'static,
    ) -> Result<(Client, Events, Start), Failure>
    where
        Driver<N>: Future<Output = StopCause> + Send + 'static,
    {
        let Self { plan, server, recording } = self;
        let protocol = Json::new(plan.seed).acks(plan.class == Class::AtLeastOnce);
        let mut builder = builder.config(plan.config.clone()).seed(plan.seed);
        if let Some(server) = server {
            builder = builder.trust(Trust::only(server.root()).map_err(|bad| cannot_build(&bad))?);
        }
        let mut builder = builder.protocol(protocol.clone());
        if let Some(recording) = recording {
            builder = recording.watch(builder, &protocol, plan.seed, plan.config.clone())?;
        }
        let (client, events, driver) = builder.build().map_err(|error| cannot_build(&error))?;
        Ok((client, events, Box::new(move || spawn(driver))))
    }
}

fn cannot_build(error: &dyn Error) -> Failure {
    Failure::new(format!("cannot build the client: {error}"))
}

/// The message of this number.
pub(super) fn message(seq: u64) -> Message {
    Message::raw("count", format!(r#"{{"seq":{seq}}}"#)).expect("a number in an object is JSON")
}
