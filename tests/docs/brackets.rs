//! tests/plants/BRACKETS.md names tests and plants that there are.

use std::path::Path;

use super::{code, read, root};

const PAGE: &str = include_str!("../plants/BRACKETS.md");

/// The cells of each row of the table: the rule, who gets it wrong, the test, the plant.
fn rows() -> Vec<[&'static str; 4]> {
    let cells = |line: &'static str| -> [&'static str; 4] {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        cells.try_into().unwrap_or_else(|_| panic!("a row has four cells: {line}"))
    };
    let rows = PAGE.lines().filter(|line| line.starts_with("| ")).map(cells);
    rows.filter(|[rule, ..]| *rule != "rule").collect()
}

#[test]
fn every_test_in_the_table_is_there() {
    assert!(rows().len() >= 14, "{}", rows().len());
    for [rule, _, tests, _] in rows() {
        for test in code(tests) {
            let (file, name) = test.split_once("::").unwrap_or_else(|| panic!("file::name, not {test}"));
            assert!(read(file).contains(&format!("fn {name}(")), "{rule}: {test}");
        }
    }
}

#[test]
fn every_plant_in_the_table_is_there_and_reddens_a_test_of_its_row() {
    for [rule, _, tests, plants] in rows() {
        for plant in code(plants) {
            let patch = read(&format!("tests/plants/{plant}.patch"));
            let red = patch.lines().find_map(|line| line.strip_prefix("Red: ")).expect("a plant says what it reddens");
            assert!(
                code(tests).any(|test| reddens(red, test)),
                "{rule}: {plant} is found by `{red}`, and not by {tests}"
            );
        }
    }
}

#[test]
fn every_row_has_a_test_and_a_plant_or_says_that_they_are_missing() {
    for [rule, peer, tests, plants] in rows() {
        assert!(peer.contains(|letter: char| letter.is_ascii_digit()) || peer.contains("none"), "{rule}: no numbers");
        for cell in [tests, plants] {
            assert!(code(cell).next().is_some() || cell.starts_with("MISSING"), "{rule}: {cell}");
        }
    }
}

/// Whether the arguments of `cargo` run this test, written as `file::name`.
fn reddens(red: &str, test: &str) -> bool {
    let (file, name) = test.split_once("::").expect("file::name");
    let (arguments, filter) = red.split_once(" -- ").unwrap_or((red, ""));
    let words: Vec<_> = arguments.split(' ').collect();
    let after = |flag: &str| words.iter().position(|word| *word == flag).and_then(|at| words.get(at + 1)).copied();
    let package = match after("-p").expect("it names a package") {
        "steadfast" => "",
        "steadfast-sim" => "sim/",
        "steadfast-driver" => "adapters/driver/",
        "steadfast-tokio" => "adapters/tokio/",
        "steadfast-cli" => "cli/",
        other => panic!("where is {other}?"),
    };
    let is_here = match after("--test") {
        Some(target) => [".rs", "/"].iter().any(|end| file.starts_with(&format!("{package}tests/{target}{end}"))),
        None => file.starts_with(&format!("{package}src/")),
    };
    assert!(Path::new(root()).join(package).is_dir(), "{package}");
    let path = format!("{}::{name}", file.trim_end_matches(".rs").replace('/', "::"));
    is_here && (filter.is_empty() || path.contains(filter))
}
