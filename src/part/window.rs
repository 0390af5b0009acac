//! What is with the transport, and how much more may be?
//!
//! Frames of a link are counted from 1. The transport answers with counts too, so reports may merge or come twice
//! without harm: "so many are with the operating system", "those after the first so many have not left".

use alloc::{collections::VecDeque, vec::Vec};

use super::Place;
use crate::{OpId, Window};

/// The frames of one link that are on their way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Flights {
    limit: Window,
    handed: u64,
    flushed: u64,
    bytes: u64,
    control: Control,
    flights: VecDeque<Flight>,
    /// Those among them that have taken the place of others, and these places.
    moved: Vec<(OpId, Place)>,
}

/// The frames on their way that belong to no message: how many bytes since they were last all flushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
struct Control {
    last: u64,
    bytes: u64,
}

/// One message on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Flight {
    place: Place,
    last: u64,
    frames: u32,
    bytes: u32,
}

impl Flights {
    pub(crate) const fn new(limit: Window) -> Self {
        let control = Control { last: 0, bytes: 0 };
        Self { limit, handed: 0, flushed: 0, bytes: 0, control, flights: VecDeque::new(), moved: Vec::new() }
    }

    /// Keeps no more room than is used.
    pub(crate) fn shrink(&mut self) {
        self.flights.shrink_to_fit();
        self.moved.shrink_to_fit();
    }

    /// Whether something has been handed over that is not yet with the operating system.
    pub(crate) const fn is_busy(&self) -> bool {
        self.handed > self.flushed
    }

    /// Whether a message of this size may be handed over. One always may, however large it is.
    #[inline]
    pub(crate) fn has_room(&self, bytes: u32) -> bool {
        let frames = self.handed - self.flushed;
        frames < u64::from(self.limit.frames)
            && (self.flights.is_empty() || self.bytes + u64::from(bytes) <= u64::from(self.limit.bytes))
    }

    /// Whether a control frame may be handed over. They have a second window of their own, so that data never
    /// holds back an answer, and an answer for every frame of a flood is not kept.
    pub(crate) fn has_control_room(&self) -> bool {
        let bytes = if self.control.last > self.flushed { self.control.bytes } else { 0 };
        self.handed - self.flushed < 2 * u64::from(self.limit.frames) && bytes < u64::from(self.limit.bytes)
    }

    /// Frames that belong to no message were handed over: the numbers of the first and the last.
    pub(crate) const fn hand_control(&mut self, frames: u32, bytes: u64) -> (u64, u64) {
        let first = self.handed + 1;
        if self.control.last <= self.flushed {
            self.control.bytes = 0;
        }
        self.handed += frames as u64;
        self.control.last = self.handed;
        self.control.bytes += bytes;
        (first, self.handed)
    }

    /// The frames of a message were handed over.
    #[inline]
    pub(crate) fn hand(&mut self, id: OpId, place: Place, frames: u32, bytes: u32) {
        self.handed += u64::from(frames);
        self.bytes += u64::from(bytes);
        self.flights.push_back(Flight { place, last: self.handed, frames, bytes });
        if place != Place::of(id) {
            self.moved.push((id, place));
        }
    }

    /// A message was handed over within the frames of the one before it.
    pub(crate) fn hand_within(&mut self, id: OpId, place: Place, bytes: u32) {
        let Some(Flight { last, frames, .. }) = self.flights.back().copied() else { return };
        self.bytes += u64::from(bytes);
        self.flights.push_back(Flight { place, last, frames, bytes });
        if place != Place::of(id) {
            self.moved.push((id, place));
        }
    }

    /// The numbers of the first and the last frame of the message that was handed over last.
    pub(crate) fn last_handed(&self) -> (u64, u64) {
        self.flights.back().map_or((0, 0), |flight| (flight.last + 1 - u64::from(flight.frames), flight.last))
    }

    /// The messages on their way, and the number of the last frame of each.
    pub(crate) fn messages(&self) -> impl Iterator<Item = (OpId, u64)> {
        let owner = |place: Place| self.moved.iter().find(|(_, at)| *at == place).map(|(id, _)| *id);
        self.flights.iter().map(move |flight| (owner(flight.place).unwrap_or(flight.place.owner()), flight.last))
    }

    /// Whether a message may pass the queue by. Such messages have the second window for their frames, and bounds of
    /// their own for their bytes.
    pub(crate) fn has_passing_room(&self) -> bool {
        self.handed - self.flushed < 2 * u64::from(self.limit.frames)
    }

    /// The frames of a message that passes the queue by were handed over: the numbers of the first and the last.
    pub(crate) fn hand_passing(&mut self, frames: u32) -> (u64, u64) {
        let first = self.handed + 1;
        self.handed += u64::from(frames);
        (first, self.handed)
    }

    /// So many frames were handed over.
    pub(crate) const fn handed(&self) -> u64 {
        self.handed
    }

    /// So many frames are with the operating system.
    pub(crate) const fn flushed(&self) -> u64 {
        self.flushed
    }

    /// The transport reports this many frames as flushed.
    pub(crate) fn on_flushed(&mut self, frames: u64) {
        self.flushed = self.flushed.max(frames.min(self.handed));
    }

    /// The peer has answered this message, so its frames and all before them have been flushed.
    pub(crate) fn on_answered(&mut self, id: OpId) {
        let moved = self.moved.iter().find(|(known, _)| *known == id).map(|(_, place)| *place);
        let place = moved.unwrap_or(Place::of(id));
        // Whose place another has taken was never sent.
        if moved.is_none() && self.moved.iter().any(|(_, taken)| *taken == place) {
            return;
        }
        if let Ok(at) = self.flights.binary_search_by_key(&place, |flight| flight.place) {
            self.flushed = self.flushed.max(self.flights[at].last);
        }
    }

    /// The last message of those that have been flushed and were not told yet.
    pub(crate) fn take_flushed(&mut self) -> Option<Place> {
        let last = *self.flights.back()?;
        if last.last <= self.flushed {
            // Nearly always it is all of them.
            self.flights.clear();
            self.moved.clear();
            self.bytes = 0;
            return Some(last.place);
        }
        let mut last = None;
        while let Some(flight) = self.flights.front().filter(|flight| flight.last <= self.flushed) {
            self.bytes -= u64::from(flight.bytes);
            last = Some(flight.place);
            self.flights.pop_front();
        }
        if let Some(last) = last {
            self.moved.retain(|(_, place)| *place > last);
        }
        last
    }

    /// The first message of which no frame is among the first `left`: it and all after it have not left.
    pub(crate) fn first_unsent(&self, left: u64) -> Option<Place> {
        let at = self.flights.partition_point(|flight| flight.last - u64::from(flight.frames) < left);
        self.flights.get(at).map(|flight| flight.place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn place(id: u64) -> Place {
        Place::of(OpId(id))
    }

    fn flights() -> Flights {
        let mut flights = Flights::new(Window { frames: 4, bytes: 100 });
        flights.hand_control(1, 5);
        flights.hand(OpId(7), place(7), 2, 60);
        flights
    }

    #[test]
    fn a_message_is_flushed_with_its_last_frame() {
        let mut flights = flights();
        flights.on_flushed(2);
        assert_eq!(flights.take_flushed(), None);
        flights.on_flushed(3);
        assert_eq!(flights.take_flushed(), Some(place(7)));
        assert_eq!(flights.take_flushed(), None);
        assert!(!flights.is_busy());
    }

    #[test]
    fn members_of_a_batch_share_the_fate_of_its_frame() {
        let mut flights = flights();
        flights.hand(OpId(8), place(8), 1, 10);
        flights.hand_within(OpId(9), place(9), 20);
        flights.hand(OpId(10), place(10), 1, 10);
        for (left, unsent) in [(0, Some(7)), (3, Some(8)), (4, Some(10)), (5, None)] {
            assert_eq!(flights.first_unsent(left), unsent.map(place), "{left}");
        }
        flights.on_answered(OpId(8));
        assert_eq!(flights.take_flushed(), Some(place(9)), "who has the one has the other");
        assert_eq!(flights.bytes, 10);
    }

    #[test]
    fn the_messages_on_their_way_have_their_last_frame() {
        let mut flights = flights();
        flights.hand(OpId(9), place(8), 1, 10);
        assert!(flights.messages().eq([(OpId(7), 3), (OpId(9), 4)]), "the second has taken the place of another");
        flights.on_flushed(3);
        flights.take_flushed();
        assert!(flights.messages().eq([(OpId(9), 4)]));
    }

    #[test]
    fn counts_that_are_old_or_too_high_do_no_harm() {
        let mut flights = flights();
        flights.on_flushed(u64::MAX);
        flights.on_flushed(1);
        assert_eq!(flights.take_flushed(), Some(place(7)));
        flights.hand(OpId(8), place(8), 1, 1);
        assert_eq!(flights.take_flushed(), None, "what comes later was not meant");
    }

    #[test]
    fn a_message_whose_first_frame_may_have_left_is_in_doubt() {
        let mut flights = flights();
        flights.hand(OpId(9), place(9), 1, 10);
        assert_eq!(flights.first_unsent(0), Some(place(7)));
        assert_eq!(flights.first_unsent(1), Some(place(7)));
        assert_eq!(flights.first_unsent(2), Some(place(9)), "half of 7 may have left");
        assert_eq!(flights.first_unsent(3), Some(place(9)));
        assert_eq!(flights.first_unsent(4), None);
    }

    #[test]
    fn the_window_bounds_both_and_lets_one_giant_through() {
        let flights = flights();
        assert!(flights.has_room(40) && !flights.has_room(41));
        assert!(Flights::new(Window { frames: 1, bytes: 1 }).has_room(u32::MAX));
    }

    #[test]
    fn control_frames_are_bounded_in_bytes_too() {
        let mut flights = Flights::new(Window { frames: 1_000, bytes: 100 });
        flights.hand_control(1, 99);
        assert!(flights.has_control_room());
        flights.hand_control(1, 1);
        assert!(!flights.has_control_room());
        flights.on_flushed(1);
        assert!(!flights.has_control_room(), "it is counted until all of it is flushed");
        flights.on_flushed(2);
        assert!(flights.has_control_room());
    }

    #[test]
    fn an_answer_proves_what_came_before_it() {
        let mut flights = flights();
        flights.hand(OpId(9), place(9), 1, 10);
        flights.on_answered(OpId(9));
        assert_eq!((flights.take_flushed(), flights.take_flushed()), (Some(place(9)), None));
    }
}
