//! Who is to blame, and what now? The only place where that is decided.

use core::time::Duration;

use super::{Code, ErrorPolicy, Failure, Kind, Match, Occasion, Recovery, Remedy, Row, Stage, table::TABLE};
use crate::{Comeback, Text};

/// What has to be known beside the failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Circumstances {
    /// What the host wants done.
    pub(crate) host: Option<Recovery>,
    /// What the protocol wants done.
    pub(crate) protocol: Option<Recovery>,
    /// When the peer wants us back, by its goodbye or by the reason of its Close frame.
    pub(crate) comeback: Comeback,
    /// How far the link had come.
    pub(crate) stage: Stage,
    /// Whether a normal closure is nothing unusual.
    pub(crate) long_lived: bool,
    /// How many breaches of the protocol there were without a stable link between, if this is one.
    pub(crate) breaches: u32,
    /// The network is lost for the third time in a row while logging in, or more often, if this is such a loss.
    pub(crate) cut_off: bool,
    /// The credential was refused before.
    pub(crate) refused: bool,
    /// The endpoint has led to a link that was online.
    pub(crate) endpoint_proven: bool,
    /// The credential has.
    pub(crate) credential_proven: bool,
    /// How many fatal failures there were in a row, if this is one.
    pub(crate) fatal_in_a_row: u32,
    /// The longest delay of our own.
    pub(crate) cap: Duration,
}

/// What the table says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) kind: Kind,
    pub(crate) code: Option<Code>,
    pub(crate) message: Text,
    pub(crate) recovery: Recovery,
    /// How long the peer asked us to wait.
    pub(crate) asked: Option<Duration>,
    /// What is to be remembered.
    pub(crate) notes: Notes,
}

/// What a failure is to be remembered as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Notes {
    /// A breach of the protocol.
    pub(crate) breach: bool,
    /// A loss of the network while logging in.
    pub(crate) loss: bool,
    /// A refusal of the credential.
    pub(crate) refused: bool,
    /// Fatal, but for what had worked before.
    pub(crate) forgiven: bool,
}

/// Judges a failure: the host comes first, then the protocol, then the rows of the application, then the table.
pub(crate) fn classify(failure: &Failure, circumstances: &Circumstances, policy: &ErrorPolicy) -> Verdict {
    let what = failure.what();
    let own = circumstances.find(&policy.rows, what);
    let row = circumstances.find(TABLE, what).expect("the last row fits anything");
    let kind = own.and_then(|own| own.kind).or(row.kind).expect("each row of the table has a kind");
    let Circumstances { host, protocol, comeback, .. } = *circumstances;
    let unwelcome = (comeback == Comeback::Never).then_some(Recovery::Fatal);
    let said = host.or(unwelcome).or(protocol).or(failure.told());
    let (remedy, is_final) = match (said, own) {
        (Some(recovery), _) => (recovery.into(), true),
        (None, Some(own)) => (own.remedy, own.is_final),
        (None, None) => (row.remedy, row.is_final),
    };
    let asked = failure.asked().max(comeback.wait()).filter(|_| host.is_none());
    let mut notes = Notes {
        breach: is_breach(what),
        loss: kind == Kind::NetworkError && circumstances.stage == Stage::LoggingIn,
        refused: remedy == Remedy::Reauthenticate,
        forgiven: false,
    };
    let mut recovery = circumstances.recovery(remedy, asked);
    let is_weighed = notes.refused || !is_final;
    if recovery == Recovery::Fatal && is_weighed && circumstances.forgives(kind, notes.refused, policy) {
        recovery = Recovery::RetryAfter(circumstances.cap);
        notes.forgiven = true;
    }
    Verdict { kind, code: failure.code(), message: failure.message(), recovery, asked, notes }
}

/// After two of these a third says that the peer is not in the middle of something, but broken.
const fn is_breach(what: Match) -> bool {
    match what {
        Match::Close(codes) => codes.first == 1002,
        Match::Violation | Match::Handshake | Match::Nonsense => true,
        Match::Http(_)
        | Match::Broken
        | Match::Unreachable
        | Match::Unresolved
        | Match::Denied
        | Match::Certificate
        | Match::Tls
        | Match::Impossible
        | Match::NoCredential
        | Match::CredentialTimeout
        | Match::ConnectTimeout
        | Match::LoginTimeout
        | Match::RestoreTimeout
        | Match::Silence
        | Match::LoginRefused
        | Match::Unfit
        | Match::Anything => false,
    }
}

impl Circumstances {
    /// The first row that fits.
    fn find<'a>(&self, rows: &'a [Row], what: Match) -> Option<&'a Row> {
        let is_here = |row: &Row| row.stage.is_none_or(|stage| stage == self.stage) && self.is_now(row.occasion);
        rows.iter().find(|row| row.what.covers(what) && is_here(row))
    }

    const fn is_now(&self, occasion: Occasion) -> bool {
        match occasion {
            Occasion::Always => true,
            Occasion::LongLived => self.long_lived,
            Occasion::ThirdBreach => self.breaches >= 3,
            Occasion::ThirdLoss => self.cut_off,
        }
    }

    fn recovery(&self, remedy: Remedy, asked: Option<Duration>) -> Recovery {
        match remedy {
            Remedy::Retry => asked.map_or(Recovery::Retry, Recovery::RetryAfter),
            Remedy::RetryAfter(wait) => Recovery::RetryAfter(wait),
            Remedy::RetryAtCap => Recovery::RetryAfter(asked.unwrap_or(self.cap)),
            Remedy::RetryFresh => Recovery::Reauthenticate,
            Remedy::Reauthenticate if self.refused => Recovery::Fatal,
            Remedy::Reauthenticate => Recovery::Reauthenticate,
            Remedy::Fatal => Recovery::Fatal,
        }
    }

    /// Whether what would be fatal is tried again, because what it speaks against has worked before.
    fn forgives(&self, kind: Kind, refused: bool, policy: &ErrorPolicy) -> bool {
        let is_about_us = refused || kind == Kind::AuthenticationFailed;
        let is_proven = if is_about_us { self.credential_proven } else { self.endpoint_proven };
        is_proven && !policy.strict && self.fatal_in_a_row <= policy.proven_limit
    }
}

#[cfg(test)]
mod tests {
    use alloc::{boxed::Box, vec};

    use super::*;
    use crate::{Cause, CloseCode, Complaint, HttpAnswer, Rejected};

    const CAP: Duration = Duration::from_secs(30);

    const STABLE: Circumstances = Circumstances {
        host: None,
        protocol: None,
        comeback: Comeback::Whenever,
        stage: Stage::Stable,
        long_lived: false,
        breaches: 1,
        cut_off: false,
        refused: false,
        endpoint_proven: false,
        credential_proven: false,
        fatal_in_a_row: 1,
        cap: CAP,
    };
    const PROVEN: Circumstances = Circumstances { endpoint_proven: true, credential_proven: true, ..STABLE };

    const fn at(stage: Stage) -> Circumstances {
        Circumstances { stage, ..STABLE }
    }

    const STAGES: [Stage; 4] = [Stage::Dialing, Stage::LoggingIn, Stage::Young, Stage::Stable];

    fn closed(code: u16) -> Failure {
        Failure::Wire(Cause::Closed { code: CloseCode(code), reason: Text::default() })
    }

    fn answered(status: u16, retry_after: Option<u64>) -> Failure {
        let retry_after = retry_after.map(Duration::from_secs);
        Failure::Wire(Cause::Http(Box::new(HttpAnswer { status, retry_after, ..HttpAnswer::default() })))
    }

    fn judged(failure: &Failure, circumstances: Circumstances) -> (Kind, Recovery) {
        let verdict = classify(failure, &circumstances, &ErrorPolicy::default());
        (verdict.kind, verdict.recovery)
    }

    fn forgiven(failure: &Failure, circumstances: Circumstances) -> bool {
        classify(failure, &circumstances, &ErrorPolicy::default()).notes.forgiven
    }

    /// The table of close codes once more, as the documents word it.
    fn expected_close(code: u16, stage: Stage) -> (Kind, Recovery) {
        match code {
            1000 | 1008 if stage == Stage::LoggingIn => (Kind::AuthenticationFailed, Recovery::Reauthenticate),
            1000 if stage == Stage::Stable => (Kind::ConnectionFailed, Recovery::Fatal),
            1001 | 1012 | 1013 | 1014 => (Kind::ServiceUnavailable, Recovery::Retry),
            1011 => (Kind::ServiceUnavailable, Recovery::RetryAfter(Duration::from_secs(5))),
            1005 | 1006 => (Kind::NetworkError, Recovery::Retry),
            1002 => (Kind::ProtocolError, Recovery::Retry),
            1003 | 1007 | 1009 | 1010 => (Kind::ProtocolError, Recovery::Fatal),
            1008 => (Kind::ConnectionFailed, Recovery::RetryAfter(CAP)),
            3000 | 4401 => (Kind::AuthenticationFailed, Recovery::Reauthenticate),
            3003 | 4403 => (Kind::AuthenticationFailed, Recovery::Fatal),
            3008 => (Kind::Timeout, Recovery::Retry),
            _ => (Kind::ConnectionFailed, Recovery::Retry),
        }
    }

    /// And that of statuses.
    fn expected_status(status: u16) -> (Kind, Recovery) {
        match status {
            500 | 502 | 503 | 504 => (Kind::ServiceUnavailable, Recovery::Retry),
            200 => (Kind::NetworkError, Recovery::Retry),
            401 => (Kind::AuthenticationFailed, Recovery::Reauthenticate),
            403 | 407 => (Kind::AuthenticationFailed, Recovery::Fatal),
            408 | 425 => (Kind::Timeout, Recovery::Retry),
            429 => (Kind::ServiceUnavailable, Recovery::RetryAfter(CAP)),
            501 | 505 | 300..=499 => (Kind::ProtocolError, Recovery::Fatal),
            _ => (Kind::ConnectionFailed, Recovery::Retry),
        }
    }

    #[test]
    fn every_close_code_has_exactly_one_class_in_each_stage() {
        for stage in STAGES {
            for code in 1_000..=4_999 {
                assert_eq!(judged(&closed(code), at(stage)), expected_close(code, stage), "{code} while {stage}");
            }
        }
    }

    #[test]
    fn every_status_has_exactly_one_class_in_each_stage() {
        for stage in STAGES {
            for status in 100..=599 {
                let got = judged(&answered(status, None), at(stage));
                assert_eq!(got, expected_status(status), "HTTP {status} while {stage}");
            }
        }
    }

    #[test]
    fn everything_else_has_a_class_too() {
        let network = (Kind::NetworkError, Recovery::Retry);
        let breach = (Kind::ProtocolError, Recovery::Retry);
        let timeout = (Kind::Timeout, Recovery::Retry);
        let tls = |certificate| Cause::Tls { certificate, message: "".into() };
        let violation = Cause::Violation { code: CloseCode::INVALID, message: "".into() };
        for (failure, expected) in [
            (Failure::Wire(Cause::Ended), network),
            (Failure::Wire(Cause::Broken("".into())), network),
            (Failure::Wire(Cause::Unreachable("".into())), network),
            (Failure::Wire(Cause::Unresolved("".into())), network),
            (Failure::Wire(Cause::Denied("".into())), (Kind::AuthenticationFailed, Recovery::Fatal)),
            (Failure::Wire(tls(true)), (Kind::ConnectionFailed, Recovery::Fatal)),
            (Failure::Wire(tls(false)), (Kind::ConnectionFailed, Recovery::Retry)),
            (Failure::Wire(Cause::Handshake("".into())), breach),
            (Failure::Wire(violation), breach),
            (Failure::Wire(Cause::Impossible("".into())), (Kind::ConnectionFailed, Recovery::Fatal)),
            (Failure::ConnectTimeout, timeout),
            (Failure::GreetingTimeout, timeout),
            (Failure::LoginTimeout, timeout),
            (Failure::Silent, timeout),
            (Failure::LoginRefused(Rejected::default()), (Kind::AuthenticationFailed, Recovery::Reauthenticate)),
            (Failure::Unfit(Complaint::minor("")), (Kind::ProtocolError, Recovery::Fatal)),
            (Failure::Nonsense(Complaint::minor("")), breach),
        ] {
            for stage in STAGES {
                assert_eq!(judged(&failure, at(stage)), expected, "{failure:?} while {stage}");
            }
        }
    }

    #[test]
    fn a_session_that_expects_to_be_closed_comes_back() {
        let long_lived = Circumstances { long_lived: true, ..STABLE };
        assert_eq!(judged(&closed(1000), long_lived), (Kind::ConnectionFailed, Recovery::Retry));
    }

    #[test]
    fn the_third_breach_is_one_too_many() {
        for failure in
            [closed(1002), Failure::Nonsense(Complaint::minor("")), Failure::Wire(Cause::Handshake("".into()))]
        {
            for (breaches, expected) in [(2, Recovery::Retry), (3, Recovery::Fatal), (4, Recovery::Fatal)] {
                assert_eq!(judged(&failure, Circumstances { breaches, ..STABLE }).1, expected, "{failure:?}");
            }
        }
    }

    #[test]
    fn a_login_that_is_lost_three_times_is_tried_with_fresh_credentials() {
        for (cut_off, expected) in [(false, Recovery::Retry), (true, Recovery::Reauthenticate)] {
            for failure in [Failure::Wire(Cause::Ended), Failure::Wire(Cause::Broken("reset".into())), closed(1_005)] {
                let circumstances = Circumstances { cut_off, refused: true, ..at(Stage::LoggingIn) };
                let verdict = classify(&failure, &circumstances, &ErrorPolicy::default());
                assert_eq!((verdict.recovery, verdict.notes.loss, verdict.notes.refused), (expected, true, false));
                assert_eq!(judged(&failure, Circumstances { cut_off, ..STABLE }).1, Recovery::Retry);
            }
        }
    }

    #[test]
    fn what_the_server_asks_for_is_obeyed_where_trying_again_makes_sense() {
        let at_the_door = at(Stage::Dialing);
        let after = |seconds| Recovery::RetryAfter(Duration::from_secs(seconds));
        assert_eq!(judged(&answered(503, Some(7)), at_the_door).1, after(7));
        assert_eq!(judged(&answered(429, Some(2)), at_the_door).1, after(2));
        assert_eq!(judged(&answered(404, Some(7)), at_the_door).1, Recovery::Fatal);
    }

    #[test]
    fn what_has_worked_before_is_given_time() {
        let certificate = Failure::Wire(Cause::Tls { certificate: true, message: "".into() });
        let third = Circumstances { breaches: 3, ..PROVEN };
        for (failure, circumstances) in [
            (answered(404, None), PROVEN),
            (answered(403, None), PROVEN),
            (closed(4403), PROVEN),
            (certificate, PROVEN),
            (Failure::Unfit(Complaint::minor("")), PROVEN),
            (closed(1002), third),
        ] {
            assert_eq!(judged(&failure, circumstances).1, Recovery::RetryAfter(CAP), "{failure:?}");
            assert!(forgiven(&failure, circumstances));
            let spent = Circumstances { fatal_in_a_row: 6, ..circumstances };
            assert_eq!(judged(&failure, spent).1, Recovery::Fatal, "{failure:?}, the sixth time");
            assert!(!forgiven(&failure, spent));
            let strict = ErrorPolicy { strict: true, ..ErrorPolicy::default() };
            assert_eq!(classify(&failure, &circumstances, &strict).recovery, Recovery::Fatal, "{failure:?}, strictly");
        }
    }

    #[test]
    fn an_endpoint_does_not_vouch_for_a_credential_nor_a_credential_for_an_endpoint() {
        let endpoint = Circumstances { endpoint_proven: true, ..STABLE };
        let credential = Circumstances { credential_proven: true, ..STABLE };
        assert_eq!(judged(&answered(403, None), endpoint).1, Recovery::Fatal);
        assert_eq!(judged(&answered(404, None), credential).1, Recovery::Fatal);
    }

    #[test]
    fn a_goodbye_is_a_goodbye_also_of_a_peer_that_has_worked() {
        assert_eq!(judged(&closed(1000), PROVEN).1, Recovery::Fatal);
        assert_eq!(judged(&Failure::Wire(Cause::Impossible("".into())), PROVEN).1, Recovery::Fatal);
    }

    #[test]
    fn a_credential_is_refused_once_and_no_more_unless_it_has_worked() {
        let refused = Failure::LoginRefused(Rejected::default());
        assert_eq!(judged(&refused, STABLE).1, Recovery::Reauthenticate);
        assert_eq!(judged(&refused, Circumstances { refused: true, ..STABLE }).1, Recovery::Fatal);
        assert_eq!(judged(&refused, PROVEN).1, Recovery::Reauthenticate, "fresh ones come first");
        assert_eq!(judged(&refused, Circumstances { refused: true, ..PROVEN }).1, Recovery::RetryAfter(CAP));
    }

    #[test]
    fn the_host_comes_before_the_protocol_and_the_protocol_before_any_row() {
        let row = Row::new(Match::Anything, Recovery::RetryAfter(Duration::from_secs(9))).kind(Kind::Timeout);
        let policy = ErrorPolicy { rows: vec![row], ..ErrorPolicy::default() };
        let (host, protocol) = (Some(Recovery::Fatal), Some(Recovery::Retry));
        let recovery = |host, protocol| {
            let circumstances = Circumstances { host, protocol, ..PROVEN };
            classify(&answered(503, Some(7)), &circumstances, &policy)
        };
        assert_eq!(recovery(host, protocol).recovery, Recovery::Fatal, "the host's word is not weighed");
        assert_eq!(recovery(host, protocol).asked, None, "and replaces the server's");
        assert_eq!(recovery(None, protocol).recovery, Recovery::RetryAfter(Duration::from_secs(7)));
        assert_eq!(recovery(None, None).recovery, Recovery::RetryAfter(Duration::from_secs(9)));
        assert_eq!(recovery(None, None).kind, Kind::Timeout);
    }

    #[test]
    fn a_peer_that_says_when_it_wants_us_back_is_obeyed_but_for_the_host() {
        let (seven, nine) = (Duration::from_secs(7), Duration::from_secs(9));
        let verdict = |failure: &Failure, comeback, host| {
            let circumstances = Circumstances { comeback, host, ..PROVEN };
            classify(failure, &circumstances, &ErrorPolicy::default())
        };
        for code in [1_001, 1_013, 4_000, 4_401, 1_006] {
            let said = verdict(&closed(code), Comeback::After(seven), None);
            assert_eq!((said.asked, said.notes.refused), (Some(seven), code == 4_401), "{code}");
            assert_eq!(verdict(&closed(code), Comeback::Never, None).recovery, Recovery::Fatal, "{code}");
            let host = Some(Recovery::Retry);
            assert_eq!(verdict(&closed(code), Comeback::Never, host).recovery, Recovery::Retry, "{code}");
            assert_eq!(verdict(&closed(code), Comeback::After(seven), host).asked, None, "{code}");
        }
        assert_eq!(verdict(&answered(503, Some(9)), Comeback::After(seven), None).asked, Some(nine), "the longer one");
        assert_eq!(verdict(&closed(1_001), Comeback::Whenever, None).asked, None);
    }

    #[test]
    fn rows_of_the_application_are_taken_at_their_word_where_they_fit() {
        let rows = vec![
            Row::close(4000..=4009, Recovery::Fatal),
            Row::close(4005, Recovery::Retry),
            Row::http(403, Remedy::RetryAtCap).at(Stage::Dialing),
            Row::new(Match::LoginRefused, Recovery::Fatal),
            Row::close(1002, Recovery::Fatal).on(Occasion::ThirdBreach),
        ];
        let policy = ErrorPolicy { rows, ..ErrorPolicy::default() };
        let recovery = |failure: &Failure, circumstances| classify(failure, &circumstances, &policy).recovery;
        for code in 4_000..=4_009 {
            assert_eq!(recovery(&closed(code), PROVEN), Recovery::Fatal, "{code}, and the first row counts");
        }
        assert_eq!(recovery(&closed(4_010), PROVEN), Recovery::Retry);
        assert_eq!(recovery(&answered(403, None), at(Stage::Dialing)), Recovery::RetryAfter(CAP));
        assert_eq!(recovery(&answered(403, None), STABLE), Recovery::Fatal, "a row for another stage");
        assert_eq!(recovery(&Failure::LoginRefused(Rejected::default()), PROVEN), Recovery::Fatal);
        assert_eq!(recovery(&closed(1002), PROVEN), Recovery::Retry);
        assert_eq!(recovery(&closed(1002), Circumstances { breaches: 3, ..PROVEN }), Recovery::Fatal);
        let kind = classify(&closed(4_001), &STABLE, &policy).kind;
        assert_eq!(kind, Kind::ConnectionFailed, "a row that says no kind leaves the table's");
    }
}
