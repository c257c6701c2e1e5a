//! Metrics: what [events](crate::observe) and statements add up to, and the state of the fleet.
//!
//! [`ClientBuilder::metrics`](crate::ClientBuilder::metrics) (feature `metrics`) sends them to the facade of the crate `metrics`. For any
//! other library implement [`Meter`], and give it to [`ClientBuilder::measured_by`](crate::ClientBuilder::measured_by); the crate
//! `pgjobq-otel` has one for OpenTelemetry. [`METRICS`] lists them all.
//!
//! Labels are the queue, the kind, and a word such as the outcome; never an id or an argument. Of queues and of kinds there are at most
//! 200 each; all further ones are `other`.

mod ask;
mod builder;
#[cfg(feature = "metrics")]
mod facade;
pub(crate) mod fleet;
mod gauges;
mod labels;
pub(crate) mod measures;
pub(crate) mod meter;
pub(crate) mod metric;
mod of_jobs;

#[cfg(feature = "metrics")]
pub use self::facade::{Facade, describe};
pub use self::fleet::{DatabaseState, FleetState, QueueState};
pub use self::meter::{Instrument, Meter};
pub use self::metric::{METRICS, Metric, MetricKind};
