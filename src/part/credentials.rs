//! What do we log in with?
//!
//! The credential is set once, or asked of the host before each attempt. A question has a number and belongs to the
//! attempt (or to the refresh of the link) that keeps it as an [`Ask`]: when that is gone, so is the question, and an
//! answer that comes late finds nobody. The host knows why it is asked, and so whether what it has in its cache will do.

use alloc::collections::VecDeque;
use core::mem;

use crate::{CredentialPolicy, CredentialUse, Secret, Text, Timestamp};

/// So many network errors in a row while logging in, and the credential is suspected: some servers do not say no, they
/// hang up.
const SUSPICIOUS: u32 = 3;

/// A shorter credential is not looked for in what others say: it would be found by chance.
const SHORTEST_SOUGHT: usize = 4;

/// So many credentials are remembered that were replaced: what is said of one may come after that.
const FORMER: usize = 8;

/// What stands in for what others say with a credential in it.
pub(crate) const CONCEALED: &str = "(a text that shows the credential)";

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
///
/// What the peer has been shown need not be the present one: another may have been set since. A link knows what it was
/// opened and logged in with, and says so with whatever comes of it.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Credentials {
    current: Option<Secret>,
    refused: bool,
    /// It was refused while an older one still held: the host is to know, but nothing has been refused twice.
    unwanted: bool,
    /// Network errors in a row while logging in with it.
    cut_off: u32,
    last_ask: u64,
    /// The ones before, the last of them last. They are only looked for.
    former: VecDeque<Secret>,
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
        if credential == self.current {
            return;
        }
        let mut former = mem::take(&mut self.former);
        if let Some(replaced) = self.current.take().filter(is_sought) {
            former.retain(|known| *known != replaced);
            former.push_back(replaced);
            former.drain(..former.len().saturating_sub(FORMER));
        }
        *self = Self { current: credential, last_ask: self.last_ask, former, ..Self::default() };
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

    /// What was presented has led to a link that is ready for data.
    pub(crate) fn on_accepted(&mut self, presented: Option<&Secret>) {
        if self.is(presented) {
            (self.refused, self.unwanted, self.cut_off) = (false, false, 0);
        }
    }

    /// The peer does not accept what was presented. An expired token that is tried for ever is the best known bug of
    /// hand-written clients (openhuman #2892: 237 crash reports).
    pub(crate) fn on_refused(&mut self, presented: Option<&Secret>) {
        if self.is(presented) {
            (self.refused, self.cut_off) = (true, 0);
        }
    }

    /// What a refusal of what was presented means.
    pub(crate) fn refusal_of(&self, presented: Option<&Secret>) -> Refusal {
        if self.refused && self.is(presented) { Refusal::Again } else { Refusal::First }
    }

    /// The peer does not accept it in the place of the one that we are logged in with.
    pub(crate) fn on_renewal_refused(&mut self, presented: Option<&Secret>) {
        self.unwanted |= self.is(presented);
    }

    /// Whether the peer did not accept this one in the place of another.
    pub(crate) fn is_unwanted(&self, credential: &Secret) -> bool {
        self.unwanted && self.is(Some(credential))
    }

    /// The network failed while we logged in with what was presented.
    pub(crate) fn on_cut_off(&mut self, presented: Option<&Secret>) {
        if self.is(presented) {
            self.cut_off = self.cut_off.saturating_add(1);
        }
    }

    /// Whether that would happen too often, if it happened now, to be the network.
    pub(crate) fn is_suspect(&self, presented: Option<&Secret>) -> bool {
        self.is(presented) && self.cut_off.saturating_add(1) >= SUSPICIOUS
    }

    /// Whether what was presented is still the one to be used. What comes of an older one says nothing about it.
    fn is(&self, presented: Option<&Secret>) -> bool {
        self.current() == presented
    }

    /// What somebody else says, without our credentials: a server or a host that repeats one in a reason shall not bring
    /// it into logs.
    pub(crate) fn conceal(&self, said: Text) -> Text {
        if self.is_shown_in(said.as_bytes()) { Text::from_static(CONCEALED) } else { said }
    }

    /// Whether it shows the credential, or one of the last before: as it is, or as it stands in a JSON string or in an
    /// address.
    pub(crate) fn is_shown_in(&self, said: &[u8]) -> bool {
        let mut sought = self.current.iter().filter(|secret| is_sought(secret)).chain(&self.former);
        sought.any(|secret| (0..said.len()).any(|at| shows(&said[at..], secret.expose())))
    }
}

fn is_sought(secret: &Secret) -> bool {
    secret.expose().len() >= SHORTEST_SOUGHT
}

/// Whether this begins with the secret. What ends in the middle of it may have been cut there, and shows it if it shows
/// half of it.
fn shows(said: &[u8], secret: &[u8]) -> bool {
    let mut rest = said;
    for (at, byte) in secret.iter().enumerate() {
        match after(rest, *byte) {
            Some(next) => rest = next,
            None => return rest.is_empty() && at >= SHORTEST_SOUGHT.max(secret.len().div_ceil(2)),
        }
    }
    true
}

/// What comes after this byte, which may be escaped.
fn after(said: &[u8], byte: u8) -> Option<&[u8]> {
    match said {
        [first, rest @ ..] if *first == byte => Some(rest),
        [b'\\', second, rest @ ..] if *second == byte => Some(rest),
        [b'%', high, low, rest @ ..] => {
            let digits = [*high, *low].map(|digit| char::from(digit).to_digit(16));
            matches!(digits, [Some(high), Some(low)] if high << 4 | low == u32::from(byte)).then_some(rest)
        }
        _ => None,
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

    fn refused(credentials: &mut Credentials, presented: &Secret) -> Refusal {
        let refusal = credentials.refusal_of(Some(presented));
        credentials.on_refused(Some(presented));
        refusal
    }

    /// Whether it was the third time.
    fn cut_off(credentials: &mut Credentials) -> bool {
        let presented = credentials.current().cloned();
        let suspect = credentials.is_suspect(presented.as_ref());
        credentials.on_cut_off(presented.as_ref());
        suspect
    }

    #[test]
    fn the_same_credential_is_refused_once_and_no_more() {
        let (mut credentials, old, new) = (with("old"), Secret::from("old"), Secret::from("new"));
        assert_eq!(refused(&mut credentials, &old), Refusal::First);
        credentials.set(Some("old".into()));
        assert_eq!(refused(&mut credentials, &old), Refusal::Again);
        credentials.set(Some("new".into()));
        assert_eq!(refused(&mut credentials, &new), Refusal::First);
        credentials.on_accepted(Some(&new));
        assert_eq!(refused(&mut credentials, &new), Refusal::First);
    }

    /// It was set while the peer had the old one before it.
    #[test]
    fn what_comes_of_an_old_credential_says_nothing_about_a_new_one() {
        let (mut credentials, old, new) = (with("old"), Secret::from("old"), Secret::from("new"));
        credentials.set(Some("new".into()));
        for _ in 0..SUSPICIOUS {
            assert!(!credentials.is_suspect(Some(&old)));
            credentials.on_cut_off(Some(&old));
        }
        assert!(!credentials.is_suspect(Some(&new)));
        assert_eq!(refused(&mut credentials, &old), Refusal::First);
        credentials.on_renewal_refused(Some(&old));
        assert!(!credentials.is_unwanted(&new) && !credentials.is_unwanted(&old));
        assert_eq!(refused(&mut credentials, &new), Refusal::First);
        credentials.on_accepted(Some(&old));
        assert_eq!(refused(&mut credentials, &new), Refusal::Again, "that an old one works does not help it");
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
        credentials.on_refused(Some(&"token".into()));
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
            assert!(!cut_off(&mut credentials) && !cut_off(&mut credentials), "row {row}");
            assert_eq!(why(&mut credentials), Some(AskWhy::First));
            assert!(cut_off(&mut credentials));
            assert_eq!(why(&mut credentials), Some(AskWhy::Suspect));
        }
        let token = Secret::from("token");
        cut_off(&mut credentials);
        cut_off(&mut credentials);
        credentials.on_accepted(Some(&token));
        assert!(!cut_off(&mut credentials), "not in a row");
        assert_eq!(refused(&mut credentials, &token), Refusal::First, "to be hung up on is not to be refused");
        assert!(!cut_off(&mut credentials) && !cut_off(&mut credentials), "a word between ends the row");
    }

    #[test]
    fn a_credential_is_found_however_it_is_spelled() {
        let credentials = with("k/e+y=\"0123456789");
        for shown in [
            "k/e+y=\"0123456789",
            r#"{"why":"no k/e+y=\"0123456789"}"#,
            r#"k\/e+y=\"0123456789"#,
            "/login?token=k%2Fe%2By%3d%220123456789&next=/",
            "cut off at k/e+y=\"01",
        ] {
            assert!(credentials.is_shown_in(shown.as_bytes()), "{shown}");
        }
        for other in ["", "k/e+y=", "k/e+y=\"01234567", "k%2Fe%2By%3d%22", "%", "k%", "\\"] {
            let longer = [other, " and so on"].concat();
            assert!(!credentials.is_shown_in(longer.as_bytes()), "{longer}");
        }
        assert!(!with("abc").is_shown_in(b"abc"), "too short to be told from chance");
        assert!(!with("user:password").is_shown_in(b"there is no user"));
        assert!(!Credentials::default().is_shown_in(b"anything"));
    }

    #[test]
    fn the_last_eight_before_are_not_said_either() {
        let mut credentials = Credentials::default();
        for n in 0..=9 {
            credentials.set(Some(alloc::format!("token-{n}").as_str().into()));
        }
        credentials.set(None);
        let shown = (0..=9).filter(|n| credentials.is_shown_in(alloc::format!("not token-{n}").as_bytes()));
        assert_eq!(shown.collect::<alloc::vec::Vec<_>>(), [2, 3, 4, 5, 6, 7, 8, 9]);
        let said = credentials.conceal("not token-9".into());
        assert_eq!(said.as_str(), CONCEALED);
        assert_eq!(credentials.conceal("no ticket".into()).as_str(), "no ticket");
    }
}
