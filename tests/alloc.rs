//! In steady state a turn allocates nothing: neither for a message out, nor for its outcome, nor for a
//! message in. And a message of the application takes no more than it must.

use steadfast::{
    Action, Command, Config, Frame, Input, LinkId, Machine, Never, Plain, Report, SendOptions, Session, Timestamp,
};

/// Messages of a burst: as many as a window holds.
const BURST: usize = 256;
/// Bursts until every buffer has its size.
const WARM_UP: usize = 8;

/// A session on a link, and what a driver would keep beside it.
struct Wire {
    session: Session<Plain>,
    actions: Vec<Action<Frame, Never>>,
    link: LinkId,
    now: u64,
    written: u64,
}

impl Wire {
    fn online() -> Self {
        let session = Session::new(Plain, Config::default(), 7).expect("the defaults are sound");
        let mut wire = Self { session, actions: Vec::new(), link: LinkId(0), now: 1_000_000, written: 0 };
        wire.turn(Input::Command(Command::Connect));
        wire.link = wire.actions.drain(..).find_map(dialled).expect("connect dials");
        wire.turn(Input::Report(wire.link, Report::Up(Box::default())));
        wire.actions.clear();
        wire
    }

    fn turn(&mut self, input: Input<Frame>) {
        self.now += 1;
        self.session.handle(Timestamp::from_micros(self.now), input, &mut self.actions);
    }

    /// Sends all of them and has the transport write them; how many frames left.
    fn send_burst(&mut self, messages: Vec<Frame>) -> u64 {
        let before = self.written;
        for message in messages {
            self.turn(Input::Command(Command::Send { message, options: SendOptions::default() }));
        }
        self.written += self.actions.drain(..).filter(|action| matches!(action, Action::Send { .. })).count() as u64;
        self.turn(Input::Report(self.link, Report::Flushed { frames: self.written }));
        self.written - before
    }

    /// Hears all of them; how many messages the application gets.
    fn hear_burst(&mut self, frames: Vec<Frame>) -> usize {
        for frame in frames {
            self.turn(Input::Report(self.link, Report::Frame(frame)));
        }
        self.actions.drain(..).filter(|action| matches!(action, Action::Emit(_))).count()
    }
}

fn dialled(action: Action<Frame, Never>) -> Option<LinkId> {
    if let Action::Connect(attempt) = action { Some(attempt.link) } else { None }
}

/// Messages are the application's, made in its own time.
fn messages() -> Vec<Frame> {
    (0..BURST).map(|n| Frame::from(format!("message {n} of a burst"))).collect()
}

#[test]
fn a_message_out_and_its_outcome_allocate_nothing() {
    let mut wire = Wire::online();
    for _ in 0..WARM_UP {
        wire.send_burst(messages());
    }
    let (burst, mut left) = (messages(), 0);
    let cost = allocation_counter::measure(|| left = wire.send_burst(burst));
    assert_eq!(left, BURST as u64, "all of them left");
    assert_eq!(wire.session.stats().written, ((WARM_UP + 1) * BURST) as u64, "all of them ended");
    assert_eq!(cost.count_total, 0, "{cost:?}");
}

#[test]
fn a_message_in_allocates_nothing() {
    let mut wire = Wire::online();
    for _ in 0..WARM_UP {
        wire.hear_burst(messages());
    }
    let (burst, mut heard) = (messages(), 0);
    let cost = allocation_counter::measure(|| heard = wire.hear_burst(burst));
    assert_eq!(heard, BURST, "all of them arrived");
    assert_eq!(cost.count_total, 0, "{cost:?}");
}

#[test]
fn a_small_message_is_one_allocation_at_most_and_its_clones_are_none() {
    for length in [1, 32, 33, 128, 256] {
        let (text, mut messages) = ("x".repeat(length), Vec::with_capacity(BURST));
        let cost = allocation_counter::measure(|| {
            messages.extend((0..BURST).map(|_| Frame::from(text.as_str())));
        });
        assert!(cost.count_total <= BURST as u64, "{length} bytes: {cost:?}");
        let cost = allocation_counter::measure(|| messages.iter().for_each(|message| drop(message.clone())));
        assert_eq!(cost.count_total, 0, "{length} bytes: {cost:?}");
    }
}
