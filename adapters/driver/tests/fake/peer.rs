//! The server, and the way to it. It has moods until a certain time, and then none.

use std::{
    collections::BTreeSet,
    future::{Future, poll_fn},
    io::{self, Read, Write},
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use steadfast::{Attempt, Cause, Frame, OpId, Timestamp};
use steadfast_driver::{Dial, Dialer, Io, Kept, Runtime, Sleep, Upgrade, Ws};
use steadfast_sim::{Sent, Spy, Toy};
use tungstenite::{
    Error, Message, WebSocket,
    handshake::derive_accept_key,
    protocol::{CloseFrame, Role},
};

use super::{
    Eye, Fake, Timer,
    pipe::{End, Habits, Line},
};

const SECOND: Duration = Duration::from_secs(1);

/// A dialer that leads to it.
#[derive(Clone)]
pub struct Server {
    pub fake: Fake,
    pub eye: Kept<Eye>,
    pub toy: Toy,
    pub habits: Habits,
    /// When the last mood is over.
    pub calm: Timestamp,
    /// Says something of its own accord about so often.
    pub talks: Option<Duration>,
    said: Arc<AtomicU64>,
}

/// What a link comes to.
#[derive(Clone, Copy, Debug)]
pub enum Mood {
    Serves,
    /// Nobody listens.
    Refuses,
    /// Nothing comes back.
    Hangs,
    /// The handshake is answered with this status.
    Answers(u16),
    /// It closes after a while, with this code.
    Closes(u16),
    /// It is gone after a while.
    Leaves,
    /// After a while it writes nothing more, and says so.
    Falls,
    /// The line is reset after a while.
    Breaks,
    /// The line is dead for a while after a while.
    Freezes,
    /// After a while it does nothing more.
    Forgets,
}

impl Mood {
    // A table: a number, a mood.
    fn any(fake: &Fake) -> Self {
        match fake.up_to(17) {
            0 => Self::Refuses,
            1 => Self::Hangs,
            2 => Self::Answers(503),
            3 | 4 => Self::Closes(1_000),
            5 => Self::Closes(1_001),
            6 => Self::Closes(1_011),
            7 => Self::Closes(4_000),
            8 => Self::Leaves,
            9 => Self::Falls,
            10..=12 => Self::Breaks,
            13 => Self::Freezes,
            14 => Self::Forgets,
            _ => Self::Serves,
        }
    }
}

impl Server {
    pub fn new(fake: &Fake, eye: &Kept<Eye>, toy: Toy, habits: Habits) -> Self {
        let (fake, eye, said) = (fake.clone(), eye.clone(), Arc::default());
        Self { fake, eye, toy, habits, calm: Timestamp::ZERO, talks: None, said }
    }

    async fn open(self, attempt: Attempt, mood: Mood) -> Dial<Ws<End>> {
        let fake = self.fake.clone();
        fake.pause(fake.between(Duration::ZERO, SECOND / 5)).await;
        if let Mood::Refuses = mood {
            return Err(Cause::Unreachable("nobody listens".into()));
        }
        let (line, near, far) = Line::new(&fake, self.habits);
        fake.spawn("peer", self.serve(line, far, mood));
        Upgrade::to("ws://fake/".parse().unwrap()).over(near, &attempt, || fake.time()).await
    }

    async fn serve(self, line: Line, mut far: End, mood: Mood) {
        let Ok(request) = head(&mut far).await else { return };
        let key = request.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).unwrap();
        let answer = match mood {
            Mood::Answers(status) => format!("HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n"),
            Mood::Hangs => return drop(head(&mut far).await),
            Mood::Serves
            | Mood::Refuses
            | Mood::Closes(_)
            | Mood::Leaves
            | Mood::Falls
            | Mood::Breaks
            | Mood::Freezes
            | Mood::Forgets => format!(
                "HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {}\r\n\r\n",
                derive_accept_key(key.trim().as_bytes())
            ),
        };
        if write_all(&mut far, answer.as_bytes()).await.is_ok() && answer.contains("101") {
            let mut peer = Peer::new(self, line, far, mood);
            poll_fn(|cx| peer.poll(cx)).await;
        }
    }
}

impl Dialer for Server {
    type Transport = Ws<End>;
    type Dial = Pin<Box<dyn Future<Output = Dial<Ws<End>>> + Send>>;

    fn dial(&mut self, attempt: Attempt) -> Self::Dial {
        self.fake.stir();
        let mood = if self.fake.time() < self.calm { Mood::any(&self.fake) } else { Mood::Serves };
        Box::pin(self.clone().open(attempt, mood))
    }
}

/// One link, seen from its far end.
struct Peer {
    server: Server,
    line: Line,
    ws: WebSocket<Far>,
    mood: Mood,
    /// When the mood comes.
    comes: Timer,
    talks: Timer,
    is_mute: bool,
    is_logged_in: bool,
    topics: BTreeSet<String>,
}

impl Peer {
    fn new(server: Server, line: Line, end: End, mood: Mood) -> Self {
        let fake = server.fake.clone();
        let ws = WebSocket::from_raw_socket(Far { end, waker: Waker::noop().clone() }, Role::Server, None);
        let (mut comes, talks) = (fake.sleep(), fake.sleep());
        comes.arm(fake.time().after(fake.between(Duration::ZERO, 20 * SECOND)).unwrap());
        let (is_mute, is_logged_in) = (false, !server.toy.login);
        let mut peer = Self { server, line, ws, mood, comes, talks, is_mute, is_logged_in, topics: BTreeSet::new() };
        peer.talk_later();
        peer
    }

    /// Ready when the link is over.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.ws.get_mut().waker = cx.waker().clone();
        if self.comes.poll_due(cx).is_ready() && self.give_way().is_none() {
            return Poll::Ready(());
        }
        if self.is_mute {
            return self.ws.get_ref().end.poll_gone(cx);
        }
        while self.talks.poll_due(cx).is_ready() {
            self.talk_later();
            if self.is_logged_in {
                self.talk();
            }
        }
        loop {
            match self.ws.read() {
                Ok(Message::Text(text)) => self.hear(&Frame::from(text.as_str())),
                Ok(_) => {}
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => return Poll::Ready(()),
            }
        }
        match self.ws.flush() {
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
            Ok(()) => Poll::Pending,
            Err(_) => Poll::Ready(()),
        }
    }

    /// The mood comes over it, once. `None` if it just leaves.
    fn give_way(&mut self) -> Option<()> {
        match std::mem::replace(&mut self.mood, Mood::Serves) {
            Mood::Serves | Mood::Refuses | Mood::Hangs | Mood::Answers(_) => {}
            Mood::Closes(code) => {
                let frame = CloseFrame { code: code.into(), reason: "".into() };
                let _ = self.ws.close(Some(frame));
            }
            Mood::Leaves => return None,
            Mood::Falls => {
                self.is_mute = true;
                self.ws.get_ref().end.shut_down();
            }
            Mood::Breaks => self.line.cut(),
            Mood::Freezes => self.line.freeze(self.server.fake.between(SECOND, 100 * SECOND)),
            Mood::Forgets => self.is_mute = true,
        }
        Some(())
    }

    /// That it cannot be written now, or never will, is seen by the flush.
    fn say(&mut self, message: impl Into<Message>) {
        let _ = self.ws.write(message.into());
    }

    // A table: what the client says, what is said in return.
    fn hear(&mut self, frame: &Frame) {
        let topics = || self.server.toy.topics(frame).into_iter().map(|topic| topic.as_str().to_owned());
        match self.server.toy.sent(frame) {
            Sent::Login => {
                self.is_logged_in = true;
                self.say("ok");
            }
            Sent::Message(Some(op)) => {
                self.take(op);
                self.say(format!("got {op}"));
            }
            Sent::Request(op) if op.0 % 4 == 0 => self.say(format!("deny {op} never")),
            Sent::Request(op) => {
                self.take(op);
                self.say(if op.0 % 4 == 1 { format!("done {op}") } else { format!("re {op} yes") });
            }
            Sent::Subscribe(op) => {
                let topics: Vec<_> = topics().skip(1).collect();
                self.say(format!("sub-ok {op}"));
                topics.iter().for_each(|topic| self.say(format!("on {topic}")));
                self.topics.extend(topics);
            }
            Sent::Unsubscribe(op) => {
                self.topics.retain(|topic| !topics().any(|gone| gone == *topic));
                self.say(format!("sub-ok {op}"));
            }
            Sent::Message(None) | Sent::Batch | Sent::Pong | Sent::Control => {}
        }
    }

    fn take(&self, op: OpId) {
        self.server.eye.look(|eye| eye.checker.arrived(op));
    }

    fn talk_later(&mut self) {
        if let Some(about) = self.server.talks {
            let fake = &self.server.fake;
            self.talks.arm(fake.time().after(fake.between(about / 10, 2 * about)).unwrap());
        }
    }

    fn talk(&mut self) {
        let number = self.server.said.fetch_add(1, SeqCst);
        let topic = self.topics.iter().nth(number as usize % 3).cloned();
        let line = match (self.server.fake.up_to(5), topic) {
            (0, _) => format!("m! {number} hello"),
            (1, _) => format!("call {number} what time is it"),
            (2, Some(topic)) if number % 3 == 0 => {
                self.topics.remove(&topic);
                format!("gone {topic} moved")
            }
            (3, _) => return self.say(Message::Ping(bytes::Bytes::new())),
            (_, Some(topic)) => format!("t# {number} {topic} text"),
            (_, None) => format!("m text {number}"),
        };
        self.say(line);
    }
}

/// The far end as tungstenite wants it: blocking in words alone.
struct Far {
    end: End,
    waker: Waker,
}

impl Read for Far {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        now(self.end.poll_read(&mut Context::from_waker(&self.waker), buf))
    }
}

impl Write for Far {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        now(self.end.poll_write(&mut Context::from_waker(&self.waker), buf))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn now(poll: Poll<io::Result<usize>>) -> io::Result<usize> {
    match poll {
        Poll::Ready(result) => result,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}

/// Reads up to an empty line.
async fn head(end: &mut End) -> io::Result<String> {
    let (mut text, mut byte) = (String::new(), [0]);
    while !text.ends_with("\r\n\r\n") {
        if poll_fn(|cx| end.poll_read(cx, &mut byte)).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        text.push(byte[0].into());
    }
    Ok(text)
}

async fn write_all(end: &mut End, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let count = poll_fn(|cx| pin!(&mut *end).poll_write(cx, bytes)).await?;
        bytes = &bytes[count..];
    }
    Ok(())
}
