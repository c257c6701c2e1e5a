//! The span of an attempt, with the fields of OpenTelemetry's conventions for messaging.

use pgjobq_core::worker_api::{ClaimedJob, JobDescriptor, follow};
use tracing::Span;
use tracing::field::Empty;

/// Returns the span of an attempt, connected with the trace context that the job carries.
pub(super) fn of(job: &mut ClaimedJob, handler: &JobDescriptor, queue: &str) -> Span {
    let span = tracing::info_span!("job",
        messaging.message.id = %job.id, messaging.pgjobq.kind = handler.kind, messaging.destination.name = queue,
        messaging.pgjobq.attempt = job.attempts.unsigned_abs() + 1, messaging.pgjobq.outcome = Empty,
        traceparent = job.meta.traceparent, messaging.system = "pgjobq",
        messaging.operation.type = "process", messaging.operation.name = "process",
        otel.name = %format_args!("process {queue}"), otel.kind = "consumer",
        otel.status_code = Empty, otel.status_description = Empty, error.type = Empty);
    follow(&mut job.meta, &span);
    span
}

/// Returns the span of a call for several jobs, each of which has the span of its attempt beside it.
pub(super) fn of_call(handler: &JobDescriptor, queue: &str, jobs: usize) -> Span {
    tracing::info_span!("batch",
        messaging.pgjobq.kind = handler.kind, messaging.destination.name = queue, messaging.batch.message_count = jobs,
        messaging.system = "pgjobq", otel.name = %format_args!("batch {}", handler.kind))
}

/// Records the end of an attempt, and its error if it has failed.
pub(super) fn ended(span: &Span, outcome: &str, error: Option<(&str, &str)>) {
    span.record("messaging.pgjobq.outcome", outcome);
    if let Some((kind, message)) = error {
        span.record("error.type", kind);
        span.record("otel.status_code", "ERROR");
        span.record("otel.status_description", message);
    }
}
