//! docs/troubleshooting.md names what there is.

use super::{Names, check_settings, code, read, sources};

const PAGE: &str = include_str!("../../docs/troubleshooting.md");

#[test]
fn every_setting_that_the_page_names_is_one() {
    assert!(check_settings(code(PAGE)) > 10);
}

#[test]
fn every_item_that_the_page_names_is_in_the_code() {
    assert!(Names::read().check(code(PAGE)) > 20);
}

#[test]
fn what_the_page_quotes_is_what_is_said() {
    let code_of_all = sources(&["src", "adapters"]);
    let page = PAGE.split_whitespace().collect::<Vec<_>>().join(" ");
    let said = |quote: &str| quote.split('…').all(|part| code_of_all.contains(part.trim()));
    for quote in [
        "the server chose a subprotocol that was not offered",
        "the server uses an extension that was not offered",
        "comes from an authority that is not trusted here",
        "the server wants a certificate of ours",
        "what the server sends is not TLS",
        "a message before the login was answered",
        "a message larger than max_message",
    ] {
        assert!(page.contains(quote), "the page no longer quotes: {quote}");
        assert!(said(quote), "nothing says: {quote}");
    }
}

#[test]
fn every_link_within_the_page_leads_somewhere() {
    let anchor = |heading: &str| -> String {
        let kept = heading.chars().filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter));
        kept.map(|letter| if letter == ' ' { '-' } else { letter.to_ascii_lowercase() }).collect()
    };
    let headings: Vec<_> = PAGE.lines().filter_map(|line| line.strip_prefix("### ")).map(anchor).collect();
    assert!(headings.len() >= 20, "{}", headings.len());
    for link in PAGE.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
        match link.strip_prefix('#') {
            Some(name) => assert!(headings.iter().any(|heading| heading == name), "{link}"),
            None => drop(read(&format!("docs/{link}"))),
        }
    }
}
