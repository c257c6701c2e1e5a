//! OpenTelemetry for [pgjobq](https://docs.rs/pgjobq): a job carries the trace context of its enqueue, and metrics go to a `Meter`.
//!
//! pgjobq's spans already have OpenTelemetry's names. The crate `tracing-opentelemetry` exports them; this one connects the spans of
//! an enqueue with those of its attempts, in whichever process they run.
//!
//! ```
//! use pgjobq_otel::TraceContextPropagation;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Where the program installs its `tracing_opentelemetry::layer()`:
//! TraceContextPropagation::links().install()?;
//! # Ok(())
//! # }
//! ```
//!
//! Its version moves with OpenTelemetry's, and not with pgjobq's.
#![forbid(unsafe_code)]

mod meter;
mod propagation;
mod w3c;

pub use meter::OtelMeter;
pub use propagation::TraceContextPropagation;
