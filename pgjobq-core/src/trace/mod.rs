//! Traces: the spans of enqueues and attempts, and the trace contexts that jobs carry from the one to the other.
//!
//! Each enqueue is a span `enqueue`, and each attempt a span `job`, of the crate `tracing`. Their fields have the names of OpenTelemetry's
//! conventions for messaging, so that the crate `tracing-opentelemetry` makes the right spans of them: `send mail` and `process mail`.
//! A job carries the W3C trace context of its enqueue if the process has a [`Propagation`].

pub(crate) mod carry;
pub(crate) mod context;
pub(crate) mod producer;
pub(crate) mod propagation;

pub use self::context::TraceContext;
pub use self::propagation::{Propagation, PropagationAlreadySet, set_propagation};
