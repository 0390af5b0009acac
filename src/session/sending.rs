//! Messages are taken, refused and handed back.

use alloc::{boxed::Box, vec::Vec};

use bytes::Bytes;

use super::{
    Actions, Alike, Answer, CallReply, Class, Dropped, OpId, Outcome, Rare, SendOptions, Session, Stage, TakenBack,
    tell, tell_passing,
};
use crate::{
    Acks, Protocol, Rejected, Text, Timestamp, Why,
    part::{Call, Ended, Fingerprint, Newcomer, Room, Standing},
};

impl<P: Protocol> Session<P> {
    #[inline]
    pub(super) fn accept(
        &mut self,
        now: Timestamp,
        message: P::Message,
        options: SendOptions,
        out: &mut Actions<P>,
    ) -> Answer<P::Message> {
        let bytes = match self.weigh(&message, &options) {
            Ok(bytes) => bytes,
            Err(why) => return self.refuse(why, message),
        };
        if self.config.dedup.outgoing != Alike::Off {
            return self.accept_if_new(now, message, bytes, options, out);
        }
        self.accept_new(now, message, bytes, options, None, out)
    }

    /// A message that is sound, and the same as none before it.
    #[inline(always)]
    pub(super) fn accept_new(
        &mut self,
        now: Timestamp,
        message: P::Message,
        bytes: u32,
        options: SendOptions,
        print: Option<Fingerprint>,
        out: &mut Actions<P>,
    ) -> Answer<P::Message> {
        // Taken apart at once: made in other pieces than it would be moved in, it would have to be waited for.
        let SendOptions { class, tracked, secret, rare } = options;
        let (room, rare) = match self.room(SendOptions { class, tracked, secret, rare }, bytes, out) {
            Ok(room) => room,
            Err(why) => return self.refuse(why, message),
        };
        let standing = Standing { now, class, tracked, secret, rare };
        self.last_op += 1;
        let id = OpId(self.last_op);
        self.stats.accepted += 1;
        if let Some(print) = print {
            self.dedup.on_accepted(now, id, print, self.config.dedup.span());
        }
        match room {
            Room::Behind => {
                self.outbox.push(id, message, bytes, standing);
                self.seeing.queueing.on_accepted(id, now);
            }
            Room::Beside => self.send_beside(id, message, bytes, standing, out),
            Room::Instead(place) => {
                let end = &mut tell(&mut self.stats, &mut self.dedup, out);
                self.outbox.replace(place, id, message, bytes, standing, end);
            }
            Room::Gone | Room::No => self.drop_newest(id, message, standing, out),
        }
        self.stats.queue_high = self.stats.queue_high.max(u64::from(self.outbox.len()));
        Answer::Accepted(id)
    }

    pub(super) fn refuse(&mut self, why: Why, message: P::Message) -> Answer<P::Message> {
        self.stats.refused += 1;
        Answer::Refused(why, message)
    }

    /// In the lane of its link.
    #[cold]
    fn send_beside(&mut self, id: OpId, message: P::Message, bytes: u32, standing: Standing, out: &mut Actions<P>) {
        match &mut self.link {
            Some(link) => link.lane.push(id, message, bytes, standing),
            None => self.drop_newest(id, message, standing, out),
        }
    }

    /// Accepted, and nowhere to go.
    #[cold]
    fn drop_newest(&mut self, id: OpId, message: P::Message, standing: Standing, out: &mut Actions<P>) {
        let (tracked, rare) = (standing.tracked, standing.rare.map(|rare| *rare).unwrap_or_default());
        let (is_request, label) = (rare.asked.is_some(), rare.label);
        let end = &mut tell(&mut self.stats, &mut self.dedup, out);
        end(Ended { id, tracked, is_request, outcome: Outcome::Dropped(Dropped::Overflow), label });
        self.outbox.dead().push(message);
    }

    /// How many bytes it takes, if it can be sent at all.
    #[inline]
    pub(super) fn weigh(&self, message: &P::Message, options: &SendOptions) -> Result<u32, Why> {
        if self.facts.ended.is_some() || self.wants.end.is_some() {
            return Err(Why::Stopped);
        }
        // Numbered acknowledgements come with the resume protocol. A request is kept until its answer, and needs none.
        let needs_acks = options.class == Class::AtLeastOnce && !options.is_request();
        if needs_acks && self.protocol.abilities().acks != Acks::Each {
            return Err(Why::NoAcks);
        }
        if options.rare.is_some() {
            self.admit_draw(options)?;
        }
        let bytes = self.protocol.admit(message).map_err(|unfit| Why::Unfit(unfit.into()))?;
        let limit = self.message_limit();
        if bytes > limit {
            return Err(Why::TooBig { size: bytes.into(), limit: limit.into() });
        }
        Ok(bytes)
    }

    /// An answer to a call of the peer's goes beside the queue of the link that the call came on, or nowhere.
    pub(super) fn answer_call(
        &mut self,
        now: Timestamp,
        reply: CallReply<P::Message>,
        out: &mut Actions<P>,
    ) -> Answer<P::Message> {
        let CallReply { link, call, answer } = reply;
        let weighed = match &answer {
            Ok(message) => self.weigh(message, &SendOptions::bypass()),
            Err(_) if self.facts.ended.is_some() || self.wants.end.is_some() => Err(Why::Stopped),
            Err(why) => Ok(size_of_no(why)),
        };
        let is_open = |stage: &Stage| !matches!(stage, Stage::Asking(_) | Stage::Dialing { .. });
        let own = self.link.as_mut().filter(|own| own.id == link && is_open(&own.stage));
        let limit = self.config.window.bytes;
        let has_room = |bytes: &u32| own.as_ref().is_none_or(|own| own.lane.has_room_to_answer(*bytes, limit));
        let (bytes, answer) = match (weighed.and_then(|bytes| Some(bytes).filter(has_room).ok_or(Why::NotNow)), answer)
        {
            (Ok(bytes), answer) => (bytes, answer),
            (Err(why), Ok(message)) => return self.refuse(why, message),
            (Err(why), Err(_)) => return Answer::Denied(why),
        };
        let (message, no) = answer.map_or_else(|no| (None, no), |message| (Some(message), Box::default()));
        self.last_op += 1;
        self.stats.accepted += 1;
        let id = OpId(self.last_op);
        if let Some(own) = own {
            let standing = Standing { now, class: Class::Bypass, tracked: false, secret: false, rare: None };
            // A copy: it is a piece of a frame, and would keep all of it.
            let call = Call { id: Bytes::copy_from_slice(&call), no };
            own.lane.answer(id, call, message, bytes, standing);
        } else {
            let outcome = Outcome::Dropped(Dropped::LinkGone);
            let ended = Ended { id, tracked: false, is_request: false, outcome, label: None };
            tell_passing(&mut self.stats, self.outbox.dead(), out)(ended, message);
        }
        Answer::Accepted(id)
    }

    /// Where there is room for it; and what is rare of it, back.
    #[inline(always)]
    fn room(
        &mut self,
        options: SendOptions,
        bytes: u32,
        out: &mut Actions<P>,
    ) -> Result<(Room, Option<Box<Rare>>), Why> {
        let is_plain = matches!(options.class, Class::AtMostOnce | Class::AtLeastOnce);
        if is_plain && self.outbox.fits(&self.config.queue, bytes) {
            return Ok((Room::Behind, options.rare));
        }
        Ok((self.find_room(&options, bytes, out)?, options.rare))
    }

    /// Not every message goes simply behind the others.
    #[cold]
    fn find_room(&mut self, options: &SendOptions, bytes: u32, out: &mut Actions<P>) -> Result<Room, Why> {
        self.admit_special(options, bytes)?;
        let class = options.class;
        if class == Class::Bypass {
            return Ok(Room::Beside);
        }
        let newcomer = Newcomer { class, bytes, key: options.keyed() };
        match self.outbox.find_room(&self.config.queue, &newcomer, &mut tell(&mut self.stats, &mut self.dedup, out)) {
            Room::No => Err(Why::Full),
            room @ (Room::Behind | Room::Beside | Room::Instead(_) | Room::Gone) => Ok(room),
        }
    }

    fn admit_special(&mut self, options: &SendOptions, bytes: u32) -> Result<(), Why> {
        match options.class {
            Class::Volatile => {
                let fits = self.outbox.fits(&self.config.queue, bytes);
                let before = if self.outbox.next().is_none() { Some(0) } else { self.bytes_to_join(bytes, options) };
                let link = self.link.as_ref().filter(|link| fits && link.is_online());
                let all = before.map(|before| before.saturating_add(bytes));
                let has_room = link.zip(all).is_some_and(|(link, all)| link.flights.has_room(all));
                if has_room && self.has_slot_now(options) { Ok(()) } else { Err(Why::NotNow) }
            }
            Class::Latest if options.keyed().is_none() => Err(Why::NoKey),
            Class::Latest | Class::AtMostOnce | Class::AtLeastOnce => Ok(()),
            Class::Bypass => {
                let is_open = |stage: &Stage| {
                    matches!(stage, Stage::LoggingIn(_) | Stage::Restoring { .. } | Stage::Online { .. })
                };
                let link = self.link.as_ref().filter(|link| is_open(&link.stage)).ok_or(Why::NoLink)?;
                if link.lane.has_room(bytes, self.config.window.bytes) { Ok(()) } else { Err(Why::NotNow) }
            }
        }
    }

    /// The least of our limit, the peer's where it told one, and what the queue can hold at all.
    fn message_limit(&self) -> u32 {
        let theirs = self.link.as_ref().and_then(|link| link.tuning.max_message);
        let queue = u32::try_from(self.config.queue.max_bytes).unwrap_or(u32::MAX);
        theirs.unwrap_or(u32::MAX).min(self.config.max_message).min(queue)
    }

    pub(super) fn take_back(&mut self, id: OpId, out: &mut Actions<P>) -> Option<P::Message> {
        let lane = self.link.as_mut().map(|link| &mut link.lane);
        let mut end = tell(&mut self.stats, &mut self.dedup, out);
        let back = self.outbox.cancel(id, &mut end).or_else(|| lane?.cancel(id, &mut end));
        drop(end);
        if back.is_none() {
            self.forgo(id, out);
        }
        back
    }

    pub(super) fn take_all_back(&mut self, out: &mut Actions<P>) -> Vec<TakenBack<P::Message>> {
        let end = &mut tell(&mut self.stats, &mut self.dedup, out);
        let mut taken = self.outbox.take_waiting(end);
        if let Some(link) = &mut self.link {
            taken.append(&mut link.lane.take_waiting(end));
        }
        taken
    }

    /// The time of some messages is up.
    pub(super) fn expire(&mut self, now: Timestamp, out: &mut Actions<P>) {
        self.put_back_rested(now);
        self.outbox.on_due(now, &mut tell(&mut self.stats, &mut self.dedup, out));
        for link in [&mut self.link, &mut self.leaving].into_iter().flatten() {
            link.lane.on_due(now, &mut tell_passing(&mut self.stats, self.outbox.dead(), out));
        }
    }

    /// When the next message expires.
    pub(super) fn expiry(&self) -> Option<Timestamp> {
        let lanes = [&self.link, &self.leaving].into_iter().flatten().filter_map(|link| link.lane.deadline());
        lanes.chain(self.outbox.deadline()).min()
    }

    /// How many messages are kept, and their bytes.
    pub(super) fn kept(&self) -> (u64, u64) {
        let (messages, bytes) = (u64::from(self.outbox.len()), self.outbox.bytes());
        let lanes = [&self.link, &self.leaving].into_iter().flatten().map(|link| &link.lane);
        lanes.fold((messages, bytes), |(messages, bytes), lane| (messages + lane.len(), bytes + lane.bytes()))
    }
}

/// How many bytes a no takes, about.
fn size_of_no(why: &Rejected) -> u32 {
    let code = why.code.as_ref().map_or(0, Text::len);
    u32::try_from(code.saturating_add(why.message.len()).saturating_add(256)).unwrap_or(u32::MAX)
}
