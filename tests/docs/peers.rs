//! docs/peers.md names scenarios that there are.

use super::{check_settings, code, read, sources};

#[test]
fn what_other_servers_do_is_shown_by_scenarios_that_there_are() {
    let (page, all) = (read("docs/peers.md"), sources(&["tests/conformance/src/scenarios"]));
    let groups = ["dialing", "fastapi", "haproxy", "living", "nginx", "node", "python", "refusing", "sending"];
    let mut named = 0;
    for scenario in code(&page) {
        let Some((_, name)) = scenario.split_once("::").filter(|(group, _)| groups.contains(group)) else { continue };
        // Rows of a table of errors are listed without a function of their own.
        assert!(all.contains(&format!("fn {name}<")) || all.contains(&format!("{name}: ")), "{scenario}");
        named += 1;
    }
    assert!(named > 50, "{named}");
    check_settings(code(&page));
}

#[test]
fn each_row_of_what_other_servers_do_is_shown() {
    let page = read("docs/peers.md");
    for row in page.lines().filter(|line| line.starts_with("| ")) {
        assert!(row.contains("::") || row.ends_with("shown by |"), "{row}");
    }
}
