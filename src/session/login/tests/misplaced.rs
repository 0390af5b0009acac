//! What nobody says at this place who follows the protocol, what only comes late, and what does not come.

use super::*;
use crate::SendOptions;

fn bad(talk: &Talk) -> usize {
    talk.out.iter().filter(|action| matches!(action, Action::Emit(Event::Bad(_)))).count()
}

#[test]
fn what_no_server_says_here_is_told_and_counted_and_the_link_goes_on() {
    for word in ["ok", "ok 7200000", "no", "challenge x", "deny 7"] {
        for expires in [None, Some(3_600)] {
            let mut talk = Talk::online(expires);
            for count in 1..=3 {
                talk.hear(word);
                assert_eq!((bad(&talk), talk.said()), (1, vec![]), "{word}");
                assert_eq!((talk.session.stats().bad, talk.session.stats().unexpected), (count, 0), "{word}");
            }
            assert_eq!((talk.session.phase(), talk.dials, talk.errors.len()), (Phase::Online, 1, 0), "{word}");
        }
    }
}

#[test]
fn a_frame_before_the_link_is_open_is_told_and_nothing_else() {
    let mut talk = Talk::new(CredentialUse::Never, false);
    talk.hear("ok");
    assert_eq!((bad(&talk), talk.session.phase()), (1, Phase::Connecting));
    talk.up();
    talk.hear("ok");
    assert_eq!((bad(&talk), talk.session.phase()), (0, Phase::Online));
}

/// Answers come late and twice in every network. That is counted and told to nobody.
#[test]
fn an_answer_that_is_late_is_only_counted() {
    let mut talk = Talk::online(None);
    talk.command(Command::Send { message: "m".into(), options: SendOptions::default().tracked() });
    for count in 0..3 {
        talk.hear("deny 1");
        assert_eq!((bad(&talk), talk.session.stats().unexpected), (0, count));
    }
    for word in ["ok 7200000", "no", "challenge x"] {
        let mut talk = Talk::online(Some(3_600));
        talk.wake_until(|talk| talk.asked().is_some());
        talk.answer(2, "hunter2-second");
        talk.wake_until(|talk| talk.session.stats().refreshes_failed > 0);
        talk.hear(word);
        assert_eq!((bad(&talk), talk.said()), (0, vec![]), "{word}");
        assert_eq!((talk.session.stats().unexpected, talk.session.phase()), (1, Phase::Online), "{word}");
        talk.hear("ok");
        talk.hear("ok");
        assert_eq!(bad(&talk), 1, "one login has one answer");
    }
}

#[test]
fn a_greeting_has_its_own_time_and_the_login_has_its_own_after_it() {
    let seconds = Duration::from_secs;
    let new = |hello| {
        let mut talk = Talk::speaking(Steps { hello }, |config| {
            (config.greeting_timeout, config.login_timeout) = (seconds(3), seconds(7));
            config.credentials.when = CredentialUse::Never;
        });
        talk.up();
        talk
    };
    let due = |talk: &Talk| talk.session.next_deadline().map(|at| at.as_micros() / 1_000);

    let mut talk = new(true);
    assert_eq!((due(&talk), talk.said()), (Some(3_000), vec![]), "for the greeting");
    talk.now = 2_999;
    talk.hear("named c-1");
    assert_eq!((due(&talk), talk.said()), (Some(9_999), vec!["login"]), "for the login, from the greeting on");
    talk.now = 5_000;
    talk.hear("named c-2");
    assert_eq!(due(&talk), Some(9_999), "a second one puts nothing off");
    talk.wake();
    assert_eq!(talk.errors[0].message.as_str(), "the login was not answered in time");

    let mut mute = new(true);
    mute.wake();
    assert_eq!((mute.now, mute.errors[0].kind), (3_000, Kind::Timeout));
    assert_eq!(mute.errors[0].message.as_str(), "the server did not greet in time");
    assert_eq!(due(&new(false)), Some(7_000), "without a greeting the login begins at once");
}
