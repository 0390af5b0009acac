//! The first line of a trace: what a machine has to be made of to do the same.

use alloc::string::{String, ToString};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Config;

/// The format that is written. A change after which an old trace cannot be read makes it one more.
pub const FORMAT: u32 = 1;

/// What a machine has to be made of to do the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Header {
    /// The format: [`FORMAT`].
    #[serde(rename = "trace")]
    pub format: u32,
    /// The version of this crate that wrote it.
    pub version: String,
    /// The name of the protocol, as the host gives it.
    pub protocol: String,
    /// What the protocol was made with, as the host gives it. It is written as it is.
    pub parameters: Value,
    /// The seed.
    pub seed: u64,
    /// The settings.
    pub config: Config,
}

impl Header {
    /// The header of a session that speaks this protocol. Parameters that cannot be JSON are left out.
    #[must_use]
    pub fn new(protocol: &str, parameters: &impl Serialize, seed: u64, config: Config) -> Self {
        Self {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").to_string(),
            protocol: protocol.to_string(),
            parameters: serde_json::to_value(parameters).unwrap_or_default(),
            seed,
            config,
        }
    }
}
