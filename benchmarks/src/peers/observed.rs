//! pgjobq with all of its telemetry, to see what that costs. `traced` adds spans for OpenTelemetry, which it makes for each attempt.

use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Result;
use metrics_exporter_prometheus::PrometheusBuilder;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{BatchSpanProcessor, SdkTracerProvider, SpanData, SpanExporter};
use pgjobq::ClientBuilder;
use pgjobq::observe::{Event, ExplainSampler, Statement, TelemetryHook};
use pgjobq_otel::TraceContextPropagation;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

use super::pgjobq::{CAN, Pgjobq, UNFINISHED};
use super::{Entry, Peer, Setup};

pub(super) const OBSERVED: Entry = Entry {
    name: "observed",
    version: env!("CARGO_PKG_VERSION"),
    settings: "pgjobq with metrics to Prometheus, another observer, a hook, plans of one statement in 1,000, and logs at INFO",
    can: CAN,
    most_jobs: u64::MAX,
    unfinished: UNFINISHED,
    open: |setup| Box::pin(async { Ok(Box::new(open(setup, false).await?) as Box<dyn Peer>) }),
};

pub(super) const TRACED: Entry = Entry {
    name: "traced",
    settings: "the same with OpenTelemetry: each attempt is a span that is exported to nowhere, in batches",
    open: |setup| Box::pin(async { Ok(Box::new(open(setup, true).await?) as Box<dyn Peer>) }),
    ..OBSERVED
};

async fn open(setup: Setup, traced: bool) -> Result<Pgjobq> {
    let tracer = traced.then(|| {
        let batches = BatchSpanProcessor::builder(Nowhere).build();
        SdkTracerProvider::builder().with_span_processor(batches).build().tracer("benchmarks")
    });
    if traced {
        // A run opens its peer once or twice in its process.
        let _ = TraceContextPropagation::links().install();
    }
    let logs = tracing_subscriber::fmt::layer().with_writer(std::io::sink).with_filter(LevelFilter::INFO);
    let spans = tracer.map(|tracer| tracing_opentelemetry::layer().with_tracer(tracer));
    let _ = tracing_subscriber::registry().with(spans.with_filter(LevelFilter::INFO)).with(logs).try_init();
    let _ = PrometheusBuilder::new().with_recommended_naming(true).install_recorder();
    Pgjobq::observed(setup, all_on).await
}

fn all_on(builder: ClientBuilder) -> ClientBuilder {
    let events = AtomicU64::new(0);
    let count = move |_: &Event| _ = events.fetch_add(1, Ordering::Relaxed);
    let builder = builder.metrics().observer(count).telemetry_hook(Statements::default());
    builder.explain_sampler(ExplainSampler::one_in(1000))
}

/// Counts statements.
#[derive(Default)]
struct Statements(AtomicU64);

impl TelemetryHook for Statements {
    fn on_statement(&self, _: &Statement) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Drops spans.
#[derive(Debug)]
struct Nowhere;

impl SpanExporter for Nowhere {
    async fn export(&self, _: Vec<SpanData>) -> OTelSdkResult {
        Ok(())
    }
}
