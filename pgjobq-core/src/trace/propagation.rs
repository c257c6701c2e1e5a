//! The hook by which a tracing system puts its contexts into jobs, and takes them out again.

use std::sync::OnceLock;

use tracing::Span;

use crate::trace::context::TraceContext;

/// The propagation of this process.
static PROPAGATION: OnceLock<Box<dyn Propagation>> = OnceLock::new();

/// Carries trace contexts from an enqueue to the attempts of its jobs. The crate `pgjobq-otel` has one for OpenTelemetry.
///
/// It is called in the middle of an enqueue and of an attempt, so it must not block.
///
/// ```
/// # use pgjobq_core as pgjobq;
/// use pgjobq::trace::{Propagation, TraceContext, set_propagation};
/// use tracing::Span;
///
/// /// Carries one context everywhere.
/// struct Fixed(TraceContext);
///
/// impl Propagation for Fixed {
///     fn inject(&self, _: &Span) -> Option<TraceContext> {
///         Some(self.0.clone())
///     }
///     fn continue_from(&self, _: &TraceContext, _: &Span) {}
///     fn follow(&self, _: &TraceContext, _: &Span) {}
/// }
///
/// let context = TraceContext::new("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01").unwrap();
/// assert!(set_propagation(Fixed(context)).is_ok());
/// ```
pub trait Propagation: Send + Sync + 'static {
    /// Returns the context of a span, which the enqueue stores with the job; `None` if the tracing system does not know the span.
    fn inject(&self, span: &Span) -> Option<TraceContext>;

    /// Makes the new span of an enqueue the child of a context that the caller has given it: see
    /// [`NewJob::traceparent`](crate::NewJob::traceparent).
    fn continue_from(&self, context: &TraceContext, span: &Span);

    /// Connects the new span of an attempt with the context that its job carries, by a link or as its child.
    fn follow(&self, context: &TraceContext, span: &Span);
}

/// The error of setting the propagation of a process a second time.
#[derive(thiserror::Error)]
#[error(
    "this process has a propagation of trace contexts already: set it once, where the program installs its tracing"
)]
#[non_exhaustive]
pub struct PropagationAlreadySet;

crate::debug_as_message!(PropagationAlreadySet);

/// Sets the propagation of trace contexts of this process, once. It is for the whole process, as a `tracing` subscriber is, because an
/// enqueue in a transaction of yours names no client.
///
/// # Errors
///
/// [`PropagationAlreadySet`], if the process has one already.
pub fn set_propagation(propagation: impl Propagation) -> Result<(), PropagationAlreadySet> {
    PROPAGATION.set(Box::new(propagation)).map_err(|_| PropagationAlreadySet)
}

/// Returns the propagation of this process, if one was set.
pub(crate) fn propagation() -> Option<&'static dyn Propagation> {
    PROPAGATION.get().map(|propagation| &**propagation)
}
