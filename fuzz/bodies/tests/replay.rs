//! The committed corpora, on stable; and what a few thousand throws of the dice find.

use std::{fs, path::Path};

use steadfast::Rng;
use steadfast_fuzz_bodies::{json, keepsake, outbox, session, trace, ws};

/// A corpus that shrinks below this was lost, not minimised.
const FEW: usize = 10;

#[test]
fn the_session_corpus_holds() {
    replay("session", session);
}

#[test]
fn the_outbox_corpus_holds() {
    replay("outbox", outbox);
}

#[test]
fn the_json_corpus_holds() {
    replay("json", json);
}

#[test]
fn the_ws_corpus_holds() {
    replay("ws", ws);
}

#[test]
fn the_trace_corpus_holds() {
    replay("trace", trace);
}

#[test]
fn the_keepsake_corpus_holds() {
    replay("keepsake", keepsake);
}

#[test]
fn thrown_dice_break_no_session() {
    throw(1, 2_000, session);
}

#[test]
fn thrown_dice_lose_no_message() {
    throw(2, 2_000, outbox);
}

#[test]
fn thrown_dice_make_no_json() {
    throw(3, 2_000, json);
}

#[test]
fn thrown_dice_find_no_difference() {
    throw(4, 5_000, ws);
}

/// The committed traces, with some bytes changed and some lines gone or doubled.
#[test]
fn traces_that_were_scribbled_on_are_read_or_refused() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/traces");
    let mut rng = Rng::new(5);
    for entry in fs::read_dir(folder).expect("traces") {
        let text = fs::read_to_string(entry.expect("a trace").path()).expect("a trace");
        for case in 0..100 {
            println!("case {case} of {}", text.lines().next().unwrap_or_default());
            trace(&scribbled(&text, &mut rng));
        }
    }
}

fn scribbled(text: &str, rng: &mut Rng) -> Vec<u8> {
    let mut any = |below: usize| usize::try_from(rng.up_to(below as u64 - 1)).expect("below");
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for _ in 0..=any(2) {
        let at = any(lines.len());
        match any(3) {
            0 => drop(lines.remove(at)),
            1 => lines.insert(at, lines[at].clone()),
            _ => {
                let byte = any(lines[at].len());
                let other = [b'0', b'9', b'"', b'}', b'-', b'\\'][any(6)];
                lines[at] = lines[at]
                    .bytes()
                    .enumerate()
                    .map(|(n, old)| if n == byte { other } else { old })
                    .map(char::from)
                    .collect();
            }
        }
    }
    std::iter::once(u8::try_from(any(2)).expect("0 or 1")).chain(lines.join("\n").into_bytes()).collect()
}

fn replay(target: &str, body: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus").join(target);
    let mut cases: Vec<_> =
        fs::read_dir(&corpus).expect("a corpus").map(|entry| entry.expect("a case").path()).collect();
    cases.sort();
    assert!(cases.len() >= FEW, "{} has only {} cases", corpus.display(), cases.len());
    for case in cases {
        println!("{}", case.display());
        body(&fs::read(&case).expect("a readable case"));
    }
}

fn throw(seed: u64, cases: u64, body: fn(&[u8])) {
    let mut rng = Rng::new(seed);
    for case in 0..cases {
        println!("case {case} of seed {seed}");
        let words = rng.up_to(64);
        let data: Vec<u8> = (0..words).flat_map(|_| rng.next().to_le_bytes()).collect();
        body(&data);
    }
}
