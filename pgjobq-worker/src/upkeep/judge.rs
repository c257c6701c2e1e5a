//! Decides which workers are silent.
//!
//! Each worker's row has a count of its heartbeats. A judge remembers, by its own monotonic clock, since when it has seen a
//! count unchanged. No other clock decides, so that neither a step of the database's clock nor a failover condemns anybody.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use pgjobq_core::__private::WorkerBeats;

/// The shortest silence that condemns a worker, however short its lease is.
const SHORTEST: Duration = Duration::from_millis(250);

/// The observations of one judge.
#[derive(Debug, Default)]
pub(crate) struct Judge {
    /// By shard and worker.
    observed: HashMap<(i16, i64), Observed>,
    /// When the last look was answered.
    last_look: Option<Instant>,
}

/// A count of heartbeats, and since when the judge has seen it unchanged.
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
    /// The time until the next look that is due; `None` if every worker has sent a heartbeat since the last one.
    pub(crate) look_again: Option<Duration>,
}

impl Judge {
    /// Judges the workers' rows, which were asked for at `asked` and read at `answered`.
    ///
    /// A judge that has not looked for long cannot know what the others tried meanwhile: the database may have been out of
    /// reach for all. So after a gap of more than half a lease the observation of that worker begins anew.
    pub(crate) fn look(&mut self, rows: &[WorkerBeats], asked: Instant, answered: Instant) -> Verdict {
        let gap = self.last_look.map(|last| answered.saturating_duration_since(last));
        let mut verdict = Verdict::default();
        let before = std::mem::take(&mut self.observed);
        for row in rows {
            let lease = row.lease.max(SHORTEST);
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

    /// Begins every observation anew: this worker's own heartbeat was not answered, so that others' may not have been.
    pub(crate) fn start_anew(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests;
