//! Schedules: each tick is fired once, by whichever workers live, and nothing is fired otherwise.
#![allow(clippy::unwrap_used)]

// The stage.
#[path = "../chaos/clock.rs"]
mod clock;
#[macro_use]
#[allow(dead_code, unused_macros)]
#[path = "../it/harness.rs"]
mod harness;
mod jobs;
#[allow(dead_code)]
#[path = "../it/proxy.rs"]
mod proxy;

// The promises.
mod args; // The arguments of the jobs of schedules.
mod changed; // Schedules that are changed in the moment of a tick.
mod code; // Schedules in attributes, and programs that come and go.
mod computed; // Keys, weights and unique keys of the jobs of schedules.
mod exact; // Each tick once, beside kills and clients whose clocks are wrong.
mod listed; // Schedules as they are listed.
mod lost; // A fire whose answer is lost.
mod many; // Thousands of schedules on one tick.
mod missed; // A database that was down across ticks.
mod overlapping; // A tick before the job of the last one has ended.
mod prompt; // From a tick to the start of its job.
mod set; // Schedules that are set, paused, resumed and removed.
mod stuck; // Schedules that cannot be fired.
