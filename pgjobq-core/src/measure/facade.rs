//! The facade of the crate `metrics`.

use ::metrics::{Key, Label, Metadata, Unit, with_recorder};

use crate::measure::meter::{Instrument, Meter};
use crate::measure::metric::{METRICS, Metric, MetricKind};

static METADATA: Metadata<'static> = Metadata::new("pgjobq", ::metrics::Level::INFO, Some("pgjobq"));

/// The facade of the crate `metrics`, with its global recorder.
#[derive(Clone, Copy, Debug)]
pub struct Facade;

impl Meter for Facade {
    fn instrument(&self, metric: &'static Metric, labels: &[(&'static str, &str)]) -> Instrument {
        let labels = labels.iter().map(|(name, value)| Label::new(*name, (*value).to_owned()));
        let key = Key::from_parts(metric.name, labels.collect::<Vec<_>>());
        with_recorder(|recorder| match metric.kind {
            MetricKind::Counter => {
                let counter = recorder.register_counter(&key, &METADATA);
                Box::new(move |value: f64| counter.increment(value as u64)) as Instrument
            }
            MetricKind::Histogram => {
                let histogram = recorder.register_histogram(&key, &METADATA);
                Box::new(move |value: f64| histogram.record(value))
            }
            MetricKind::Gauge => {
                let gauge = recorder.register_gauge(&key, &METADATA);
                Box::new(move |value: f64| gauge.set(value))
            }
        })
    }
}

/// Describes all metrics to the global recorder: their units and what they measure. [`ClientBuilder::metrics`](crate::ClientBuilder::metrics)
/// does so too.
pub fn describe() {
    with_recorder(|recorder| {
        for metric in METRICS {
            let (name, description) = (metric.name.into(), metric.description.into());
            let unit = Some(if metric.unit == "s" { Unit::Seconds } else { Unit::Count });
            match metric.kind {
                MetricKind::Counter => recorder.describe_counter(name, unit, description),
                MetricKind::Histogram => recorder.describe_histogram(name, unit, description),
                MetricKind::Gauge => recorder.describe_gauge(name, unit, description),
            }
        }
    });
}
