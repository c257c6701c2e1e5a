//! Metrics: what they count, the state of the fleet, and what people are given to use them.
#![allow(clippy::unwrap_used)]

#[macro_use]
#[allow(dead_code, unused_macros)]
#[path = "it/harness.rs"]
mod harness;

#[path = "metrics/alerts.rs"]
mod alerts;
#[path = "metrics/counted.rs"]
mod counted;
#[path = "metrics/exposition.rs"]
mod exposition;
#[path = "metrics/fleet.rs"]
mod fleet;
#[path = "metrics/gauges.rs"]
mod gauges;
#[path = "metrics/recorded.rs"]
mod recorded;
#[path = "metrics/restarted.rs"]
mod restarted;
#[path = "metrics/scraped.rs"]
mod scraped;
#[path = "metrics/table.rs"]
mod table;
