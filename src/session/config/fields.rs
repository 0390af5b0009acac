//! Which settings differ, and from when does a change count?

use alloc::vec::Vec;

use super::{
    BatchPolicy, Config, ConnectPolicy, CredentialPolicy, DedupPolicy, ErrorPolicy, HeartbeatPolicy, Identity,
    PacingPolicy, QueuePolicy, RequestPolicy, RetryPolicy, SubscriptionPolicy, Window,
};

/// A setting that was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Changed {
    /// Its name, with the policy it belongs to: `retry.base`.
    pub field: &'static str,
    /// From when the new value counts.
    pub counts: Counts,
}

/// From when a changed setting counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Counts {
    /// At once: whatever is decided next is decided by it. What was accepted under the old value stays: a smaller
    /// queue drops nothing that is in it, it takes nothing new until it is below its bound.
    AtOnce,
    /// From the next time something of the kind begins. A wait that was announced and a deadline that runs keep their
    /// length.
    NextTime,
    /// At the latest from the next link. The present one may keep what it began with, because the transport, the
    /// protocol or the peer has been told.
    NextLink,
}

impl Config {
    /// What differs in another config, and from when it would count if a running session took it over. In the order
    /// of the fields; empty if the two are equal.
    ///
    /// ```
    /// use core::time::Duration;
    /// use steadfast::{Config, Counts};
    ///
    /// let (old, mut new) = (Config::default(), Config::default());
    /// new.retry.base = Duration::from_secs(2);
    /// let changes = old.changes(&new);
    /// assert_eq!((changes[0].field, changes[0].counts), ("retry.base", Counts::NextTime));
    /// ```
    #[must_use]
    pub fn changes(&self, new: &Self) -> Vec<Changed> {
        let changed = |field: &&Field| (field.differs)(self, new);
        FIELDS.iter().filter(changed).map(|&Field { name, counts, .. }| Changed { field: name, counts }).collect()
    }
}

/// One setting.
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) counts: Counts,
    differs: fn(&Config, &Config) -> bool,
    #[cfg(test)]
    pub(super) shown: fn(&Config) -> alloc::string::String,
}

/// All settings, by policy. A field that is missing here does not compile: the settings are also taken apart by these
/// names, and nothing may be left.
macro_rules! fields {
    ($($policy:ident: $type:ident { $($field:ident $counts:ident,)* })*; $($own:ident $own_counts:ident,)*) => {
        pub(super) const FIELDS: &[Field] = &[
            $($(Field {
                name: concat!(stringify!($policy), ".", stringify!($field)),
                counts: Counts::$counts,
                differs: |a, b| a.$policy.$field != b.$policy.$field,
                #[cfg(test)]
                shown: |config| super::table::Shown::shown(&config.$policy.$field),
            },)*)*
            $(Field {
                name: stringify!($own),
                counts: Counts::$own_counts,
                differs: |a, b| a.$own != b.$own,
                #[cfg(test)]
                shown: |config| super::table::Shown::shown(&config.$own),
            },)*
        ];

        const _: fn(&Config) = |config| {
            let Config { $($policy: $type { $($field: _,)* },)* $($own: _,)* } = config;
        };
    };
}

fields! {
    retry: RetryPolicy {
        base NextTime,
        factor NextTime,
        cap NextTime,
        jitter NextTime,
        floor AtOnce,
        directed_cap NextTime,
        max_attempts AtOnce,
        max_elapsed AtOnce,
        first AtOnce,
    }
    heartbeat: HeartbeatPolicy {
        interval NextLink,
        timeout NextLink,
        keepalive NextLink,
        pong_only NextLink,
    }
    queue: QueuePolicy {
        max_messages AtOnce,
        max_bytes AtOnce,
        overflow AtOnce,
        high AtOnce,
        low AtOnce,
    }
    window: Window {
        frames NextLink,
        bytes NextLink,
    }
    connect: ConnectPolicy {
        lazy AtOnce,
        idle_close AtOnce,
        network_wait NextTime,
        follow_goaway AtOnce,
    }
    credentials: CredentialPolicy {
        when NextLink,
        asked NextTime,
        answer_timeout NextTime,
        refresh_before NextTime,
    }
    pacing: PacingPolicy {
        gap AtOnce,
        buckets AtOnce,
        per_link NextLink,
    }
    batching: BatchPolicy {
        enabled AtOnce,
        count AtOnce,
        bytes AtOnce,
        linger AtOnce,
    }
    errors: ErrorPolicy {
        strict AtOnce,
        proven_limit AtOnce,
        proven_gap AtOnce,
        poison_limit AtOnce,
        tell_server AtOnce,
        rows AtOnce,
    }
    subscriptions: SubscriptionPolicy {
        restore NextLink,
        answer_timeout NextTime,
        batch AtOnce,
        max_topics AtOnce,
        held_max AtOnce,
    }
    identity: Identity {
        client_id NextLink,
        kind NextLink,
        metadata NextLink,
    }
    dedup: DedupPolicy {
        outgoing AtOnce,
        incoming AtOnce,
        within AtOnce,
        count AtOnce,
    }
    requests: RequestPolicy {
        deadline NextTime,
        grace NextTime,
    };

    connect_timeout NextTime,
    greeting_timeout NextTime,
    login_timeout NextTime,
    close_timeout NextTime,
    stable_for NextTime,
    degraded_after AtOnce,
    long_lived AtOnce,
    keep_on_stop AtOnce,
    max_message NextLink,
    heard_max NextLink,
    history AtOnce,
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;

    #[test]
    fn nothing_has_changed_between_equals() {
        for (_, config) in Config::presets() {
            assert_eq!(config.changes(&config), []);
        }
    }

    #[test]
    fn each_change_is_told_with_the_time_from_which_it_counts() {
        let (old, mut new) = (Config::default(), Config::default());
        new.long_lived = true;
        new.retry.cap = Duration::from_secs(31);
        new.window.frames = 7;
        let expected =
            [("retry.cap", Counts::NextTime), ("window.frames", Counts::NextLink), ("long_lived", Counts::AtOnce)];
        assert_eq!(old.changes(&new), expected.map(|(field, counts)| Changed { field, counts }));
    }

    #[test]
    fn no_name_stands_for_two_settings() {
        for (at, field) in FIELDS.iter().enumerate() {
            assert!(FIELDS[..at].iter().all(|before| before.name != field.name), "{}", field.name);
        }
    }
}
