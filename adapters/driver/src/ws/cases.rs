//! What does an echo over this link write in the cases of Autobahn's suite? They are data, in cases.txt.

use std::task::Poll;

use steadfast::Frame;

use super::Ws;
use crate::{
    Transport,
    wire::{Wire, frame, idle, unmasked},
};

const CASES: &str = include_str!("cases.txt");
const CLOSE: u8 = 0x88;

struct Case {
    name: &'static str,
    pieces: &'static str,
    arrives: Vec<(u8, Vec<u8>)>,
    written: Vec<(u8, Vec<u8>)>,
}

fn cases() -> Vec<Case> {
    let parse = |line: &'static str| {
        let columns: Vec<_> = line.split('|').map(str::trim).collect();
        let [name, pieces, arrives, written] = columns[..] else { panic!("four columns: {line}") };
        Case { name, pieces, arrives: frames(arrives), written: frames(written) }
    };
    CASES.lines().filter(|line| !line.starts_with('#')).map(parse).collect()
}

fn frames(column: &str) -> Vec<(u8, Vec<u8>)> {
    let column = column.split(" + ").filter(|word| !word.is_empty());
    column
        .flat_map(|word| {
            let (times, word) = word.split_once(" x ").unwrap_or(("1", word));
            let (first, payload) = word.split_once(':').expect("first:payload");
            let frame = (u8::from_str_radix(first, 16).expect("hex"), bytes(payload));
            vec![frame; times.parse().expect("a number")]
        })
        .collect()
}

fn bytes(payload: &str) -> Vec<u8> {
    let (payload, times) = match payload.rsplit_once('*') {
        Some((payload, times)) if !times.ends_with('"') => (payload, times.parse().expect("a number")),
        _ => (payload, 1),
    };
    let text = payload.strip_prefix('"').map(|text| text.trim_end_matches('"').as_bytes().to_vec());
    text.unwrap_or_else(|| hex(payload)).repeat(times)
}

fn hex(digits: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).expect("hex");
    (0..digits.len()).step_by(2).map(byte).collect()
}

/// Says every message back before the next one is read; what was written. Whether the link goes on is another matter.
fn echo(pieces: Vec<Vec<u8>>) -> (Vec<(u8, Vec<u8>)>, bool) {
    let mut ws = Ws::new(Wire::new(), Vec::new(), 1 << 20);
    for piece in pieces {
        ws.io.arrive(piece);
        loop {
            let mut frames = Vec::new();
            let polled = ws.poll_read(&mut idle(), &mut frames, 1);
            let messages = frames.into_iter().filter(|frame| matches!(frame, Frame::Text(_) | Frame::Binary(_)));
            messages.for_each(|message| ws.feed(message));
            let _ = ws.poll_flush(&mut idle());
            match polled {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => return (unmasked(&ws.io.written), false),
                Poll::Pending => break,
            }
        }
    }
    (unmasked(&ws.io.written), true)
}

/// The code of a Close is what counts; it may come with words.
fn without_words((first, mut payload): (u8, Vec<u8>)) -> (u8, Vec<u8>) {
    payload.truncate(if first == CLOSE { 2 } else { payload.len() });
    (first, payload)
}

fn check(case: &Case, pieces: Vec<Vec<u8>>) {
    let (written, goes_on) = echo(pieces);
    let written: Vec<_> = written.into_iter().map(without_words).collect();
    assert!(written == case.written, "{}: {written:?}", case.name);
    assert_eq!(goes_on, written.iter().all(|(first, _)| *first != CLOSE), "{}", case.name);
}

#[test]
fn each_case_of_autobahns_suite_that_needs_no_extension() {
    let cases = cases();
    assert_eq!(cases.len(), 301);
    for case in &cases {
        let frames: Vec<_> = case.arrives.iter().map(|(first, payload)| frame(*first, payload)).collect();
        let all = frames.concat();
        let chopped = |size: usize| all.chunks(size).map(<[u8]>::to_vec).collect();
        check(case, vec![all.clone()]);
        match case.pieces {
            "whole" => {}
            "frames" => check(case, frames),
            size => check(case, chopped(size.parse().expect("a number"))),
        }
        if all.len() <= 5_000 {
            check(case, chopped(1));
        }
    }
}
