//! What the pages of the adapters say of each other, and the page for those who write one.

use std::collections::BTreeSet;

use super::{Names, check_settings, code, read};

const ADAPTERS: [&str; 4] = ["tokio", "smol", "async-std", "blocking"];

fn page(adapter: &str) -> String {
    read(&format!("adapters/{adapter}/README.md"))
}

fn program(adapter: &str) -> String {
    read(&format!("adapters/{adapter}/examples/orders_{}.rs", adapter.replace('-', "_")))
}

/// The scenarios of the conformance suite, as the page names them.
fn scenarios() -> BTreeSet<String> {
    let (list, mut group, mut all) = (read("tests/conformance/src/scenarios/mod.rs"), String::new(), BTreeSet::new());
    for line in from(&list, "list! {").lines().map(str::trim) {
        match line.strip_suffix(':') {
            Some(name) => group = name.to_owned(),
            None => all.extend([format!("{group}::{}", line.trim_end_matches(';'))]),
        }
    }
    all
}

/// The text from there on.
fn from<'a>(text: &'a str, there: &str) -> &'a str {
    &text[text.find(there).unwrap_or_else(|| panic!("not there: {there}"))..]
}

#[test]
fn between_adapters_the_program_differs_where_it_starts_and_nowhere_else() {
    let tokio = program("tokio");
    for adapter in ["smol", "async-std"] {
        let there = "/// Comes back quickly";
        assert_eq!(from(&program(adapter), there), from(&tokio, there), "{adapter}");
    }
    // There futures are waited for.
    let there = "/// The server: where it is";
    assert_eq!(from(&program("blocking"), there), from(&tokio, there));
}

#[test]
fn each_page_has_the_same_parts_and_names_its_program() {
    let parts = |page: &str| page.lines().filter(|line| line.starts_with("## ")).map(str::to_owned).collect::<Vec<_>>();
    let table = |page: &str| page.lines().filter(|line| line.starts_with('|')).map(str::to_owned).collect::<Vec<_>>();
    let first = page("tokio");
    for adapter in ADAPTERS {
        let page = page(adapter);
        assert_eq!((parts(&page), table(&page)), (parts(&first), table(&first)), "{adapter}");
        assert!(page.contains(&format!("orders_{}", adapter.replace('-', "_"))), "{adapter}");
    }
}

#[test]
fn the_discontinued_runtime_is_called_so_wherever_it_is_offered() {
    for page in [page("async-std"), program("async-std"), read("README.md")] {
        assert!(page.contains("RUSTSEC-2025-0052"));
    }
}

#[test]
fn each_promise_of_an_adapter_names_what_notices() {
    let (page, scenarios) = (read("docs/adapters.md"), scenarios());
    let groups: BTreeSet<&str> = scenarios.iter().filter_map(|name| name.split_once("::")).map(|name| name.0).collect();
    let is_one = |word: &&str| word.split_once("::").is_some_and(|(group, _)| groups.contains(group));
    let named: Vec<_> = code(&page).filter(is_one).collect();
    assert!(named.len() > 15, "{named:?}");
    for name in named {
        assert!(scenarios.contains(name), "no scenario: {name}");
    }
    let plants: Vec<_> = page.split("the plant `").skip(1).filter_map(|rest| rest.split('`').next()).collect();
    assert!(plants.len() >= 2, "{plants:?}");
    plants.iter().for_each(|plant| drop(read(&format!("tests/plants/{plant}.patch"))));
}

#[test]
fn every_item_and_setting_that_the_pages_name_is_one() {
    let names = Names::read();
    for page in ADAPTERS.map(page) {
        assert!(names.check(code(&page)) >= 6);
    }
    assert!(names.check(code(&read("docs/embedding.md"))) >= 1);
    // There the first column of the tables is of somebody else.
    let page = read("docs/migration.md");
    let ours = |line: &str| line.split('|').nth(2).map(str::to_owned);
    let cells: String = page.lines().filter(|line| line.starts_with("| ")).filter_map(ours).collect();
    assert!(names.check(code(&cells)) > 20);
    assert!(check_settings(code(&page)) > 5);
}
