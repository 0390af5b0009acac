//! The cases of Autobahn's fuzzing server, where there is a Python 2 for it: tests/interop/autobahn. What they say of us
//! stands in docs/autobahn.md.

use std::{collections::BTreeMap, ops::RangeInclusive};

use serde_json::Value;
use steadfast::{Event, Frame, Never, Phase};
use steadfast_driver::{Item, Mailbox};

use crate::{
    adapters::Adapter,
    app::{App, patient, run, with},
    process::Process,
};

/// Plays the case at this address: says back what is said, until the link is gone.
type Play<A> = fn(&A, &str);

/// What the server thinks of each of its cases, counted.
fn judged<A: Adapter>(adapter: &A, cases: RangeInclusive<u32>, expected: &[(&str, usize)]) {
    let (counts, odd) = verdicts(adapter, cases, echo);
    let expected = expected.iter().map(|(behavior, count)| ((*behavior).to_owned(), *count)).collect();
    assert_eq!(counts, expected, "{odd:?}");
}

/// How often it said what, and of which cases it said something odd.
fn verdicts<A: Adapter>(
    adapter: &A,
    cases: RangeInclusive<u32>,
    play: Play<A>,
) -> (BTreeMap<String, usize>, Vec<(u32, String)>) {
    let server = Process::start("python2", "interop/autobahn/server.py");
    let (mut counts, mut odd) = (BTreeMap::new(), Vec::new());
    for case in cases {
        play(adapter, &server.url(&format!("runCase?case={case}&agent=steadfast")));
        let behavior = ask(adapter, &server.url(&format!("getCaseStatus?case={case}&agent=steadfast")));
        if behavior != "OK" && behavior != "UNIMPLEMENTED" {
            odd.push((case, behavior.clone()));
        }
        *counts.entry(behavior).or_default() += 1;
    }
    (counts, odd)
}

fn echo<A: Adapter>(adapter: &A, url: &str) {
    alone(adapter, url, |message| message);
}

/// One link, on which every message is answered before the next one is read: by a single owner.
fn alone<A: Adapter>(adapter: &A, url: &str, answer: fn(Frame) -> Frame) {
    let builder = A::connect(url).config(patient()).mailbox(Mailbox::pause(1, 1 << 20));
    let mut socket = builder.into_stream().unwrap();
    adapter.wait(async {
        while let Some(item) = socket.next().await.filter(is_before_the_end) {
            item.into_message().into_iter().for_each(|message| _ = socket.send(answer(message)).unwrap());
        }
    });
}

/// One link as most have it: its driver is a task of its own, and reads on while a message is answered.
fn spawned<A: Adapter>(adapter: &A, url: &str) {
    let mut app = with(adapter, url, patient());
    while let Some(item) = app.next().filter(is_before_the_end) {
        item.into_message().map(|message| app.client.send(message));
    }
}

fn is_before_the_end(item: &Item<Frame, Never>) -> bool {
    !matches!(item, Item::Event(Event::Phase(change)) if matches!(change.to, Phase::Waiting | Phase::Stopped(_)))
}

fn ask<A: Adapter>(adapter: &A, url: &str) -> String {
    let mut app: App<'_, A, _> = run(adapter, A::connect(url).config(patient()));
    let answer: Frame = app.message();
    let answer: Value = serde_json::from_str(answer.as_str().unwrap()).unwrap();
    answer["behavior"].as_str().unwrap().to_owned()
}

/// Sections 1 to 5: frames, pings, reserved bits, opcodes, fragments.
pub(super) fn framing<A: Adapter>(adapter: &A) {
    judged(adapter, 1..=64, &[("OK", 64)]);
}

/// Section 6. Two tell whether broken text is refused before its message is whole, which nobody has to do.
pub(super) fn utf_8<A: Adapter>(adapter: &A) {
    judged(adapter, 65..=209, &[("OK", 143), ("NON-STRICT", 2)]);
}

/// Section 7. Three have no right answer.
pub(super) fn closing<A: Adapter>(adapter: &A) {
    judged(adapter, 210..=246, &[("OK", 34), ("INFORMATIONAL", 3)]);
}

/// Sections 9 and 10: large messages, and many.
pub(super) fn limits<A: Adapter>(adapter: &A) {
    judged(adapter, 247..=301, &[("OK", 55)]);
}

/// Sections 12 and 13: it is not offered.
pub(super) fn compression<A: Adapter>(adapter: &A) {
    judged(adapter, 302..=517, &[("UNIMPLEMENTED", 216)]);
}

/// The server does say so if an echo is none.
pub(super) fn a_wrong_echo<A: Adapter>(adapter: &A) {
    let (counts, _) = verdicts(adapter, 1..=5, |adapter, url| alone(adapter, url, |_| Frame::from("no echo")));
    assert_eq!(counts, BTreeMap::from([("FAILED".to_owned(), 5)]));
}

/// Sections 1 to 5 once more. Whoever reads on can learn of an error before it has answered what came before it, which the
/// server calls not strict.
pub(super) fn framing_while_the_driver_reads_on<A: Adapter>(adapter: &A) {
    let (_, odd) = verdicts(adapter, 1..=64, spawned);
    // 3.2 to 3.4, 4.1.3 to 4.1.5, 4.2.3 to 4.2.5, 5.15: a message, and at once a frame that breaks the rules.
    let is_known = |case| matches!(case, 29..=31 | 37..=39 | 42..=44 | 59);
    assert!(odd.iter().all(|(case, behavior)| is_known(*case) && behavior == "NON-STRICT"), "{odd:?}");
}
