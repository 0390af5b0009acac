//! Can any bytes be read as a keepsake, or refused? And does a session that recalls one go on in order?
//!
//! The first byte chooses: the bytes as they are, or with a right checksum, so that the reader behind it is reached.

use steadfast::{Commands, Config, Keepsake, Machine, Session, Text, Timestamp};
use steadfast_sim::Toy;

/// Runs one case. Panics if a promise is broken.
pub fn keepsake(data: &[u8]) {
    let Some((choice, bytes)) = data.split_first() else { return };
    let mut bytes = bytes.to_vec();
    if choice & 1 != 0 {
        let sum = bytes
            .iter()
            .fold(0xcbf2_9ce4_8422_2325, |sum: u64, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
        bytes.extend(sum.to_be_bytes());
    }
    let Ok(keepsake) = Keepsake::from_bytes(bytes.clone().into()) else { return };
    assert_eq!(keepsake.to_bytes(), bytes, "what is read is written the same");
    recall(&keepsake);
}

fn recall(keepsake: &Keepsake) {
    let now = Timestamp::from_millis(10_000_000);
    let mut session = Session::new(Toy::default(), Config::default(), 7).expect("the defaults are sound");
    let recalled = session.recall(now, keepsake, |body| Some(String::from_utf8_lossy(body).into_owned().into()));
    if !recalled {
        return;
    }
    let mut actions = Vec::new();
    let before = session.health(now).queued;
    let mut send = || session.send(now, "new".into(), &mut actions).ok();
    let (first, second) = (send(), send());
    assert!(first.zip(second).is_none_or(|(first, second)| first < second), "ids go up");
    assert!(session.health(now).queued >= before);
    session.connect(now, &mut actions);
    let mut at = now;
    for _ in 0..20 {
        let Some(next) = session.next_deadline() else { break };
        assert!(next > at, "a deadline lies in the future");
        at = next;
        session.wake(at, &mut actions);
    }
    let again = session.save(|text: &Text| Some(text.as_bytes().clone()));
    assert!(Keepsake::from_bytes(again.to_bytes()).is_ok(), "what is saved can be read");
}
