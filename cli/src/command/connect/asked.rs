//! What was asked for at the terminal and is shown as it comes: topics, and answers to requests.

use std::{
    collections::BTreeMap,
    fmt::Display,
    future::poll_fn,
    io::{self, Write},
    task::{Context, Poll, Waker},
};

use steadfast::{Protocol, TopicNews};
use steadfast_tokio::{Request, Subscription, Update};
use tokio::sync::mpsc;

use super::{super::printable::printable, watch::tell};

/// What the one who types has asked for.
pub(super) enum Wish<P: Protocol> {
    Topic(String, Subscription<P>),
    /// No longer.
    Leave(String),
    Answer(String, Request<P>),
}

/// Shows it. Beside the one who types, who may be waiting for room.
pub(super) struct Asked<P: Protocol> {
    wishes: mpsc::UnboundedReceiver<Wish<P>>,
    topics: BTreeMap<String, Subscription<P>>,
    requests: Vec<(String, Request<P>)>,
    show: fn(&P::Incoming) -> String,
}

impl<P: Protocol> Asked<P> {
    pub(super) fn new(wishes: mpsc::UnboundedReceiver<Wish<P>>, show: fn(&P::Incoming) -> String) -> Self {
        Self { wishes, topics: BTreeMap::new(), requests: Vec::new(), show }
    }

    /// Shows what comes, for as long as somebody may ask for more.
    pub(super) async fn run(&mut self) {
        poll_fn(|cx| {
            self.poll(cx);
            Poll::<()>::Pending
        })
        .await;
    }

    /// What is there and was not shown, when the session has ended.
    pub(super) fn finish(&mut self) {
        self.poll(&mut Context::from_waker(Waker::noop()));
    }

    fn poll(&mut self, cx: &mut Context<'_>) {
        while let Poll::Ready(Some(wish)) = self.wishes.poll_recv(cx) {
            self.take(wish);
        }
        let show = self.show;
        self.topics.retain(|name, topic| {
            loop {
                match topic.poll_next(cx) {
                    Poll::Ready(Some(update)) => shown(name, update, show),
                    Poll::Ready(None) => return false,
                    Poll::Pending => return true,
                }
            }
        });
        self.requests.retain_mut(|(name, request)| match std::pin::Pin::new(request).poll(cx) {
            Poll::Ready(Ok(Some(answer))) => {
                print(show(&answer));
                false
            }
            Poll::Ready(Ok(None)) => {
                tell(&format!("{name}: answered, with nothing to show"));
                false
            }
            Poll::Ready(Err(error)) => {
                tell(&format!("{name}: not answered: {error}"));
                false
            }
            Poll::Pending => true,
        });
    }

    fn take(&mut self, wish: Wish<P>) {
        match wish {
            // The new one is there before the old one goes, so nothing is left and asked for anew.
            Wish::Topic(name, topic) => drop(self.topics.insert(name, topic)),
            Wish::Leave(name) => {
                if self.topics.remove(&name).is_none() {
                    tell(&format!("{name}: not subscribed to"));
                }
            }
            Wish::Answer(name, request) => self.requests.push((name, request)),
        }
    }
}

fn shown<I>(name: &str, update: Update<I>, show: fn(&I) -> String) {
    if let Update::Message { message, .. } | Update::Snapshot(message) = update {
        print(format!("{name}: {}", show(&message)));
    } else if let Update::News(news) = update {
        tell(&format!("{name}: {}", named(&news)));
    } else if let Update::Lagged(lagged) = update {
        tell(&format!("{name}: too slow: {} messages were dropped", lagged.messages));
    }
}

/// News of a topic, for people.
fn named(news: &TopicNews) -> String {
    let because = |why: Option<&dyn Display>| why.map_or(String::new(), |why| format!(": {why}"));
    if let TopicNews::Confirmed = news {
        "subscribed".into()
    } else if let TopicNews::Gap { last } = news {
        let behind = last.map_or(String::new(), |last| format!(" behind {last}"));
        format!("what came meanwhile{behind} may be missing")
    } else if let TopicNews::Refused { why, retry_at } = news {
        let again = if retry_at.is_some() { "for now" } else { "and not asked for again" };
        format!("refused {again}: {why}")
    } else if let TopicNews::Lost { why, .. } = news {
        format!("lost, and asked for again{}", because(why.as_deref().map(|why| why as &dyn Display)))
    } else if let TopicNews::Ended { why } = news {
        format!("over{}", because(why.as_deref().map(|why| why as &dyn Display)))
    } else {
        format!("{news:?}")
    }
}

/// If nobody reads our output any more, whoever listens to the session finds out and ends it.
fn print(line: String) {
    let _ = writeln!(io::stdout(), "{}", printable(&line));
}

#[cfg(test)]
mod tests {
    use steadfast::Rejected;

    use super::*;

    #[test]
    fn news_are_for_people() {
        let why = Box::new(Rejected { message: "closed today".into(), ..Rejected::default() });
        assert_eq!(named(&TopicNews::Gap { last: Some(7) }), "what came meanwhile behind 7 may be missing");
        assert_eq!(named(&TopicNews::Ended { why: None }), "over");
        let refused = named(&TopicNews::Refused { why, retry_at: None });
        assert!(refused.starts_with("refused and not asked for again: ") && refused.contains("closed today"));
    }
}
