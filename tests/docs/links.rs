//! Pages lead to each other, and to files that are there.

use std::path::Path;

use super::{files, read, root};

#[test]
fn every_link_to_a_file_leads_to_one() {
    let pages = files(&["README.md", "DESIGN.md", "CONTRIBUTING.md", "docs", "adapters", "tests/plants"], "md");
    assert!(pages.len() > 12, "{pages:?}");
    let mut links = 0;
    for page in &pages {
        for link in read(page).split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = link.split('#').next().unwrap_or_default();
            if file.is_empty() || link.contains("://") {
                continue;
            }
            let there = root().join(Path::new(page).parent().unwrap_or(Path::new(""))).join(file);
            assert!(there.exists(), "{page}: {link}");
            links += 1;
        }
    }
    assert!(links > 30, "{links}");
}

#[test]
fn every_page_is_in_the_index() {
    let index = read("README.md");
    for page in files(&["docs", "adapters"], "md") {
        assert!(index.contains(&format!("]({page})")), "{page}");
    }
}
