//! What do we log in with?
//!
//! The credential is set once, or asked of the host before each attempt. A question has a number and belongs to the
//! attempt (or to the refresh of the link) that keeps it as an [`Ask`]: when that is gone, so is the question, and an
//! answer that comes late finds nobody. The host knows why it is asked, and so whether what it has in its cache will do.

use crate::{CredentialPolicy, CredentialUse, Secret, Text, Timestamp};

/// So many network errors in a row while logging in, and the credential is suspected: some servers do not say no, they
/// hang up.
const SUSPICIOUS: u32 = 3;

/// A shorter credential is not looked for in what others say: it would be found by chance.
const SHORTEST_SOUGHT: usize = 4;

/// Why the host is asked for a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum AskWhy {
    /// An attempt begins.
    First,
    /// The last one was refused: a fresh one is needed.
    Refused,
    /// The server hung up on the last logins without a word: a fresh one may help.
    Suspect,
    /// The login runs out.
    Expiring,
}

/// A question to the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ask {
    number: u64,
    why: AskWhy,
    deadline: Option<Timestamp>,
}

impl Ask {
    /// Its number in this session, counted from 1. Only an answer with this number is one.
    pub(crate) const fn number(&self) -> u64 {
        self.number
    }

    pub(crate) const fn why(&self) -> AskWhy {
        self.why
    }

    /// When the host has taken too long.
    pub(crate) const fn deadline(&self) -> Option<Timestamp> {
        self.deadline
    }

    pub(crate) const fn deadline_mut(&mut self) -> &mut Option<Timestamp> {
        &mut self.deadline
    }
}

/// What a refused login means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It may have been a slip; once more.
    First,
    /// The same credential was refused twice in a row.
    Again,
}

/// The credential of a session, and what the peer made of it.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Credentials {
    current: Option<Secret>,
    refused: bool,
    /// It was refused while an older one still held: the host is to know, but nothing has been refused twice.
    unwanted: bool,
    /// Network errors in a row while logging in with it.
    cut_off: u32,
    last_ask: u64,
}

impl Credentials {
    pub(crate) const fn current(&self) -> Option<&Secret> {
        self.current.as_ref()
    }

    /// What the dialer needs.
    pub(crate) const fn at_dial(&self, policy: &CredentialPolicy) -> Option<&Secret> {
        match policy.when {
            CredentialUse::AtDial | CredentialUse::Both => self.current(),
            CredentialUse::Never | CredentialUse::AtLogin => None,
        }
    }

    /// What the protocol logs in with.
    pub(crate) const fn at_login(&self, policy: &CredentialPolicy) -> Option<&Secret> {
        match policy.when {
            CredentialUse::AtLogin | CredentialUse::Both => self.current(),
            CredentialUse::Never | CredentialUse::AtDial => None,
        }
    }

    /// From now on this. A new credential has not been refused yet; one that is handed in again has.
    pub(crate) fn set(&mut self, credential: Option<Secret>) {
        if credential != self.current {
            *self = Self { current: credential, last_ask: self.last_ask, ..Self::default() };
        }
    }

    /// What to ask the host before an attempt; nothing if the credential is set once and for all.
    pub(crate) fn ask(&mut self, now: Timestamp, policy: &CredentialPolicy) -> Option<Ask> {
        self.ask_because(AskWhy::First, now, policy)
    }

    /// What to ask the host while a link is online and its login runs out.
    pub(crate) fn ask_again(&mut self, now: Timestamp, policy: &CredentialPolicy) -> Option<Ask> {
        self.ask_because(AskWhy::Expiring, now, policy)
    }

    fn ask_because(&mut self, why: AskWhy, now: Timestamp, policy: &CredentialPolicy) -> Option<Ask> {
        if !policy.asked || policy.when == CredentialUse::Never {
            return None;
        }
        let why = match why {
            _ if self.refused || self.unwanted => AskWhy::Refused,
            AskWhy::First if self.cut_off >= SUSPICIOUS => AskWhy::Suspect,
            AskWhy::First | AskWhy::Refused | AskWhy::Suspect | AskWhy::Expiring => why,
        };
        if why == AskWhy::Suspect {
            self.cut_off = 0;
        }
        self.last_ask += 1;
        Some(Ask { number: self.last_ask, why, deadline: now.after(policy.answer_timeout) })
    }

    /// It has led to a link that is ready for data.
    pub(crate) const fn on_accepted(&mut self) {
        (self.refused, self.unwanted, self.cut_off) = (false, false, 0);
    }

    /// The peer does not accept it. An expired token that is tried for ever is the best known bug of hand-written
    /// clients (openhuman #2892: 237 crash reports).
    pub(crate) const fn on_refused(&mut self) -> Refusal {
        self.cut_off = 0;
        if self.refused {
            return Refusal::Again;
        }
        self.refused = true;
        Refusal::First
    }

    /// The peer does not accept it in the place of the one that we are logged in with.
    pub(crate) const fn on_renewal_refused(&mut self) {
        self.unwanted = true;
    }

    /// The network failed while we logged in with it. `true` if that has happened too often to be the network.
    pub(crate) const fn on_cut_off(&mut self) -> bool {
        self.cut_off = self.cut_off.saturating_add(1);
        self.cut_off >= SUSPICIOUS
    }

    /// What somebody else says, without our credential: a server or a host that repeats it in a reason shall not bring
    /// it into logs.
    pub(crate) fn conceal(&self, said: Text) -> Text {
        if self.is_shown_in(said.as_bytes()) { Text::from_static("(a text that shows the credential)") } else { said }
    }

    pub(crate) fn is_shown_in(&self, said: &[u8]) -> bool {
        let sought = self.current().map(Secret::expose).filter(|secret| secret.len() >= SHORTEST_SOUGHT);
        sought.is_some_and(|secret| said.windows(secret.len()).any(|part| part == secret))
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;

    const STATIC: CredentialPolicy = CredentialPolicy {
        when: CredentialUse::AtLogin,
        asked: false,
        answer_timeout: Duration::from_secs(30),
        refresh_before: Duration::from_secs(60),
    };
    const ASKED: CredentialPolicy = CredentialPolicy { asked: true, ..STATIC };

    fn with(credential: &str) -> Credentials {
        let mut credentials = Credentials::default();
        credentials.set(Some(credential.into()));
        credentials
    }

    #[test]
    fn the_same_credential_is_refused_once_and_no_more() {
        let mut credentials = with("old");
        assert_eq!(credentials.on_refused(), Refusal::First);
        credentials.set(Some("old".into()));
        assert_eq!(credentials.on_refused(), Refusal::Again);
        credentials.set(Some("new".into()));
        assert_eq!(credentials.on_refused(), Refusal::First);
        credentials.on_accepted();
        assert_eq!(credentials.on_refused(), Refusal::First);
    }

    #[test]
    fn it_is_shown_only_where_it_is_used() {
        for (when, at_dial, at_login) in [
            (CredentialUse::Never, false, false),
            (CredentialUse::AtLogin, false, true),
            (CredentialUse::AtDial, true, false),
            (CredentialUse::Both, true, true),
        ] {
            let (credentials, policy) = (with("token"), CredentialPolicy { when, ..CredentialPolicy::default() });
            assert_eq!(credentials.at_dial(&policy).is_some(), at_dial, "{when:?}");
            assert_eq!(credentials.at_login(&policy).is_some(), at_login, "{when:?}");
        }
    }

    #[test]
    fn only_a_host_that_is_to_be_asked_is_asked() {
        let never = CredentialPolicy { when: CredentialUse::Never, ..ASKED };
        for (policy, asks) in [(STATIC, false), (ASKED, true), (never, false)] {
            assert_eq!(with("token").ask(Timestamp::ZERO, &policy).is_some(), asks, "{policy:?}");
        }
    }

    #[test]
    fn every_question_has_a_number_of_its_own_and_a_deadline() {
        let mut credentials = Credentials::default();
        let mut ask = || credentials.ask(Timestamp::from_millis(1_000), &ASKED).expect("the host is asked");
        let (first, second) = (ask(), ask());
        assert_eq!((first.number(), second.number()), (1, 2));
        assert_eq!(first.deadline(), Some(Timestamp::from_millis(31_000)));
        credentials.set(Some("new".into()));
        let third = credentials.ask(Timestamp::ZERO, &ASKED).expect("the host is asked");
        assert_eq!(third.number(), 3, "a new credential does not start the numbers anew");
    }

    #[test]
    fn the_host_is_told_why() {
        let why = |credentials: &mut Credentials| credentials.ask(Timestamp::ZERO, &ASKED).map(|ask| ask.why());
        let mut credentials = with("token");
        assert_eq!(why(&mut credentials), Some(AskWhy::First));
        credentials.on_refused();
        assert_eq!(why(&mut credentials), Some(AskWhy::Refused));
        assert_eq!(credentials.ask_again(Timestamp::ZERO, &ASKED).map(|ask| ask.why()), Some(AskWhy::Refused));
        credentials.set(Some("fresh".into()));
        assert_eq!(why(&mut credentials), Some(AskWhy::First));
        assert_eq!(credentials.ask_again(Timestamp::ZERO, &ASKED).map(|ask| ask.why()), Some(AskWhy::Expiring));
    }

    /// Some servers hang up on an expired token instead of refusing it.
    #[test]
    fn the_third_time_the_server_hangs_up_a_fresh_one_is_asked_for() {
        let why = |credentials: &mut Credentials| credentials.ask(Timestamp::ZERO, &ASKED).map(|ask| ask.why());
        let mut credentials = with("token");
        for row in 0..2 {
            assert!(!credentials.on_cut_off() && !credentials.on_cut_off(), "row {row}");
            assert_eq!(why(&mut credentials), Some(AskWhy::First));
            assert!(credentials.on_cut_off());
            assert_eq!(why(&mut credentials), Some(AskWhy::Suspect));
        }
        credentials.on_cut_off();
        credentials.on_cut_off();
        credentials.on_accepted();
        assert!(!credentials.on_cut_off(), "not in a row");
        assert_eq!(credentials.on_refused(), Refusal::First, "to be hung up on is not to be refused");
        assert!(!credentials.on_cut_off() && !credentials.on_cut_off(), "a word between ends the row");
    }
}
