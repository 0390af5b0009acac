//! The client's transport, as the world plays it.

use steadfast::{Attempt, Cause, CloseCode, Down, HttpAnswer, Input, LinkId, Report};

use super::{Happening, World, closed};
use crate::network::{Parcel, Wire, later};
use crate::server::Peer;
use crate::{Door, Then};

impl World {
    pub(super) fn report(&mut self, link: LinkId, report: Report) {
        self.turn(Input::Report(link, report));
    }

    pub(super) fn dial(&mut self, attempt: &Attempt) {
        self.story.dials.push(self.now);
        self.link = Some(attempt.link);
        self.wires.insert(attempt.link, Wire::new());
        let wait = self.scenario.network.delay(&mut self.rng);
        self.at(later(self.now, wait), Happening::Dialled(attempt.link));
    }

    pub(super) fn answer_dial(&mut self, link: LinkId) {
        if !self.wires.get(&link).is_some_and(|wire| wire.has_client) {
            return;
        }
        match self.script.door {
            Door::Open => self.open(link),
            Door::Shut => self.lose(link, Cause::Unreachable("nobody listens".into()), 0),
            Door::Http { status, retry_after } => {
                let answer = HttpAnswer { status, retry_after, ..HttpAnswer::default() };
                self.lose(link, Cause::Http(Box::new(answer)), 0);
            }
            Door::Hang => {}
        }
    }

    pub(super) fn open(&mut self, link: LinkId) {
        let peer = Peer::new(self.now, &self.script, self.scenario.toy);
        let greeting = peer.greet(self.scenario.toy);
        match peer.then {
            Then::Serve | Then::Mute => {}
            Then::Drop(after) => self.at(later(self.now, after), Happening::Leave(link, Cause::Ended)),
            Then::Close(after, code) => self.at(later(self.now, after), Happening::Leave(link, closed(code))),
        }
        self.peers.insert(link, peer);
        self.report(link, Report::Up(Box::default()));
        if let Some(frame) = greeting {
            self.say(link, Parcel::Frame(frame));
        }
        if let Some(every) = self.scenario.talks {
            self.at(later(self.now, every), Happening::Talk(link));
        }
        if let Some(every) = self.script.streams {
            self.at(later(self.now, every), Happening::Stream(link));
        }
        if let Some(limit) = self.script.needs_life {
            self.at(later(self.now, limit / 4), Happening::Look(link));
        }
    }

    /// The link ends at the client's side, with a word.
    pub(super) fn lose(&mut self, link: LinkId, cause: Cause, left: u64) {
        self.hang_up(link);
        let verdict = self.verdict.take();
        self.report(link, Report::Down(Box::new(Down { cause, left, verdict })));
    }

    /// The client no longer listens; what is on its way to the server arrives.
    pub(super) fn hang_up(&mut self, link: LinkId) {
        if let Some(wire) = self.wires.get_mut(&link) {
            wire.has_client = false;
            wire.drop_frozen(self.now);
            let at = wire.reaches_server_at(self.now, &self.scenario.network, &mut self.rng);
            self.at(at, Happening::ToServer(link, Parcel::End(Cause::Ended)));
        }
        if self.link == Some(link) {
            self.link = None;
        }
    }

    pub(super) fn close(&mut self, link: LinkId, code: CloseCode) {
        if let Some(wire) = self.wires.get_mut(&link) {
            wire.closing = Some(code);
            self.at(self.now, Happening::Write(link));
        }
    }

    /// The transport writes what it was fed, unless writes are blocked.
    pub(super) fn write(&mut self, link: LinkId) {
        let Some(wire) = self.wires.get_mut(&link).filter(|wire| wire.has_client) else { return };
        if let Some(until) = wire.blocked_until(self.now) {
            wire.has_waited = true;
            return self.at(until, Happening::Write(link));
        }
        let has_waited = std::mem::take(&mut wire.has_waited);
        let (frames, count, closing) = (wire.write(u64::MAX), wire.count, wire.closing.take());
        for frame in frames {
            self.carry(link, Parcel::Frame(frame));
        }
        if let Some(code) = closing {
            self.carry(link, Parcel::End(closed(code)));
        }
        if has_waited {
            self.report(link, Report::Progress);
        }
        self.report(link, Report::Flushed { frames: count });
    }

    pub(super) fn carry(&mut self, link: LinkId, parcel: Parcel) {
        if let Some(wire) = self.wires.get_mut(&link) {
            let at = wire.reaches_server_at(self.now, &self.scenario.network, &mut self.rng);
            self.at(at, Happening::ToServer(link, parcel));
        }
    }

    pub(super) fn reach_client(&mut self, link: LinkId, parcel: Parcel) {
        let Some(wire) = self.wires.get(&link).filter(|wire| wire.has_client) else { return };
        match parcel {
            Parcel::Frame(frame) => self.report(link, Report::Frame(frame)),
            Parcel::End(cause) => {
                let left = wire.count - wire.unwritten();
                self.lose(link, cause, left);
            }
        }
    }
}
