//! What waits, and in which order?

use alloc::collections::vec_deque;

use super::{Books, Entry, Is, Next, Place};
use crate::{Class, OpId};

/// Goes through what waits, oldest first; of each it tells whether it leaves alone: because it has a bucket or a
/// weight of its own, or asks for an answer.
#[derive(Debug)]
pub(crate) struct Waiting<'a, M> {
    pub(super) entries: vec_deque::Iter<'a, Entry<M>>,
    pub(super) books: &'a Books<M>,
    pub(super) doubtful_below: Place,
}

impl<'a, M> Iterator for Waiting<'a, M> {
    type Item = (Next<'a, M>, bool);

    fn next(&mut self) -> Option<Self::Item> {
        let (message, label) = self.entries.find_map(|Entry { message, label }| Some((message.as_ref()?, label)))?;
        let extra = self.books.extra(label);
        let draws = extra.is_some_and(|extra| extra.bucket.is_some() || extra.slots > 1);
        let id = extra.map_or(OpId(label.place.0), |extra| extra.id);
        let (place, bytes, secret) = (label.place, label.bytes, label.is.any(Is::SECRET));
        let (is_request, again) = (label.is.any(Is::REQUEST), place < self.doubtful_below);
        let ack = label.class == Class::AtLeastOnce && !is_request;
        Some((Next { id, place, message, bytes, secret, ack, again, is_request }, draws || is_request))
    }
}
