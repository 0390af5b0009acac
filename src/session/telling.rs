//! What became of messages is counted, told, and remembered where that matters.

use alloc::vec::Vec;
use core::iter;

use super::{Action, Event, Stats, requests};
use crate::part::{Dedup, Ended};

/// Takes the outcomes of messages: counts them, and tells those that somebody wants to know or should.
#[inline]
pub(super) fn tell<'a, I, T>(
    stats: &'a mut Stats,
    dedup: &'a mut Dedup,
    out: &'a mut Vec<Action<I, T>>,
) -> impl FnMut(Ended) + 'a {
    #[inline(always)]
    |ended| {
        if ended.outcome.is_never_there() {
            dedup.on_never_there(ended.id);
        }
        tell_one(stats, out, ended);
    }
}

#[inline(always)]
fn tell_one<I, T>(stats: &mut Stats, out: &mut Vec<Action<I, T>>, ended: Ended) {
    let Ended { id, tracked, is_request, outcome, label } = ended;
    let bad_news = stats.count(&outcome);
    if is_request {
        out.push(requests::unanswered(id, outcome, label));
    } else if tracked || bad_news {
        out.push(Action::Emit(Event::Outcome { id, outcome, label }));
    }
}

/// The same for those that pass the queue by: they are the same as none.
pub(super) fn tell_passing<'a, I, T, M>(
    stats: &'a mut Stats,
    dead: &'a mut Vec<M>,
    out: &'a mut Vec<Action<I, T>>,
) -> impl FnMut(Ended, Option<M>) + 'a {
    move |ended, message| {
        tell_one(stats, out, ended);
        dead.extend(message);
    }
}

/// Appends an action that is made in its place. (`push` has it made on the stack first, and copied.)
#[inline(always)]
pub(super) fn append<T, A>(out: &mut Vec<A>, from: T, make: impl FnMut(T) -> A) {
    out.extend(iter::once(from).map(make));
}
