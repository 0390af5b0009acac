//! What pages show of programs stands in programs that are built and run.

use super::read;

/// The lines of a text without what they are indented by.
fn lines(text: &str) -> String {
    text.lines().map(str::trim_start).fold(String::from("\n"), |all, line| all + line + "\n")
}

/// The blocks of Rust in a page.
fn blocks(page: &str) -> Vec<&str> {
    page.split("```rust\n").skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

/// Every block of the page stands in one of these files, line by line.
fn are_taken_from(page: &str, files: &[&str], least: usize) {
    let sources: Vec<String> = files.iter().map(|file| lines(&read(file))).collect();
    let page = read(page);
    let blocks = blocks(&page);
    assert!(blocks.len() >= least, "{}", blocks.len());
    for block in blocks {
        assert!(sources.iter().any(|source| source.contains(&lines(block))), "no program has this:\n{block}");
    }
}

#[test]
fn the_loop_of_ones_own_is_the_one_that_runs() {
    are_taken_from("docs/embedding.md", &["examples/epoll/driver.rs", "examples/epoll/link.rs"], 6);
}

#[test]
fn the_adapters_that_are_shown_are_the_one_for_smol_and_the_fake_one() {
    let smol = ["adapters/smol/src/net.rs", "adapters/smol/src/lib.rs", "tests/conformance/src/adapters.rs"];
    are_taken_from("docs/adapters.md", &[&smol[..], &["adapters/driver/tests/fake/mod.rs"]].concat(), 7);
}
