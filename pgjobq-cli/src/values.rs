//! The forms of values on the command line.

use std::time::{Duration, SystemTime};

use clap::ValueEnum;
use pgjobq::filter::Filter;
use pgjobq::{JobId, Priority};

use crate::failure::Failure;

/// Parses a duration: `90s`, `2h 30m`, `7d`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|error| format!("{error}; write it as `90s`, `2h 30m` or `7d`"))
}

/// Parses a time: `2027-01-31T12:00:00Z`.
pub(crate) fn moment(text: &str) -> Result<SystemTime, String> {
    let parsed = humantime::parse_rfc3339_weak(text);
    parsed.map_err(|error| format!("{error}; write it in UTC, as `2027-01-31T12:00:00Z`"))
}

/// Parses an address with a port: `127.0.0.1:8080`.
#[cfg(feature = "serve")]
pub(crate) fn address(text: &str) -> Result<std::net::SocketAddr, String> {
    text.parse().map_err(|_| "write an address and a port, as 127.0.0.1:8080 or [::1]:8080".to_owned())
}

/// Parses a filter, and marks the place of a mistake.
pub(crate) fn filter(text: &str) -> Result<Filter, Failure> {
    text.parse().map_err(|error| Failure::filter(text, &error))
}

/// One job, or all that match a filter.
pub(crate) enum Target {
    One(JobId),
    Matching(Filter),
}

impl Target {
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        match text.trim().parse() {
            Ok(id) => Ok(Self::One(id)),
            Err(_) => filter(text).map(Self::Matching),
        }
    }
}

/// A priority by its name.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum PriorityName {
    Low,
    Normal,
    High,
    Critical,
}

impl From<PriorityName> for Priority {
    fn from(name: PriorityName) -> Self {
        match name {
            PriorityName::Low => Self::Low,
            PriorityName::Normal => Self::Normal,
            PriorityName::High => Self::High,
            PriorityName::Critical => Self::Critical,
        }
    }
}
