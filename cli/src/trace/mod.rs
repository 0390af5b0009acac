//! Traces in files: read, told, compared.

mod again;
mod rows;
mod story;

pub(crate) use again::{Verdict, again};
pub(crate) use story::Story;

use std::{fs, path::Path};

use steadfast::trace::Reader;

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
