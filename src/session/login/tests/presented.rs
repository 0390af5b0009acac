//! A credential is set while the peer has another one before it. What the peer says then is said to that one.

use super::*;
use crate::{CloseCode, HttpAnswer};

const OLD: &str = "hunter2-old";
const NEW: &str = "hunter2-new";

fn set(talk: &mut Talk, credential: &str) {
    talk.command(Command::Authenticate(Some(credential.into())));
}

fn answered(talk: &mut Talk, status: u16) -> Recovery {
    let cause = Cause::Http(HttpAnswer { status, ..HttpAnswer::default() }.into());
    talk.report(Report::Down(Down { cause, left: 0, verdict: None }.into()));
    talk.errors.last().expect("a failure").recovery
}

fn refused(talk: &mut Talk) -> Recovery {
    talk.hear("no");
    talk.down();
    talk.errors.last().expect("a failure").recovery
}

/// A session whose credential is set by its host, and a dial with the old one under way.
fn dialed(when: CredentialUse) -> Talk {
    let mut talk = Talk::new(when, false);
    talk.command(Command::Stop);
    set(&mut talk, OLD);
    talk.now += 1_000;
    talk.command(Command::Connect);
    talk
}

fn again(talk: &mut Talk) {
    let dials = talk.dials;
    talk.wake_until(|talk| talk.dials > dials);
}

#[test]
fn the_refusal_of_an_old_credential_is_not_that_of_a_new_one() {
    let mut talk = dialed(CredentialUse::AtLogin);
    talk.up();
    set(&mut talk, NEW);
    assert_eq!(refused(&mut talk), Recovery::Reauthenticate);
    for expected in [Recovery::Reauthenticate, Recovery::Fatal] {
        again(&mut talk);
        talk.up();
        assert_eq!(talk.said(), ["login hunter2-new"]);
        assert_eq!(refused(&mut talk), expected, "the new one has a second chance of its own");
    }
}

#[test]
fn a_dial_that_is_refused_says_nothing_of_what_was_set_meanwhile() {
    for when in [CredentialUse::AtDial, CredentialUse::Both] {
        let mut talk = dialed(when);
        set(&mut talk, NEW);
        assert_eq!(answered(&mut talk, 401), Recovery::Reauthenticate);
        for expected in [Recovery::Reauthenticate, Recovery::Fatal] {
            again(&mut talk);
            assert_eq!(answered(&mut talk, 401), expected, "{when:?}");
        }
    }
}

/// None was presented: the refusal is not put down to what the dial was made with, and the next one is the second.
#[test]
fn the_refusal_of_a_login_without_a_credential_is_not_that_of_the_dials() {
    let mut talk = dialed(CredentialUse::AtLogin);
    talk.command(Command::Authenticate(None));
    talk.up();
    assert_eq!(refused(&mut talk), Recovery::Reauthenticate);
    again(&mut talk);
    talk.up();
    assert_eq!(talk.said(), ["login"]);
    assert_eq!(refused(&mut talk), Recovery::Fatal);
}

/// The login of such a protocol begins without a credential, and says nothing of the one in the request.
#[test]
fn a_login_that_is_refused_is_that_of_the_dial_where_the_dial_has_the_credential() {
    let mut talk = dialed(CredentialUse::AtDial);
    set(&mut talk, NEW);
    talk.up();
    assert_eq!(refused(&mut talk), Recovery::Reauthenticate, "of the old one");
    for expected in [Recovery::Reauthenticate, Recovery::Fatal] {
        again(&mut talk);
        talk.up();
        assert_eq!(refused(&mut talk), expected);
    }
}

#[test]
fn an_old_credential_that_is_set_again_has_been_refused() {
    let mut talk = dialed(CredentialUse::AtLogin);
    talk.up();
    assert_eq!(refused(&mut talk), Recovery::Reauthenticate);
    set(&mut talk, OLD);
    again(&mut talk);
    talk.up();
    assert_eq!(refused(&mut talk), Recovery::Fatal);
}

/// "Forbidden" is forgiven to what has worked. The new one was never shown to anybody.
#[test]
fn what_was_not_presented_has_not_worked() {
    for (after_login, expected) in [(false, Recovery::Fatal), (true, Recovery::Fatal)] {
        let mut talk = dialed(CredentialUse::AtLogin);
        talk.up();
        if !after_login {
            set(&mut talk, NEW);
        }
        talk.hear("ok");
        if after_login {
            set(&mut talk, NEW);
        }
        talk.now += 6_000;
        talk.handle(Input::Wake);
        talk.down();
        again(&mut talk);
        assert_eq!(answered(&mut talk, 403), expected, "{after_login}");
    }
}

#[test]
fn what_was_presented_has_worked_though_another_was_set() {
    let mut talk = dialed(CredentialUse::AtLogin);
    talk.up();
    talk.hear("ok");
    set(&mut talk, NEW);
    talk.now += 6_000;
    talk.handle(Input::Wake);
    let cause = Cause::Closed { code: CloseCode(4_403), reason: "".into() };
    talk.report(Report::Down(Down { cause, left: 1, verdict: None }.into()));
    assert!(matches!(talk.errors[0].recovery, Recovery::RetryAfter(_)), "{:?}", talk.errors);
}

#[test]
fn each_step_of_a_login_is_said_with_the_credential_of_the_first() {
    let mut talk = dialed(CredentialUse::AtLogin);
    talk.up();
    assert_eq!(talk.said(), ["login hunter2-old"]);
    set(&mut talk, NEW);
    talk.hear("challenge abc");
    assert_eq!(talk.said(), ["login hunter2-old abc"]);
    talk.hear("ok");
    assert_eq!(talk.session.phase(), Phase::Online);
}

#[test]
fn three_logins_that_were_cut_off_say_nothing_of_what_was_set_meanwhile() {
    let mut talk = dialed(CredentialUse::AtLogin);
    for at in 1..=3 {
        talk.up();
        if at == 3 {
            set(&mut talk, NEW);
        }
        talk.down();
        again(&mut talk);
    }
    let recoveries: Vec<_> = talk.errors.iter().map(|error| error.recovery).collect();
    assert_eq!(recoveries, [Recovery::Retry; 3], "a fresh one is there already");
}

#[test]
fn a_renewal_that_is_refused_says_nothing_of_what_was_set_meanwhile() {
    let mut talk = Talk::online(Some(3_600));
    talk.wake_until(|talk| talk.asked().is_some());
    talk.answer(2, OLD);
    assert_eq!(talk.said(), ["login hunter2-old"]);
    set(&mut talk, NEW);
    talk.hear("no");
    talk.wake_until(|talk| talk.asked().is_some());
    assert_eq!(talk.asked(), Some((3, AskWhy::Expiring)), "the new one has not been refused");
    talk.answer(3, NEW);
    assert_eq!(talk.said(), ["login hunter2-new"], "and is not what we are logged in with");
    talk.hear("ok");
    assert_eq!(talk.session.link.as_ref().and_then(|link| link.credential.clone()), Some(NEW.into()));
}

#[test]
fn a_login_that_has_run_out_is_the_old_ones() {
    let mut talk = dialed(CredentialUse::AtLogin);
    talk.up();
    talk.hear("ok");
    set(&mut talk, NEW);
    talk.hear("lost expired");
    talk.down();
    assert_eq!(talk.errors[0].recovery, Recovery::Reauthenticate);
    again(&mut talk);
    talk.up();
    assert_eq!(refused(&mut talk), Recovery::Reauthenticate, "refused for the first time");
}
