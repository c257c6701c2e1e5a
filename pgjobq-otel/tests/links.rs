//! Attempts that link to their enqueues, as a real OpenTelemetry SDK exports them.
#![allow(clippy::unwrap_used)]

mod common;

use opentelemetry::trace::{SpanKind, Status};
use pgjobq::prelude::*;
use pgjobq::sqlx;
use pgjobq_otel::TraceContextPropagation;
use tracing::Instrument as _;

use self::common::{Stage, attributes, is_root, links};

const OUTSIDE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// Enqueues a child, and returns its id.
#[job(queue = "otel_mail")]
async fn otel_parent(ctx: JobContext) -> Result<JobId> {
    Ok(ctx.enqueue(otel_fail::job()).await?.id())
}

#[job(queue = "otel_mail", retries = 0)]
async fn otel_fail() -> Result<()> {
    Err("no such user".into())
}

#[job(queue = "otel_mail")]
async fn otel_add(left: i64, right: i64) -> Result<i64> {
    Ok(left + right)
}

#[tokio::test]
async fn attempts_link_to_their_enqueues() {
    TraceContextPropagation::links().install().unwrap();
    assert!(TraceContextPropagation::continues().install().is_err());
    let stage = Stage::new("links").await;
    let worker = Worker::builder(&stage.client).queue("otel_mail", 5).build().await.unwrap().start();
    a_job_and_its_child(&stage).await;
    a_workflow(&stage).await;
    a_context_from_outside(&stage).await;
    malformed_contexts(&stage).await;
    worker.shutdown().await.unwrap();
    stage.drop().await;
}

async fn a_job_and_its_child(stage: &Stage) {
    let request = tracing::info_span!("request");
    let job = otel_parent::enqueue(&stage.client).instrument(request).await.unwrap();
    let child = job.wait(&stage.client).await.unwrap().completed().unwrap();
    let _ = otel_fail::handle(child).wait(&stage.client).await.unwrap();

    let id = job.id().to_string();
    let sent = stage.span("send otel_mail", ("messaging.message.id", &id)).await;
    assert_eq!(sent.span_kind, SpanKind::Producer);
    assert!(!is_root(&sent), "the span `request` is its parent");
    let run = stage.span("process otel_mail", ("messaging.message.id", &id)).await;
    assert_eq!((&run.span_kind, &run.status), (&SpanKind::Consumer, &Status::Unset));
    assert!(is_root(&run) && run.span_context.trace_id() != sent.span_context.trace_id());
    assert_eq!(links(&run).iter().map(|to| to.span_id()).collect::<Vec<_>>(), [sent.span_context.span_id()]);
    let about = attributes(&run);
    for (name, value) in [
        ("messaging.system", "pgjobq"),
        ("messaging.operation.type", "process"),
        ("messaging.destination.name", "otel_mail"),
        ("messaging.pgjobq.kind", "otel_parent"),
        ("messaging.pgjobq.attempt", "1"),
        ("messaging.pgjobq.outcome", "complete"),
    ] {
        assert_eq!(about.get(name).map(String::as_str), Some(value), "{name}");
    }

    let id = child.to_string();
    let sent = stage.span("send otel_mail", ("messaging.message.id", &id)).await;
    assert_eq!(sent.parent_span_id, run.span_context.span_id(), "the parent's attempt enqueued it");
    let failed = stage.span("process otel_mail", ("messaging.message.id", &id)).await;
    assert_eq!(failed.status, Status::error("no such user"));
    assert_eq!(attributes(&failed)["error.type"], "error");
    assert_eq!(links(&failed)[0].span_id(), sent.span_context.span_id());
}

async fn a_workflow(stage: &Stage) {
    let mut flow = Workflow::new("sum");
    let three = flow.add(otel_add::step(1, 2));
    let _ = flow.add(otel_add::step(three.output(), 4));
    let flow = flow.enqueue(&stage.client).await.unwrap();
    let _ = flow.wait(&stage.client).await.unwrap();
    let id = flow.id().to_string();
    let sent = stage.span("send otel_mail", ("messaging.pgjobq.workflow", &id)).await;
    assert_eq!(sent.span_kind, SpanKind::Client);
    assert_eq!(attributes(&sent)["messaging.batch.message_count"], "2");
    for step in stage.spans_of("process otel_mail", ("messaging.pgjobq.kind", "otel_add"), 2).await {
        assert_eq!(links(&step)[0].span_id(), sent.span_context.span_id());
    }
}

async fn a_context_from_outside(stage: &Stage) {
    let job = otel_add::job(3, 4).traceparent(OUTSIDE).enqueue(&stage.client).await.unwrap();
    let _ = job.wait(&stage.client).await.unwrap();
    let id = job.id().to_string();
    let sent = stage.span("send otel_mail", ("messaging.message.id", &id)).await;
    let parent = format!("00-{}-{}-01", sent.span_context.trace_id(), sent.parent_span_id);
    assert_eq!(parent, OUTSIDE);
    let run = stage.span("process otel_mail", ("messaging.message.id", &id)).await;
    assert_eq!(links(&run)[0].span_id(), sent.span_context.span_id());
}

async fn malformed_contexts(stage: &Stage) {
    let job = otel_add::job(5, 6).traceparent("00-nonsense").enqueue(&stage.client).await.unwrap();
    let _ = job.wait(&stage.client).await.unwrap();
    let sent = stage.span("send otel_mail", ("messaging.message.id", &job.id().to_string())).await;
    assert!(is_root(&sent));
    let by_sql = "select job::text from pgjobq.enqueue('otel_fail', queue => 'otel_mail', traceparent => '00-nonsense')";
    let id: String = sqlx::query_scalar(by_sql).fetch_one(stage.client.pool()).await.unwrap();
    let run = stage.span("process otel_mail", ("messaging.message.id", &id)).await;
    assert!(is_root(&run) && links(&run).is_empty());
}
