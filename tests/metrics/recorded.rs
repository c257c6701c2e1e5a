//! A library of metrics that remembers every value.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use pgjobq::measure::{Instrument, Meter, Metric, MetricKind};

/// The sum of each counter, the number of values of each histogram, and the last value of each gauge, as in
/// `pgjobq.jobs.ended{queue=mail,kind=send,outcome=dead}`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recorded(Arc<Mutex<BTreeMap<String, f64>>>);

impl Meter for Recorded {
    fn instrument(&self, metric: &'static Metric, labels: &[(&'static str, &str)]) -> Instrument {
        let labels: Vec<_> = labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let (name, recorded) = (format!("{}{{{}}}", metric.name, labels.join(",")), self.clone());
        Box::new(move |value| {
            let mut recorded = recorded.0.lock().unwrap();
            let sum = recorded.entry(name.clone()).or_default();
            match metric.kind {
                MetricKind::Counter => *sum += value,
                MetricKind::Histogram => *sum += 1.0,
                _ => *sum = value,
            }
        })
    }
}

impl Recorded {
    /// The value of a metric; 0 if there is none.
    pub(crate) fn of(&self, name: &str) -> f64 {
        self.0.lock().unwrap().get(name).copied().unwrap_or_default()
    }

    /// Waits until there is a metric, also with the value 0.
    pub(crate) async fn until_begun(&self, name: &str) {
        let begun = async {
            while !self.0.lock().unwrap().contains_key(name) {
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        };
        let begun = tokio::time::timeout(crate::harness::PATIENCE, begun).await;
        begun.unwrap_or_else(|_| panic!("there is no {name}: {:#?}", self.0.lock().unwrap()));
    }

    /// Waits until a metric has this value.
    pub(crate) async fn until(&self, name: &str, value: f64) {
        let reached = async {
            while self.of(name) != value {
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        };
        let reached = tokio::time::timeout(crate::harness::PATIENCE, reached).await;
        reached.unwrap_or_else(|_| panic!("{name} is not {value}: {:#?}", self.0.lock().unwrap()));
    }
}
