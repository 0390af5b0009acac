//! Which topics are wanted, and what has come of them?
//!
//! Topics are interned: each has a place in a slab and a number that says which. What is compared, kept in lists and
//! looked up for each message is the number; the topic itself is compared once, on a path of logarithmic length. What
//! was asked on a link dies with it, and is another struct: [`Standings`].

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};
use core::time::Duration;

use super::Backoff;
use crate::{RetryPolicy, Rng, SubscribeOptions, Timestamp};

mod due;
mod ended;
mod kept;
mod standing;

use ended::Ended;
pub(crate) use standing::{Errand, Held, Standings, Step};

/// The smallest step of time.
const LEAST_PATIENCE: Duration = Duration::from_micros(1);

/// The number of a topic. One that was forgotten is never mistaken for the next in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TopicNo {
    at: u32,
    life: u32,
}

/// A topic that is wanted, or that some link may still have.
#[derive(Clone, Debug)]
pub(crate) struct Wanted<T, M> {
    pub(crate) topic: T,
    /// By how many. None: it is on its way out.
    pub(crate) count: u32,
    pub(crate) snapshot: Option<M>,
    pub(crate) stale_after: Option<Duration>,
    /// The last position that the application was given.
    pub(crate) last: Option<u64>,
    /// When a message of it last came.
    pub(crate) last_at: Option<Timestamp>,
    /// It was refused or has ended, and is not asked for.
    pub(crate) is_over: bool,
    /// Something may have been missed since it was last confirmed, and nobody was told.
    pub(crate) has_gap: bool,
    /// It has been confirmed, or the application was given something of it, since it was first wanted.
    pub(crate) was_had: bool,
    /// It was called stale, and nothing has come since.
    pub(crate) is_stale: bool,
    /// The application knows that it is out.
    pub(crate) is_told: bool,
    /// Its confirmation has not been told since it was wanted anew.
    pub(crate) is_new: bool,
    retry: Option<Retry>,
    backoff: Backoff,
}

/// A wait of one topic's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Retry {
    at: Timestamp,
    /// The peer asked for it.
    is_asked: bool,
}

impl<T, M> Wanted<T, M> {
    /// Whether it is to be asked for now.
    pub(crate) const fn is_due(&self) -> bool {
        self.count > 0 && !self.is_over && self.retry.is_none()
    }

    /// When it is asked for again, if it waits.
    pub(crate) fn retry_at(&self) -> Option<Timestamp> {
        self.retry.map(|retry| retry.at)
    }
}

/// What came of wanting a topic once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// It is new, or was over: it is to be asked for.
    New(TopicNo),
    /// It was there.
    More(TopicNo),
}

/// All topics that are wanted. It survives its links.
#[derive(Clone, Debug)]
pub(crate) struct Subscriptions<T, M> {
    numbers: BTreeMap<T, TopicNo>,
    slab: Vec<Slot<T, M>>,
    free: Vec<u32>,
    retries: BTreeSet<(Timestamp, TopicNo)>,
}

#[derive(Clone, Debug)]
struct Slot<T, M> {
    life: u32,
    wanted: Option<Wanted<T, M>>,
}

impl<T: Clone + Ord, M> Subscriptions<T, M> {
    pub(crate) const fn new() -> Self {
        Self { numbers: BTreeMap::new(), slab: Vec::new(), free: Vec::new(), retries: BTreeSet::new() }
    }

    /// How many there are, those on their way out included.
    pub(crate) fn len(&self) -> usize {
        self.numbers.len()
    }

    pub(crate) fn find(&self, topic: &T) -> Option<TopicNo> {
        self.numbers.get(topic).copied()
    }

    pub(crate) fn get(&self, no: TopicNo) -> Option<&Wanted<T, M>> {
        self.slab.get(no.at as usize).filter(|slot| slot.life == no.life)?.wanted.as_ref()
    }

    pub(crate) fn get_mut(&mut self, no: TopicNo) -> Option<&mut Wanted<T, M>> {
        self.slab.get_mut(no.at as usize).filter(|slot| slot.life == no.life)?.wanted.as_mut()
    }

    /// All of them, in the order of their places: about that in which they were wanted.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (TopicNo, &Wanted<T, M>)> {
        (0..).zip(&self.slab).filter_map(|(at, slot)| Some((TopicNo { at, life: slot.life }, slot.wanted.as_ref()?)))
    }

    /// Wanted once more. What two want of one topic is put together: the first snapshot, and the shorter patience.
    pub(crate) fn want(&mut self, topic: T, options: SubscribeOptions<M>) -> Wish {
        let SubscribeOptions { snapshot, stale_after } = options;
        // Nothing is stale in the moment in which it is confirmed.
        let stale_after = stale_after.map(|after| after.max(LEAST_PATIENCE));
        let Some(no) = self.find(&topic) else { return Wish::New(self.insert(topic, snapshot, stale_after)) };
        let Some(wanted) = self.get_mut(no) else { return Wish::More(no) };
        let is_new = wanted.count == 0 || wanted.is_over;
        if wanted.count == 0 {
            (wanted.snapshot, wanted.stale_after) = (snapshot, stale_after);
        } else {
            wanted.snapshot = wanted.snapshot.take().or(snapshot);
            wanted.stale_after = [wanted.stale_after, stale_after].into_iter().flatten().min();
        }
        wanted.count = wanted.count.saturating_add(1);
        (wanted.is_over, wanted.is_told) = (false, false);
        wanted.is_new |= is_new;
        if is_new { Wish::New(no) } else { Wish::More(no) }
    }

    fn insert(&mut self, topic: T, snapshot: Option<M>, stale_after: Option<Duration>) -> TopicNo {
        let at = self.free.pop().unwrap_or_else(|| {
            self.slab.push(Slot { life: 0, wanted: None });
            u32::try_from(self.slab.len() - 1).unwrap_or(u32::MAX)
        });
        let slot = &mut self.slab[at as usize];
        slot.wanted = Some(Wanted {
            topic: topic.clone(),
            count: 1,
            snapshot,
            stale_after,
            last: None,
            last_at: None,
            is_over: false,
            has_gap: false,
            was_had: false,
            is_stale: false,
            is_told: false,
            is_new: true,
            retry: None,
            backoff: Backoff::default(),
        });
        let no = TopicNo { at, life: slot.life };
        self.numbers.insert(topic, no);
        no
    }

    /// Wanted once less. `true` if that was the last time; the others go on waiting.
    pub(crate) fn unwant(&mut self, no: TopicNo) -> bool {
        let Some(wanted) = self.get_mut(no).filter(|wanted| wanted.count > 0) else { return false };
        wanted.count -= 1;
        let is_last = wanted.count == 0;
        if is_last {
            self.end_wait(no);
        }
        is_last
    }

    /// Nobody wants it and no link has it: its place is free.
    pub(crate) fn forget(&mut self, no: TopicNo) {
        self.end_wait(no);
        let slot = self.slab.get_mut(no.at as usize).filter(|slot| slot.life == no.life);
        let Some((slot, wanted)) = slot.and_then(|slot| slot.wanted.take().map(|wanted| (slot, wanted))) else {
            return;
        };
        slot.life = slot.life.wrapping_add(1);
        self.numbers.remove(&wanted.topic);
        self.free.push(no.at);
    }

    /// It is asked for again after a wait of its own. The peer may have said how long.
    pub(crate) fn put_off(
        &mut self,
        no: TopicNo,
        now: Timestamp,
        asked: Option<Duration>,
        policy: &RetryPolicy,
        rng: &mut Rng,
    ) -> Option<Timestamp> {
        self.end_wait(no);
        let wanted = self.get_mut(no)?;
        let wait = match asked {
            Some(asked) => wanted.backoff.on_directed(asked, policy, rng),
            None => wanted.backoff.on_failure(policy, rng),
        };
        let at = now.after(wait)?;
        wanted.retry = Some(Retry { at, is_asked: asked.is_some() });
        self.retries.insert((at, no));
        Some(at)
    }

    /// The peer has confirmed it, asked or not.
    pub(crate) fn on_confirmed(&mut self, no: TopicNo) {
        self.end_wait(no);
        if let Some(wanted) = self.get_mut(no) {
            wanted.is_over = false;
        }
    }

    /// It has held for long enough: its next wait is the first again.
    pub(crate) fn on_stable(&mut self, no: TopicNo) {
        if let Some(wanted) = self.get_mut(no) {
            wanted.backoff.reset();
        }
    }

    fn end_wait(&mut self, no: TopicNo) {
        if let Some(retry) = self.get_mut(no).and_then(|wanted| wanted.retry.take()) {
            self.retries.remove(&(retry.at, no));
        }
    }

    /// When the next of them is to be asked for again.
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        self.retries.first().map(|(at, _)| *at)
    }

    /// The next whose wait is over.
    pub(crate) fn take_due(&mut self, now: Timestamp) -> Option<TopicNo> {
        let (_, no) = *self.retries.first().filter(|(at, _)| *at <= now)?;
        self.end_wait(no);
        Some(no)
    }

    /// A new link, and the peer knows nothing of the last one: all is to be asked for, and whatever was had may have
    /// missed something. Only a wait that the peer asked for goes on.
    pub(crate) fn on_fresh_link(&mut self, now: Timestamp) {
        let over: Vec<_> = (self.iter())
            .filter(|(_, wanted)| wanted.retry.is_some_and(|retry| !retry.is_asked || retry.at <= now))
            .map(|(no, _)| no)
            .collect();
        over.into_iter().for_each(|no| self.end_wait(no));
        for wanted in self.slab.iter_mut().filter_map(|slot| slot.wanted.as_mut()) {
            wanted.has_gap |= wanted.was_had && wanted.count > 0;
            wanted.is_stale = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Topics = Subscriptions<&'static str, u8>;

    const fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    fn options() -> SubscribeOptions<u8> {
        SubscribeOptions::default()
    }

    fn want(topics: &mut Topics, topic: &'static str) -> TopicNo {
        match topics.want(topic, options()) {
            Wish::New(no) | Wish::More(no) => no,
        }
    }

    #[test]
    fn a_topic_is_wanted_until_as_many_want_it_no_longer() {
        let mut topics = Topics::new();
        let no = want(&mut topics, "a");
        assert_eq!(topics.want("a", options()), Wish::More(no));
        assert!(!topics.unwant(no));
        assert!(topics.unwant(no), "the last");
        assert!(!topics.unwant(no), "nobody wants it");
        assert_eq!(topics.want("a", options()), Wish::New(no), "it was on its way out");
    }

    #[test]
    fn a_place_is_used_again_and_its_old_number_means_nothing() {
        let mut topics = Topics::new();
        let (old, other) = (want(&mut topics, "a"), want(&mut topics, "b"));
        topics.forget(old);
        let new = want(&mut topics, "c");
        assert_eq!((new.at, new == old), (old.at, false));
        topics.forget(old);
        assert!(topics.get(old).is_none() && topics.get_mut(old).is_none());
        assert_eq!((topics.get(new).map(|wanted| wanted.topic), topics.len()), (Some("c"), 2));
        assert_eq!((topics.find(&"a"), topics.find(&"b")), (None, Some(other)));
    }

    #[test]
    fn what_two_want_of_one_topic_is_put_together() {
        let mut topics = Topics::new();
        let (short, long) = (Duration::from_secs(1), Duration::from_secs(9));
        let no = want(&mut topics, "a");
        topics.want("a", options().snapshot(1).stale_after(long));
        topics.want("a", options().snapshot(2).stale_after(short));
        let wanted = topics.get(no).expect("wanted");
        assert_eq!((wanted.count, wanted.snapshot, wanted.stale_after), (3, Some(1), Some(short)));
    }

    #[test]
    fn each_waits_on_its_own_and_a_new_link_ends_the_waits_that_nobody_asked_for() {
        let mut topics = Topics::new();
        let (policy, mut rng) = (RetryPolicy::default(), Rng::new(7));
        let (a, b, c) = (want(&mut topics, "a"), want(&mut topics, "b"), want(&mut topics, "c"));
        let first = topics.put_off(a, at(1), None, &policy, &mut rng).expect("a time");
        assert!(first > at(1) && first <= at(2));
        topics.put_off(b, at(1), Some(Duration::from_secs(60)), &policy, &mut rng);
        assert!(!topics.get(a).is_some_and(Wanted::is_due) && topics.get(c).is_some_and(Wanted::is_due));
        assert_eq!((topics.deadline(), topics.take_due(at(0))), (Some(first), None));
        topics.on_fresh_link(at(1));
        assert!(topics.get(a).is_some_and(Wanted::is_due) && !topics.get(b).is_some_and(Wanted::is_due));
        assert_eq!((topics.take_due(at(70)), topics.take_due(at(70))), (Some(b), None));
        topics.put_off(c, at(70), None, &policy, &mut rng);
        topics.unwant(c);
        assert_eq!(topics.deadline(), None, "what nobody wants waits for nothing");
    }

    #[test]
    fn what_was_had_has_a_gap_on_a_new_link() {
        let mut topics = Topics::new();
        let (a, b) = (want(&mut topics, "a"), want(&mut topics, "b"));
        topics.get_mut(a).expect("wanted").was_had = true;
        topics.on_fresh_link(at(1));
        assert!(topics.get(a).is_some_and(|wanted| wanted.has_gap));
        assert!(!topics.get(b).is_some_and(|wanted| wanted.has_gap), "there was nothing to miss");
    }
}
