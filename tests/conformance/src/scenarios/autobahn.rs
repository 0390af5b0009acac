//! The cases of Autobahn's fuzzing server, where there is a Python 2 for it: tests/interop/autobahn.

use std::{collections::BTreeMap, ops::RangeInclusive};

use serde_json::Value;
use steadfast::{Event, Frame, Phase};
use steadfast_driver::{Item, Mailbox};

use crate::{
    adapters::Adapter,
    app::{App, patient, run},
    process::Process,
};

/// What the server thinks of each of its cases, counted.
fn judged<A: Adapter>(adapter: &A, cases: RangeInclusive<u32>, expected: &[(&str, usize)]) {
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
    let expected: BTreeMap<_, usize> =
        expected.iter().map(|(behavior, count)| ((*behavior).to_owned(), *count)).collect();
    assert_eq!(counts, expected, "{odd:?}");
}

/// One link, on which every message is said back before the next one is read: by a single owner.
fn play<A: Adapter>(adapter: &A, url: &str) {
    let builder = A::connect(url).config(patient()).mailbox(Mailbox::pause(1, 1 << 20));
    let mut socket = builder.into_stream().unwrap();
    adapter.wait(async {
        while let Some(item) = socket.next().await {
            match item {
                Item::Event(Event::Phase(change)) if is_over(change.to) => return,
                item => item.into_message().into_iter().for_each(|message| _ = socket.send(message).unwrap()),
            }
        }
    });
}

fn is_over(phase: Phase) -> bool {
    matches!(phase, Phase::Waiting | Phase::Stopped(_))
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
