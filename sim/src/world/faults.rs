//! What goes wrong.

use std::time::Duration;

use steadfast::{Cause, LinkId, Report};

use super::{Happening, World, closed};
use crate::Fault;
use crate::network::{Parcel, later};

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
            Fault::Close(code) => self.end_from_server(link, closed(code)),
            Fault::Sleep(_) | Fault::Script(_) => {}
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
