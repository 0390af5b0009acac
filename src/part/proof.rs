//! Has this worked before?

use alloc::vec::Vec;
use core::time::Duration;

use crate::{Secret, Text, Timestamp};

/// What has led to a link that was online, and how often in a row things have gone wrong that speak against it.
///
/// A link vouches for what comes after it. For its own end it vouches only once it is stable: a server that opens
/// every link and then says that we are not welcome has proven nothing.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Proof {
    /// The one that worked last comes last.
    endpoints: Vec<Endpoint>,
    credential: Option<Credential>,
    /// What the present link stands for.
    candidate: Option<(Endpoint, Credential)>,
    fatal: u32,
    counted_at: Option<Timestamp>,
}

/// `None` is the driver's own.
type Endpoint = Option<Text>;
/// `None` is no credential, which can be proven like any other.
type Credential = Option<Secret>;

/// How many endpoints are remembered. Sessions have a handful of them.
const ENDPOINTS_MAX: usize = 16;

impl Proof {
    /// A link of this endpoint and this credential is online.
    pub(crate) fn on_online(&mut self, endpoint: Option<&Text>, credential: Option<&Secret>) {
        self.candidate = Some((endpoint.cloned(), credential.cloned()));
    }

    /// The link has held long enough: whatever went wrong before it is over.
    pub(crate) fn on_stable(&mut self) {
        self.on_dial();
        self.fatal = 0;
        self.counted_at = None;
    }

    /// A link follows: the end of the last one has been judged.
    pub(crate) fn on_dial(&mut self) {
        let Some((endpoint, credential)) = self.candidate.take() else { return };
        self.credential = Some(credential);
        self.endpoints.retain(|proven| *proven != endpoint);
        if self.endpoints.len() == ENDPOINTS_MAX {
            self.endpoints.remove(0);
        }
        self.endpoints.push(endpoint);
    }

    pub(crate) fn knows_endpoint(&self, endpoint: Option<&Text>) -> bool {
        self.endpoints.iter().any(|proven| proven.as_ref() == endpoint)
    }

    pub(crate) fn knows_credential(&self, credential: Option<&Secret>) -> bool {
        self.credential.as_ref().is_some_and(|proven| proven.as_ref() == credential)
    }

    /// Which fatal failure in a row one would be now. Those that are closer together than the gap are one: a deploy
    /// fails for as long as it takes, however often it is tried meanwhile.
    pub(crate) fn fatal_in_a_row(&self, now: Timestamp, gap: Duration) -> u32 {
        match self.counted_at {
            Some(at) if now.since(at) < gap => self.fatal,
            Some(_) | None => self.fatal.saturating_add(1),
        }
    }

    /// A fatal failure was forgiven.
    pub(crate) fn on_forgiven(&mut self, now: Timestamp, gap: Duration) {
        let count = self.fatal_in_a_row(now, gap);
        if count != self.fatal {
            self.counted_at = Some(now);
        }
        self.fatal = count;
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    const GAP: Duration = Duration::from_secs(300);

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    fn after_links_of(endpoints: impl IntoIterator<Item = Text>) -> Proof {
        let mut proof = Proof::default();
        for endpoint in endpoints {
            proof.on_online(Some(&endpoint), None);
            proof.on_dial();
        }
        proof
    }

    #[test]
    fn a_young_link_does_not_vouch_for_its_own_end() {
        let mut proof = Proof::default();
        assert!(!proof.knows_endpoint(None) && !proof.knows_credential(None));
        proof.on_online(None, None);
        assert!(!proof.knows_endpoint(None) && !proof.knows_credential(None));
        let mut stable = proof.clone();
        for vouch in [Proof::on_dial, Proof::on_stable] {
            vouch(&mut stable);
            assert!(stable.knows_endpoint(None) && stable.knows_credential(None));
            stable = proof.clone();
        }
    }

    #[test]
    fn what_was_online_is_known_and_nothing_else() {
        let (a, b) = (Text::from("a"), Text::from("b"));
        let mut proof = after_links_of([a.clone(), b.clone()]);
        assert!(proof.knows_endpoint(Some(&a)) && proof.knows_endpoint(Some(&b)));
        assert!(!proof.knows_endpoint(None) && !proof.knows_credential(Some(&"old".into())));
        for credential in ["old", "new"] {
            proof.on_online(None, Some(&credential.into()));
            proof.on_stable();
        }
        assert!(proof.knows_credential(Some(&"new".into())), "compared by value");
        assert!(!proof.knows_credential(Some(&"old".into())), "what was replaced has to prove itself again");
    }

    #[test]
    fn the_endpoint_that_worked_longest_ago_is_forgotten() {
        let name = |n: usize| Text::from(format!("endpoint {n}"));
        let proof = after_links_of((0..ENDPOINTS_MAX).chain([0, ENDPOINTS_MAX]).map(name));
        assert_eq!(proof.endpoints.len(), ENDPOINTS_MAX);
        assert!(proof.knows_endpoint(Some(&name(0))) && proof.knows_endpoint(Some(&name(ENDPOINTS_MAX))));
        assert!(!proof.knows_endpoint(Some(&name(1))));
    }

    #[test]
    fn failures_that_are_close_together_count_once() {
        let mut proof = Proof::default();
        let mut counts = alloc::vec::Vec::new();
        for seconds in (0..=1_500).step_by(30) {
            counts.push(proof.fatal_in_a_row(at(seconds), GAP));
            proof.on_forgiven(at(seconds), GAP);
        }
        counts.dedup();
        assert_eq!(counts, [1, 2, 3, 4, 5, 6]);
        assert_eq!(proof.fatal, 6, "the sixth at twenty-five minutes");
        proof.on_stable();
        assert_eq!(proof.fatal_in_a_row(at(1_501), GAP), 1);
    }

    #[test]
    fn without_a_gap_each_counts() {
        let mut proof = Proof::default();
        proof.on_forgiven(at(1), Duration::ZERO);
        proof.on_forgiven(at(1), Duration::ZERO);
        assert_eq!(proof.fatal_in_a_row(at(1), Duration::ZERO), 3);
    }
}
