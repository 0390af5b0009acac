//! The table at the end.

use std::{fmt, time::Duration};

use super::check::{Findings, Tally};
use crate::chaos::Counts;

/// A run and its verdict.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) findings: Findings,
    /// The faults that struck.
    pub(super) counts: Counts,
    /// What they really did.
    pub(super) hits: Counts,
    /// How long each outage took, from offline to online.
    pub(super) outages: Vec<Duration>,
    pub(super) took: Duration,
    /// Why the run did not go to its end, if it did not.
    pub(super) cut_short: Option<String>,
    /// The last failure that the client told.
    pub(super) last_error: Option<String>,
}

impl Report {
    /// Whether every message is accounted for, of a run that went to its end, and every kind of fault did something.
    pub(super) fn is_good(&self) -> bool {
        self.accounts_for_all() && self.counts.without(&self.hits).is_empty()
    }

    fn accounts_for_all(&self) -> bool {
        self.findings.broken.is_empty() && self.cut_short.is_none()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tally { accepted, refused, outcomes, unique, doubled, reordered, missing } = &self.findings.tally;
        let outcomes: Vec<String> = outcomes.iter().map(|(name, count)| format!("{name} {count}")).collect();
        writeln!(f, "accepted     {accepted}, refused {refused}")?;
        writeln!(f, "outcomes     {}", outcomes.join(", "))?;
        writeln!(f, "received     unique {unique}, doubled {doubled}, reordered {reordered}, missing {missing}")?;
        writeln!(f, "faults       {}: {}", self.counts.total(), self.counts)?;
        writeln!(f, "hits         {} (ended or held up)", self.hits)?;
        writeln!(f, "reconnects   {}{}", self.outages.len(), Recovery(&self.outages))?;
        writeln!(f, "took         {:.1} s", self.took.as_secs_f64())?;
        for broken in &self.findings.broken {
            writeln!(f, "{broken}")?;
        }
        if let Some(why) = &self.cut_short {
            let failure = self.last_error.as_deref().unwrap_or("none");
            writeln!(f, "cut short: {why}; the client's last failure: {failure}")?;
        }
        for kind in self.counts.without(&self.hits) {
            writeln!(f, "{kind} hit nothing, so this run says nothing about it; send more messages")?;
        }
        f.write_str(match (self.is_good(), self.accounts_for_all()) {
            (true, _) => "every message is accounted for",
            (false, true) => "every message is accounted for, but NOT every kind of fault hit something",
            (false, false) => "NOT every message is accounted for",
        })
    }
}

struct Recovery<'a>(&'a [Duration]);

impl fmt::Display for Recovery<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (percentile(self.0, 50), percentile(self.0, 99)) {
            (Some(p50), Some(p99)) => {
                write!(f, ", time to recover p50 {} ms, p99 {} ms", p50.as_millis(), p99.as_millis())
            }
            _ => Ok(()),
        }
    }
}

/// The smallest of the values that so many percent of them do not exceed.
fn percentile(values: &[Duration], percent: usize) -> Option<Duration> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        chaos::Kind,
        command::demo::check::{Broken, Rule},
    };

    fn millis(values: &[u64]) -> Vec<Duration> {
        values.iter().map(|ms| Duration::from_millis(*ms)).collect()
    }

    fn report(broken: Vec<Broken>) -> Report {
        let tally = Tally {
            accepted: 20,
            outcomes: [("acked", 19), ("in doubt", 1)].into(),
            unique: 19,
            doubled: 2,
            missing: 1,
            ..Tally::default()
        };
        let mut counts = Counts::default();
        counts.add(Kind::BlackHole);
        counts.add(Kind::Cut);
        Report {
            findings: Findings { tally, broken },
            hits: counts.clone(),
            counts,
            outages: millis(&[30, 10, 20]),
            took: Duration::from_millis(1_250),
            cut_short: None,
            last_error: None,
        }
    }

    #[test]
    fn the_table_says_all() {
        let expected = "\
accepted     20, refused 0
outcomes     acked 19, in doubt 1
received     unique 19, doubled 2, reordered 0, missing 1
faults       2: cut 1, black hole 1
hits         cut 1, black hole 1 (ended or held up)
reconnects   3, time to recover p50 20 ms, p99 30 ms
took         1.2 s
every message is accounted for";
        assert_eq!(report(vec![]).to_string(), expected);
    }

    #[test]
    fn a_broken_rule_is_named() {
        let text = report(vec![Broken { rule: Rule::InOrder, count: 2, first: 7 }]).to_string();
        assert!(text.ends_with(
            "broken: first arrivals come in the order of acceptance (2 messages, the first is number 7)\n\
             NOT every message is accounted for"
        ));
    }

    #[test]
    fn a_run_that_was_cut_short_is_not_good() {
        let report = Report { cut_short: Some("it stuck".into()), ..report(vec![]) };
        assert!(!report.is_good());
        assert!(
            report
                .to_string()
                .ends_with("cut short: it stuck; the client's last failure: none\nNOT every message is accounted for")
        );
    }

    #[test]
    fn a_fault_that_hit_nothing_is_named_and_not_good() {
        let mut hits = Counts::default();
        hits.add(Kind::Cut);
        let report = Report { hits, ..report(vec![]) };
        assert!(!report.is_good());
        assert!(report.to_string().ends_with(
            "black hole hit nothing, so this run says nothing about it; send more messages\n\
             every message is accounted for, but NOT every kind of fault hit something"
        ));
    }

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let values = millis(&(1..=200).collect::<Vec<_>>());
        assert_eq!(percentile(&values, 50), Some(Duration::from_millis(100)));
        assert_eq!(percentile(&values, 99), Some(Duration::from_millis(198)));
        assert_eq!(percentile(&millis(&[7]), 99), Some(Duration::from_millis(7)));
        assert_eq!(percentile(&[], 50), None);
    }
}
