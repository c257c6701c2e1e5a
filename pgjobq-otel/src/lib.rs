//! OpenTelemetry for [pgjobq](https://docs.rs/pgjobq): a job carries the trace context of its enqueue.
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

mod propagation;
mod w3c;

pub use propagation::TraceContextPropagation;
