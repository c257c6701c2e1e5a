//! The state of the database after some operations.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::facts::number;
use crate::operation::Job;

pub(crate) struct After {
    pub(crate) live: BTreeMap<Job, Row>,
    pub(crate) leases: Vec<Lease>,
    pub(crate) finished: Vec<Finished>,
    pub(crate) workers: Vec<i64>,
}

pub(crate) struct Row {
    pub(crate) ticket: Option<i64>,
    pub(crate) attempt: i64,
    pub(crate) failures: i64,
    pub(crate) crashes: i64,
    pub(crate) priority: i64,
    /// True if it has other arguments.
    pub(crate) edited: bool,
}

pub(crate) struct Lease {
    pub(crate) id: i64,
    pub(crate) tickets: Vec<i64>,
}

#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) id: Job,
    pub(crate) outcome: String,
    pub(crate) attempt: i64,
    /// True if it has a crash.
    pub(crate) crashed: bool,
    /// True if it records who cancelled it.
    pub(crate) asked: bool,
}

impl After {
    /// Reads the result of `races.state()`.
    pub(crate) fn read(state: &Value) -> Self {
        let row = |row: &Value| Row {
            ticket: row["ticket"].as_i64(),
            attempt: number(&row["attempt"]),
            failures: number(&row["failures"]),
            crashes: number(&row["crashes"]),
            priority: number(&row["priority"]),
            edited: row["edited"] == true,
        };
        let lease =
            |lease: &Value| Lease { id: number(&lease["id"]), tickets: list(&lease["tickets"], number) };
        let finished = |row: &Value| Finished {
            id: number(&row["id"]),
            outcome: row["outcome"].as_str().unwrap().to_owned(),
            attempt: number(&row["attempt"]),
            crashed: row["crashed"] == true,
            asked: row["asked"] == true,
        };
        Self {
            live: list(&state["jobs"], |job| (number(&job["id"]), row(job))).into_iter().collect(),
            leases: list(&state["leases"], lease),
            finished: list(&state["finished"], finished),
            workers: list(&state["workers"], number),
        }
    }
}

fn list<T>(value: &Value, read: impl Fn(&Value) -> T) -> Vec<T> {
    value.as_array().unwrap().iter().map(read).collect()
}
