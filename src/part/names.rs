//! Whose answer is the next message of this name?
//!
//! For protocols whose answers have no ids. Those who wait for one name stand in a row, in the order in which this link
//! was given their requests. A request that ends otherwise keeps its place for a while: the answer to it may still
//! come, and would be taken for the answer to the next.

use alloc::{
    collections::{BTreeMap, VecDeque},
    string::String,
    vec::Vec,
};

use crate::{OpId, Timestamp};

/// So many may stand there beyond their time before they are looked for.
const FEW: usize = 64;

/// Who waits for which name on one link.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    rows: BTreeMap<String, VecDeque<Waiting>>,
    /// How many wait, and from how many on is looked for those whose time is over.
    waiting: usize,
    crowded: usize,
}

#[derive(Clone, Debug)]
struct Waiting {
    op: OpId,
    means: Named,
    /// From then on nobody stands there; `None`: never.
    until: Option<Timestamp>,
}

/// What a message of a name means to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    /// It is the answer.
    Yes,
    /// It is a no.
    No,
}

impl Names {
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// This link was given a request that is answered by this name.
    pub(crate) fn on_handed(&mut self, now: Timestamp, op: OpId, name: String, means: Named, until: Option<Timestamp>) {
        if self.waiting >= self.crowded.max(FEW) {
            self.forget(|waiting| waiting.until.is_none_or(|until| until > now));
            self.crowded = 2 * self.waiting;
        }
        self.rows.entry(name).or_default().push_back(Waiting { op, means, until });
        self.waiting += 1;
    }

    /// A message of this name came: whose it is, and what it means. `None`: nobody waits for it.
    pub(crate) fn on_heard(&mut self, now: Timestamp, name: &str) -> Option<(OpId, Named)> {
        let row = self.rows.get_mut(name)?;
        let mut first = row.pop_front();
        self.waiting -= 1;
        while first.as_ref().is_some_and(|waiting| waiting.until.is_some_and(|until| until <= now)) {
            first = row.pop_front();
            self.waiting -= usize::from(first.is_some());
        }
        if row.is_empty() {
            self.rows.remove(name);
        }
        first.map(|waiting| (waiting.op, waiting.means))
    }

    /// A request was answered otherwise, as the first of its row or nearly so: it waits for this name no longer.
    pub(crate) fn on_answered(&mut self, op: OpId, name: &str) {
        let Some(row) = self.rows.get_mut(name) else { return };
        if let Some(at) = row.iter().position(|waiting| waiting.op == op) {
            row.remove(at);
            self.waiting -= 1;
        }
        if row.is_empty() {
            self.rows.remove(name);
        }
    }

    /// Nobody wants the answer to this request any more: it keeps its place until then, or for as long as before if that
    /// is less.
    pub(crate) fn on_forgone(&mut self, op: OpId, name: &str, until: Option<Timestamp>) {
        let mut row = self.rows.get_mut(name).into_iter().flatten();
        if let Some(waiting) = row.find(|waiting| waiting.op == op) {
            waiting.until = [waiting.until, until].into_iter().flatten().min();
        }
    }

    fn forget(&mut self, stays: impl Fn(&Waiting) -> bool) {
        let mut empty = Vec::new();
        for (name, row) in &mut self.rows {
            let before = row.len();
            row.retain(|waiting| stays(waiting));
            self.waiting -= before - row.len();
            if row.is_empty() {
                empty.push(name.clone());
            }
        }
        empty.iter().for_each(|name| drop(self.rows.remove(name)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn names(waiting: &[(u64, &'static str, Named, u64)]) -> Names {
        let mut names = Names::default();
        for (op, name, means, until) in waiting {
            names.on_handed(at(0), OpId(*op), String::from(*name), *means, Some(at(*until)));
        }
        names
    }

    #[test]
    fn a_name_answers_those_who_wait_for_it_in_their_order() {
        let mut names = names(&[(1, "a", Named::Yes, 9), (2, "b", Named::Yes, 9), (3, "a", Named::No, 9)]);
        assert_eq!(names.on_heard(at(1), "c"), None);
        assert_eq!(names.on_heard(at(1), "a"), Some((OpId(1), Named::Yes)));
        assert_eq!(names.on_heard(at(1), "a"), Some((OpId(3), Named::No)));
        assert_eq!(names.on_heard(at(1), "a"), None);
        assert!(!names.is_empty());
        assert_eq!(names.on_heard(at(1), "b"), Some((OpId(2), Named::Yes)));
        assert!(names.is_empty());
    }

    #[test]
    fn who_has_waited_for_too_long_stands_there_no_longer() {
        let mut names = names(&[(1, "a", Named::Yes, 9), (2, "a", Named::Yes, 20)]);
        assert_eq!(names.on_heard(at(9), "a"), Some((OpId(2), Named::Yes)));
        assert!(names.is_empty() && names.waiting == 0);
    }

    #[test]
    fn who_was_answered_by_one_name_waits_for_no_other() {
        let mut names = names(&[(1, "a", Named::Yes, 9), (1, "no", Named::No, 9), (2, "no", Named::No, 9)]);
        assert_eq!(names.on_heard(at(1), "a"), Some((OpId(1), Named::Yes)));
        names.on_answered(OpId(1), "no");
        assert_eq!(names.on_heard(at(1), "no"), Some((OpId(2), Named::No)));
        assert!(names.is_empty() && names.waiting == 0);
    }

    /// A peer that answers nothing must not make the rows grow.
    #[test]
    fn those_that_are_never_answered_are_forgotten() {
        let mut names = Names::default();
        for n in 0..10_000 {
            names.on_handed(at(n), OpId(n), alloc::format!("name {n}"), Named::Yes, Some(at(n + 10)));
            assert!(names.waiting <= FEW + 1, "{}", names.waiting);
        }
    }
}
