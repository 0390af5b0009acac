//! The same message twice: not sent by us, not delivered from the peer.

use bytes::Bytes;

use super::{
    Action, Actions, Alike, Answer, BadConfig, Class, Config, Event, LinkId, OpId, Outcome, SendOptions, Session, Stir,
    tell,
};
use crate::{
    Abilities, Mark, Protocol, Timestamp,
    part::{Dedup, Ended, Fingerprint, Known},
};

/// The longest piece of an id that is told.
const ID_MAX: usize = 1_024;

/// Whether messages are told apart by what the protocol can say of them.
pub(super) fn can_compare(config: &Config, abilities: Abilities) -> Result<(), BadConfig> {
    if config.dedup.outgoing == Alike::ByContent && !abilities.contents {
        let problem = "is by content, and the protocol does not say what that is: choose by_key";
        return Err(BadConfig { field: "dedup.outgoing", problem });
    }
    Ok(())
}

impl<P: Protocol> Session<P> {
    /// A message that is sound, where they are told apart.
    #[cold]
    pub(super) fn accept_if_new(
        &mut self,
        now: Timestamp,
        message: P::Message,
        bytes: u32,
        options: SendOptions,
        out: &mut Actions<P>,
    ) -> Answer<P::Message> {
        let print = self.fingerprint(&message, &options);
        let span = self.config.dedup.span();
        let find = |dedup: &mut Dedup| print.and_then(|print| dedup.twin(now, print, span));
        let mut twin = find(&mut self.dedup);
        if twin.is_some() {
            // One whose time is over is the same as none, though nobody has looked at that since.
            self.expire(now, out);
            twin = find(&mut self.dedup);
        }
        match twin {
            Some(twin) => self.accept_twin(twin, message, options, out),
            None => self.accept_new(now, message, bytes, options, print, out),
        }
    }

    /// What tells a message from others; nothing if it is the same as none. In `Latest` the newer of two counts even if
    /// it says again what was said before the older, and what bypasses the queue belongs to its link.
    fn fingerprint(&self, message: &P::Message, options: &SendOptions) -> Option<Fingerprint> {
        if matches!(options.class, Class::Latest | Class::Bypass) {
            return None;
        }
        let printer = self.dedup.printer();
        match self.config.dedup.outgoing {
            Alike::Off => None,
            Alike::ByKey => options.keyed().map(|key| printer.of(key.as_bytes())),
            Alike::ByContent => Some(printer.of_pieces(|feed| self.protocol.content(message, feed))),
        }
    }

    /// A message is accepted, and ends with a word on the other one.
    fn accept_twin(
        &mut self,
        twin: OpId,
        message: P::Message,
        options: SendOptions,
        out: &mut Actions<P>,
    ) -> Answer<P::Message> {
        self.last_op += 1;
        self.stats.accepted += 1;
        let (id, tracked, label) = (OpId(self.last_op), options.tracked, options.rare.and_then(|rare| rare.label));
        let ended = Ended { id, tracked, is_request: false, outcome: Outcome::Duplicate(twin), label };
        tell(&mut self.stats, &mut self.dedup, out)(ended);
        self.outbox.dead().push(message);
        Answer::Accepted(id)
    }

    /// Whether a message of the peer has come before. It is told, and acknowledged again if that was done or is to be:
    /// the first acknowledgement may have been lost with its link. One that the application has not taken yet is
    /// acknowledged when it has.
    #[cold]
    pub(super) fn is_duplicate(&mut self, now: Timestamp, link: LinkId, mark: &Mark, out: &mut Actions<P>) -> bool {
        let Some(marks) = mark.marks().filter(|marks| marks.call.is_none()) else { return false };
        let Some(id) = &marks.id else { return false };
        let Known::Again { taken } = self.dedup.on_heard(now, id, self.config.dedup.span()) else { return false };
        self.stats.duplicates_in += 1;
        if taken && marks.ack {
            self.stir = Stir::All;
            self.owe_ack(id);
        }
        // A copy: an id is a piece of a frame, and would keep all of it.
        let id = Bytes::copy_from_slice(&id[..id.len().min(ID_MAX)]);
        out.push(Action::Emit(Event::Duplicate { id, link }));
        true
    }

    /// Other settings: what is not compared any more is forgotten, and what is more than they keep.
    pub(super) fn on_dedup_policy(&mut self, now: Timestamp, was: Alike) {
        let is = self.config.dedup;
        self.dedup.on_span(now, is.span());
        if is.outgoing != was {
            self.dedup.forget_sent();
        }
        if !is.incoming {
            self.dedup.forget_seen();
        }
    }
}
