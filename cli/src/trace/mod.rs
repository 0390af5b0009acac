//! Traces in files: read, told, compared.

mod again;
mod record;
mod resend;
mod rows;
mod story;
mod twice;

pub(crate) use again::{Verdict, again};
pub(crate) use record::{Recordable, Recording};
pub(crate) use resend::{Target, resend};
pub(crate) use story::Story;

use std::{fs, path::Path};

use steadfast::{
    protocol::json::Json,
    trace::{Header, Reader},
};

use crate::Failure;

/// The longest file that is read, in bytes. It is kept as a whole.
const LONGEST: u64 = 2 << 30;

/// Reads a file.
///
/// # Errors
///
/// It is not there, too long, or no text.
pub(crate) fn load(path: &Path) -> Result<String, Failure> {
    let shown = path.display();
    let failed = |error: std::io::Error| Failure::new(format!("cannot read {shown}: {error}"));
    let length = fs::metadata(path).map_err(failed)?.len();
    if length > LONGEST {
        return Err(Failure::new(format!("{shown} has {length} bytes, and {LONGEST} are read; cut it behind a line")));
    }
    fs::read_to_string(path).map_err(failed)
}

/// Begins to read a trace.
///
/// # Errors
///
/// It is none; the line says why.
pub(crate) fn open<'a>(path: &Path, text: &'a str) -> Result<Reader<std::str::Lines<'a>>, Failure> {
    Reader::new(text.lines()).map_err(|error| unreadable(path, &error))
}

pub(crate) fn unreadable(path: &Path, error: &steadfast::trace::Unreadable) -> Failure {
    Failure::new(format!("cannot read {}: {error}", path.display()))
}

/// The protocol `json` as the header has it.
fn json(path: &Path, header: &Header) -> Result<Json, Failure> {
    let wrong = |error| Failure::new(format!("{}: line 1: the parameters of json: {error}", path.display()));
    serde_json::from_value(header.parameters.clone()).map_err(wrong)
}

fn unknown(path: &Path, protocol: &str) -> Failure {
    let shown = path.display();
    Failure::new(format!(
        "{shown} speaks {protocol}, and this command plain and json; replay it in a test of that protocol"
    ))
}
