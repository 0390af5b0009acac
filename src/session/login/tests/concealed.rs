//! A peer, a proxy or a host that repeats a credential, in all the ways that there are.

use super::*;
use crate::{Cause, CloseCode, HttpAnswer, SendOptions};

const OLD: &str = "MARKER/old-0123456789";
const NEW: &str = "MARKER/new-0123456789";

/// As it is, as in JSON, as in an address, and cut off.
const SPELLINGS: [fn(&str) -> String; 4] = [
    |secret| secret.into(),
    |secret| secret.replace('/', "\\/"),
    |secret| secret.replace('/', "%2f"),
    |secret| secret[..secret.len() * 3 / 4].into(),
];

/// Online with the old credential, and the new one is set; or not yet.
fn online(is_replaced: bool) -> Talk {
    let mut talk = Talk::with(|config| {
        (config.credentials.when, config.credentials.asked) = (CredentialUse::Both, false);
        config.errors.tell_server = true;
    });
    talk.command(Command::Stop);
    talk.command(Command::Authenticate(Some(OLD.into())));
    talk.now += 1_000;
    talk.command(Command::Connect);
    talk.up();
    talk.hear("ok");
    if is_replaced {
        talk.command(Command::Authenticate(Some(NEW.into())));
    }
    talk.shown.clear();
    talk
}

/// Goes on until the next link is online and has been told of what happened.
fn go_on(talk: &mut Talk) {
    for _ in 0..4 {
        if talk.session.phase() == Phase::Online {
            break;
        }
        let dials = talk.dials;
        talk.wake_until(|talk| talk.dials > dials || talk.session.next_deadline().is_none());
        talk.up();
        talk.hear("ok");
    }
}

fn must_not_be_shown(talk: &Talk, what: &str) {
    let health = format!("{:?}", talk.session.health(Timestamp::ZERO));
    let history = format!("{:?}", talk.session.history().collect::<Vec<_>>());
    for text in [&talk.shown, &health, &history] {
        let at = text.find("MARKER");
        assert!(at.is_none(), "{what}: {}", &text[at.unwrap_or(0).saturating_sub(300)..][..300]);
    }
}

#[test]
fn whatever_a_server_says_on_a_link() {
    for spelled in SPELLINGS {
        for (credential, is_replaced) in [(OLD, false), (OLD, true), (NEW, true)] {
            for word in ["trouble", "bad", "away", "go", "named", "deny 2", "deny 1", "lost", "no"] {
                let mut talk = online(is_replaced);
                talk.command(Command::Send { message: "m".into(), options: SendOptions::default().tracked() });
                talk.hear(&format!("{word} {}", spelled(credential)));
                let said = format!("{:?}", talk.out);
                talk.down();
                go_on(&mut talk);
                must_not_be_shown(&talk, word);
                let is_told = matches!(word, "trouble" | "bad" | "away" | "deny 1" | "deny 2" | "lost");
                assert_eq!(said.contains("shows the credential"), is_told, "{word}: {said}");
            }
        }
    }
}

#[test]
fn however_a_link_ends_or_cannot_be_had() {
    for spelled in SPELLINGS {
        for (credential, is_replaced) in [(OLD, false), (OLD, true), (NEW, true)] {
            let said = || Text::from(format!("no {}", spelled(credential)));
            let headers = vec![
                ("Location".into(), Bytes::from(format!("/login?token={}", spelled(credential)))),
                ("Server".into(), Bytes::from("nginx")),
            ];
            let answer = HttpAnswer { status: 503, headers, body: said().into_bytes(), ..HttpAnswer::default() };
            for cause in [
                Cause::Closed { code: CloseCode(4_000), reason: said() },
                Cause::Broken(said()),
                Cause::Unreachable(said()),
                Cause::Unresolved(said()),
                Cause::Denied(said()),
                Cause::Tls { certificate: false, message: said() },
                Cause::Handshake(said()),
                Cause::Violation { code: CloseCode::PROTOCOL, message: said() },
                Cause::Impossible(said()),
                Cause::Http(answer.into()),
            ] {
                let mut talk = online(is_replaced);
                let what = format!("{cause:?}");
                talk.report(Report::Down(Down { cause, left: 0, verdict: Some(Recovery::Retry) }.into()));
                go_on(&mut talk);
                must_not_be_shown(&talk, &what);
                assert!(talk.shown.contains("shows the credential"), "{what}");
                let details = talk.errors[0].details.as_ref();
                let server = details.map(|answer| (answer.status, &answer.headers[1].1[..]));
                assert_eq!(server.is_some(), what.starts_with("Http"), "the rest of an answer stays");
                assert!(server.is_none_or(|rest| rest == (503, b"nginx")));
            }
        }
    }
}

#[test]
fn what_a_host_says_instead_of_a_credential() {
    let mut talk = Talk::new(CredentialUse::AtLogin, true);
    talk.answer(1, OLD);
    talk.up();
    talk.hear("ok 3600000");
    talk.wake_until(|talk| talk.asked().is_some());
    talk.shown.clear();
    talk.command(Command::Credential { ask: 2, answer: Err(format!("{OLD} cannot be renewed").into()) });
    talk.down();
    talk.wake_until(|talk| talk.asked().is_some());
    talk.command(Command::Credential { ask: 3, answer: Err(format!("{OLD} is no more").into()) });
    must_not_be_shown(&talk, "the host");
    assert_eq!(talk.shown.matches("Failed { why: (a text").count(), 0);
    assert!(talk.shown.matches("shows the credential").count() >= 2, "{}", talk.shown);
}
