//! The file a server writes: one line for each message.

use std::{fmt, fs, path::Path};

use crate::Failure;

/// One message as it reached the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// On which connection, counted from 1.
    pub connection: u64,
    /// Under which id.
    pub id: String,
    /// Its number in the order of acceptance, from its data.
    pub seq: u64,
}

impl fmt::Display for Arrival {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.connection, self.id, self.seq)
    }
}

impl Arrival {
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let connection = words.next()?.parse().ok()?;
        let id = words.next()?.to_owned();
        let seq = words.next()?.parse().ok()?;
        words.next().is_none().then_some(Self { connection, id, seq })
    }
}

/// Reads what a server has written so far.
///
/// # Errors
///
/// The file cannot be read, or a line of it is no arrival.
pub fn read(log: &Path) -> Result<Vec<Arrival>, Failure> {
    let name = log.display();
    let text = fs::read_to_string(log).map_err(|error| Failure::new(format!("cannot read {name}: {error}")))?;
    text.lines()
        .enumerate()
        .map(|(i, line)| Arrival::parse(line).ok_or_else(|| Failure::new(format!("{name}:{}: not a log line", i + 1))))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_as_it_was_written() {
        let arrival = Arrival { connection: 3, id: "k3v9-17".into(), seq: 17 };
        assert_eq!(Arrival::parse(&arrival.to_string()), Some(arrival));
        for bad in ["", "3", "3 a", "3 a b", "3 a 17 more", "x a 17"] {
            assert_eq!(Arrival::parse(bad), None, "{bad:?}");
        }
    }
}
