//! The server's end of the links.

use steadfast::{Cause, CloseCode, LinkId};

use super::{Happening, World, closed};
use crate::Then;
use crate::network::{Parcel, later};

impl World {
    pub(super) fn reach_server(&mut self, link: LinkId, parcel: Parcel) {
        if self.wires.get(&link).is_some_and(|wire| wire.lost_after.is_some_and(|at| at < self.now)) {
            return;
        }
        if matches!(parcel, Parcel::Frame(_)) && self.peers.contains_key(&link) && self.is_too_much() {
            self.story.limited.push(self.now);
            return self.end_from_server(link, closed(CloseCode::POLICY));
        }
        let Some(peer) = self.peers.get_mut(&link) else { return };
        match parcel {
            Parcel::Frame(frame) => {
                let was_logged_in = peer.logged_in;
                let mut reply = peer.hear(self.now, &frame, &self.script, self.scenario.toy);
                let kept = self.kept.take_if(|_| reply.has_logged_in && !was_logged_in);
                self.story.kept += u64::from(kept.is_some_and(|kept| peer.goes_on(kept, &mut reply)));
                self.story.calls += u64::from(reply.has_answered);
                self.story.violations.extend(reply.wrong.map(|line| format!("peer: {line} was not asked")));
                let expires = peer.login_until;
                self.story.shown.extend(reply.shown);
                for op in reply.received {
                    self.story.received.push(op);
                    self.session.arrived(op);
                }
                for frame in reply.frames {
                    self.say(link, Parcel::Frame(frame));
                }
                if let Some(at) = expires.filter(|_| reply.has_logged_in) {
                    self.at(at, Happening::Expire(link));
                }
            }
            Parcel::End(cause) => {
                if peer.then != Then::Mute {
                    self.say(link, Parcel::End(cause));
                }
                self.lay_down(link);
            }
        }
    }

    /// The server's end of a link is gone; what it had there it may keep for the next one.
    fn lay_down(&mut self, link: LinkId) -> bool {
        let peer = self.peers.remove(&link);
        let has_gone = peer.is_some();
        if let Some(peer) = peer.filter(|peer| peer.logged_in && self.scenario.keeps) {
            self.kept = self.peers.is_empty().then_some(peer.topics);
        }
        has_gone
    }

    /// The server says something of its own accord.
    pub(super) fn talk(&mut self, link: LinkId) {
        let (Some(peer), Some(every)) = (self.peers.get_mut(&link), self.scenario.talks) else { return };
        if peer.logged_in && peer.then != Then::Mute {
            // A session that it keeps may not have heard of that.
            let takes = self.now < self.calm && !self.scenario.keeps;
            let line = peer.talk(&mut self.rng, takes);
            self.say(link, Parcel::Frame(line.into()));
        }
        self.at(later(self.now, every), Happening::Talk(link));
    }

    /// One more frame has come: is that more than the limit?
    fn is_too_much(&mut self) -> bool {
        let Some((limit, per)) = self.scenario.limit else { return false };
        self.came.push_back(self.now);
        while self.came.front().is_some_and(|at| self.now.since(*at) >= per) {
            self.came.pop_front();
        }
        self.came.len() as u64 > u64::from(limit)
    }

    pub(super) fn say(&mut self, link: LinkId, parcel: Parcel) {
        if let Some(wire) = self.wires.get_mut(&link) {
            let at = wire.reaches_client_at(self.now, &self.scenario.network, &mut self.rng);
            self.at(at, Happening::ToClient(link, parcel));
        }
    }

    /// The server goes: what it has said arrives, what comes is no longer heard.
    pub(super) fn end_from_server(&mut self, link: LinkId, cause: Cause) {
        if self.lay_down(link) {
            self.say(link, Parcel::End(cause));
        }
    }

    pub(super) fn stream(&mut self, link: LinkId) {
        let (Some(peer), Some(every)) = (self.peers.get_mut(&link), self.script.streams) else { return };
        if peer.logged_in && peer.then != Then::Mute {
            peer.said += 1;
            let line = format!("m news {}", peer.said);
            self.say(link, Parcel::Frame(line.into()));
        }
        self.at(later(self.now, every), Happening::Stream(link));
    }

    /// A login runs out, unless it was renewed meanwhile.
    pub(super) fn expire(&mut self, link: LinkId) {
        let Some(peer) = self.peers.get_mut(&link) else { return };
        if peer.login_until.is_some_and(|at| at <= self.now) {
            (peer.logged_in, peer.login_until) = (false, None);
            self.say(link, Parcel::Frame("lost the token has expired".into()));
        }
    }

    /// A server that wants a sign of life looks whether there was one.
    pub(super) fn look(&mut self, link: LinkId) {
        let (Some(peer), Some(limit)) = (self.peers.get(&link), self.script.needs_life) else { return };
        if self.now.since(peer.heard_at) > limit {
            self.end_from_server(link, closed(CloseCode::POLICY));
        } else {
            self.at(later(self.now, limit / 4), Happening::Look(link));
        }
    }
}
