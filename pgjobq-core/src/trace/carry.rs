//! Trace contexts on their way into a job's row and out of it.

use tracing::Span;

use crate::job::lineage::Meta;
use crate::trace::context::TraceContext;
use crate::trace::propagation::propagation;

/// Lets a new job carry the context of the span of its enqueue. If the caller has given the job a context, the span becomes its child.
pub(crate) fn put(meta: &mut Meta, span: &Span) {
    let Some(propagation) = propagation() else { return };
    if let Some(outside) = meta.trace() {
        propagation.continue_from(&outside, span);
    }
    if let Some(context) = propagation.inject(span) {
        meta.set_trace(context);
    }
}

/// Returns the context of a span, for many jobs.
pub(crate) fn context_of(span: &Span) -> Option<TraceContext> {
    propagation()?.inject(span)
}

/// Connects the span of an attempt with the context that its job carries. Takes a malformed one out of `meta`, and logs a warning.
#[doc(hidden)]
pub fn follow(meta: &mut Meta, span: &Span) {
    if meta.traceparent.is_none() {
        return;
    }
    match (meta.trace(), propagation()) {
        (Some(context), Some(propagation)) => propagation.follow(&context, span),
        (Some(_), None) => {}
        (None, _) => {
            span.in_scope(|| {
                tracing::warn!(
                    traceparent = meta.traceparent,
                    "a job carries a malformed trace context, which is dropped"
                );
            });
            (meta.traceparent, meta.tracestate) = (None, None);
        }
    }
}
