//! The end of a driver: dropped, or ready.

use std::{mem::replace, task::Waker};

use steadfast::{Action, Cause, Command, Event, Input, Protocol, StopCause, Text};

use super::{Driver, Round};
use crate::{Dialer, Item, Runtime, shared::Whereabouts};

impl<P: Protocol, R: Runtime, D: Dialer> Driver<P, R, D> {
    /// Ends the session as if its user had stopped it and the network had failed at once, so that each
    /// message has the outcome it deserves.
    pub(super) fn stop(&mut self) {
        self.asking.forget();
        let cause = Cause::Broken(Text::from_static("the driver was dropped"));
        self.links.iter_mut().for_each(|link| link.cut(cause.clone()));
        let Some(mut core) = self.shared.lock() else { return };
        let now = self.shared.now();
        // From here on nothing is accepted: nobody would be left to say what became of it.
        core.end_for_good(now);
        let former = replace(&mut core.driver, Whereabouts::Gone);
        core.handle(now, Input::Command(Command::Stop));
        for link in &mut self.links {
            link.report(now, &mut core, &mut self.weights);
        }
        core.take(&mut self.actions, &mut self.dead);
        self.is_awaited = core.is_awaited();
        self.sorting.begin(core.subscribers, &mut core.joins);
        drop(core);
        drop(former);
        self.links.clear();
        self.actions.retain(|action| matches!(action, Action::Emit(_) | Action::EmitError(_)));
        self.perform();
        self.deliver();
    }

    /// The end. Nothing is left that anybody could wait for.
    pub(super) fn end(&mut self, cause: StopCause) -> Round {
        self.over = Some(cause);
        self.asking.forget();
        self.links.clear();
        let mut core = self.shared.look();
        let former = replace(&mut core.driver, Whereabouts::Gone);
        let failure = core.failure(self.shared.now());
        core.tickets.end(&mut self.woken);
        core.requests.end(&mut self.woken);
        core.senders.dismiss(&mut self.woken);
        core.closers.dismiss(&mut self.woken);
        let (mut actions, mut dead) = (Vec::new(), Vec::new());
        core.take(&mut actions, &mut dead);
        drop(core);
        drop((former, actions, dead));
        if let Some(failure) = failure {
            self.brought.other(Item::Event(Event::Phase(Box::new(failure))));
            self.shared.inbox.put(&mut self.brought);
        }
        self.shared.inbox.end();
        self.shared.desk.end(&mut self.woken);
        self.woken.drain(..).for_each(Waker::wake);
        Round::Over(cause)
    }
}
