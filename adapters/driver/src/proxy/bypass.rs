//! Which servers are reached without a proxy?

use std::net::IpAddr;

/// Servers that are reached without a proxy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Bypass(Vec<Entry>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Entry {
    All,
    /// So many leading bits of this are theirs.
    Network(u128, u32),
    /// This name and those below it, in small letters.
    Name(String),
}

impl Bypass {
    pub(super) fn add(&mut self, list: &str) {
        let entries = list.split([',', ' ']).map(str::trim).filter(|entry| !entry.is_empty());
        self.0.extend(entries.map(Entry::parse));
    }

    pub(super) fn covers(&self, host: &str) -> bool {
        let (host, ip) = (host.to_ascii_lowercase(), host.parse().ok().map(bits));
        self.0.iter().any(|entry| match (entry, ip) {
            (Entry::All, _) => true,
            (Entry::Network(network, length), Some(ip)) => (network ^ ip).leading_zeros() >= *length,
            (Entry::Name(name), None) => {
                host.strip_suffix(name.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            }
            (Entry::Network(..), None) | (Entry::Name(_), Some(_)) => false,
        })
    }
}

impl Entry {
    fn parse(entry: &str) -> Self {
        if entry == "*" {
            return Self::All;
        }
        let (address, length) =
            entry.split_once('/').map_or((entry, None), |(address, length)| (address, Some(length)));
        if let Ok(ip) = address.trim_matches(['[', ']']).parse::<IpAddr>() {
            let whole = if ip.is_ipv4() { 32 } else { 128 };
            let length = length.map_or(Some(whole), |length| length.parse().ok().filter(|length| *length <= whole));
            if let Some(length) = length {
                return Self::Network(bits(ip), 128 - whole + length);
            }
        }
        Self::Name(entry.trim_start_matches('*').trim_start_matches('.').to_ascii_lowercase())
    }
}

/// An IPv4 address as the IPv6 address that stands for it, so that there is one kind of them.
fn bits(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    }
    .to_bits()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_addresses_and_networks_are_passed_by() {
        for (list, host, expected) in [
            ("example.org", "example.org", true),
            ("example.org", "A.Example.ORG", true),
            (".example.org", "example.org", true),
            ("*.example.org", "a.example.org", true),
            ("example.org", "bad-example.org", false),
            ("example.org", "example.org.evil", false),
            ("a.example, b.example c.example", "c.example", true),
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.1", "127.0.0.2", false),
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("0.0.0.0/0", "8.8.8.8", true),
            ("0.0.0.0/0", "::1", false),
            ("10.0.0.0/33", "10.0.0.0", false),
            ("::1,fe80::/10", "fe80::7", true),
            ("[::1]", "::1", true),
            ("0.0.1", "127.0.0.1", false),
            ("*", "anything", true),
            ("", "anything", false),
        ] {
            let mut bypass = Bypass::default();
            bypass.add(list);
            assert_eq!(bypass.covers(host), expected, "{host} of {list}");
        }
    }
}
