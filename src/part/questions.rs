//! Which of our ids were requests? Their late answers are nobody's; what answers a message is a message.

use alloc::collections::VecDeque;

use crate::OpId;

/// Runs that are remembered apart.
const MOST: usize = 1_024;

/// The ids of requests, in runs. Where there are too many runs the oldest two become one: then messages between them
/// are taken for requests, and what answers those very late is dropped.
#[derive(Clone, Debug, Default)]
pub(crate) struct Questions {
    runs: VecDeque<(OpId, OpId)>,
}

impl Questions {
    /// All ids up to this one are of another process.
    pub(crate) fn after(last: OpId) -> Self {
        Self { runs: (last > OpId(0)).then_some((OpId(0), last)).into_iter().collect() }
    }

    /// A request has this id. Ids only ever grow.
    pub(crate) fn on_asked(&mut self, id: OpId) {
        if let Some((_, last)) = self.runs.back_mut().filter(|(_, last)| id.0.checked_sub(last.0) == Some(1)) {
            *last = id;
            return;
        }
        self.runs.push_back((id, id));
        if self.runs.len() > MOST {
            if let (Some((first, _)), Some((from, _))) = (self.runs.pop_front(), self.runs.front_mut()) {
                *from = first;
            }
        }
    }

    /// Whether one had this id.
    pub(crate) fn knows(&self, id: OpId) -> bool {
        let at = self.runs.partition_point(|(_, last)| *last < id);
        self.runs.get(at).is_some_and(|(first, _)| *first <= id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_and_messages_are_told_apart() {
        let mut questions = Questions::after(OpId(3));
        for id in [5, 6, 7, 9] {
            questions.on_asked(OpId(id));
        }
        let known: alloc::vec::Vec<u64> = (0..12).filter(|id| questions.knows(OpId(*id))).collect();
        assert_eq!(known, [0, 1, 2, 3, 5, 6, 7, 9]);
        assert_eq!(questions.runs.len(), 3);
    }

    #[test]
    fn what_is_remembered_is_bounded_and_errs_on_the_side_of_requests() {
        let mut questions = Questions::default();
        (1..=2_000).for_each(|n| questions.on_asked(OpId(2 * n)));
        assert_eq!(questions.runs.len(), MOST);
        assert!((1..=2_000).all(|n| questions.knows(OpId(2 * n))));
        assert!(questions.knows(OpId(3)) && !questions.knows(OpId(3_999)) && !questions.knows(OpId(4_001)));
    }
}
