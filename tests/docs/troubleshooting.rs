//! docs/troubleshooting.md names what there is.

use super::{code, read, sources};

const PAGE: &str = include_str!("../../docs/troubleshooting.md");

#[test]
fn every_setting_that_the_page_names_is_one() {
    let settings = include_str!("../../src/session/config/presets.md");
    let groups = ["retry.", "heartbeat.", "queue.", "window.", "connect.", "credentials.", "errors.", "identity."];
    let named: Vec<_> = code(PAGE).filter(|word| groups.iter().any(|group| word.starts_with(group))).collect();
    assert!(named.len() > 10, "{named:?}");
    for word in named {
        assert!(settings.contains(&format!("| `{word}` |")), "{word}");
    }
}

#[test]
fn every_item_that_the_page_names_is_in_the_code() {
    let code_of_all = sources(&["src", "adapters"]);
    let items: Vec<_> = code(PAGE)
        .filter_map(|word| word.split(['(', ' ']).next()?.split_once("::"))
        .filter(|(owner, _)| owner.starts_with(char::is_uppercase))
        .collect();
    assert!(items.len() > 20, "{items:?}");
    for (owner, name) in items {
        let forms = ["fn {}(", "fn {}<", "pub {}:", "    {},\n", "    {}(", "    {} {"];
        let is_there = forms.iter().any(|form| code_of_all.contains(&form.replacen("{}", name, 1)));
        let is_owner =
            ["struct ", "enum ", "trait "].iter().any(|kind| code_of_all.contains(&format!("{kind}{owner}")));
        assert!(is_there && is_owner, "{owner}::{name}");
    }
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
