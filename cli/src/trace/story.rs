//! A trace as a timeline.

use std::{collections::VecDeque, iter, path::Path, time::Duration};

use serde_json::Value;
use steadfast::{
    Timestamp,
    trace::{Header, Turn},
};

use super::{open, rows, twice::Twice, unreadable};
use crate::Failure;

/// A trace that was read.
#[derive(Debug)]
pub(crate) struct Story {
    header: Header,
    turns: Vec<Turn>,
}

/// What happened in a turn.
struct Row {
    at: Duration,
    turn: u64,
    text: String,
    /// What the caller was told at once.
    answer: String,
    /// The frame that went by, and whether it came in.
    frame: Option<(bool, rows::Frame)>,
    is_input: bool,
}

/// So many frames one way within [`WITHIN`] are a burst.
const BURST: usize = 20;
const WITHIN: Duration = Duration::from_secs(1);
/// What of a value is shown, in characters.
const SHOWN: usize = 160;

impl Story {
    /// Reads a trace.
    ///
    /// # Errors
    ///
    /// A line cannot be read.
    pub(crate) fn of(path: &Path, text: &str) -> Result<Self, Failure> {
        let mut reader = open(path, text)?;
        let mut turns = Vec::new();
        while let Some(turn) = reader.next_turn().map_err(|error| unreadable(path, &error))? {
            turns.push(turn);
        }
        Ok(Self { header: reader.header().clone(), turns })
    }

    /// The version that recorded it.
    pub(crate) fn version(&self) -> &str {
        &self.header.version
    }

    /// The lines of the timeline.
    pub(crate) fn lines(&self, is_long: bool) -> impl Iterator<Item = String> {
        let rows = self.rows();
        let bursts = bursts(&rows);
        let mut twice = Twice::new(&self.header);
        let lines = rows.into_iter().zip(bursts).flat_map(move |(row, burst)| {
            let line = row.line(&mut twice, is_long);
            burst.into_iter().chain(iter::once(line)).collect::<Vec<_>>()
        });
        iter::once(self.title()).chain(lines)
    }

    fn title(&self) -> String {
        let Header { version, protocol, seed, .. } = &self.header;
        let ends = self.turns.first().zip(self.turns.last());
        let took = ends.map_or(Duration::ZERO, |(first, last)| last.at.since(first.at));
        let strayed = self.turns.iter().filter(|turn| turn.has_strayed).count();
        let strayed = if strayed > 0 { format!("; {strayed} turns are not what really was") } else { String::new() };
        let turns = self.turns.len();
        format!("{protocol}, seed {seed}, by version {version}: {turns} turns over {}{strayed}", seconds(took))
    }

    fn rows(&self) -> Vec<Row> {
        let start = self.turns.first().map_or(Timestamp::ZERO, |turn| turn.at);
        self.turns.iter().flat_map(|turn| of_turn(turn, start)).collect()
    }
}

fn of_turn(turn: &Turn, start: Timestamp) -> Vec<Row> {
    let value = |text: &String| serde_json::from_str::<Value>(text).unwrap_or_default();
    let row = |is_input, said: rows::Said, answer| {
        let frame = said.frame.map(|frame| (is_input, frame));
        Row { at: turn.at.since(start), turn: turn.number, text: said.text, answer, frame, is_input }
    };
    let input = row(true, rows::input(&value(&turn.input)), answer(turn));
    let action = |action| row(false, rows::action(&value(action), start), String::new());
    iter::once(input).chain(turn.actions.iter().map(action)).collect()
}

fn answer(turn: &Turn) -> String {
    match turn.answer.as_deref() {
        None => "  (not finished: it panicked here)".into(),
        Some("\"done\"") => String::new(),
        Some("\"stale\"") => "  (too late: that link is gone)".into(),
        Some(answer) => format!("  = {}", answer.trim_matches(['{', '}']).replacen("\":", " ", 1).replacen('"', "", 1)),
    }
}

impl Row {
    fn line(self, twice: &mut Twice, is_long: bool) -> String {
        let mut text = if is_long { self.text } else { shortened(self.text) };
        if let Some((is_in, frame)) = &self.frame {
            for remark in twice.note(self.turn, *is_in, frame) {
                text.push_str("  ");
                text.push_str(&remark);
            }
        }
        match self.is_input {
            true => format!("{:>5} {:>12}  {text}{}", self.turn, seconds(self.at), self.answer),
            false => format!("{:>5} {:>12}      {text}", "", ""),
        }
    }
}

/// For each row what is to be said before it: that a burst begins.
fn bursts(rows: &[Row]) -> Vec<Option<String>> {
    let mut said: Vec<Option<String>> = rows.iter().map(|_| None).collect();
    for is_input in [true, false] {
        let frames: Vec<usize> = (0..rows.len()).filter(|&at| rows[at].is_frame(is_input)).collect();
        for (first, last) in runs(rows, &frames) {
            let (count, took) = (last - first + 1, rows[frames[last]].at - rows[frames[first]].at);
            let way = if is_input { "in" } else { "out" };
            said[frames[first]] =
                Some(format!("{:>18}  -- a burst: {count} frames {way} within {} --", "", seconds(took)));
        }
    }
    said
}

/// From where to where frames come so close together; both inclusive.
fn runs(rows: &[Row], frames: &[usize]) -> Vec<(usize, usize)> {
    let (mut window, mut runs) = (VecDeque::new(), Vec::<(usize, usize)>::new());
    for (index, &row) in frames.iter().enumerate() {
        window.push_back(index);
        while window.front().is_some_and(|&first| rows[row].at - rows[frames[first]].at > WITHIN) {
            window.pop_front();
        }
        let Some(&first) = window.front().filter(|_| window.len() >= BURST) else { continue };
        match runs.last_mut() {
            Some((_, last)) if *last >= first => *last = index,
            _ => runs.push((first, index)),
        }
    }
    runs
}

impl Row {
    fn is_frame(&self, is_input: bool) -> bool {
        matches!(self.frame, Some((way, _)) if way == is_input)
    }
}

fn shortened(text: String) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}… ({} bytes)", &text[..end], text.len()),
        None => text,
    }
}

pub(super) fn seconds(span: Duration) -> String {
    format!("{}.{:03} s", span.as_secs(), span.subsec_millis())
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, rc::Rc};

    use steadfast::{
        Cause, Class, Command, Config, Down, Frame, Input, LinkId, Machine, Report, SendOptions, Session, Text,
        protocol::json::{Json, Message},
        trace::{Recorder, Redaction},
    };

    use super::*;

    fn told(turns: &[(u64, &str, &str)]) -> Vec<String> {
        let header = r#"{"trace":1,"version":"9.9.9","protocol":"plain","parameters":null,"seed":3,"config":{}}"#;
        let mut lines = vec![header.to_owned()];
        lines.extend(turns.iter().enumerate().map(|(index, (at, input, actions))| {
            let turn = index + 1;
            format!(
                r#"{{"turn":{turn},"at":{at},"input":{input},"answer":"done","actions":[{actions}],"deadline":null}}"#
            )
        }));
        Story::of(Path::new("test"), &lines.join("\n")).expect("readable").lines(false).collect()
    }

    const FRAME: &str = r#"{"report":[1,{"frame":{"text":"the price is 17"}}]}"#;
    const NEWS: &str = r#"{"report":[1,{"frame":{"text":"the very same news"}}]}"#;

    #[test]
    fn times_count_from_the_first_turn() {
        let lines = told(&[
            (5_000_000, r#"{"command":"connect"}"#, r#"{"connect":{"link":1,"attempt":1}},"news""#),
            (6_500_000, "\"wake\"", ""),
        ]);
        assert_eq!(lines[0], "plain, seed 3, by version 9.9.9: 2 turns over 1.500 s");
        assert_eq!(lines[1], "    1      0.000 s  asked to connect");
        assert_eq!(lines[2], "                        dial link 1, attempt 1");
        assert_eq!((lines[3].trim(), &lines[4][..]), ("news", "    2      1.500 s  time has passed"));
    }

    #[test]
    fn what_comes_twice_is_marked() {
        let lines = told(&[(1, NEWS, ""), (2, NEWS, ""), (3, FRAME, "")]);
        assert!(lines[2].ends_with("the very same news  [again, as in turn 1]"), "{lines:#?}");
        assert!(lines[3].ends_with("the price is 17"), "{lines:#?}");
    }

    #[test]
    fn a_burst_is_marked_once() {
        let turns: Vec<_> = (0..60).map(|n| (n * if n < 30 { 1_000 } else { 200_000 }, FRAME, "")).collect();
        let lines = told(&turns);
        let bursts: Vec<_> = lines.iter().filter(|line| line.contains("a burst")).collect();
        assert_eq!(bursts.len(), 1, "{lines:#?}");
        assert_eq!(bursts[0].trim(), "-- a burst: 30 frames in within 0.029 s --");
    }

    /// What json sends again has another time; a ping is like the last one, and no repetition.
    #[test]
    fn a_message_at_least_once_that_is_sent_again_is_marked_and_a_ping_is_not() {
        let mut told = told_of(|talk| {
            talk.turn(0, Input::Command(Command::Connect)).up(1).hear(1, r#"{"type":"price","data":17,"id":"s-1"}"#);
            let message = Message::raw("order", r#"{"table":4}"#).expect("JSON");
            talk.turn(5, Input::Command(Command::Send { message, options: SendOptions::new(Class::AtLeastOnce) }));
            talk.probe(1)
                .probe(1)
                .report(1, Report::Down(Box::new(Down { cause: Cause::Ended, left: 1, verdict: None })));
            talk.turn(60_000, Input::Wake).up(2);
            talk.hear(2, r#"{"type":"price","data":17,"id":"s-1","timestamp":1795168800120}"#).probe(2);
        });
        told.retain(|line| line.contains(" again, ") || line.contains("ping 0"));
        let marked: Vec<_> = told.iter().map(|line| line.split_once("  [").map_or("", |(_, mark)| mark)).collect();
        assert_eq!(marked, ["", "", "7-1 again, as in turn 4]", "s-1 again, as in turn 3]", ""], "{told:#?}");
    }

    /// The lines about a session of `json`.
    fn told_of(talk: impl FnOnce(&mut Talk)) -> Vec<String> {
        let (lines, json) = (Rc::new(RefCell::new(Vec::new())), Json::new(7).acks(true));
        let header = Header::new("json", &json, 7, Config::default());
        let sink = {
            let lines = Rc::clone(&lines);
            Box::new(move |line: &str| lines.borrow_mut().push(line.to_owned()))
        };
        let machine = Recorder::session(json, &header, Redaction::default(), sink as Sink).expect("sound settings");
        talk(&mut Talk { machine, now: Timestamp::from_millis(1_795_168_800_000) });
        let text = lines.borrow().join("\n");
        Story::of(Path::new("test"), &text).expect("readable").lines(false).collect()
    }

    type Sink = Box<dyn FnMut(&str)>;

    struct Talk {
        machine: Recorder<Session<Json>, Sink>,
        now: Timestamp,
    }

    impl Talk {
        fn turn(&mut self, after: u64, input: Input<Message, Text>) -> &mut Self {
            self.now = self.now.after(Duration::from_millis(after)).expect("far from the end");
            self.machine.handle(self.now, input, &mut Vec::new());
            self
        }

        fn report(&mut self, link: u64, report: Report) -> &mut Self {
            self.turn(10, Input::Report(LinkId(link), report))
        }

        fn up(&mut self, link: u64) -> &mut Self {
            self.report(link, Report::Up(Box::default()))
        }

        fn hear(&mut self, link: u64, text: &'static str) -> &mut Self {
            self.report(link, Report::Frame(Frame::from(text)))
        }

        fn probe(&mut self, link: u64) -> &mut Self {
            self.report(link, Report::Frame(Frame::Ping(vec![0; 16].into())))
        }
    }
}
