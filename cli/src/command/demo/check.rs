//! Is every message accounted for? A pure function over what the client was told and what the server got.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use clap::ValueEnum;
use steadfast::Outcome;

use crate::server::Arrival;

/// What is promised for the messages of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Class {
    /// Kept until the server acknowledges it, sent again on every new link until then
    AtLeastOnce,
    /// Sent once; in doubt if the link dies under it
    AtMostOnce,
}

/// All there is to judge a run by.
#[derive(Clone, Debug)]
pub(super) struct Evidence {
    /// What was promised for every message.
    pub(super) class: Class,
    /// The messages that the client accepted, in the order of acceptance.
    pub(super) accepted: Vec<Sent>,
    /// The sequence numbers of those that it refused.
    pub(super) refused: Vec<u64>,
    /// What the server wrote down, in its order.
    pub(super) received: Vec<Arrival>,
    /// The most frames that may be with a transport at once.
    pub(super) window: u64,
    /// How many faults there were.
    pub(super) faults: u64,
}

/// An accepted message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sent {
    /// Its sequence number, higher than that of every message before it.
    pub(super) seq: u64,
    /// What became of it, as often as it was told.
    pub(super) outcomes: Vec<Outcome>,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Findings {
    /// The counts.
    pub(super) tally: Tally,
    /// The rules that do not hold; none if every message is accounted for.
    pub(super) broken: Vec<Broken>,
}

/// The counts of a run.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) struct Tally {
    /// Accepted messages.
    pub(super) accepted: u64,
    /// Refused ones.
    pub(super) refused: u64,
    /// Outcomes, by name.
    pub(super) outcomes: BTreeMap<&'static str, u64>,
    /// Different messages that reached the server.
    pub(super) unique: u64,
    /// Arrivals of a message that had arrived before.
    pub(super) doubled: u64,
    /// First arrivals behind the first arrival of a later message.
    pub(super) reordered: u64,
    /// Accepted messages that never reached the server.
    pub(super) missing: u64,
}

/// A rule that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Broken {
    /// Which.
    pub(super) rule: Rule,
    /// How many messages break it.
    pub(super) count: u64,
    /// The sequence number of the first of them.
    pub(super) first: u64,
}

/// What has to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rule {
    /// Every accepted message has exactly one outcome.
    OneOutcome,
    /// The server got nothing that was not accepted.
    NothingForeign,
    /// A message arrives under the same id each time, and no other message under that id.
    OneId,
    /// Nothing that ended expired, dropped, cancelled or was refused has arrived.
    NothingUnsent,
    /// First arrivals come in the order of acceptance.
    InOrder,
    /// At most once: what arrived was written or is in doubt.
    ArrivedWasSent,
    /// At most once: everything was written or is in doubt. Nothing in the demo makes a message end otherwise.
    AllWereSent,
    /// At most once: nothing that was sent is missing between two arrivals of one connection. TCP has no holes.
    NoHole,
    /// At most once: if anything was accepted, something arrived. The last messages meet no fault.
    SomethingArrived,
    /// At most once: nothing arrives twice.
    NothingTwice,
    /// At most once: no more is in doubt than a window for each fault.
    DoubtBounded,
    /// At least once: what was acknowledged and what arrived are the same.
    AckedArrived,
    /// At least once: nothing is missing.
    NothingMissing,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OneOutcome => "every accepted message has exactly one outcome",
            Self::NothingForeign => "nothing arrived that was not accepted",
            Self::OneId => "a message keeps its id, and has it alone",
            Self::NothingUnsent => "nothing expired, dropped, cancelled or refused has arrived",
            Self::InOrder => "first arrivals come in the order of acceptance",
            Self::ArrivedWasSent => "what arrived was written or is in doubt",
            Self::AllWereSent => "everything was written or is in doubt",
            Self::NoHole => "nothing is missing between two arrivals of one connection",
            Self::SomethingArrived => "something arrived",
            Self::NothingTwice => "nothing arrived twice",
            Self::DoubtBounded => "at most a window for each fault is in doubt",
            Self::AckedArrived => "what was acknowledged is what arrived",
            Self::NothingMissing => "nothing is missing",
        })
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "broken: {} ({} messages, the first is number {})", self.rule, self.count, self.first)
    }
}

/// Judges a run.
#[must_use]
pub(super) fn check(evidence: &Evidence) -> Findings {
    let facts = Facts::of(evidence);
    let broken = rules(evidence.class).iter().filter_map(|rule| facts.broken(*rule)).collect();
    Findings { tally: facts.tally(), broken }
}

/// The rules for a class.
const fn rules(class: Class) -> &'static [Rule] {
    match class {
        Class::AtLeastOnce => &[
            Rule::OneOutcome,
            Rule::NothingForeign,
            Rule::OneId,
            Rule::NothingUnsent,
            Rule::InOrder,
            Rule::AckedArrived,
            Rule::NothingMissing,
        ],
        Class::AtMostOnce => &[
            Rule::OneOutcome,
            Rule::NothingForeign,
            Rule::OneId,
            Rule::NothingUnsent,
            Rule::InOrder,
            Rule::ArrivedWasSent,
            Rule::AllWereSent,
            Rule::NoHole,
            Rule::SomethingArrived,
            Rule::NothingTwice,
            Rule::DoubtBounded,
        ],
    }
}

/// The evidence, sorted.
struct Facts<'a> {
    evidence: &'a Evidence,
    outcomes: BTreeMap<u64, &'a [Outcome]>,
    first_arrivals: Vec<u64>,
    arrived: BTreeSet<u64>,
}

impl<'a> Facts<'a> {
    fn of(evidence: &'a Evidence) -> Self {
        let outcomes = evidence.accepted.iter().map(|sent| (sent.seq, &sent.outcomes[..])).collect();
        let mut arrived = BTreeSet::new();
        let seqs = evidence.received.iter().map(|arrival| arrival.seq);
        let first_arrivals = seqs.filter(|seq| arrived.insert(*seq)).collect();
        Self { evidence, outcomes, first_arrivals, arrived }
    }

    fn broken(&self, rule: Rule) -> Option<Broken> {
        let seqs = self.against(rule);
        let first = *seqs.first()?;
        Some(Broken { rule, count: seqs.len() as u64, first })
    }

    /// The messages that break a rule.
    fn against(&self, rule: Rule) -> Vec<u64> {
        let refused = |seq| self.evidence.refused.contains(&seq);
        match rule {
            Rule::OneOutcome => self.accepted(|_, outcomes| outcomes.len() != 1),
            Rule::NothingForeign => self.arrivals(|seq| !self.outcomes.contains_key(&seq) && !refused(seq)),
            Rule::OneId => self.mixed_ids(),
            Rule::NothingUnsent => self.arrivals(|seq| self.ended(seq, is_unsent) || refused(seq)),
            Rule::InOrder => self.overtaken(),
            Rule::ArrivedWasSent => self.arrivals(|seq| !self.ended(seq, may_have_arrived)),
            Rule::AllWereSent => self.accepted(|seq, _| !self.ended(seq, may_have_arrived)),
            Rule::NoHole => self.holes(),
            Rule::SomethingArrived => self.accepted(|_, _| self.arrived.is_empty()),
            Rule::NothingTwice => self.doubles(),
            Rule::DoubtBounded => self.too_many_in_doubt(),
            Rule::AckedArrived => self.accepted(|seq, _| self.ended(seq, is_acked) != self.arrived.contains(&seq)),
            Rule::NothingMissing => self.accepted(|seq, _| !self.arrived.contains(&seq)),
        }
    }

    fn accepted(&self, breaks: impl Fn(u64, &[Outcome]) -> bool) -> Vec<u64> {
        self.outcomes.iter().filter(|(seq, outcomes)| breaks(**seq, outcomes)).map(|(seq, _)| *seq).collect()
    }

    fn arrivals(&self, mut breaks: impl FnMut(u64) -> bool) -> Vec<u64> {
        self.first_arrivals.iter().copied().filter(|seq| breaks(*seq)).collect()
    }

    fn ended(&self, seq: u64, how: fn(&Outcome) -> bool) -> bool {
        self.outcomes.get(&seq).is_some_and(|outcomes| outcomes.iter().any(how))
    }

    /// Messages that came under two ids, or under an id that another message had.
    fn mixed_ids(&self) -> Vec<u64> {
        let (mut ids, mut owners) = (BTreeMap::new(), BTreeMap::new());
        let received = &self.evidence.received;
        let mixed = received.iter().filter(|Arrival { id, seq, .. }| {
            let (first_id, owner) = (*ids.entry(*seq).or_insert(id), *owners.entry(id).or_insert(*seq));
            first_id != id || owner != *seq
        });
        mixed.map(|arrival| arrival.seq).collect()
    }

    fn overtaken(&self) -> Vec<u64> {
        let mut highest = 0;
        self.arrivals(|seq| {
            let overtaken = seq < highest;
            highest = highest.max(seq);
            overtaken
        })
    }

    fn doubles(&self) -> Vec<u64> {
        let mut seen = BTreeSet::new();
        self.evidence.received.iter().map(|arrival| arrival.seq).filter(|seq| !seen.insert(*seq)).collect()
    }

    /// Messages that were sent, never arrived, and lie between two arrivals of one connection.
    fn holes(&self) -> Vec<u64> {
        let mut last = BTreeMap::new();
        let mut holes = BTreeSet::new();
        for Arrival { connection, seq, .. } in &self.evidence.received {
            let before = last.insert(connection, *seq).unwrap_or(*seq);
            let between = self.outcomes.range(before.min(*seq)..*seq).map(|(seq, _)| *seq);
            holes.extend(between.filter(|seq| !self.arrived.contains(seq) && self.ended(*seq, may_have_arrived)));
        }
        holes.into_iter().collect()
    }

    fn too_many_in_doubt(&self) -> Vec<u64> {
        let allowed = self.evidence.window.saturating_mul(self.evidence.faults);
        let mut in_doubt = self.accepted(|seq, _| self.ended(seq, is_in_doubt));
        in_doubt.split_off(in_doubt.len().min(usize::try_from(allowed).unwrap_or(usize::MAX)))
    }

    fn tally(&self) -> Tally {
        let mut outcomes = BTreeMap::new();
        for outcome in self.evidence.accepted.iter().flat_map(|sent| &sent.outcomes) {
            *outcomes.entry(name(outcome)).or_default() += 1;
        }
        Tally {
            accepted: self.evidence.accepted.len() as u64,
            refused: self.evidence.refused.len() as u64,
            outcomes,
            unique: self.arrived.len() as u64,
            doubled: self.doubles().len() as u64,
            reordered: self.overtaken().len() as u64,
            missing: self.accepted(|seq, _| !self.arrived.contains(&seq)).len() as u64,
        }
    }
}

/// Whether the server cannot have it.
const fn is_unsent(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Expired | Outcome::Dropped(_) | Outcome::Cancelled)
}

const fn may_have_arrived(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Written | Outcome::InDoubt)
}

const fn is_acked(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Acked)
}

const fn is_in_doubt(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::InDoubt)
}

const fn name(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Written => "written",
        Outcome::Acked => "acked",
        Outcome::Expired => "expired",
        Outcome::Dropped(_) => "dropped",
        Outcome::Cancelled => "cancelled",
        Outcome::Failed(_) => "failed",
        Outcome::InDoubt => "in doubt",
        Outcome::Duplicate(_) => "duplicate",
        _ => "of a kind unknown here",
    }
}

#[cfg(test)]
mod tests {
    use steadfast::Dropped;

    use super::*;

    /// Five messages of the class, each with its best outcome, each arrived once, one after the other.
    fn sound(class: Class) -> Evidence {
        let good = match class {
            Class::AtLeastOnce => Outcome::Acked,
            Class::AtMostOnce => Outcome::Written,
        };
        Evidence {
            class,
            accepted: (1..=5).map(|seq| Sent { seq, outcomes: vec![good.clone()] }).collect(),
            refused: vec![],
            received: (1..=5).map(arrival).collect(),
            window: 2,
            faults: 1,
        }
    }

    fn arrival(seq: u64) -> Arrival {
        Arrival { connection: 1, id: format!("k-{seq}"), seq }
    }

    fn broken(evidence: &Evidence) -> Vec<Rule> {
        check(evidence).broken.iter().map(|broken| broken.rule).collect()
    }

    /// Applies a change to sound evidence and says which rules it breaks.
    fn planted(class: Class, change: impl FnOnce(&mut Evidence)) -> Vec<Rule> {
        let mut evidence = sound(class);
        change(&mut evidence);
        broken(&evidence)
    }

    const BOTH: [Class; 2] = [Class::AtLeastOnce, Class::AtMostOnce];

    #[test]
    fn sound_evidence_breaks_nothing() {
        for class in BOTH {
            let findings = check(&sound(class));
            assert_eq!(findings.broken, []);
            let Tally { accepted, unique, doubled, reordered, missing, .. } = findings.tally;
            assert_eq!([accepted, unique, doubled, reordered, missing], [5, 5, 0, 0, 0]);
        }
    }

    #[test]
    fn at_most_once_may_lose_what_was_written_and_keep_what_is_in_doubt() {
        let findings = planted(Class::AtMostOnce, |evidence| {
            // The link was lost after the third message: the fourth was written into it and went with it.
            evidence.received.remove(3);
            evidence.received[3].connection = 2;
            evidence.accepted[1].outcomes = vec![Outcome::InDoubt];
            evidence.accepted[4].outcomes = vec![Outcome::InDoubt];
        });
        assert_eq!(findings, []);
    }

    #[test]
    fn at_most_once_a_total_loss_is_found() {
        let written = planted(Class::AtMostOnce, |evidence| evidence.received.clear());
        assert_eq!(written, [Rule::SomethingArrived]);
        let nothing = Evidence { accepted: vec![], received: vec![], ..sound(Class::AtMostOnce) };
        assert_eq!(broken(&nothing), []);
    }

    #[test]
    fn at_most_once_what_ended_unsent_is_found_though_it_did_not_arrive() {
        for outcome in [Outcome::Expired, Outcome::Dropped(Dropped::Overflow), Outcome::Cancelled, Outcome::Acked] {
            let all = planted(Class::AtMostOnce, |evidence| {
                evidence.received.clear();
                evidence.accepted.iter_mut().for_each(|sent| sent.outcomes = vec![outcome.clone()]);
            });
            assert_eq!(all, [Rule::AllWereSent, Rule::SomethingArrived], "{outcome:?}");
            let last = planted(Class::AtMostOnce, |evidence| {
                evidence.received.pop();
                evidence.accepted[4].outcomes = vec![outcome.clone()];
            });
            assert_eq!(last, [Rule::AllWereSent], "{outcome:?}");
        }
    }

    #[test]
    fn at_most_once_a_hole_within_a_connection_is_found() {
        for outcome in [Outcome::Written, Outcome::InDoubt] {
            let hole = check(&Evidence {
                accepted: (1..=5).map(|seq| Sent { seq, outcomes: vec![outcome.clone()] }).collect(),
                received: [1, 2, 4, 5].map(arrival).into(),
                window: 5,
                ..sound(Class::AtMostOnce)
            });
            assert_eq!(hole.broken, [Broken { rule: Rule::NoHole, count: 1, first: 3 }]);
        }
        let refused = planted(Class::AtMostOnce, |evidence| {
            evidence.accepted.remove(2);
            evidence.received.remove(2);
            evidence.refused.push(3);
        });
        assert_eq!(refused, [], "what was refused leaves no hole");
    }

    #[test]
    fn at_least_once_may_double_and_repeat_earlier_ones() {
        let mut evidence = sound(Class::AtLeastOnce);
        evidence.received.extend((2..=5).map(arrival));
        let findings = check(&evidence);
        assert_eq!((findings.broken, findings.tally.doubled), (vec![], 4));
    }

    #[test]
    fn an_outcome_that_is_missing_or_told_twice_is_found() {
        for class in BOTH {
            let twice = planted(class, |evidence| {
                let first = evidence.accepted[2].outcomes[0].clone();
                evidence.accepted[2].outcomes.push(first);
            });
            assert_eq!(twice, [Rule::OneOutcome]);
            assert!(planted(class, |evidence| evidence.accepted[2].outcomes.clear()).contains(&Rule::OneOutcome));
        }
    }

    #[test]
    fn a_message_that_nobody_sent_is_found() {
        for class in BOTH {
            assert!(planted(class, |evidence| evidence.received.push(arrival(6))).contains(&Rule::NothingForeign));
        }
    }

    #[test]
    fn an_id_that_changes_or_is_shared_is_found() {
        for class in BOTH {
            let shared = planted(class, |evidence| evidence.received[3].id = "k-3".into());
            assert_eq!(shared, [Rule::OneId]);
        }
        let changed = planted(Class::AtLeastOnce, |evidence| {
            evidence.received.push(Arrival { connection: 2, id: "other".into(), seq: 5 });
        });
        assert_eq!(changed, [Rule::OneId]);
    }

    #[test]
    fn an_arrival_of_what_was_never_sent_is_found() {
        for outcome in [Outcome::Expired, Outcome::Dropped(Dropped::Overflow), Outcome::Cancelled] {
            for class in BOTH {
                let arrived = planted(class, |evidence| evidence.accepted[2].outcomes = vec![outcome.clone()]);
                assert!(arrived.contains(&Rule::NothingUnsent), "{outcome:?}");
            }
        }
        let refused = planted(Class::AtMostOnce, |evidence| {
            evidence.accepted.remove(4);
            evidence.refused.push(5);
        });
        assert!(refused.contains(&Rule::NothingUnsent) && !refused.contains(&Rule::NothingForeign));
    }

    #[test]
    fn first_arrivals_out_of_order_are_found() {
        for class in BOTH {
            assert_eq!(planted(class, |evidence| evidence.received.swap(1, 2)), [Rule::InOrder]);
        }
        let tally = check(&Evidence { received: [1, 5, 3, 4, 2].map(arrival).into(), ..sound(BOTH[0]) }).tally;
        assert_eq!(tally.reordered, 3);
    }

    #[test]
    fn at_most_once_an_arrival_with_another_outcome_is_found() {
        let acked = planted(Class::AtMostOnce, |evidence| evidence.accepted[0].outcomes = vec![Outcome::Acked]);
        assert_eq!(acked, [Rule::ArrivedWasSent, Rule::AllWereSent]);
    }

    #[test]
    fn at_most_once_a_second_arrival_is_found() {
        assert_eq!(planted(Class::AtMostOnce, |evidence| evidence.received.push(arrival(5))), [Rule::NothingTwice]);
    }

    #[test]
    fn at_most_once_too_much_doubt_is_found() {
        let evidence = |doubts: usize| {
            planted(Class::AtMostOnce, |evidence| {
                evidence.accepted[..doubts].iter_mut().for_each(|sent| sent.outcomes = vec![Outcome::InDoubt]);
            })
        };
        assert_eq!(evidence(2), []);
        assert_eq!(evidence(3), [Rule::DoubtBounded]);
    }

    #[test]
    fn at_least_once_an_acknowledgement_without_an_arrival_is_found() {
        let lost = planted(Class::AtLeastOnce, |evidence| drop(evidence.received.remove(2)));
        assert_eq!(lost, [Rule::AckedArrived, Rule::NothingMissing]);
    }

    #[test]
    fn at_least_once_an_arrival_without_an_acknowledgement_is_found() {
        let doubt = planted(Class::AtLeastOnce, |evidence| evidence.accepted[2].outcomes = vec![Outcome::InDoubt]);
        assert_eq!(doubt, [Rule::AckedArrived]);
    }

    #[test]
    fn at_least_once_a_message_that_ended_otherwise_is_missing() {
        let expired = planted(Class::AtLeastOnce, |evidence| {
            evidence.accepted[4].outcomes = vec![Outcome::Expired];
            evidence.received.pop();
        });
        assert_eq!(expired, [Rule::NothingMissing]);
    }
}
