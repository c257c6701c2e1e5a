//! The hosts at which the dashboard answers.
//!
//! Another site can let a name of its own lead to the address of this program (DNS rebinding). To a browser its scripts and our pages then
//! have one origin. Only the header `Host`, which has that name, tells the difference. Nobody else can point a name of a loopback device,
//! or an address, at this program.

use std::net::IpAddr;

use axum::http::uri::Authority;

/// The hosts at which the dashboard answers.
pub(crate) struct Hosts {
    /// Names, beside those of the loopback device and addresses.
    named: Vec<String>,
    /// True if it answers at any name.
    any: bool,
}

impl Hosts {
    /// All hosts, unless some are named.
    pub(crate) fn any_unless_named(named: Vec<String>) -> Self {
        let any = named.is_empty();
        Self { named, any }
    }

    /// The named hosts, and those that no other site can name.
    pub(crate) fn only_named(named: Vec<String>) -> Self {
        Self { named, any: false }
    }

    /// Returns whether the dashboard answers at this host, which may have a port.
    pub(crate) fn admit(&self, host: &str) -> bool {
        let Ok(host) = host.parse::<Authority>() else { return self.any };
        let name = host.host().trim_end_matches('.').to_ascii_lowercase();
        let is_address = name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
        let is_loopback = name == "localhost" || name.ends_with(".localhost");
        let is_named =
            |named: &String| [&*name, host.as_str()].iter().any(|is| named.eq_ignore_ascii_case(is));
        self.any || is_address || is_loopback || self.named.iter().any(is_named)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_named_hosts_and_own_addresses_are_admitted() {
        let hosts = Hosts::only_named(vec!["Jobs.example.org".to_owned(), "inner:81".to_owned()]);
        for host in [
            "localhost",
            "LOCALHOST:3000",
            "jobs.localhost:3000",
            "localhost.:3000",
            "127.0.0.1:3000",
            "10.0.0.7",
            "[::1]:3000",
            "[fe80::1]",
            "jobs.example.org",
            "jobs.example.org:8443",
            "inner:81",
        ] {
            assert!(hosts.admit(host), "{host}");
        }
        for host in [
            "evil.test",
            "evil.test:3000",
            "localhost.evil.test",
            "evillocalhost",
            "127.0.0.1.evil.test",
            "x.jobs.example.org",
            "inner",
            "inner:82",
            "",
            "[::1",
            "a b",
        ] {
            assert!(!hosts.admit(host), "{host}");
        }
    }

    #[test]
    fn any_host_is_admitted_unless_some_are_named() {
        assert!(Hosts::any_unless_named(Vec::new()).admit("evil.test"));
        assert!(!Hosts::any_unless_named(vec!["jobs.example.org".to_owned()]).admit("evil.test"));
    }
}
