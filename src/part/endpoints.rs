//! Where to dial next?
//!
//! The endpoints are walked in rounds. A failure moves on to the next one, and nothing but the session's floor lies
//! between; when each has failed once, the round is over, and the backoff counts one. After a link that held, a new
//! round starts with the endpoint that was good.
//!
//! One that asks us to stay away for a while is passed over for so long, as if it had failed again: it speaks for itself
//! and not for the others. When all have asked, the first that will have us back is waited for.
//!
//! An address that the server names when it sends us away is the next to be dialed. One of the list becomes the start
//! of a new round. Any other is a guest: a round of its own, which the backoff counts. Servers that send us in a
//! circle are slowed down like one that accepts and drops. A guest that holds is good, and is tried once more when it
//! is lost; then the list goes on where it stood.

use alloc::{string::String, vec, vec::Vec};
use core::{fmt, mem};

use crate::{Text, Timestamp};

/// The most endpoints of one session.
pub(crate) const MOST_ENDPOINTS: usize = 64;

/// The longest address, in bytes. Servers and proxies refuse longer ones.
pub(crate) const LONGEST_ADDRESS: usize = 2_048;

/// What is replaced by the client id.
const PLACEHOLDER: &str = "{client_id}";

/// The addresses of a session, and which of them is next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoints {
    /// Never empty: no list is one entry, the dialer's own.
    list: Vec<Endpoint>,
    /// Until when each of them wants us away.
    busy: Vec<Option<Timestamp>>,
    /// Where in the list the round stands.
    at: usize,
    /// How many of this round have failed.
    failed: usize,
    /// What is dialed instead of the list.
    guest: Option<Text>,
    /// What the server named, for the next dial.
    named: Option<Text>,
    /// The present link has held.
    holds: bool,
    /// The last one that held.
    good: Option<Text>,
}

/// `None` is the dialer's own.
type Endpoint = Option<Text>;

/// What a failure means for the round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Round {
    /// There are others to try, at the floor.
    GoesOn,
    /// All have failed: the backoff counts one, and there is a wait.
    Over,
    /// The same, and the next has asked not to be dialed before this.
    Held(Timestamp),
}

impl Round {
    /// Whether the failure ends a round.
    pub(crate) const fn is_over(self) -> bool {
        match self {
            Self::GoesOn => false,
            Self::Over | Self::Held(_) => true,
        }
    }
}

/// What a new list means for the present link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    /// Its endpoint is still one of ours.
    Kept,
    /// It leads where we are no longer to be. All of ours want us away until then, if there is such a time.
    Gone(Option<Timestamp>),
}

/// Why a list of endpoints is not taken. It says what to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum BadEndpoints {
    /// More than 64 of them.
    TooMany,
    /// One of more than 2,048 bytes.
    TooLong,
    /// One without an address.
    Empty,
}

impl fmt::Display for BadEndpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany => write!(f, "more than {MOST_ENDPOINTS} endpoints: leave some out"),
            Self::TooLong => write!(f, "an endpoint of more than {LONGEST_ADDRESS} bytes: shorten it"),
            Self::Empty => f.write_str("an endpoint without an address: leave it out"),
        }
    }
}

impl core::error::Error for BadEndpoints {}

impl Default for Endpoints {
    fn default() -> Self {
        let (list, busy) = (vec![None], vec![None]);
        Self { list, busy, at: 0, failed: 0, guest: None, named: None, holds: false, good: None }
    }
}

impl Endpoints {
    /// What to dial now, with the client id where the address asks for one; `None` is the dialer's own endpoint. An
    /// id that is not known yet is replaced by nothing.
    pub(crate) fn take_next(&mut self, client_id: Option<&Text>) -> Option<Text> {
        // That the last link held says nothing of this dial. It only has a whole round before it.
        if mem::take(&mut self.holds) {
            self.failed = 0;
        }
        if let Some(address) = self.named.take() {
            self.turn_to(address);
        }
        self.current().map(|address| filled(address, client_id))
    }

    /// The application wants to start anew: with a whole round.
    pub(crate) const fn restart(&mut self) {
        self.failed = 0;
    }

    /// The link has held long enough.
    pub(crate) fn on_stable(&mut self) {
        self.holds = true;
        self.good = self.current().cloned();
    }

    /// The link was lost, or the attempt has failed; until `busy` its endpoint wants us away.
    pub(crate) fn on_failed(&mut self, now: Timestamp, busy: Option<Timestamp>) -> Round {
        let held = mem::take(&mut self.holds);
        // Where we are sent we come when we are told to, and a guest that held once more.
        if self.named.is_some() || (held && self.guest.is_some()) {
            self.failed = 0;
            return busy.map_or(Round::Over, Round::Held);
        }
        let was_guest = self.guest.take().is_some();
        if !was_guest {
            self.busy[self.at] = busy;
        }
        if held || was_guest {
            self.failed = 0;
            return self.pass_over(now).map_or(Round::Over, Round::Held);
        }
        self.move_on();
        let was_last = self.failed == 0;
        match self.pass_over(now) {
            Some(until) => Round::Held(until),
            None if was_last || self.failed == 0 => Round::Over,
            None => Round::GoesOn,
        }
    }

    fn move_on(&mut self) {
        self.at = (self.at + 1) % self.list.len();
        self.failed = (self.failed + 1) % self.list.len();
    }

    /// Goes on to one that does not want us away. If all do: to the first that will have us back, and when that is.
    fn pass_over(&mut self, now: Timestamp) -> Option<Timestamp> {
        let is_busy = |busy: &Option<Timestamp>| busy.is_some_and(|until| now < until);
        if self.busy.iter().all(is_busy) {
            let (until, at) = self.busy.iter().enumerate().filter_map(|(at, until)| Some(((*until)?, at))).min()?;
            (self.at, self.failed) = (at, 0);
            return Some(until);
        }
        let mut is_over = false;
        while is_busy(&self.busy[self.at]) {
            self.move_on();
            is_over |= self.failed == 0;
        }
        if is_over {
            self.failed = 0;
        }
        None
    }

    /// The server named an address to go to. `false` if it is not followed: because it is empty or too long, or would
    /// have us give up encryption. What the dialer's own endpoint is nobody knows here: it counts as encrypted.
    pub(crate) fn on_named(&mut self, address: &Text) -> bool {
        let follows = !address.is_empty()
            && address.len() <= LONGEST_ADDRESS
            && (is_secure(address) || self.current().is_some_and(|current| !is_secure(current)));
        if follows {
            // A copy: it is a piece of a frame, and would keep all of it.
            self.named = Some(address.as_str().into());
        }
        follows
    }

    /// Another list, tried from the present endpoint on if that is still in it, else from the one that was good or the first
    /// after it that does not want us away. What a server named before is forgotten: the application knows better.
    ///
    /// # Errors
    ///
    /// What is wrong with the list; then nothing has changed.
    pub(crate) fn set(&mut self, now: Timestamp, list: Vec<Text>) -> Result<Destination, BadEndpoints> {
        check(&list)?;
        let mut new: Vec<Endpoint> = list.into_iter().map(Some).collect();
        if new.is_empty() {
            new.push(None);
        }
        // Said again, it is no reason to begin again.
        if self.list == new {
            return Ok(Destination::Kept);
        }
        let place_of = |address: Option<&Text>| new.iter().position(|endpoint| endpoint.as_ref() == address);
        let kept = place_of(self.current());
        let at = kept.or_else(|| place_of(self.good.as_ref())).unwrap_or(0);
        let was_at = |endpoint: &Endpoint| self.list.iter().position(|old| old == endpoint);
        let busy = new.iter().map(|endpoint| was_at(endpoint).and_then(|at| self.busy[at])).collect();
        let (holds, good) = (self.holds && kept.is_some(), self.good.take());
        *self = Self { list: new, busy, at, holds, good, ..Self::default() };
        Ok(if kept.is_some() { Destination::Kept } else { Destination::Gone(self.pass_over(now)) })
    }

    /// The endpoint of the present link, or of the last one, as it stands in the list; `None` is the dialer's own.
    pub(crate) fn current(&self) -> Option<&Text> {
        self.guest.as_ref().or(self.list[self.at].as_ref())
    }

    /// The last endpoint that held, as it stands in the list.
    pub(crate) const fn good(&self) -> Option<&Text> {
        self.good.as_ref()
    }

    /// Starts with this one, if it is in the list: it was good when somebody last looked.
    pub(crate) fn prefer(&mut self, address: &Text) {
        if let Some(at) = self.list.iter().position(|endpoint| endpoint.as_ref() == Some(address)) {
            (self.at, self.failed, self.good) = (at, 0, Some(address.clone()));
        }
    }

    fn turn_to(&mut self, address: Text) {
        self.failed = 0;
        match self.list.iter().position(|endpoint| endpoint.as_ref() == Some(&address)) {
            Some(at) => (self.at, self.guest) = (at, None),
            None => self.guest = Some(address),
        }
    }
}

fn check(list: &[Text]) -> Result<(), BadEndpoints> {
    match list {
        _ if list.len() > MOST_ENDPOINTS => Err(BadEndpoints::TooMany),
        _ if list.iter().any(|address| address.len() > LONGEST_ADDRESS) => Err(BadEndpoints::TooLong),
        _ if list.iter().any(Text::is_empty) => Err(BadEndpoints::Empty),
        _ => Ok(()),
    }
}

fn is_secure(address: &Text) -> bool {
    let scheme = address.as_bytes().split(|byte| *byte == b':').next().unwrap_or_default();
    [&b"wss"[..], b"https"].iter().any(|secure| scheme.eq_ignore_ascii_case(secure))
}

fn filled(address: &Text, client_id: Option<&Text>) -> Text {
    if !address.as_str().contains(PLACEHOLDER) {
        return address.clone();
    }
    let id = client_id.map(escaped).unwrap_or_default();
    address.as_str().replace(PLACEHOLDER, &id).into()
}

/// All but the unreserved characters (RFC 3986 section 2.3) as `%` and two digits: the id may be the server's, and
/// shall not choose where we dial.
fn escaped(id: &Text) -> String {
    let mut out = String::with_capacity(id.len());
    for byte in id.as_bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) {
            out.push(char::from(*byte));
        } else {
            let digit = |half: u8| char::from(b"0123456789ABCDEF"[usize::from(half)]);
            out.extend(['%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    fn endpoints(list: &[&str]) -> Endpoints {
        let mut endpoints = Endpoints::default();
        endpoints.set(Timestamp::ZERO, texts(list)).expect("a list of the test's own");
        endpoints
    }

    fn texts(list: &[&str]) -> Vec<Text> {
        list.iter().map(|address| Text::from(*address)).collect()
    }

    fn next(endpoints: &mut Endpoints) -> Option<String> {
        endpoints.take_next(None).map(|address| address.to_string())
    }

    fn failed(endpoints: &mut Endpoints) -> Round {
        endpoints.on_failed(Timestamp::ZERO, None)
    }

    /// Dials and fails, so many times: where, and whether the round was over.
    fn walk(endpoints: &mut Endpoints, dials: usize) -> String {
        (0..dials).fold(String::new(), |mut walk, _| {
            walk += &next(endpoints).unwrap_or_else(|| "own".into());
            walk += if failed(endpoints) == Round::Over { "|" } else { " " };
            walk
        })
    }

    #[test]
    fn without_a_list_every_round_is_one_dial_of_the_dialers_own() {
        assert_eq!(walk(&mut Endpoints::default(), 3), "own|own|own|");
        assert_eq!(walk(&mut endpoints(&[]), 2), "own|own|");
    }

    #[test]
    fn each_is_tried_once_a_round() {
        assert_eq!(walk(&mut endpoints(&["a", "b", "c"]), 7), "a b c|a b c|a ");
    }

    #[test]
    fn after_a_stable_link_the_round_starts_with_the_good_one() {
        let mut endpoints = endpoints(&["a", "b", "c"]);
        assert_eq!(walk(&mut endpoints, 1), "a ");
        assert_eq!(next(&mut endpoints).as_deref(), Some("b"));
        endpoints.on_stable();
        assert_eq!(failed(&mut endpoints), Round::Over);
        assert_eq!(walk(&mut endpoints, 5), "b c a|b c ");
        assert_eq!(endpoints.good(), Some(&Text::from("b")));
    }

    /// A server that accepts and drops at once is no reason to come back to it first.
    #[test]
    fn a_short_life_is_a_failure_like_any_other() {
        let mut endpoints = endpoints(&["a", "b"]);
        next(&mut endpoints);
        assert_eq!(failed(&mut endpoints), Round::GoesOn);
        assert_eq!(walk(&mut endpoints, 2), "b|a ");
    }

    #[test]
    fn an_address_that_the_server_names_is_dialed_next_and_is_a_round_of_its_own() {
        let mut endpoints = endpoints(&["a", "b", "c"]);
        assert_eq!(walk(&mut endpoints, 1), "a ");
        next(&mut endpoints);
        assert!(endpoints.on_named(&"x".into()));
        assert_eq!(failed(&mut endpoints), Round::Over);
        assert_eq!(walk(&mut endpoints, 4), "x|b c a|");
    }

    #[test]
    fn a_guest_that_holds_is_tried_again_before_the_list() {
        let mut endpoints = endpoints(&["a", "b"]);
        next(&mut endpoints);
        endpoints.on_named(&"x".into());
        failed(&mut endpoints);
        next(&mut endpoints);
        endpoints.on_stable();
        assert_eq!(failed(&mut endpoints), Round::Over);
        assert_eq!(walk(&mut endpoints, 3), "x|a b|");
    }

    #[test]
    fn a_named_address_of_the_list_starts_a_round_there() {
        let mut endpoints = endpoints(&["a", "b", "c"]);
        next(&mut endpoints);
        endpoints.on_named(&"c".into());
        failed(&mut endpoints);
        assert_eq!(walk(&mut endpoints, 4), "c a b|c ");
        endpoints.on_named(&"x".into());
        next(&mut endpoints);
        endpoints.on_named(&"b".into());
        assert_eq!(walk(&mut endpoints, 1), "b ", "and a guest is done with");
    }

    /// A link that closes politely, to be idle or suspended, has not failed.
    #[test]
    fn a_named_address_is_followed_without_a_failure_too() {
        let mut endpoints = endpoints(&["a", "b", "c"]);
        walk(&mut endpoints, 2);
        next(&mut endpoints);
        endpoints.on_named(&"b".into());
        assert_eq!(walk(&mut endpoints, 4), "b c a|b ");
    }

    /// Each of a circle of servers sends us on: every dial costs a step of the backoff.
    #[test]
    fn servers_that_send_us_in_a_circle_are_slowed_down() {
        let mut endpoints = endpoints(&["a", "b", "c"]);
        for to in ["x", "y", "x", "y", "a", "b"] {
            next(&mut endpoints);
            assert!(endpoints.on_named(&to.into()));
            assert_eq!(failed(&mut endpoints), Round::Over, "{to}");
        }
    }

    #[test]
    fn what_a_server_names_has_limits() {
        let long = "x".repeat(LONGEST_ADDRESS + 1);
        for (from, to, follows) in [
            ("ws://a", "", false),
            ("ws://a", long.as_str(), false),
            ("ws://a", "ws://b", true),
            ("ws://a", "wss://b", true),
            ("wss://a", "ws://b", false),
            ("wss://a", "wss.evil.example", false),
            ("wss://a", "WSS://b", true),
        ] {
            let mut endpoints = endpoints(&[from]);
            assert_eq!(endpoints.on_named(&to.into()), follows, "{from} -> {to}");
        }
        for (to, follows) in [("ws://b", false), ("wss://b", true)] {
            assert_eq!(Endpoints::default().on_named(&to.into()), follows, "the dialer's own -> {to}");
        }
    }

    /// b held and was left on purpose; its next dial fails. Only that one counts, and a whole round lies before it.
    #[test]
    fn that_a_link_held_says_nothing_of_the_dial_after_it() {
        let mut endpoints = endpoints(&["a", "b", "c"]);
        assert_eq!(walk(&mut endpoints, 1), "a ");
        next(&mut endpoints);
        endpoints.on_stable();
        assert_eq!(walk(&mut endpoints, 4), "b c a|b ");
    }

    #[test]
    fn a_new_list_keeps_the_present_endpoint_if_it_can() {
        for (list, destination, walked) in [
            (&["c", "b"][..], Destination::Kept, "b c|b c|"),
            (&["c", "d"], Destination::Gone(None), "c d|c d|c "),
            (&["d", "b", "c"], Destination::Kept, "b c d|b "),
            (&[], Destination::Gone(None), "own|own|own|own|own|"),
        ] {
            let mut endpoints = endpoints(&["a", "b"]);
            walk(&mut endpoints, 1);
            next(&mut endpoints);
            endpoints.on_stable();
            assert_eq!(endpoints.set(Timestamp::ZERO, texts(list)), Ok(destination), "{list:?}");
            if destination == Destination::Kept {
                assert_eq!(failed(&mut endpoints), Round::Over);
            }
            let dials = walked.split(['|', ' ']).filter(|dial| !dial.is_empty()).count();
            assert_eq!(walk(&mut endpoints, dials), walked, "{list:?}");
        }
    }

    #[test]
    fn between_two_dials_a_new_list_goes_back_to_the_good_one() {
        let mut endpoints = endpoints(&["a", "b", "c"]);
        next(&mut endpoints);
        endpoints.on_stable();
        assert_eq!(failed(&mut endpoints), Round::Over);
        assert_eq!(walk(&mut endpoints, 1), "a ");
        assert_eq!(endpoints.set(Timestamp::ZERO, texts(&["x"])), Ok(Destination::Gone(None)));
        assert_eq!(endpoints.set(Timestamp::ZERO, texts(&["y", "a"])), Ok(Destination::Gone(None)));
        assert_eq!(walk(&mut endpoints, 2), "a y|");
    }

    /// What an endpoint has asked for holds as long as it is in the list.
    #[test]
    fn in_a_new_list_too_those_that_want_us_away_are_passed_over() {
        let until = Timestamp::from_millis(3_600_000);
        for (list, held, walked) in [(&["a", "c"][..], None, "c|"), (&["a"], Some(until), "a|")] {
            let mut endpoints = endpoints(&["a", "b"]);
            next(&mut endpoints);
            endpoints.on_failed(Timestamp::ZERO, Some(until));
            assert_eq!(endpoints.set(Timestamp::ZERO, texts(list)), Ok(Destination::Gone(held)), "{list:?}");
            assert_eq!(walk(&mut endpoints, 1), walked, "{list:?}");
        }
    }

    /// A host that sets its list again and again must not get around the backoff.
    #[test]
    fn the_same_list_changes_nothing() {
        let mut endpoints = endpoints(&["a", "b"]);
        walk(&mut endpoints, 1);
        let before = endpoints.clone();
        assert_eq!(endpoints.set(Timestamp::ZERO, texts(&["a", "b"])), Ok(Destination::Kept));
        assert_eq!(endpoints, before);
    }

    #[test]
    fn a_list_is_bounded() {
        let mut endpoints = endpoints(&["a"]);
        let long = "x".repeat(LONGEST_ADDRESS + 1);
        for (list, bad) in [
            (texts(&["a"; MOST_ENDPOINTS + 1]), BadEndpoints::TooMany),
            (texts(&["a", &long]), BadEndpoints::TooLong),
            (texts(&["a", ""]), BadEndpoints::Empty),
        ] {
            assert_eq!(endpoints.set(Timestamp::ZERO, list), Err(bad));
            assert!(bad.to_string().contains(": "), "{bad} says what to do");
        }
        assert_eq!(walk(&mut endpoints, 1), "a|", "nothing has changed");
    }

    #[test]
    fn the_client_id_cannot_choose_where_we_dial() {
        for (id, filled) in [
            (Some("k3v9"), "wss://h/c/k3v9?id=k3v9"),
            (Some("../@evil/?ü"), "wss://h/c/..%2F%40evil%2F%3F%C3%BC?id=..%2F%40evil%2F%3F%C3%BC"),
            (None, "wss://h/c/?id="),
        ] {
            let mut endpoints = endpoints(&["wss://h/c/{client_id}?id={client_id}"]);
            assert_eq!(endpoints.take_next(id.map(Text::from).as_ref()), Some(filled.into()));
        }
    }

    #[test]
    fn what_was_good_in_another_life_comes_first() {
        let mut endpoints = endpoints(&["a", "b", "c"]);
        endpoints.prefer(&"b".into());
        endpoints.prefer(&"gone".into());
        assert_eq!(walk(&mut endpoints, 4), "b c a|b ");
    }

    const fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    /// Dials and fails, at this time: where, and what comes after it.
    fn fail(endpoints: &mut Endpoints, now: u64, busy: Option<u64>) -> (String, Round) {
        let address = next(endpoints).expect("a list of the test's own");
        (address, endpoints.on_failed(at(now), busy.map(at)))
    }

    #[test]
    fn who_asks_us_to_stay_away_is_passed_over_for_so_long() {
        let mut endpoints = endpoints(&["a", "b", "c"]);
        assert_eq!(fail(&mut endpoints, 0, Some(3_600)), ("a".into(), Round::GoesOn), "it speaks for itself");
        assert_eq!(fail(&mut endpoints, 1, None), ("b".into(), Round::GoesOn));
        assert_eq!(fail(&mut endpoints, 2, None), ("c".into(), Round::Over), "a counts as if it had failed again");
        assert_eq!(walk(&mut endpoints, 4), "b c|b c|");
        assert_eq!(fail(&mut endpoints, 3_599, None), ("b".into(), Round::GoesOn));
        assert_eq!(fail(&mut endpoints, 3_600, None), ("c".into(), Round::Over));
        assert_eq!(fail(&mut endpoints, 3_601, None), ("a".into(), Round::GoesOn), "its time is over");
    }

    #[test]
    fn when_all_have_asked_the_first_that_will_have_us_back_is_waited_for() {
        let mut endpoints = endpoints(&["a", "b"]);
        assert_eq!(fail(&mut endpoints, 0, Some(3_600)).1, Round::GoesOn);
        assert_eq!(fail(&mut endpoints, 0, Some(600)), ("b".into(), Round::Held(at(600))));
        assert_eq!(fail(&mut endpoints, 600, Some(4_000)), ("b".into(), Round::Held(at(3_600))));
        assert_eq!(next(&mut endpoints).as_deref(), Some("a"));
        let mut alone = Endpoints::default();
        assert_eq!(alone.on_failed(at(0), Some(at(9))), Round::Held(at(9)));
    }

    /// Who held and says goodbye for an hour is busy; who names another address says when to come there.
    #[test]
    fn a_goodbye_with_a_time_is_of_that_endpoint_unless_it_sends_us_somewhere() {
        let mut endpoints = endpoints(&["a", "b"]);
        next(&mut endpoints);
        endpoints.on_stable();
        assert_eq!(endpoints.on_failed(at(0), Some(at(3_600))), Round::Over);
        assert_eq!(walk(&mut endpoints, 2), "b|b|");
        next(&mut endpoints);
        endpoints.on_named(&"x".into());
        assert_eq!(endpoints.on_failed(at(0), Some(at(60))), Round::Held(at(60)));
        assert_eq!(next(&mut endpoints).as_deref(), Some("x"));
        assert_eq!(endpoints.on_failed(at(60), Some(at(9_000))), Round::Over, "a guest does not speak for the list");
        assert_eq!(next(&mut endpoints).as_deref(), Some("b"));
    }

    #[test]
    fn a_new_list_does_not_forget_who_asked() {
        let mut endpoints = endpoints(&["a", "b"]);
        assert_eq!(fail(&mut endpoints, 0, Some(3_600)).1, Round::GoesOn);
        next(&mut endpoints);
        endpoints.set(Timestamp::ZERO, texts(&["c", "b", "a"])).expect("sound");
        assert_eq!(walk(&mut endpoints, 3), "b c|b ");
    }
}
