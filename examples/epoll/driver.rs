//! The loop, and what it does for the session.

use std::{
    io::{self, Read},
    mem::take,
    net::SocketAddr,
    os::{fd::OwnedFd, unix::net::UnixStream},
    time::Duration,
};

use rustix::{
    buffer::spare_capacity,
    event::{
        Timespec,
        epoll::{self, CreateFlags, EventData, EventFlags},
    },
    io::Errno,
    time::{ClockId, clock_gettime},
};
use steadfast::{
    Action, Cause, Commands, Down, LinkId, Machine, Phase, Report, SendOptions, Session, StopCause, Text, Timestamp,
    protocol::json::{Incoming, Json, Message},
};

use crate::link::Link;

/// A session, its links, and where its application says what it wants.
pub(crate) struct Driver {
    session: Session<Json>,
    actions: Vec<Action<Incoming, Text>>,
    /// One, most of the time; two while one of them says goodbye.
    links: Vec<Link>,
    server: SocketAddr,
    /// Until the application has nothing more to say.
    lines: Option<UnixStream>,
    /// What has been read and is no whole line.
    line: Vec<u8>,
    epoll: OwnedFd,
}

impl Driver {
    pub(crate) fn new(session: Session<Json>, server: SocketAddr, lines: UnixStream) -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        lines.set_nonblocking(true)?;
        epoll::add(&epoll, &lines, EventData::new_u64(0), EventFlags::IN | EventFlags::ET)?;
        let lines = Some(lines);
        Ok(Self { session, actions: Vec::new(), links: Vec::new(), server, lines, line: Vec::new(), epoll })
    }

    /// Keeps the session going until it has stopped.
    pub(crate) fn run(mut self) -> io::Result<StopCause> {
        let mut events = Vec::with_capacity(8);
        self.session.connect(now(), &mut self.actions);
        loop {
            self.perform();
            if let Phase::Stopped(cause) = self.session.phase() {
                return Ok(cause);
            }
            // Which of them it was does not matter: all are asked, and each says at once that it has nothing.
            events.clear();
            match epoll::wait(&self.epoll, spare_capacity(&mut events), self.patience().as_ref()) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            self.hear()?;
            self.report();
            self.session.wake(now(), &mut self.actions);
        }
    }

    /// Does what the session wants, in order. Nothing in it waits.
    fn perform(&mut self) {
        while !self.actions.is_empty() {
            for action in take(&mut self.actions) {
                match action {
                    Action::Connect(attempt) => match Link::dial(self.server, &attempt, &self.epoll) {
                        Ok(link) => self.links.push(link),
                        Err(error) => {
                            let cause = Cause::Unreachable(error.to_string().into());
                            let down = Report::Down(Box::new(Down { cause, left: 0, verdict: None }));
                            self.session.report(now(), attempt.link, down, &mut self.actions);
                        }
                    },
                    Action::Send { link, frame, secret: _ } => self.with(link, |link| link.feed(frame)),
                    Action::FlushQueue(link) => self.with(link, Link::flush),
                    Action::Close { link, code, reason } => self.with(link, |link| link.close(code, &reason)),
                    Action::Abort(gone) => self.links.retain(|link| link.id != gone),
                    Action::EmitError(error) => println!("{error}"),
                    Action::Emit(event) => println!("{event:?}"),
                    // An announcement; and a question to those alone who said that they have an answer.
                    Action::ReconnectAfter { .. } | Action::AskCredential { .. } => {}
                }
            }
        }
    }

    /// How long there is nothing to do: until the deadline, and not at all if a link has more.
    fn patience(&self) -> Option<Timespec> {
        if self.links.iter().any(|link| link.is_due) {
            return Some(Timespec::default());
        }
        let wait = self.session.next_deadline()?.since(now());
        Timespec::try_from(wait.min(Duration::from_secs(3_600))).ok()
    }

    /// Drives the links as far as they go, and tells the session what came of it.
    fn report(&mut self) {
        for link in &mut self.links {
            for report in link.poll() {
                self.session.report(now(), link.id, report, &mut self.actions);
            }
        }
        self.links.retain(|link| !link.is_over());
    }

    /// What the application wants: a number a line is an order, and the end of the lines is the end of it all.
    fn hear(&mut self) -> io::Result<()> {
        let mut buffer = [0; 4096];
        while let Some(lines) = &mut self.lines {
            match lines.read(&mut buffer) {
                Ok(0) => {
                    self.lines = None;
                    self.session.drain(now(), Duration::from_secs(2), &mut self.actions);
                }
                Ok(count) => self.line.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
            while let Some(end) = self.line.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.line.drain(..=end).collect();
                let order = Message::raw("order", String::from_utf8_lossy(&line).trim()).map_err(io::Error::other)?;
                let options = SendOptions::at_least_once().tracked();
                if let Err(refused) = self.session.send_with(now(), order, options, &mut self.actions) {
                    println!("{refused}");
                }
            }
        }
        Ok(())
    }

    fn with(&mut self, id: LinkId, act: impl FnOnce(&mut Link)) {
        if let Some(link) = self.links.iter_mut().find(|link| link.id == id) {
            act(link);
        }
    }
}

/// Time as a wristwatch counts it, sleep of the computer included. Only differences matter to this session; one whose
/// logins run out needs it to count from 1970.
fn now() -> Timestamp {
    let since_boot = clock_gettime(ClockId::Boottime);
    Timestamp::ZERO.after(since_boot.try_into().unwrap_or_default()).unwrap_or(Timestamp::MAX)
}
