//! The worker runtime of pgjobq: wake, claim, run, decide, finish. Users depend on the `pgjobq` crate, which shows the
//! public part of this one.

// Setting one up.
mod builder;
mod config;
mod setup;
mod signal;
mod worker;

// One job's way: claim, run, decide, finish.
mod answered;
mod args;
mod asks;
mod begin;
mod cancels;
mod claim_loop;
mod dead;
mod decide;
mod finisher;
mod idleness;
mod laggards;
mod lane;
mod outage;
mod portion;
mod quarantine;
mod record;
mod recorders;
mod recover;
mod run;
mod running;
mod settle;

// What goes on beside.
mod arrivals;
mod drift;
mod due;
mod expire;
mod hand_back;
mod health;
mod heard;
mod heartbeat;
mod judge;
mod leases;
mod parts;
mod pause;
mod runtime;
mod suspension;
mod tidy;
mod upkeep;

pub use builder::WorkerBuilder;
pub use config::QueueLimits;
pub use health::Health;
pub use setup::{BuildError, SetupProblem};
pub use signal::shutdown_signal;
pub use worker::{RunningWorker, Worker, WorkerError};
