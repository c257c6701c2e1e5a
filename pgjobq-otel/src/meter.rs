//! Metrics through OpenTelemetry's API.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Gauge, Histogram, Meter};
use pgjobq::measure::{Instrument, Metric, MetricKind};

/// Records pgjobq's [metrics](pgjobq::measure) with an OpenTelemetry `Meter`.
///
/// ```no_run
/// # fn example(pool: pgjobq::sqlx::PgPool) -> Result<(), pgjobq::ClientError> {
/// use pgjobq::Client;
/// use pgjobq_otel::OtelMeter;
///
/// let meter = OtelMeter::new(opentelemetry::global::meter("pgjobq"));
/// let client = Client::builder(pool).measured_by(meter).build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct OtelMeter {
    meter: Meter,
    /// One instrument for each metric, because its labels are attributes of the values.
    instruments: Mutex<HashMap<&'static str, OfMetric>>,
}

#[derive(Clone, Debug)]
enum OfMetric {
    Counter(Counter<u64>),
    Histogram(Histogram<f64>),
    Gauge(Gauge<f64>),
}

impl OtelMeter {
    /// Records with this meter.
    #[must_use]
    pub fn new(meter: Meter) -> Self {
        Self { meter, instruments: Mutex::default() }
    }

    fn make(&self, metric: &'static Metric) -> OfMetric {
        let Metric { name, unit, description, .. } = metric;
        match metric.kind {
            MetricKind::Counter => OfMetric::Counter(
                self.meter.u64_counter(*name).with_unit(*unit).with_description(*description).build(),
            ),
            MetricKind::Histogram => {
                let histogram = self.meter.f64_histogram(*name).with_boundaries(metric.buckets.to_vec());
                OfMetric::Histogram(histogram.with_unit(*unit).with_description(*description).build())
            }
            _ => OfMetric::Gauge(
                self.meter.f64_gauge(*name).with_unit(*unit).with_description(*description).build(),
            ),
        }
    }
}

impl pgjobq::measure::Meter for OtelMeter {
    fn instrument(&self, metric: &'static Metric, labels: &[(&'static str, &str)]) -> Instrument {
        let attributes: Vec<KeyValue> =
            labels.iter().map(|(name, value)| KeyValue::new(*name, (*value).to_owned())).collect();
        let mut instruments = self.instruments.lock().unwrap_or_else(PoisonError::into_inner);
        match instruments.entry(metric.name).or_insert_with(|| self.make(metric)).clone() {
            OfMetric::Counter(counter) => Box::new(move |value| counter.add(value as u64, &attributes)),
            OfMetric::Histogram(histogram) => Box::new(move |value| histogram.record(value, &attributes)),
            OfMetric::Gauge(gauge) => Box::new(move |value| gauge.record(value, &attributes)),
        }
    }
}
