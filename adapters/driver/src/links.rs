//! The links of one driver: an attempt, a transport, what they have to report.

use std::{
    future::Future,
    mem::{forget, replace, take},
    pin::Pin,
    task::{Context, Poll},
};

use steadfast::{Answer, Cause, CloseCode, Down, Frame, Handshake, Input, LinkId, Protocol, Report, Timestamp};

use crate::{
    Dialer, Transport, host::Classifier, inbox::Room, lives::Lives, log, reading::Reading, shared::Core,
    weights::Weights,
};

/// One link: an attempt first, then perhaps a transport, then its end.
pub(crate) struct Link<D: Dialer> {
    pub(crate) id: LinkId,
    /// Which attempt it came of.
    pub(crate) attempt: u64,
    stage: Stage<D>,
    /// Something was fed that shall leave.
    flush: bool,
    /// Whether the session knows that nothing is read.
    is_paused: bool,
    reading: Reading,
    news: News,
}

enum Stage<D: Dialer> {
    Dialing(D::Dial),
    Open(D::Transport),
    Over,
}

/// What is to be reported at the next turn, in this order.
#[derive(Default)]
struct News {
    up: Option<Box<Handshake>>,
    frames: Vec<Frame>,
    progress: bool,
    flushed: Option<u64>,
    paused: Option<bool>,
    down: Option<Box<Down>>,
}

impl<D: Dialer> Link<D> {
    pub(crate) fn new(id: LinkId, attempt: u64, dial: D::Dial) -> Self {
        let (stage, news) = (Stage::Dialing(dial), News::default());
        Self { id, attempt, stage, flush: false, is_paused: false, reading: Reading::new(), news }
    }

    /// Hands a frame to the transport. What is for a link that has ended is thrown away: it has certainly
    /// not left. It says how many frames the transport has been given.
    pub(crate) fn feed(&mut self, frame: Frame) -> Option<u64> {
        let Stage::Open(transport) = &mut self.stage else { return None };
        transport.feed(frame);
        Some(transport.fed())
    }

    pub(crate) fn flush(&mut self) {
        self.flush = true;
    }

    /// The goodbye has to leave too, and nobody else asks for that.
    pub(crate) fn close(&mut self, code: CloseCode, reason: &str) {
        if let Stage::Open(transport) = &mut self.stage {
            transport.close(code, reason);
            self.flush = true;
        }
    }

    /// Drives it as far as it goes: the attempt, or the flush and then a read of as much as there is room for;
    /// `None` if nothing shall be read. A pending flush does not keep from reading.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        room: Option<Room>,
        classifier: &mut Classifier,
        lives: &Lives,
    ) {
        if let Stage::Dialing(dial) = &mut self.stage {
            if let Poll::Ready(result) = Pin::new(dial).poll(cx) {
                self.opened(result, classifier);
            }
        }
        self.reading.follow(cx);
        if self.flush {
            self.poll_flush(lives);
        }
        if let Stage::Open(transport) = &mut self.stage {
            let frames = &mut self.news.frames;
            let read = room.and_then(|room| {
                self.reading.read(|cx| {
                    let polled = read(transport, cx, frames, room);
                    let is_armed = polled.is_pending() || transport.is_armed();
                    (polled, is_armed)
                })
            });
            self.news.progress |= transport.take_progress();
            if self.is_paused != room.is_none() {
                self.is_paused = room.is_none();
                self.news.paused = Some(self.is_paused);
            }
            if let Some(Poll::Ready(Err(cause))) = read {
                let left = transport.left();
                self.down(cause, left, classifier);
            }
        }
    }

    fn poll_flush(&mut self, lives: &Lives) {
        let Stage::Open(transport) = &mut self.stage else { return };
        if transport.poll_flush(&mut Context::from_waker(&self.reading.waker)).is_pending() {
            // What a write that has failed means is told by a read.
            return self.reading.disarm();
        }
        self.flush = false;
        self.news.flushed = Some(transport.fed());
        log::flushed(self.id, transport.fed());
        if lives.is_told() {
            lives.flushed(self.id, transport.fed());
        }
    }

    fn opened(&mut self, result: crate::Dial<D::Transport>, classifier: &mut Classifier) {
        match result {
            Ok((transport, mut handshake)) => {
                handshake.pings = D::Transport::PINGS;
                self.news.up = Some(Box::new(handshake));
                self.stage = Stage::Open(transport);
            }
            Err(cause) => self.down(cause, 0, classifier),
        }
    }

    fn down(&mut self, cause: Cause, left: u64, classifier: &mut Classifier) {
        let verdict = classifier.judge(&cause);
        self.news.down = Some(Box::new(Down { cause, left, verdict }));
        self.stage = Stage::Over;
    }

    /// Ends it because nobody drives it any more.
    pub(crate) fn cut(&mut self, cause: Cause) {
        let left = match replace(&mut self.stage, Stage::Over) {
            Stage::Dialing(_) => 0,
            Stage::Open(transport) => transport.left(),
            Stage::Over => return,
        };
        self.news.down = Some(Box::new(Down { cause, left, verdict: None }));
    }

    pub(crate) fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Over)
    }

    pub(crate) fn has_news(&self) -> bool {
        let News { up, frames, progress, flushed, paused, down } = &self.news;
        up.is_some() || !frames.is_empty() || *progress || flushed.is_some() || paused.is_some() || down.is_some()
    }

    /// Tells the session what there is to tell.
    pub(crate) fn report<P: Protocol>(&mut self, now: Timestamp, core: &mut Core<P>, weights: &mut Weights) {
        let id = self.id;
        let News { up, frames, progress, flushed, paused, down } = &mut self.news;
        let tell = |core: &mut Core<P>, report| {
            core.handle(now, Input::Report(id, report));
        };
        if let Some(handshake) = up.take() {
            tell(core, Report::Up(handshake));
        }
        for frame in frames.drain(..) {
            let (bytes, first) = (frame.len(), core.actions.len());
            let answer = core.handle_made(now, || Input::Report(id, Report::Frame(frame)));
            if let Answer::Done | Answer::Stale = answer {
                // There is nothing in these to be dropped, which only their tags say.
                forget(answer);
            } else {
                drop(answer);
            }
            weights.note(&core.actions, first, bytes);
        }
        if take(progress) {
            tell(core, Report::Progress);
        }
        if let Some(frames) = flushed.take() {
            tell(core, Report::Flushed { frames });
        }
        if let Some(is_paused) = paused.take() {
            tell(core, if is_paused { Report::Paused } else { Report::Resumed });
        }
        if let Some(down) = down.take() {
            tell(core, Report::Down(down));
        }
    }

    pub(crate) fn shrink(&mut self) {
        self.news.frames.shrink_to_fit();
        if let Stage::Open(transport) = &mut self.stage {
            transport.shrink();
        }
    }
}

/// Reads as much as there is room for. Where bytes count, frame by frame: how long one is is known afterwards.
fn read(
    transport: &mut impl Transport,
    cx: &mut Context<'_>,
    frames: &mut Vec<Frame>,
    room: Room,
) -> Poll<Result<(), Cause>> {
    let Some(most) = room.bytes else { return transport.poll_read(cx, frames, room.frames) };
    let (before, mut bytes) = (frames.len(), 0);
    while frames.len() - before < room.frames && bytes < most {
        let last = frames.len();
        match transport.poll_read(cx, frames, 1) {
            Poll::Ready(Ok(())) => bytes += frames[last..].iter().map(|frame| frame.len() as u64).sum::<u64>(),
            Poll::Ready(Err(cause)) => return Poll::Ready(Err(cause)),
            Poll::Pending if last == before => return Poll::Pending,
            Poll::Pending => break,
        }
    }
    Poll::Ready(Ok(()))
}
