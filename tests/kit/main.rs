//! Tests of the test kit, written with it.
#![allow(clippy::unwrap_used)]

mod jobs; // The jobs of these tests.

mod advance; // Time that passes.
mod assertions; // Assertions, and what they print when they fail.
mod databases; // Databases of tests, and their ends.
mod drains; // Jobs that run when the test says so.
mod faults; // Crashes and lost leases.
mod fire; // Schedules that fire when the test says so.
mod inline; // Jobs that run as they are enqueued.
mod networks; // Lost replies and notifications.
mod versions; // Rows of other versions of the program.
