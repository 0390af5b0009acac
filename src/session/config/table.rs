//! The presets side by side, as the documentation prints them.
//!
//! `STEADFAST_BLESS=1 cargo test -p steadfast --lib presets` rewrites `presets.md`.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::{fmt, time::Duration};
use std::{env, fs, path::Path};

use super::{
    Alike, Bucket, ClientId, Config, Counts, CredentialUse, FirstAttempt, Jitter, Overflow, Restore,
    fields::{FIELDS, Field},
};
use crate::{Row, Text, written::span::Span};

/// A setting as the table shows it.
pub(super) trait Shown {
    fn shown(&self) -> String;
}

impl Shown for Duration {
    fn shown(&self) -> String {
        Span(*self).to_string()
    }
}

impl Shown for u64 {
    fn shown(&self) -> String {
        let digits = self.to_string();
        let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
        groups.join(",")
    }
}

impl Shown for u32 {
    fn shown(&self) -> String {
        u64::from(*self).shown()
    }
}

impl<T: Shown> Shown for Option<T> {
    fn shown(&self) -> String {
        self.as_ref().map_or_else(|| "none".into(), Shown::shown)
    }
}

impl Shown for Jitter {
    fn shown(&self) -> String {
        match self {
            Self::Additive(most) => format!("Additive({})", Span(*most)),
            Self::Full | Self::Equal | Self::Decorrelated | Self::None => format!("{self:?}"),
        }
    }
}

impl Shown for Text {
    fn shown(&self) -> String {
        if self.is_empty() { "empty".into() } else { self.to_string() }
    }
}

impl Shown for Vec<Row> {
    fn shown(&self) -> String {
        if self.is_empty() { "none".into() } else { format!("{} rows", self.len()) }
    }
}

impl Shown for Vec<Bucket> {
    fn shown(&self) -> String {
        if self.is_empty() { "none".into() } else { format!("{} buckets", self.len()) }
    }
}

impl Shown for Vec<(Text, Text)> {
    fn shown(&self) -> String {
        if self.is_empty() { "none".into() } else { format!("{self:?}") }
    }
}

macro_rules! as_debug {
    ($($type:ty)*) => { $(impl Shown for $type {
        fn shown(&self) -> String {
            format!("{self:?}")
        }
    })* };
}

as_debug! { bool Alike Overflow Restore FirstAttempt CredentialUse ClientId }

/// Bytes in the largest unit that needs no rounding.
fn in_bytes(shown: &str) -> String {
    let bytes: u64 = shown.replace(',', "").parse().expect("a number of bytes");
    [(30, "GiB"), (20, "MiB"), (10, "KiB")]
        .into_iter()
        .find(|(bits, _)| bytes % (1 << bits) == 0)
        .map_or_else(|| format!("{shown} B"), |(bits, unit)| format!("{} {unit}", bytes >> bits))
}

fn cell(field: &Field, config: &Config) -> String {
    let shown = (field.shown)(config);
    if field.name.ends_with("bytes") || field.name == "max_message" { in_bytes(&shown) } else { shown }
}

fn row<T: fmt::Display>(cells: impl IntoIterator<Item = T>) -> String {
    cells.into_iter().fold("|".into(), |row, cell| format!("{row} {cell} |")).replace("|  |", "| |") + "\n"
}

fn table() -> String {
    let presets = Config::presets();
    let names = presets.iter().map(|(name, _)| format!("`{name}`"));
    let mut table = row([String::new()].into_iter().chain(names).chain(["a change counts".into()]));
    table += &row(core::iter::repeat_n("---", presets.len() + 2));
    for field in FIELDS {
        let usual = cell(field, &presets[0].1);
        let own = presets[1..].iter().map(|(_, config)| cell(field, config));
        let own = own.map(|cell| if cell == usual { String::new() } else { cell });
        let counts = match field.counts {
            Counts::AtOnce => "at once",
            Counts::NextTime => "the next time",
            Counts::NextLink => "on the next link",
        };
        table += &row([format!("`{}`", field.name), usual.clone()].into_iter().chain(own).chain([counts.into()]));
    }
    table.replace("|  |", "| |")
}

#[test]
fn the_documentation_shows_the_presets_as_they_are() {
    let (path, table) = (Path::new(env!("CARGO_MANIFEST_DIR")).join("src/session/config/presets.md"), table());
    if env::var_os("STEADFAST_BLESS").is_some() {
        fs::write(&path, &table).expect("the documentation can be written");
    }
    let printed = fs::read_to_string(&path).unwrap_or_default();
    assert!(printed == table, "presets.md differs; STEADFAST_BLESS=1 rewrites it. The code says:\n{table}");
}
