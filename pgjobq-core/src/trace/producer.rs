//! The spans of enqueues, with the fields of OpenTelemetry's conventions for messaging.

use std::borrow::Cow;
use std::fmt;

use tracing::Span;
use tracing::field::{Empty, display};

use crate::enqueue::new_row::NewRow;
use crate::job::lineage::Meta;
use crate::trace::carry;
use crate::trace::context::TraceContext;
use crate::{EnqueueError, WorkflowId};

/// Returns the span of the enqueue of one job, whose context the job carries from then on.
pub(crate) fn of_one(row: &mut NewRow) -> Span {
    let span = tracing::info_span!("enqueue",
        otel.name = %format_args!("send {}", row.queue), otel.kind = "producer",
        messaging.system = "pgjobq", messaging.operation.type = "send", messaging.operation.name = "send",
        messaging.destination.name = row.queue, messaging.message.id = %row.id(),
        messaging.pgjobq.kind = row.kind, otel.status_code = Empty, error.type = Empty);
    carry::put(&mut row.meta, &span);
    span
}

/// The span of the enqueue of many jobs, which all carry its context. It begins with the first of them.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    span: Option<Span>,
    context: Option<TraceContext>,
    /// The number of jobs.
    jobs: u64,
    /// The queue of the first job.
    queue: String,
    has_other_queues: bool,
}

impl Batch {
    /// Begins the span of jobs that are all in this queue, or in several.
    pub(crate) fn begin(queue: Option<&str>) -> Self {
        let span = tracing::info_span!("enqueue",
            otel.name = %Name(queue), otel.kind = "client",
            messaging.system = "pgjobq", messaging.operation.type = "send", messaging.operation.name = "send",
            messaging.destination.name = Empty, messaging.batch.message_count = Empty,
            messaging.pgjobq.workflow = Empty, otel.status_code = Empty, error.type = Empty);
        let context = carry::context_of(&span);
        let queue = queue.unwrap_or_default().to_owned();
        Self { span: Some(span), context, jobs: 0, has_other_queues: queue.is_empty(), queue }
    }

    /// Adds a job, which carries the context of the span from then on, unless it has one. The queue of the first job names the span,
    /// because a span that has begun keeps its name.
    pub(crate) fn add(&mut self, queue: &str, meta: &mut Meta) {
        if self.span.is_none() {
            *self = Self::begin(Some(queue));
        }
        self.jobs += 1;
        self.has_other_queues |= self.queue != queue;
        if let Some(context) = self.context.as_ref().filter(|_| meta.traceparent.is_none()) {
            meta.set_trace(context.clone());
        }
    }

    /// Returns the span.
    pub(crate) fn span(&self) -> Span {
        self.span.clone().unwrap_or_else(Span::none)
    }

    /// Records the workflow of which the jobs are steps.
    pub(crate) fn of_workflow(&self, id: WorkflowId) -> &Self {
        self.span().record("messaging.pgjobq.workflow", display(id));
        self
    }

    /// Records the number of jobs, and their queue if they are in one.
    pub(crate) fn end(&self, error: Option<&EnqueueError>) {
        let Some(span) = self.span.as_ref().filter(|span| !span.is_disabled()) else { return };
        span.record("messaging.batch.message_count", self.jobs);
        if !self.has_other_queues {
            span.record("messaging.destination.name", &*self.queue);
        }
        failed(span, error);
    }
}

/// The name of the span of a batch.
struct Name<'q>(Option<&'q str>);

impl fmt::Display for Name<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("send")?;
        self.0.map_or(Ok(()), |queue| write!(out, " {queue}"))
    }
}

/// Records the error of an enqueue, if it has failed.
pub(crate) fn failed(span: &Span, error: Option<&EnqueueError>) {
    if let Some(error) = error.filter(|_| !span.is_disabled()) {
        span.record("error.type", &*type_of(error));
        span.record("otel.status_code", "ERROR");
    }
}

/// Returns the type of an error: one of few words, or the SQLSTATE.
fn type_of(error: &EnqueueError) -> Cow<'static, str> {
    match error {
        EnqueueError::Database(error) => error.code().map_or("database".into(), Cow::from),
        EnqueueError::TimedOut { .. } => "timeout".into(),
        EnqueueError::QueueFull { .. } => "queue_full".into(),
        EnqueueError::UnknownQueue { .. } => "unknown_queue".into(),
        EnqueueError::Closed => "closed".into(),
        _ => "invalid_job".into(),
    }
}
