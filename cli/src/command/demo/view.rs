//! What is shown while the demo runs, on standard error: a bar on a terminal, lines elsewhere.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::plan::Plan;

/// How the run stands.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    /// Messages accepted.
    pub(super) accepted: u64,
    /// Faults that struck.
    pub(super) struck: u64,
    /// The phase of the session.
    pub(super) phase: String,
    /// Attempts in a row.
    pub(super) attempts: u64,
    /// Messages that have no outcome yet.
    pub(super) queued: u64,
}

/// What shows it.
#[derive(Debug)]
pub(super) struct View {
    bar: ProgressBar,
    total: u64,
    faults: u64,
    /// The tenth that was last said in a line.
    tenth: u64,
}

impl View {
    pub(super) fn new(plan: &Plan) -> Self {
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed} {msg}");
        let bar = ProgressBar::new(plan.messages);
        bar.set_style(style.expect("the template is one").progress_chars("=> "));
        Self { bar, total: plan.messages, faults: plan.faults, tenth: 0 }
    }

    /// Shows how the run stands.
    pub(super) fn show(&mut self, standing: &Standing) {
        let line = self.line(standing);
        if !self.bar.is_hidden() {
            self.bar.set_position(standing.accepted);
            self.bar.set_message(line);
        } else if standing.accepted * 10 / self.total.max(1) > self.tenth {
            self.tenth = standing.accepted * 10 / self.total.max(1);
            eprintln!("{:5} accepted, {line}", standing.accepted);
        }
    }

    fn line(&self, standing: &Standing) -> String {
        let Standing { struck, phase, attempts, queued, .. } = standing;
        format!("{phase}, attempt {attempts}, {queued} on their way, fault {struck} of {}", self.faults)
    }

    /// Says what struck.
    pub(super) fn note(&self, after: Duration, note: &str) {
        let line = format!("{:8.3} s  {note}", after.as_secs_f64());
        if self.bar.is_hidden() { eprintln!("{line}") } else { self.bar.println(line) }
    }
}

impl Drop for View {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
