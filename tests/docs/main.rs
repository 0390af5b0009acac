//! The pages for people say what the code does.

mod adapters;
mod brackets;
#[cfg(feature = "json")]
mod json;
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
    let mut all = String::new();
    let mut left: Vec<PathBuf> = folders.iter().map(|folder| root().join(folder)).collect();
    while let Some(path) = left.pop() {
        if path.is_dir() {
            left.extend(fs::read_dir(path).expect("it is a folder").map(|entry| entry.expect("it can be read").path()));
        } else if path.extension().is_some_and(|end| end == "rs") {
            all += &fs::read_to_string(path).expect("sources are text");
        }
    }
    all
}

/// The words of a page that are set as code.
fn code(page: &str) -> impl Iterator<Item = &str> {
    page.split('`').skip(1).step_by(2)
}
