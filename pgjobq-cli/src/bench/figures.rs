//! The figures of a measurement.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

/// The figures of a measurement.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Figures {
    pub(super) jobs: u64,
    pub(super) slots: u32,
    pub(super) enqueued_per_second: f64,
    pub(super) drained_per_second: f64,
    pub(super) start: Starting,
    /// Of the whole server meanwhile; null if the role may not see it.
    pub(super) wal_bytes_per_job: Option<Wal>,
}

/// The time from before the enqueue of a single job until its start, by a worker that is idle.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Starting {
    samples: usize,
    p50_seconds: f64,
    p99_seconds: f64,
}

/// The bytes of the write-ahead log for each job.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Wal {
    pub(super) enqueue: f64,
    pub(super) drain: f64,
}

impl Starting {
    /// Sums up times, of which there is at least one.
    pub(super) fn of(mut times: Vec<Duration>) -> Self {
        times.sort();
        // The smallest time that is at least as long as this part of all times.
        let at = |percent: usize| times[(times.len() * percent).div_ceil(100).max(1) - 1].as_secs_f64();
        Self { samples: times.len(), p50_seconds: at(50), p99_seconds: at(99) }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { slots, start, .. } = self;
        let millis = |seconds: f64| seconds * 1000.0;
        writeln!(out, "enqueued  {:>8.0} jobs/s in bulk", self.enqueued_per_second)?;
        writeln!(out, "drained   {:>8.0} jobs/s by one worker with {slots} slots", self.drained_per_second)?;
        let (p50, p99, samples) = (millis(start.p50_seconds), millis(start.p99_seconds), start.samples);
        writeln!(
            out,
            "started   {p50:>8.1} ms after the enqueue (p50), {p99:.1} ms (p99), of {samples} single jobs"
        )?;
        match &self.wal_bytes_per_job {
            Some(Wal { enqueue, drain }) => writeln!(
                out,
                "WAL       {enqueue:>8.0} bytes for each enqueue, {drain:.0} for each job drained, of the whole server meanwhile"
            ),
            None => writeln!(out, "WAL              - this role may not see it"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_times_that_were_measured() {
        let millis = |times: std::ops::RangeInclusive<u64>| times.rev().map(Duration::from_millis).collect();
        assert_eq!(
            Starting::of(millis(1..=100)),
            Starting { samples: 100, p50_seconds: 0.05, p99_seconds: 0.099 }
        );
        assert_eq!(
            Starting::of(millis(1..=200)),
            Starting { samples: 200, p50_seconds: 0.1, p99_seconds: 0.198 }
        );
        assert_eq!(
            Starting::of(millis(7..=7)),
            Starting { samples: 1, p50_seconds: 0.007, p99_seconds: 0.007 }
        );
        assert_eq!(
            Starting::of(millis(1..=3)),
            Starting { samples: 3, p50_seconds: 0.002, p99_seconds: 0.003 }
        );
    }
}
