//! pgjobq with its telemetry, to see what that costs: part after part.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Result;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{BatchSpanProcessor, SdkTracerProvider, SpanData, SpanExporter};
use pgjobq::ClientBuilder;
use pgjobq::measure::METRICS;
use pgjobq::observe::{Event, ExplainSampler, Statement, TelemetryHook};
use pgjobq_otel::TraceContextPropagation;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

use super::pgjobq::{CAN, Pgjobq, UNFINISHED};
use super::{Entry, Peer, Setup};

/// The time between two upkeeps of the recorder for Prometheus: its default.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// The subscriber of spans.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Spans {
    Nobody,
    Logs,
    OpenTelemetry,
}

pub(super) const EVENTS: Entry = Entry {
    name: "events",
    version: env!("CARGO_PKG_VERSION"),
    settings: "pgjobq with an observer and a hook",
    can: CAN,
    most_jobs: u64::MAX,
    unfinished: UNFINISHED,
    open: |setup| Box::pin(open(setup, some, Spans::Nobody)),
};

pub(super) const OBSERVED: Entry = Entry {
    name: "observed",
    settings: "pgjobq with an observer, a hook, metrics to Prometheus, and plans of one statement in 1,000",
    open: |setup| Box::pin(open(setup, all, Spans::Nobody)),
    ..EVENTS
};

pub(super) const LOGGED: Entry = Entry {
    name: "logged",
    settings: "the same with logs at INFO, which are formatted and written to nowhere",
    open: |setup| Box::pin(open(setup, all, Spans::Logs)),
    ..EVENTS
};

pub(super) const TRACED: Entry = Entry {
    name: "traced",
    settings: "`observed` with OpenTelemetry: each attempt is a span that is exported to nowhere, in batches",
    open: |setup| Box::pin(open(setup, all, Spans::OpenTelemetry)),
    ..EVENTS
};

async fn open(
    setup: Setup,
    observe: fn(ClientBuilder) -> ClientBuilder,
    spans: Spans,
) -> Result<Box<dyn Peer>> {
    // A run opens its peer once or twice in its process: the second time all of this is there already.
    match spans {
        Spans::Nobody => {}
        Spans::Logs => {
            let logs = tracing_subscriber::fmt::layer().with_writer(std::io::sink);
            let _ = tracing_subscriber::registry().with(logs.with_filter(LevelFilter::INFO)).try_init();
        }
        Spans::OpenTelemetry => {
            let batches = BatchSpanProcessor::builder(Nowhere).build();
            let tracer =
                SdkTracerProvider::builder().with_span_processor(batches).build().tracer("benchmarks");
            let spans = tracing_opentelemetry::layer().with_tracer(tracer).with_filter(LevelFilter::INFO);
            let _ = tracing_subscriber::registry().with(spans).try_init();
            let _ = TraceContextPropagation::links().install();
        }
    }
    Ok(Box::new(Pgjobq::observed(setup, observe).await?))
}

fn some(builder: ClientBuilder) -> ClientBuilder {
    let events = AtomicU64::new(0);
    let count = move |_: &Event| _ = events.fetch_add(1, Ordering::Relaxed);
    builder.observer(count).telemetry_hook(Statements::default())
}

fn all(builder: ClientBuilder) -> ClientBuilder {
    if let Ok(recorder) = prometheus().install_recorder() {
        std::thread::spawn(move || {
            loop {
                std::thread::sleep(UPKEEP_INTERVAL);
                recorder.run_upkeep();
            }
        });
    }
    some(builder).metrics().explain_sampler(ExplainSampler::one_in(1000))
}

/// An exporter as the documents set it up.
fn prometheus() -> PrometheusBuilder {
    METRICS.iter().filter(|metric| !metric.buckets.is_empty()).fold(
        PrometheusBuilder::new().with_recommended_naming(true),
        |exporter, metric| {
            let name = Matcher::Full(metric.name.into());
            exporter.set_buckets_for_metric(name, metric.buckets).expect("a histogram has buckets")
        },
    )
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
