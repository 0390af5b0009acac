//! Who are we, and how do our ids begin?
//!
//! The client id is given by the host, made from the seed, or the server's to give. The incarnation begins the ids of
//! our messages: another number in every process, so that a server which remembers ids does not take the first
//! messages of a new process for those of the old.

use crate::{ClientId, Rng, Text};

/// The longest id that is taken from a server or a host, in bytes.
pub(crate) const LONGEST_ID: usize = 256;

/// Sets our draws apart from the session's delays, which are pinned by what has been recorded.
const OWN_STREAM: u64 = 0x6964_656e_7469_7479;

/// The ids of a session, for as long as it lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ids {
    choice: ClientId,
    client_id: Option<Text>,
    generated: u64,
    incarnation: u64,
}

impl Ids {
    /// The same seed makes the same ids.
    pub(crate) fn new(choice: &ClientId, seed: u64) -> Self {
        let mut rng = Rng::new(seed ^ OWN_STREAM);
        let (incarnation, generated) = (rng.next(), rng.next());
        Self { choice: choice.clone(), client_id: chosen(choice, generated), generated, incarnation }
    }

    /// Another choice. One that is as it was changes nothing: what the server has given stays.
    pub(crate) fn on_choice(&mut self, choice: &ClientId) {
        if self.choice != *choice {
            (self.choice, self.client_id) = (choice.clone(), chosen(choice, self.generated));
        }
    }

    /// The client id, once there is one.
    pub(crate) const fn client_id(&self) -> Option<&Text> {
        self.client_id.as_ref()
    }

    /// The client id, if it is not the server's to give.
    pub(crate) fn own_client_id(&self) -> Option<&Text> {
        self.client_id().filter(|_| self.choice != ClientId::Assigned)
    }

    /// The server gave us an id: it is kept over reconnects, until the server gives another. `false` if it is not
    /// taken: because ours is not the server's to give, or because it is empty or too long.
    pub(crate) fn on_assigned(&mut self, id: &Text) -> bool {
        let takes = self.choice == ClientId::Assigned && !id.is_empty() && id.len() <= LONGEST_ID;
        if takes && self.client_id.as_ref() != Some(id) {
            // A copy: it is a piece of a frame, and would keep all of it.
            self.client_id = Some(id.as_str().into());
        }
        takes
    }

    /// Begins the ids of our messages.
    pub(crate) const fn incarnation(&self) -> u64 {
        self.incarnation
    }

    /// Goes on as who we were in another life; the incarnation only where ids of that life are still to be sent.
    pub(crate) fn recall(&mut self, client_id: Option<Text>, incarnation: Option<u64>) {
        if !matches!(self.choice, ClientId::Given(_)) {
            self.client_id = client_id.or(self.client_id.take());
        }
        self.incarnation = incarnation.unwrap_or(self.incarnation);
    }
}

fn chosen(choice: &ClientId, generated: u64) -> Option<Text> {
    match choice {
        ClientId::Assigned => None,
        ClientId::Generated => Some(base36(generated)),
        ClientId::Given(id) => Some(id.clone()),
    }
}

/// A number in base 36, without leading zeros.
pub(crate) fn base36(mut number: u64) -> Text {
    let (mut digits, mut from) = ([b'0'; 13], 13);
    while number > 0 || from == 13 {
        from -= 1;
        digits[from] = b"0123456789abcdefghijklmnopqrstuvwxyz"[(number % 36) as usize];
        number /= 36;
    }
    Text::claimed(bytes::Bytes::copy_from_slice(&digits[from..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_choice_counts_and_the_same_one_forgets_nothing() {
        let mut ids = Ids::new(&ClientId::Assigned, 7);
        ids.on_assigned(&"the server's".into());
        ids.on_choice(&ClientId::Assigned);
        assert_eq!(ids.client_id(), Some(&"the server's".into()));
        ids.on_choice(&ClientId::Given("ours".into()));
        assert_eq!(ids.own_client_id(), Some(&"ours".into()));
        ids.on_choice(&ClientId::Generated);
        assert_eq!(ids.client_id(), Ids::new(&ClientId::Generated, 7).client_id());
        ids.on_choice(&ClientId::Assigned);
        assert_eq!(ids.client_id(), None, "it is the server's to give");
    }

    #[test]
    fn the_seed_decides() {
        let new = |seed| Ids::new(&ClientId::Generated, seed);
        assert_eq!(new(7), new(7));
        let (a, b) = (new(7), new(8));
        assert_ne!(a.incarnation(), b.incarnation());
        assert_ne!(a.client_id(), b.client_id());
        assert_ne!(a.client_id(), Some(&base36(a.incarnation())), "the one does not tell the other");
    }

    /// What a session draws for its delays stays as it was recorded.
    #[test]
    fn ids_are_not_drawn_from_the_delays() {
        assert_ne!(Ids::new(&ClientId::Assigned, 7).incarnation(), Rng::new(7).next());
    }

    #[test]
    fn a_servers_id_is_kept_until_it_gives_another() {
        let mut ids = Ids::new(&ClientId::Assigned, 7);
        assert_eq!(ids.client_id(), None);
        assert!(ids.on_assigned(&"a".into()));
        let long = "x".repeat(LONGEST_ID + 1);
        assert!(!ids.on_assigned(&"".into()) && !ids.on_assigned(&long.as_str().into()));
        assert_eq!(ids.client_id(), Some(&"a".into()));
        assert!(ids.on_assigned(&"b".into()));
        assert_eq!((ids.client_id(), ids.own_client_id()), (Some(&"b".into()), None));
    }

    #[test]
    fn an_id_of_our_own_is_not_the_servers_to_give() {
        for choice in [ClientId::Given("mine".into()), ClientId::Generated] {
            let mut ids = Ids::new(&choice, 7);
            let before = ids.clone();
            assert!(!ids.on_assigned(&"theirs".into()));
            assert_eq!(ids, before);
            assert!(ids.own_client_id().is_some() && ids.own_client_id() == ids.client_id());
        }
    }

    #[test]
    fn a_recalled_session_is_who_it_was() {
        for choice in [ClientId::Assigned, ClientId::Generated] {
            let mut ids = Ids::new(&choice, 8);
            let fresh = ids.incarnation();
            ids.recall(Some("a".into()), None);
            assert_eq!((ids.client_id(), ids.incarnation()), (Some(&"a".into()), fresh), "{choice:?}");
            ids.recall(None, Some(36));
            assert_eq!(ids.client_id(), Some(&"a".into()), "to know nothing is to say nothing");
            assert_eq!(base36(ids.incarnation()), "10".into());
        }
        let mut given = Ids::new(&ClientId::Given("mine".into()), 8);
        given.recall(Some("a".into()), Some(36));
        assert_eq!(given.client_id(), Some(&"mine".into()), "the host's word comes first");
    }

    #[test]
    fn numbers_in_base_36() {
        for (number, text) in [(0, "0"), (35, "z"), (36, "10"), (u64::MAX, "3w5e11264sgsf")] {
            assert_eq!(base36(number).as_str(), text);
        }
    }
}
