//! Metrics, as a real OpenTelemetry SDK exports them.
#![allow(clippy::unwrap_used)]

use opentelemetry::metrics::MeterProvider as _;
use opentelemetry_sdk::metrics::{InMemoryMetricExporter, SdkMeterProvider};
use pgjobq::measure::{METRICS, Meter as _};
use pgjobq_otel::OtelMeter;

#[test]
fn all_metrics_are_exported_with_their_units() {
    let exporter = InMemoryMetricExporter::default();
    let provider = SdkMeterProvider::builder().with_periodic_exporter(exporter.clone()).build();
    let meter = OtelMeter::new(provider.meter("pgjobq"));
    for metric in METRICS {
        let labels: Vec<_> = metric.labels.iter().map(|label| (*label, "x")).collect();
        meter.instrument(metric, &labels)(1.0);
        meter.instrument(metric, &labels)(2.0);
    }
    provider.force_flush().unwrap();
    let exported = exporter.get_finished_metrics().unwrap();
    let mut exported: Vec<_> = exported
        .iter()
        .flat_map(|resource| resource.scope_metrics())
        .flat_map(|scope| scope.metrics())
        .map(|metric| (metric.name().to_owned(), metric.unit().to_owned()))
        .collect();
    exported.sort();
    let mut all: Vec<_> =
        METRICS.iter().map(|metric| (metric.name.to_owned(), metric.unit.to_owned())).collect();
    all.sort();
    assert_eq!(exported, all);
}
