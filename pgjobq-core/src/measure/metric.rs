//! The table of metrics. The documents are generated from it.

use std::fmt;

/// A metric.
#[derive(Debug)]
#[non_exhaustive]
pub struct Metric {
    /// The name, as OpenTelemetry writes it: `messaging.process.duration`.
    pub name: &'static str,
    /// The kind.
    pub kind: MetricKind,
    /// The unit, as OpenTelemetry writes it: `s`, `{job}`.
    pub unit: &'static str,
    /// The names of the labels.
    pub labels: &'static [&'static str],
    /// The bounds of a histogram's buckets.
    pub buckets: &'static [f64],
    /// The description: the thing that it measures.
    pub description: &'static str,
}

/// The kind of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetricKind {
    /// A number that only grows.
    Counter,
    /// The distribution of a value.
    Histogram,
    /// A value that goes up and down. Those of the fleet are the same in every process; those of workers are its own.
    Gauge,
}

impl fmt::Display for MetricKind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Counter => "counter",
            Self::Histogram => "histogram",
            Self::Gauge => "gauge",
        })
    }
}

impl Metric {
    /// Returns the name in Prometheus, with the suffixes of its naming rules: `messaging_process_duration_seconds`. A histogram
    /// also has `_bucket`, `_sum` and `_count`.
    ///
    /// ```
    /// # use pgjobq_core as pgjobq;
    /// let names: Vec<String> = pgjobq::measure::METRICS.iter().map(|metric| metric.prometheus_name()).collect();
    /// assert!(names.contains(&"messaging_client_sent_messages_total".to_owned()));
    /// ```
    #[must_use]
    pub fn prometheus_name(&self) -> String {
        let unit = if self.unit == "s" { "_seconds" } else { "" };
        let total = if self.kind == MetricKind::Counter { "_total" } else { "" };
        format!("{}{unit}{total}", self.name.replace('.', "_"))
    }
}

/// The buckets that OpenTelemetry recommends for durations in messaging, in seconds; and three for long jobs.
const DURATIONS: &[f64] =
    &[0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 60.0, 600.0, 3600.0];
const SIZES: &[f64] = &[1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0];

macro_rules! metrics {
    ($($(#[$doc:meta])* $id:ident = $name:literal, $kind:ident, $unit:literal, $labels:expr, $buckets:expr, $about:literal;)*) => {
        $(pub(crate) static $id: Metric = Metric {
            name: $name, kind: MetricKind::$kind, unit: $unit, labels: &$labels, buckets: $buckets, description: $about,
        };)*

        /// All metrics.
        pub static METRICS: &[&Metric] = &[$(&$id),*];
    };
}

metrics! {
    SENT = "messaging.client.sent.messages", Counter, "{job}", ["queue", "kind"], &[],
        "Jobs that were enqueued. In a caller's transaction they count before its commit.";
    CONSUMED = "messaging.client.consumed.messages", Counter, "{job}", ["queue", "kind"], &[],
        "Jobs that a worker has claimed, once for each attempt.";
    PROCESS_DURATION = "messaging.process.duration", Histogram, "s", ["queue", "kind", "outcome"], DURATIONS,
        "The run time of attempts whose result is recorded, by outcome.";
    OPERATION_DURATION = "messaging.client.operation.duration", Histogram, "s", ["operation", "outcome"], DURATIONS,
        "The time until a statement of this process was answered, by its name, and `ok` or `error`.";
    WAIT_DURATION = "pgjobq.job.wait.duration", Histogram, "s", ["queue", "kind"], DURATIONS,
        "The time from when a job was due until its attempt started.";
    ENDED = "pgjobq.jobs.ended", Counter, "{job}", ["queue", "kind", "outcome"], &[],
        "Jobs that have ended: `completed`, `dead`, `cancelled` or `expired`. Each job counts once.";
    RETRIES = "pgjobq.job.retries", Counter, "{attempt}", ["queue", "kind"], &[],
        "Attempts that failed, and whose job is tried again.";
    LEASES_LOST = "pgjobq.leases.lost", Counter, "{attempt}", ["queue", "kind"], &[],
        "Attempts whose result was not recorded, because their lease was lost.";
    STALE_RESULTS = "pgjobq.results.stale", Counter, "{result}", ["queue", "kind"], &[],
        "Results that the database refused, because another worker may have the job.";
    CRASHES = "pgjobq.crashes.recovered", Counter, "{job}", ["queue"], &[],
        "Jobs that were taken back from workers that died.";
    SWEPT = "pgjobq.jobs.swept", Counter, "{job}", ["queue"], &[],
        "Jobs that claims had passed because their transactions committed late, and that a sweep found.";
    PROMOTED = "pgjobq.jobs.promoted", Counter, "{job}", [], &[],
        "Scheduled jobs that came due.";
    BATCH_SIZE = "pgjobq.batch.size", Histogram, "{job}", ["operation"], SIZES,
        "The number of jobs in one statement that enqueues, claims or finishes.";
    CONNECTIONS_LOST = "pgjobq.connections.lost", Counter, "{event}", [], &[],
        "How often the database stopped answering this process.";
    EVENTS_DROPPED = "pgjobq.events.dropped", Counter, "{event}", [], &[],
        "Events and statements that these metrics have missed, because the process was too busy to count them.";
    WORKER_SLOTS = "pgjobq.worker.slots", Gauge, "{slot}", ["queue"], &[],
        "The slots of the workers of this process.";
    WORKER_USED = "pgjobq.worker.slots.used", Gauge, "{slot}", ["queue"], &[],
        "The slots of the workers of this process in which a job runs.";
    QUEUE_JOBS = "pgjobq.queue.jobs", Gauge, "{job}", ["queue", "state"], &[],
        "Live jobs by state, and the dead ones that are kept. Above ten thousand it is an estimate.";
    QUEUE_EXACT = "pgjobq.queue.exact", Gauge, "1", ["queue"], &[],
        "1 if the numbers of `pgjobq.queue.jobs` are exact, and 0 if one of them is an estimate.";
    QUEUE_OLDEST = "pgjobq.queue.oldest", Gauge, "s", ["queue"], &[],
        "The time for which the oldest due job has waited, too long by at most one interval; 0 if none waits.";
    QUEUE_WORKERS = "pgjobq.queue.workers", Gauge, "{worker}", ["queue"], &[],
        "Live workers that serve the queue.";
    QUEUE_SLOTS = "pgjobq.queue.slots", Gauge, "{slot}", ["queue"], &[],
        "The slots of these workers. The running jobs of `pgjobq.queue.jobs` use them.";
    QUEUE_UNSERVED = "pgjobq.queue.unserved", Gauge, "{job}", ["queue", "kind"], &[],
        "Jobs among the first twenty of each priority and shard that no live worker takes, by kind.";
    WORKERS = "pgjobq.fleet.workers", Gauge, "{worker}", [], &[],
        "Live workers.";
    MEASURED = "pgjobq.fleet.measured", Gauge, "s", [], &[],
        "When the gauges of the fleet were measured, in seconds since 1970. If it stands still, they are old.";
    XMIN_AGE = "pgjobq.database.xmin.age", Gauge, "{transaction}", [], &[],
        "Transactions that vacuum cannot look behind, as far as this role may see sessions of others.";
    OLDEST_TRANSACTION = "pgjobq.database.transaction.age", Gauge, "s", [], &[],
        "The age of the oldest transaction in the database, as far as this role may see it.";
    DEAD_ROWS = "pgjobq.database.dead_rows", Gauge, "{row}", [], &[],
        "Dead rows in our tables, as PostgreSQL estimates them.";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_labels_are_few() {
        let names: BTreeSet<_> = METRICS.iter().map(|metric| metric.name).collect();
        assert_eq!(names.len(), METRICS.len());
        for metric in METRICS {
            let allowed = ["queue", "kind", "outcome", "state", "operation"];
            assert!(metric.labels.iter().all(|label| allowed.contains(label)), "{metric:?}");
            assert_eq!(metric.kind == MetricKind::Histogram, !metric.buckets.is_empty(), "{metric:?}");
        }
    }
}
