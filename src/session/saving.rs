//! What outlives the process: a session is saved, and another one recalls it.

use core::num::NonZeroU32;

use bytes::Bytes;

use super::{Class, Keepsake, OpId, SendOptions, Session, keepsake::Kept};
use crate::{
    Protocol, Timestamp,
    part::{Backoff, Questions, Standing},
};

/// No session has counted so far: such a keepsake was made up, and soon there would be no numbers left.
const LAST_OP_MAX: u64 = u64::MAX >> 1;

impl<P: Protocol> Session<P> {
    /// What the next process needs to go on where this one stops: how long to wait still, who we are, what the protocol
    /// keeps, and the messages for which `body` gives bytes. It is asked for each that has not left, and for each that is
    /// kept until it is acknowledged; for requests it is not, whose answers nobody will wait for. Saving changes nothing; save when something has changed, or before the end.
    ///
    /// ```
    /// use steadfast::{Commands, Config, Frame, Keepsake, Plain, Session, Timestamp};
    ///
    /// let (now, mut actions) = (Timestamp::ZERO, Vec::new());
    /// let mut session = Session::new(Plain, Config::default(), 7)?;
    /// let first = session.send(now, Frame::from("not sent yet"), &mut actions)?;
    /// let stored = session.save(|frame| frame.as_str().map(|text| text.to_owned().into())).to_bytes();
    ///
    /// let mut next = Session::new(Plain, Config::default(), 8)?;
    /// let keepsake = Keepsake::from_bytes(stored)?;
    /// assert!(next.recall(now, &keepsake, |body| std::str::from_utf8(body).ok().map(Frame::from)));
    /// assert_eq!(next.health(now).queued, 1);
    /// assert!(next.send(now, Frame::from("later"), &mut actions)? > first);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn save(&self, mut body: impl FnMut(&P::Message) -> Option<Bytes>) -> Keepsake {
        let mut keepsake = Keepsake {
            failures: self.backoff.failures(),
            retry_at: self.facts.retry_at,
            is_asked: self.facts.is_asked,
            endpoint: self.endpoints.good().cloned(),
            client_id: self.ids.client_id().cloned(),
            incarnation: self.ids.incarnation(),
            last_op: self.last_op,
            protocol: self.protocol.keepsake(),
            ..Keepsake::default()
        };
        for kept in self.outbox.kept() {
            let Some(body) = body(kept.message) else { continue };
            let (op, at_least_once, secret) = (kept.id, kept.at_least_once, kept.secret);
            let (may_have_left, expires, bucket) = (kept.may_have_left, kept.expires, kept.bucket.cloned());
            let slots = NonZeroU32::new(kept.slots).unwrap_or(NonZeroU32::MIN);
            keepsake.keep(Kept { op, at_least_once, may_have_left, secret, expires, bucket, slots, body });
        }
        keepsake
    }

    /// Goes on as the session that was saved. To be called before anything else; `false`, and nothing has changed, if
    /// this session has begun already, or if the keepsake says what no session can have come to. Recorded sessions do not know of it: a trace begins after.
    ///
    /// A wait goes on, for at most [`RetryPolicy::directed_cap`](super::RetryPolicy::directed_cap) from now, and one that
    /// somebody asked for is cut short by no hint. `message`
    /// makes messages of what `body` gave; those for which it gives nothing, and those that do not fit any more, are left
    /// out. A message keeps its id, its class (of `Latest` it loses the key, and is sent at most once) and what it draws of
    /// pacing, where there still is a bucket of that name; it is not tracked. New ids are above all old ones.
    ///
    /// A protocol whose ids begin with the incarnation, as `json`, gets that of the first sending with
    /// [`Protocol::introduce`] where messages are recalled, and a new one where not.
    pub fn recall(
        &mut self,
        now: Timestamp,
        keepsake: &Keepsake,
        mut message: impl FnMut(&Bytes) -> Option<P::Message>,
    ) -> bool {
        let resumed = keepsake.resume(&mut self.rng);
        let last_op = resumed.map_or(keepsake.last_op, |(_, OpId(last))| last);
        if self.last_link > 0 || self.last_op > 0 || last_op > LAST_OP_MAX {
            return false;
        }
        self.backoff = Backoff::after(keepsake.failures);
        self.facts.is_asked = keepsake.is_asked;
        let longest = now.after(self.config.retry.directed_cap).unwrap_or(Timestamp::MAX);
        self.facts.retry_at = keepsake.retry_at.map(|at| at.min(longest));
        self.ids.recall(keepsake.client_id.clone(), resumed.map(|(incarnation, _)| incarnation));
        self.introduce();
        if let Some(endpoint) = &keepsake.endpoint {
            self.endpoints.prefer(endpoint);
        }
        if let Some(kept) = &keepsake.protocol {
            self.protocol.recall(kept);
        }
        for kept in keepsake.messages() {
            if let Some(message) = message(&kept.body) {
                self.restore(now, kept, message);
            }
        }
        self.last_op = last_op;
        self.questions = Questions::after(OpId(last_op));
        // What was recalled has deadlines of its own.
        self.not_before = Timestamp::ZERO;
        true
    }

    fn restore(&mut self, now: Timestamp, kept: &Kept, message: P::Message) {
        let class = if kept.at_least_once { Class::AtLeastOnce } else { Class::AtMostOnce };
        let mut options = SendOptions::new(class);
        if kept.slots > NonZeroU32::MIN {
            options = options.weight(kept.slots.get());
        }
        // A limit that is in the settings no longer limits nothing.
        if let Some(bucket) = kept.bucket.as_ref().filter(|bucket| self.has_bucket(bucket)) {
            options = options.bucket(bucket.clone());
        }
        // Nothing makes room: what came before it was as good.
        let weight = self.weigh(&message, &options).ok();
        let Some(bytes) = weight.filter(|bytes| self.outbox.fits(&self.config.queue, *bytes)) else { return };
        let standing = Standing { now, class, tracked: false, secret: kept.secret, rare: options.rare };
        self.outbox.restore(kept.op, message, bytes, standing, kept.expires, kept.may_have_left);
        self.stats.accepted += 1;
    }
}

#[cfg(all(test, feature = "json"))]
mod tests;
