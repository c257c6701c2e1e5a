//! Decides which workers are silent.
//!
//! The row of each worker has a count of its heartbeats. A judge measures, by its own monotonic clock, for how long a count has not
//! changed. No other clock decides, so a step of the database's clock or a failover makes no worker silent.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use pgjobq_core::worker_api::{Shard, WorkerBeats, WorkerId};

/// The shortest silence after which a worker is given up, however short its lease is.
const SHORTEST_SILENCE: Duration = Duration::from_millis(250);

/// The observations of one judge.
#[derive(Debug, Default)]
pub(crate) struct Judge {
    /// By shard and worker.
    observed: HashMap<(Shard, WorkerId), Observed>,
    /// The time at which the last look was answered.
    last_look: Option<Instant>,
}

/// A count of heartbeats, and the time at which the judge first saw it.
#[derive(Clone, Copy, Debug)]
struct Observed {
    beats: i64,
    since: Instant,
}

/// The result of one look.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// The workers that were silent for longer than their own lease.
    pub(crate) silent: Vec<WorkerBeats>,
    /// The time until the next look; `None` if every worker has sent a heartbeat since the last look.
    pub(crate) look_again: Option<Duration>,
}

impl Judge {
    /// Judges the workers' rows, which were requested at `asked` and received at `answered`.
    ///
    /// After a gap between looks of more than half a lease, the observation of that worker begins anew: the database may have been
    /// out of reach for all workers.
    pub(crate) fn look(&mut self, rows: &[WorkerBeats], asked: Instant, answered: Instant) -> Verdict {
        let gap = self.last_look.map(|last| answered.saturating_duration_since(last));
        let mut verdict = Verdict::default();
        let before = std::mem::take(&mut self.observed);
        for row in rows {
            let lease = row.lease.max(SHORTEST_SILENCE);
            let key = (row.shard, row.id);
            let unchanged = before.get(&key).filter(|observed| observed.beats == row.beats);
            let since = match unchanged {
                Some(observed) if gap.is_some_and(|gap| gap <= lease / 2) => observed.since,
                _ => answered,
            };
            self.observed.insert(key, Observed { beats: row.beats, since });
            let silent_for = asked.saturating_duration_since(since);
            if silent_for > lease {
                verdict.silent.push(*row);
            } else if unchanged.is_some() {
                let next = (lease / 4).min(lease - silent_for + Duration::from_millis(1));
                verdict.look_again = Some(verdict.look_again.map_or(next, |other| other.min(next)));
            }
        }
        self.last_look = Some(answered);
        verdict
    }

    /// Begins every observation anew: this worker's own heartbeat was not answered, so those of others may not have been, either.
    pub(crate) fn start_anew(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests;
