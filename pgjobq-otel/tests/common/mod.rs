//! A database for one test, and the spans that a real OpenTelemetry SDK exports.
#![allow(dead_code, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::time::Duration;

use opentelemetry::trace::{SpanContext, SpanId, TracerProvider as _};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use pgjobq::Client;
use pgjobq::sqlx::{self, PgPool};
use tracing_subscriber::layer::SubscriberExt as _;

/// The time in which anything that a test waits for happens, on a machine that is far slower than usual.
const PATIENCE: Duration = Duration::from_secs(100);

/// A client of a new database, and the spans of this process.
pub(crate) struct Stage {
    _server: pgjobq::dev::Database,
    admin: PgPool,
    name: String,
    pub(crate) client: Client,
    pub(crate) spans: InMemorySpanExporter,
}

impl Stage {
    pub(crate) async fn new(name: &str) -> Self {
        let spans = InMemorySpanExporter::default();
        let provider = SdkTracerProvider::builder().with_simple_exporter(spans.clone()).build();
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("tests"));
        tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer)).unwrap();
        let server = pgjobq::dev::database().await.unwrap();
        let name = format!("pgjobq_otel_{name}_{}", std::process::id());
        let admin = PgPool::connect(server.url()).await.unwrap();
        let create = sqlx::AssertSqlSafe(format!("create database {name}"));
        sqlx::raw_sql(create).execute(&admin).await.unwrap();
        let options = admin.connect_options().as_ref().clone().database(&name);
        let client = Client::new(PgPool::connect_with(options).await.unwrap());
        client.migrate().await.unwrap();
        Self { _server: server, admin, name, client, spans }
    }

    /// Returns the span with this name and value of an attribute, as soon as it was exported.
    pub(crate) async fn span(&self, name: &str, attribute: (&str, &str)) -> SpanData {
        self.spans_of(name, attribute, 1).await.remove(0)
    }

    /// Returns this many spans.
    pub(crate) async fn spans_of(&self, name: &str, attribute: (&str, &str), count: usize) -> Vec<SpanData> {
        let is = |span: &SpanData| {
            span.name == name && attributes(span).get(attribute.0).is_some_and(|value| value == attribute.1)
        };
        let found = async {
            loop {
                let mut spans = self.spans.get_finished_spans().unwrap();
                spans.retain(is);
                if spans.len() == count {
                    return spans;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let found = tokio::time::timeout(PATIENCE, found).await;
        found.unwrap_or_else(|_| {
            panic!("{count} spans {name} {attribute:?}: {:#?}", self.spans.get_finished_spans())
        })
    }

    pub(crate) async fn drop(self) {
        self.client.close().await;
        self.client.pool().close().await;
        let drop = sqlx::AssertSqlSafe(format!("drop database {} with (force)", self.name));
        sqlx::raw_sql(drop).execute(&self.admin).await.unwrap();
    }
}

/// Returns the attributes of a span, as text.
pub(crate) fn attributes(span: &SpanData) -> BTreeMap<String, String> {
    span.attributes.iter().map(|pair| (pair.key.to_string(), pair.value.to_string())).collect()
}

/// Returns the contexts that a span links to.
pub(crate) fn links(span: &SpanData) -> Vec<SpanContext> {
    span.links.iter().map(|link| link.span_context.clone()).collect()
}

pub(crate) fn is_root(span: &SpanData) -> bool {
    span.parent_span_id == SpanId::INVALID
}
