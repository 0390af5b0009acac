//! Credentials on the command line, where others could read them: better out of the environment.

use std::env;

use crate::Failure;

/// The credential that is meant: `env:NAME` is what the environment has under that name.
///
/// # Errors
///
/// There is no such text in the environment.
pub(super) fn read(token: Option<&str>) -> Result<Option<String>, Failure> {
    let Some(token) = token else { return Ok(None) };
    let Some(name) = token.strip_prefix("env:") else { return Ok(Some(token.to_owned())) };
    let missing = |_| Failure::new(format!("--token: the environment has no text in {name}; set it first"));
    env::var(name).map(Some).map_err(missing)
}
