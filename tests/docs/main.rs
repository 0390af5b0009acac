//! The pages for people say what the code does.

mod adapters;
mod brackets;
#[cfg(feature = "json")]
mod json;
mod links;
mod peers;
mod programs;
mod troubleshooting;

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A file of the repository.
fn read(path: &str) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All sources below these folders, as one text.
fn sources(folders: &[&str]) -> String {
    files(folders, "rs").iter().map(|file| read(file)).collect()
}

/// The files whose names end so, in these folders and below.
fn files(folders: &[&str], end: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut left: Vec<PathBuf> = folders.iter().map(|folder| root().join(folder)).collect();
    while let Some(path) = left.pop() {
        if path.is_dir() {
            left.extend(fs::read_dir(path).expect("it is a folder").map(|entry| entry.expect("it can be read").path()));
        } else if path.extension().is_some_and(|its| its == end) {
            found.extend(path.strip_prefix(root()).ok().and_then(Path::to_str).map(str::to_owned));
        }
    }
    found
}

/// The words of a page that are set as code.
fn code(page: &str) -> impl Iterator<Item = &str> {
    page.split('`').skip(1).step_by(2)
}

/// Fails for a setting that there is not; says how many there were.
fn check_settings<'a>(words: impl Iterator<Item = &'a str>) -> usize {
    let settings = include_str!("../../src/session/config/presets.md");
    let groups = ["retry.", "heartbeat.", "queue.", "window.", "connect.", "credentials.", "errors.", "identity."];
    let named = words.filter(|word| groups.iter().any(|group| word.starts_with(group)));
    named.inspect(|word| assert!(settings.contains(&format!("| `{word}` |")), "{word}")).count()
}

/// All names in the code.
struct Names(String);

impl Names {
    fn read() -> Self {
        Self(sources(&["src", "adapters", "sim/src"]))
    }

    /// Fails for an `Owner::name` that is not there; says how many there were.
    fn check<'a>(&self, words: impl Iterator<Item = &'a str>) -> usize {
        let named = words.filter_map(|word| word.split(['(', ' ']).next()?.split_once("::"));
        let ours = named.filter(|(owner, _)| owner.starts_with(char::is_uppercase));
        ours.inspect(|(owner, name)| assert!(self.has(owner, name), "{owner}::{name}")).count()
    }

    fn has(&self, owner: &str, name: &str) -> bool {
        let has = |form: &str, word| self.0.contains(&form.replacen("{}", word, 1));
        let is_there =
            ["fn {}(", "fn {}<", "pub {}:", "    {},\n", "    {}(", "    {} {"].iter().any(|form| has(form, name));
        is_there && ["struct {}", "enum {}", "trait {}"].iter().any(|form| has(form, owner))
    }
}
