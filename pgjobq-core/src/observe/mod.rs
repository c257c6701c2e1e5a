//! Telemetry: what happens is an [`Event`], and whoever wants to know is an [`Observer`].
//!
//! ```no_run
//! # use pgjobq_core as pgjobq;
//! # async fn example(pool: sqlx::PgPool) -> Result<(), Box<dyn std::error::Error>> {
//! use pgjobq::Client;
//! use pgjobq::observe::Event;
//!
//! let client = Client::builder(pool)
//!     .observer(|event: &Event| {
//!         if let Event::Ended(ended) = event {
//!             println!("{} ended as {} after {:?}", ended.job.kind, ended.outcome, ended.run);
//!         }
//!     })
//!     .build()?;
//! # Ok(())
//! # }
//! ```
//!
//! Each observer has a thread of its own, and a bounded queue before it. So it may block, and delays nothing but itself: when its
//! queue is full, events are dropped and counted. A program without observers pays one branch for each batch of jobs.
//!
//! Events come some milliseconds late. At the end of a program [`Client::close`](crate::Client::close) waits until observers have seen
//! the last ones; without it they are lost. So does the shutdown of a worker.

pub(crate) mod attempt;
mod delivery;
mod ended;
mod enqueued;
mod event;
mod folder;
pub(crate) mod observer;
pub(crate) mod receivers;
pub(crate) mod sampler;
pub(crate) mod statement;
pub(crate) mod telemetry;
mod throttle;

pub use event::{
    Batch, BatchOf, Claimed, ConnectionLost, ConnectionRegained, CrashRecovered, Dropped, Ended, Enqueued,
    Event, LeaseLost, ObservedJob, Outcome, Promoted, StaleResult, Started, Swept,
};
pub use observer::Observer;
pub use sampler::ExplainSampler;
pub use statement::{Plan, Statement, TelemetryHook};
