//! The figures of a sample by which peers are compared.

use crate::sample::Sample;
use crate::workloads::Figure;

impl Figure {
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::JobsPerSecond => "jobs/s",
            Self::P50 => "p50, ms",
            Self::P99 => "p99, ms",
            Self::WalPerJob => "WAL, B/job",
            Self::TransactionsPerJob => "transactions/job",
            Self::ServerCpuPerJob => "server CPU, µs/job",
            Self::LastToFirst => "last 10 s ÷ first 10 s",
            Self::StatementsPerMinute => "statements/min",
            Self::WalPerMinute => "WAL, B/min",
        }
    }

    pub(super) fn less_is_better(self) -> bool {
        !matches!(self, Self::JobsPerSecond | Self::LastToFirst)
    }

    /// Returns whether every workload shows it among the costs of a job.
    pub(super) fn is_a_cost(self) -> bool {
        matches!(self, Self::WalPerJob | Self::TransactionsPerJob | Self::ServerCpuPerJob)
    }

    pub(super) fn of(self, sample: &Sample) -> Option<f64> {
        let per_minute = |total: f64| total / sample.usage.seconds * 60.0;
        match self {
            Self::JobsPerSecond => Some(sample.jobs_per_second()),
            Self::P50 => sample.latency.map(|latency| latency.p50),
            Self::P99 => sample.latency.map(|latency| latency.p99),
            Self::WalPerJob => Some(sample.per_job(sample.usage.wal_bytes)),
            Self::TransactionsPerJob => Some(sample.per_job(sample.transactions)),
            Self::ServerCpuPerJob => Some(sample.per_job(sample.usage.server_cpu) * 1e6),
            Self::LastToFirst => sample.last_to_first(),
            Self::StatementsPerMinute => sample.statements.map(per_minute),
            Self::WalPerMinute => Some(per_minute(sample.usage.wal_bytes)),
        }
    }
}
