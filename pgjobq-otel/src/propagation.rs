//! Connects the spans of an enqueue with those of its attempts.

use opentelemetry::Context;
use opentelemetry::trace::TraceContextExt as _;
use pgjobq::trace::{Propagation, PropagationAlreadySet, TraceContext, set_propagation};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use crate::w3c::{from_w3c, to_w3c};

/// Carries W3C trace contexts from an enqueue to the attempts of its jobs, between spans that `tracing-opentelemetry` exports.
///
/// ```
/// use pgjobq_otel::TraceContextPropagation;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// TraceContextPropagation::continues().install()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct TraceContextPropagation {
    continues: bool,
}

impl TraceContextPropagation {
    /// Returns one whose attempts begin a trace of their own, with a *link* to their enqueue. This is what OpenTelemetry recommends,
    /// because an attempt may run long after its enqueue, and more than once.
    #[must_use]
    pub const fn links() -> Self {
        Self { continues: false }
    }

    /// Returns one whose attempts *continue* the trace of their enqueue, as its children. A workflow is then one trace.
    #[must_use]
    pub const fn continues() -> Self {
        Self { continues: true }
    }

    /// Lets this process use it, for all of its clients and workers.
    ///
    /// # Errors
    ///
    /// [`PropagationAlreadySet`], if the process has a propagation already.
    pub fn install(self) -> Result<(), PropagationAlreadySet> {
        set_propagation(self)
    }
}

impl Propagation for TraceContextPropagation {
    fn inject(&self, span: &Span) -> Option<TraceContext> {
        let of_span = span.context();
        // Without a span of `tracing` for it there may be one that the program has made with OpenTelemetry's own API.
        to_w3c(of_span.span().span_context()).or_else(|| to_w3c(Context::current().span().span_context()))
    }

    fn continue_from(&self, context: &TraceContext, span: &Span) {
        let Some(context) = from_w3c(context) else { return };
        // It fails if no layer of OpenTelemetry listens to the span, which then has no context either.
        let _ = span.set_parent(Context::new().with_remote_span_context(context));
    }

    fn follow(&self, context: &TraceContext, span: &Span) {
        match from_w3c(context) {
            Some(_) if self.continues => self.continue_from(context, span),
            Some(context) => span.add_link(context),
            None => {}
        }
    }
}
