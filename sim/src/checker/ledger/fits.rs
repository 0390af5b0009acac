//! Can a message have ended so?

use steadfast::{Class, Dropped, OpId, Outcome, Overflow};

use super::{Context, Entry, Ledger, Why};

impl Ledger {
    /// Whether a message can have ended so.
    pub(super) fn fits(&self, id: OpId, entry: &Entry, outcome: &Outcome, context: &Context) -> bool {
        // One that a message's name has failed may wait for its next try.
        let waits = !entry.may_have_left() || entry.may_wait_again();
        let too_late = entry.until.is_some_and(|until| until <= context.now);
        let class = entry.options.class;
        match outcome {
            // An answer, even a no, proves that it was written; and with that an at-most-once message ends.
            Outcome::Written => {
                class != Class::AtLeastOnce
                    && entry.asked.is_none()
                    && matches!(entry.owed, Some(Why::Flushed | Why::Acked | Why::Denied))
            }
            Outcome::Acked => entry.owed == Some(Why::Acked),
            Outcome::Failed(why) if why.code.as_ref().is_some_and(|code| code.as_str() == "poison") => {
                let is_doubtful = class == Class::AtLeastOnce && entry.doubtful;
                is_doubtful && (entry.owed == Some(Why::Poison) || context.too_big)
            }
            Outcome::Failed(_) => entry.owed == Some(Why::Denied) || entry.asked.is_some_and(|asked| asked.may_fail),
            Outcome::Expired => waits && too_late,
            Outcome::Dropped(Dropped::Overflow) => waits && self.overflows(id, entry, context.overflow),
            Outcome::Dropped(Dropped::Replaced) => waits && self.is_replaced(entry, context.overflow),
            Outcome::Dropped(Dropped::LinkGone) => {
                matches!(class, Class::Volatile | Class::Bypass) && (waits || entry.owed == Some(Why::LinkGone))
            }
            Outcome::Dropped(Dropped::Stopped) => waits && context.over,
            Outcome::Dropped(Dropped::Elsewhere) => waits && context.elsewhere,
            Outcome::Cancelled => waits && context.cancelling,
            Outcome::InDoubt => {
                let given_up = entry.asked.is_some() && context.cancelling;
                let has_cause = too_late || context.over || context.elsewhere || given_up;
                entry.owed == Some(Why::Lost) || (entry.may_have_left() && has_cause)
            }
            // Whether it is, is for others to say.
            Outcome::Duplicate(_) => waits && self.newcomer == Some(id.0),
            Outcome::Dropped(_) | _ => false,
        }
    }

    fn overflows(&self, id: OpId, entry: &Entry, overflow: Overflow) -> bool {
        let is_new = self.newcomer == Some(id.0);
        match overflow {
            Overflow::DropOldest | Overflow::DropLowest if entry.floats() || entry.may_wait_again() => true,
            Overflow::DropOldest => !is_new,
            Overflow::DropNewest => is_new,
            Overflow::DropLowest => {
                let newcomer = self.newcomer.and_then(|id| self.entries.get(&id));
                let lowest = self.droppable.first() == Some(&(entry.options.class, entry.place));
                !is_new && lowest && newcomer.is_some_and(|new| new.options.class >= entry.options.class)
            }
            Overflow::Refuse | Overflow::ReplaceByKey | _ => false,
        }
    }

    fn is_replaced(&self, entry: &Entry, overflow: Overflow) -> bool {
        let Some(new) = self.newcomer.and_then(|id| self.entries.get(&id)) else { return false };
        let (old, new) = (&entry.options, &new.options);
        let both_latest = [old.class, new.class] == [Class::Latest; 2];
        let gives_way = overflow == Overflow::ReplaceByKey && old.class != Class::AtLeastOnce;
        old.keyed().is_some() && old.keyed() == new.keyed() && (both_latest || gives_way)
    }
}
