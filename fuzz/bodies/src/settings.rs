//! Which session is fuzzed: small bounds, so that they are reached.

use std::time::Duration;

use arbitrary::{Arbitrary, Result, Unstructured};
use steadfast::{Alike, Bucket, Config, CredentialUse, Jitter, Overflow, Pings, Topics};
use steadfast_sim::Toy;

/// Everything that is fixed when a session is made.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) seed: u64,
    pub(crate) protocol: Toy,
    pub(crate) config: Config,
}

impl<'a> Arbitrary<'a> for Settings {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let pings = *u.choose(&[Pings::Frames, Pings::Ours, Pings::Theirs])?;
        let (hello, login, acks) = (u.arbitrary()?, u.arbitrary()?, u.arbitrary()?);
        let mut protocol = Toy { hello, login, acks, pings, ..Toy::default() };
        // A greeting is the beginning of a login.
        protocol.hello &= protocol.login;
        let seed = u.arbitrary::<u8>()?;
        let mut config = config(u)?;
        protocol.topics = [Topics::None, Topics::One, Topics::Many][usize::from(seed / 3) % 3];
        config.credentials.asked = seed >= 192;
        config.credentials.when =
            [CredentialUse::AtLogin, CredentialUse::AtDial, CredentialUse::Both][usize::from(seed) % 3];
        if seed % 4 == 3 {
            config.pacing.buckets =
                vec![Bucket::new(4, Duration::from_millis(400)), Bucket::new(9, Duration::from_secs(2))];
            config.pacing.per_link = seed % 8 == 7;
        }
        // The peer's ids and our lengths are few, so much is the same as something.
        config.dedup.outgoing = if seed % 4 == 1 { Alike::ByContent } else { Alike::Off };
        config.dedup.incoming = seed % 8 == 3;
        (config.dedup.within, config.dedup.count) = (Duration::from_secs(1), 4);
        if seed % 4 == 2 {
            protocol.batches = true;
            (config.batching.enabled, config.batching.count) = (true, 3);
            config.batching.linger = Duration::from_millis(50);
        }
        Ok(Self { seed: seed.into(), protocol, config })
    }
}

fn config(u: &mut Unstructured<'_>) -> Result<Config> {
    let mut config = Config::default();
    config.queue.max_messages = u.int_in_range(1..=16)?;
    config.queue.max_bytes = u.int_in_range(16..=512)?;
    config.queue.overflow = *u.choose(&[Overflow::Refuse, Overflow::DropOldest])?;
    config.window.frames = u.int_in_range(1..=6)?;
    config.window.bytes = u.int_in_range(1..=128)?;
    config.max_message = 64;
    config.heartbeat.interval = *u.choose(&[Duration::from_secs(25), Duration::from_millis(300), Duration::MAX])?;
    config.heartbeat.keepalive = *u.choose(&[Duration::from_secs(25), Duration::from_millis(200), Duration::MAX])?;
    config.heartbeat.pong_only = u.arbitrary()?;
    config.retry.jitter = *u.choose(&[
        Jitter::Full,
        Jitter::Equal,
        Jitter::Decorrelated,
        Jitter::Additive(Duration::from_millis(500)),
        Jitter::None,
    ])?;
    config.long_lived = u.arbitrary()?;
    config.history = u.int_in_range(0..=4)?;
    Ok(config)
}
