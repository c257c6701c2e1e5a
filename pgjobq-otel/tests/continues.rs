//! Attempts that continue the trace of their enqueue.
#![allow(clippy::unwrap_used)]

mod common;

use pgjobq::prelude::*;
use pgjobq_otel::TraceContextPropagation;

use self::common::{Stage, links};

#[job(queue = "otel_one_trace")]
async fn otel_first() -> Result<i64> {
    Ok(1)
}

#[job(queue = "otel_one_trace")]
async fn otel_second(after: i64) -> Result<i64> {
    Ok(after + 1)
}

#[tokio::test]
async fn workflow_is_one_trace() {
    TraceContextPropagation::continues().install().unwrap();
    let stage = Stage::new("continues").await;
    let worker = Worker::builder(&stage.client).queue("otel_one_trace", 5).build().await.unwrap().start();
    let mut flow = Workflow::new("count");
    let first = flow.add(otel_first::step());
    let _ = flow.add(otel_second::step(first.output()));
    let flow = flow.enqueue(&stage.client).await.unwrap();
    let _ = flow.wait(&stage.client).await.unwrap();
    let sent = stage.span("send otel_one_trace", ("messaging.pgjobq.workflow", &flow.id().to_string())).await;
    for kind in ["otel_first", "otel_second"] {
        let run = stage.span("process otel_one_trace", ("messaging.pgjobq.kind", kind)).await;
        assert_eq!(run.parent_span_id, sent.span_context.span_id(), "{kind}");
        assert_eq!(run.span_context.trace_id(), sent.span_context.trace_id(), "{kind}");
        assert!(links(&run).is_empty());
    }
    worker.shutdown().await.unwrap();
    stage.drop().await;
}
