//! The figures of one run, as the JSON file holds them.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::meter::{QUIET, Usage};

/// The figures of one run: one workload, one peer, one round.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Sample {
    pub(crate) workload: String,
    pub(crate) peer: String,
    pub(crate) round: usize,
    pub(crate) jobs: u64,
    pub(crate) usage: Usage,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) latency: Option<Latency>,
    pub(crate) transactions: f64,
    /// Statements of clients, if the server counts them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) statements: Option<f64>,
    pub(crate) memory_megabytes: f64,
    pub(crate) dead_rows: f64,
    /// The jobs of each second.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) seconds: Vec<u64>,
}

/// Percentiles in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Latency {
    pub(crate) samples: u64,
    pub(crate) p50: f64,
    pub(crate) p95: f64,
    pub(crate) p99: f64,
    pub(crate) max: f64,
}

impl Sample {
    pub(crate) fn jobs_per_second(&self) -> f64 {
        self.jobs as f64 / self.usage.seconds
    }

    /// A total of the run, for each job.
    pub(crate) fn per_job(&self, total: f64) -> f64 {
        total / (self.jobs.max(1) as f64)
    }

    pub(crate) fn is_disturbed(&self) -> bool {
        self.usage.others > QUIET
    }

    /// The rate of the last ten seconds, divided by that of the first ten. A second is left out at each end: the start,
    /// and one that may be incomplete.
    pub(crate) fn last_to_first(&self) -> Option<f64> {
        let whole = self.seconds.get(1..self.seconds.len().checked_sub(1)?)?;
        let part = whole.len().min(20) / 2;
        let sum = |seconds: &[u64]| seconds.iter().sum::<u64>() as f64;
        (part > 0).then(|| sum(&whole[whole.len() - part..]) / sum(&whole[..part]).max(1.0))
    }
}

impl Latency {
    /// The percentiles of a histogram of nanoseconds; `None` if it is empty.
    pub(crate) fn of(histogram: &Histogram<u64>) -> Option<Self> {
        let at = |part: f64| histogram.value_at_quantile(part) as f64 / 1e6;
        (!histogram.is_empty()).then(|| Self {
            samples: histogram.len(),
            p50: at(0.5),
            p95: at(0.95),
            p99: at(0.99),
            max: histogram.max() as f64 / 1e6,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_samples() {
        let mut histogram = Histogram::new_with_bounds(1_000, 3_600_000_000_000, 3).unwrap();
        (1..=100).for_each(|milliseconds: u64| histogram.record(milliseconds * 1_000_000).unwrap());
        let latency = Latency::of(&histogram).unwrap();
        for (found, expected) in [(latency.p50, 50.0), (latency.p95, 95.0), (latency.p99, 99.0)] {
            assert!((found / expected - 1.0).abs() < 0.002, "{found} is not {expected}");
        }
        assert_eq!(latency.samples, 100);
        assert_eq!(Latency::of(&Histogram::<u64>::new(3).unwrap()), None);
    }

    #[test]
    fn last_to_first_leaves_the_ends_out() {
        let mut seconds = vec![1];
        seconds.extend([100; 10]);
        seconds.extend([7; 5]);
        seconds.extend([50; 10]);
        seconds.push(1);
        let sample = Sample { seconds, ..Sample::default() };
        assert_eq!(sample.last_to_first(), Some(0.5));
        assert_eq!(Sample { seconds: vec![1, 2], ..Sample::default() }.last_to_first(), None);
    }
}
