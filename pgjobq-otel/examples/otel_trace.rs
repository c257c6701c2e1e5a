//! The trace of a workflow that two processes share: `cargo run -p pgjobq-otel --example otel_trace`
//!
//! This process enqueues the workflow, and another one runs it. Each has an OpenTelemetry SDK of its own; instead of an exporter that
//! sends the spans somewhere, this one collects and prints them.

use std::error::Error;
use std::io::{Read, Write};
use std::process::{Command, Stdio};

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider};
use pgjobq::prelude::*;
use pgjobq_otel::TraceContextPropagation;
use tracing::Instrument as _;
use tracing_subscriber::layer::SubscriberExt as _;

#[job(queue = "shop")]
async fn reserve(item: String) -> Result<u64> {
    Ok(item.len() as u64)
}

#[job(queue = "shop")]
async fn charge(amount: u64) -> Result<String> {
    Ok(format!("{amount} paid"))
}

#[tokio::main]
async fn main() -> std::result::Result<(), Box<dyn Error>> {
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("shop"));
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer))?;
    TraceContextPropagation::continues().install()?; // The one line of this crate.

    let database = pgjobq::dev::database().await?; // DATABASE_URL, or a throwaway PostgreSQL.
    let client = Client::connect(database.url()).await?;
    client.migrate().await?;
    if std::env::args().nth(1).as_deref() == Some("worker") {
        return run_worker(&client, &exporter).await;
    }

    let mut flow = Workflow::new("order");
    let reserved = flow.add(reserve::step("lamp"));
    flow.add(charge::step(reserved.output()));
    let request = tracing::info_span!("POST /orders");
    let order = flow.enqueue(&client).instrument(request).await?;

    let mut worker = Command::new(std::env::current_exe()?);
    worker.arg("worker").env("DATABASE_URL", database.url()).stdin(Stdio::piped()).stdout(Stdio::piped());
    let worker = worker.spawn()?;
    order.wait(&client).await?.into_result()?;
    let of_worker = worker.wait_with_output()?; // It ends when its standard input does.

    let mut spans = lines(&exporter, "this process")?;
    spans.extend(String::from_utf8(of_worker.stdout)?.lines().map(str::to_owned));
    print_below("0000000000000000", &spans, 0);
    Ok(())
}

/// Runs jobs until the standard input ends, and prints the spans.
async fn run_worker(
    client: &Client,
    exporter: &InMemorySpanExporter,
) -> std::result::Result<(), Box<dyn Error>> {
    let worker = Worker::builder(client).queue("shop", 2).build().await?.start();
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    worker.shutdown().await?;
    for line in lines(exporter, "the worker")? {
        writeln!(std::io::stdout(), "{line}")?;
    }
    Ok(())
}

/// The finished spans of this process: parent, id, and what to print.
fn lines(exporter: &InMemorySpanExporter, process: &str) -> std::result::Result<Vec<String>, Box<dyn Error>> {
    let line = |span: &opentelemetry_sdk::trace::SpanData| {
        let (parent, context) = (span.parent_span_id, &span.span_context);
        let kind = format!("{:?}", span.span_kind).to_lowercase();
        format!("{parent} {} {} ({kind}, in {process})", context.span_id(), span.name)
    };
    Ok(exporter.get_finished_spans()?.iter().map(line).collect())
}

/// Prints the spans below this one as a tree.
fn print_below(parent: &str, spans: &[String], depth: usize) {
    for span in spans.iter().filter(|span| span.starts_with(parent)) {
        let mut parts = span.splitn(3, ' ').skip(1);
        if let (Some(id), Some(text)) = (parts.next(), parts.next()) {
            println!("{}{text}", "  ".repeat(depth));
            print_below(id, spans, depth + 1);
        }
    }
}
