//! What goes wrong.

use std::time::Duration;

use steadfast::{Cause, CloseCode, LinkId, Report};

use super::{Happening, World, closed};
use crate::network::{Parcel, later};
use crate::scenario::GOODBYE;
use crate::{Fault, Then};

impl World {
    pub(super) fn fault(&mut self, fault: Fault) {
        if let Fault::Script(script) = fault {
            self.script = script;
            return;
        }
        if let Fault::Sleep(lasts) = fault {
            self.asleep_until = self.asleep_until.max(later(self.now, lasts));
            return;
        }
        let Some(link) = self.link else { return };
        let Some(wire) = self.wires.get_mut(&link) else { return };
        match fault {
            Fault::Cut => self.cut(link),
            Fault::Freeze(lasts) => wire.freeze(self.now.after(lasts)),
            Fault::BlackHole => wire.freeze(None),
            Fault::Block(lasts) => wire.block(later(self.now, lasts)),
            Fault::Pause(lasts) => {
                self.at(later(self.now, lasts), Happening::Resume(link));
                self.report(link, Report::Paused);
            }
            Fault::Away(wait) => self.send_away(link, format!("away {} maintenance", wait.as_millis())),
            Fault::Go(address) => self.send_away(link, format!("go {address}")),
            Fault::Close(code) => self.end_from_server(link, closed(code)),
            Fault::Sleep(_) | Fault::Script(_) => {}
        }
    }

    /// The server says goodbye, and a little later it goes.
    fn send_away(&mut self, link: LinkId, line: String) {
        if self.peers.get(&link).is_some_and(|peer| peer.then != Then::Mute) {
            self.say(link, Parcel::Frame(line.into()));
            self.at(later(self.now, GOODBYE), Happening::Leave(link, closed(CloseCode::GOING_AWAY)));
        }
    }

    /// Some of what the transport held has left, and some of that arrives.
    pub(super) fn cut(&mut self, link: LinkId) {
        let Some(wire) = self.wires.get_mut(&link).filter(|_| self.peers.contains_key(&link)) else { return };
        let half = self.rng.up_to(wire.unwritten());
        let frames = wire.write(half);
        let left = wire.count - wire.unwritten();
        wire.lost_after = Some(later(self.now, self.rng.between(Duration::ZERO, self.scenario.network.slowest)));
        for frame in frames {
            self.carry(link, Parcel::Frame(frame));
        }
        self.lose(link, Cause::Broken("reset by the network".into()), left);
    }
}
