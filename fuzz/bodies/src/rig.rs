//! A checked session, and links that remember what was sent on them.

use std::{collections::BTreeSet, mem, thread, time::Duration};

use arbitrary::Arbitrary;
use steadfast::{
    Action, Answer, Command, Event, Frame, Input, LinkId, Machine, OpId, Outcome, Phase, Report, Session, Text,
    Timestamp,
};
use steadfast_sim::{Checked, Toy};

use crate::settings::Settings;

/// Far more than any stop can need.
const ENDLESS: usize = 10_000;
/// Where the clock of a case starts; late enough to go back from.
const START: Timestamp = Timestamp::from_millis(10_000_000);

/// The session, its clock, its links and its story so far.
#[derive(Debug)]
pub(crate) struct Rig {
    session: Checked<Session<Toy>, Toy>,
    actions: Vec<Action<Text, Text>>,
    now: Timestamp,
    links: Vec<Link>,
    bad_news: BTreeSet<OpId>,
    /// The last question to the host; 0 if there was none.
    pub(crate) asked: u64,
    story: Vec<String>,
}

/// A link as its transport sees it.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) id: LinkId,
    pub(crate) sent: Vec<Frame>,
    pub(crate) flush_asked: bool,
    pub(crate) over: bool,
}

/// How time goes on before an input.
#[derive(Clone, Copy, Debug, Arbitrary)]
pub(crate) enum Pause {
    None,
    Micros(u8),
    Millis(u16),
    ToDeadline,
    PastDeadline(u8),
    Hour,
    Back(u16),
}

impl Rig {
    pub(crate) fn new(settings: Settings) -> Self {
        let Settings { seed, protocol, config } = settings;
        let story = vec![format!("{protocol:?}, seed {seed}, {config:?}")];
        let session = Session::new(protocol, config.clone(), seed).expect("the settings are sound");
        let session = Checked::new(session, protocol, config);
        Self { session, actions: Vec::new(), now: START, links: Vec::new(), bad_news: BTreeSet::new(), asked: 0, story }
    }

    /// Moves the clock, forwards or not.
    pub(crate) fn pass(&mut self, pause: Pause) {
        let deadline = self.session.next_deadline().unwrap_or(self.now);
        let later = |at: Timestamp, wait| at.after(wait).unwrap_or(at);
        self.now = match pause {
            Pause::None => self.now,
            Pause::Micros(micros) => later(self.now, Duration::from_micros(micros.into())),
            Pause::Millis(millis) => later(self.now, Duration::from_millis(millis.into())),
            Pause::ToDeadline => deadline,
            Pause::PastDeadline(millis) => later(deadline, Duration::from_millis(millis.into())),
            Pause::Hour => later(self.now, Duration::from_secs(3_600)),
            Pause::Back(millis) => {
                Timestamp::from_micros(self.now.as_micros().saturating_sub(u64::from(millis) * 1_000))
            }
        };
    }

    /// One turn, told, checked and performed.
    pub(crate) fn turn(&mut self, input: Input<Text, Text>) -> Answer<Text> {
        self.story.push(format!("{} {input:?}", self.now));
        let answer = self.session.handle(self.now, input, &mut self.actions);
        for action in mem::take(&mut self.actions) {
            self.story.push(format!("    {action:?}"));
            self.perform(action);
        }
        self.session.assert_sound();
        answer
    }

    fn perform(&mut self, action: Action<Text, Text>) {
        match action {
            Action::Connect(attempt) => self.links.push(Link::new(attempt.link)),
            Action::Send { link, frame, .. } => self.link(link).sent.push(frame),
            Action::FlushQueue(link) => self.link(link).flush_asked = true,
            // An attempt that only asked the host has no link.
            Action::Abort(gone) => {
                self.links.iter_mut().filter(|link| link.id == gone).for_each(|link| link.over = true)
            }
            Action::Emit(Event::Outcome { id, outcome, .. }) => self.hear(id, &outcome),
            Action::AskCredential { ask, .. } => self.asked = ask,
            Action::Close { .. } | Action::ReconnectAfter { .. } | Action::EmitError(_) | Action::Emit(_) => {}
        }
    }

    fn hear(&mut self, id: OpId, outcome: &Outcome) {
        if !matches!(outcome, Outcome::Written | Outcome::Acked) {
            self.bad_news.insert(id);
        }
    }

    fn link(&mut self, id: LinkId) -> &mut Link {
        self.links.iter_mut().find(|link| link.id == id).expect("actions name links that were dialled")
    }

    pub(crate) fn command(&mut self, command: Command<Text, Text>) -> Answer<Text> {
        self.turn(Input::Command(command))
    }

    pub(crate) fn report(&mut self, link: LinkId, report: Report) {
        if matches!(report, Report::Down(_)) {
            self.links.iter_mut().filter(|known| known.id == link).for_each(|known| known.over = true);
        }
        self.turn(Input::Report(link, report));
    }

    /// The link that was dialled last, if it is not over.
    pub(crate) fn live(&mut self) -> Option<&mut Link> {
        self.links.last_mut().filter(|link| !link.over)
    }

    /// All links, oldest first.
    pub(crate) fn links(&self) -> &[Link] {
        &self.links
    }

    /// The peer has it.
    pub(crate) fn arrived(&mut self, id: OpId) {
        self.session.arrived(id);
    }

    pub(crate) fn watch_arrivals(&mut self) {
        self.session.watch_arrivals();
    }

    /// Messages that ended in some other way than written or acknowledged.
    pub(crate) const fn bad_news(&self) -> &BTreeSet<OpId> {
        &self.bad_news
    }

    pub(crate) fn pending(&self) -> usize {
        self.session.checker().pending()
    }

    pub(crate) fn is_stopped(&self) -> bool {
        matches!(self.session.machine().phase(), Phase::Stopped(_))
    }

    /// Stops and lets the timers do the rest: nothing may be pending then, and nothing may be due.
    pub(crate) fn finish(mut self) {
        self.session.audit(self.now);
        self.command(Command::Connect);
        self.command(Command::Stop);
        for _ in 0..ENDLESS {
            if self.session.next_deadline().is_none() {
                break;
            }
            self.pass(Pause::ToDeadline);
            self.turn(Input::Wake);
        }
        assert!(self.is_stopped(), "a stop ends");
        assert_eq!(self.session.next_deadline(), None, "after a stop nothing is due");
        assert_eq!(self.pending(), 0, "after a stop nothing is pending");
        self.session.audit(self.now);
        self.session.assert_sound();
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("{}", self.story.join("\n"));
        }
    }
}

impl Link {
    const fn new(id: LinkId) -> Self {
        Self { id, sent: Vec::new(), flush_asked: false, over: false }
    }
}
