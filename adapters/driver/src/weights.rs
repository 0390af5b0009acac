//! How many bytes does a message count for in the mailbox?

use steadfast::{Action, Error, Event, Outcome, Rejected, TopicNews};

use crate::Item;

/// How many bytes the messages among the actions count for: those of the frames they came in, shared
/// evenly among the messages of a frame. By their index in the buffer, in order.
#[derive(Debug, Default)]
pub(crate) struct Weights {
    noted: Vec<(usize, u32)>,
    /// How many of them have been asked for.
    asked: usize,
}

impl Weights {
    /// A frame of so many bytes led to the actions from `first` on.
    #[inline]
    pub(crate) fn note<I, T>(&mut self, actions: &[Action<I, T>], first: usize, bytes: usize) {
        if let Some([only]) = actions.get(first..) {
            // Nearly every frame.
            if is_message(only) {
                self.noted.push((first, u32::try_from(bytes).unwrap_or(u32::MAX)));
            }
            return;
        }
        let before = self.noted.len();
        for (index, action) in actions.iter().enumerate().skip(first) {
            if is_message(action) {
                self.noted.push((index, 0));
            }
        }
        let noted = &mut self.noted[before..];
        let each = bytes.checked_div(noted.len()).map_or(0, |each| u32::try_from(each).unwrap_or(u32::MAX));
        noted.iter_mut().for_each(|(_, weight)| *weight = each);
    }

    /// The weight of the message at `index`; zero if it did not come in a frame. To be asked in order.
    #[inline]
    pub(crate) fn of(&mut self, index: usize) -> u32 {
        match self.noted.get(self.asked) {
            Some((at, weight)) if *at == index => {
                self.asked += 1;
                *weight
            }
            Some(_) | None => 0,
        }
    }

    pub(crate) fn clear(&mut self) {
        self.noted.clear();
        self.asked = 0;
    }

    pub(crate) fn shrink(&mut self) {
        self.noted.shrink_to_fit();
    }
}

fn is_message<I, T>(action: &Action<I, T>) -> bool {
    matches!(action, Action::Emit(Event::Message { .. } | Event::Snapshot { .. }))
}

/// About how many bytes of the peer's an item holds that is no message.
pub(crate) fn weight_of<I, T>(item: &Item<I, T>) -> usize {
    match item {
        Item::Event(Event::Outcome { outcome: Outcome::Failed(why), .. } | Event::Trouble(why)) => of_refusal(why),
        Item::Event(Event::Reply(reply)) => match &reply.result {
            Err(Outcome::Failed(why)) => of_refusal(why),
            Ok(_) | Err(_) => 0,
        },
        Item::Event(Event::Bad(complaint)) => complaint.message.len(),
        Item::Event(Event::GoingAway(leave)) => {
            leave.reason.len() + leave.address.as_ref().map_or(0, steadfast::Text::len)
        }
        Item::Event(Event::Topic { news, .. }) => of_news(news),
        Item::Error(error) => of_error(error),
        Item::Event(_) | Item::Lagged(_) => 0,
    }
}

/// About how many bytes of the peer's the news of a topic hold.
pub(crate) fn of_news(news: &TopicNews) -> usize {
    if let TopicNews::Refused { why, .. } = news {
        of_refusal(why)
    } else if let TopicNews::Lost { why, .. } | TopicNews::Ended { why } | TopicNews::NoSnapshot { why } = news {
        why.as_ref().map_or(0, |why| of_refusal(why))
    } else {
        0
    }
}

fn of_refusal(why: &Rejected) -> usize {
    let code = why.code.as_ref().map_or(0, steadfast::Text::len);
    code + why.message.len() + why.data.as_ref().map_or(0, bytes::Bytes::len)
}

fn of_error(error: &Error) -> usize {
    let details = error.details.as_ref().map_or(0, |answer| {
        let headers = answer.headers.iter().map(|(name, value)| name.len() + value.len());
        answer.body.len() + headers.sum::<usize>()
    });
    error.message.len() + details
}

#[cfg(test)]
mod tests {
    use steadfast::{Frame, LinkId, Mark, Never};

    use super::*;

    fn message() -> Action<Frame, Never> {
        Action::Emit(Event::Message { message: Frame::from("m"), topic: None, mark: Mark::NONE, link: LinkId(1) })
    }

    #[test]
    fn the_messages_of_a_frame_share_its_bytes() {
        let (mut weights, mut actions) = (Weights::default(), vec![Action::FlushQueue(LinkId(1))]);
        actions.push(message());
        weights.note(&actions, 1, 100);
        let first = actions.len();
        actions.extend([message(), Action::FlushQueue(LinkId(1)), message()]);
        weights.note(&actions, first, 50);
        actions.push(message());
        let all: Vec<_> = (0..actions.len()).map(|index| weights.of(index)).collect();
        assert_eq!(all, [0, 100, 25, 0, 25, 0], "the last did not come in a frame");
        weights.clear();
        assert_eq!(weights.of(1), 0);
    }

    #[test]
    fn a_frame_without_messages_weighs_nothing() {
        let mut weights = Weights::default();
        weights.note::<Frame, Never>(&[], 0, 100);
        assert_eq!(weights.of(0), 0);
    }
}
