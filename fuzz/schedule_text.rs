//! Any text is a schedule or an error, and each next time of a schedule is later than the one before. The fuzzer's own time limit finds a
//! search that does not end.
//!
//! The first line of an input is the time zone, the rest is the text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pgjobq::NewSchedule;
use pgjobq::prelude::*;

#[job]
async fn tick() {}

fuzz_target!(|input: &str| {
    let (zone, text) = input.split_once('\n').unwrap_or(("UTC", input));
    match NewSchedule::new(text, tick::job()).timezone(zone).next_runs(20) {
        Ok(times) => assert!(times.is_sorted_by(|a, b| a < b), "{times:?}"),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
