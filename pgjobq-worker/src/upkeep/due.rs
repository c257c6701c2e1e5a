//! Cursors over the times of scheduled or expiring jobs: how far each shard has been looked through, and when the next look begins at
//! the start again.
//!
//! A look from the start passes the dead index entries of all jobs that came due before. There are many of them while a session
//! holds an old snapshot. The cursors carry no correctness: jobs that they miss, because a transaction committed late or a row was
//! locked, are found by the next sweep.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use pgjobq_core::worker_api::{DueShards, Shard};

use crate::pause::jittered;

/// The least time between two sweeps.
const SWEEP_INTERVAL: Duration = Duration::from_millis(250);
/// Sweeps take at most one part in this many of a worker's time.
const SWEEP_SHARE: u32 = 20;
/// Before the time of every job, in microseconds since 1970.
const START: i64 = 0;

/// The time up to which each shard has been looked through.
#[derive(Debug)]
pub(crate) struct Due {
    reached: Vec<(Shard, i64)>,
    next_sweep: Instant,
}

/// One look at all shards.
pub(crate) struct Round {
    /// The shards, each with its cursor: the time from which to look.
    pub(crate) places: Vec<(Shard, i64)>,
    /// True if it begins at the start in each shard.
    pub(crate) sweeps: bool,
    began: Instant,
}

impl Due {
    /// Begins at the start of each shard.
    pub(crate) fn new(shards: Vec<Shard>, now: Instant) -> Self {
        Self { reached: shards.into_iter().map(|shard| (shard, START)).collect(), next_sweep: now }
    }

    /// Returns the next look: a sweep if one is due.
    pub(crate) fn round(&self, now: Instant) -> Round {
        let sweeps = now >= self.next_sweep;
        let from = |(shard, reached): &(Shard, i64)| (*shard, if sweeps { START } else { *reached });
        Round { places: self.reached.iter().map(from).collect(), sweeps, began: now }
    }

    /// Notes the end of a look, whose `places` are now the cursors that it reached.
    pub(crate) fn looked(&mut self, round: Round, now: Instant) {
        self.reached = round.places;
        if round.sweeps {
            self.next_sweep = now + jittered(SWEEP_INTERVAL).max((now - round.began) * SWEEP_SHARE);
        }
    }

    /// Returns the time until the next sweep.
    pub(crate) fn until_sweep(&self, now: Instant) -> Duration {
        self.next_sweep.saturating_duration_since(now)
    }
}

impl Round {
    /// Moves on the cursor of each shard in which nothing is due. Returns the other shards.
    pub(crate) fn with_work(&mut self, found: &DueShards) -> impl Iterator<Item = &mut (Shard, i64)> {
        let due: HashSet<Shard> = found.due.iter().copied().collect();
        self.places.iter_mut().filter_map(move |place| {
            if due.contains(&place.0) {
                return Some(place);
            }
            place.1 = found.looked;
            None
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shard_without_work_is_passed() {
        let mut round = Due::new([0, 1, 2].map(Shard).to_vec(), Instant::now()).round(Instant::now());
        let found = DueShards { due: vec![Shard(1)], looked: 90, ..DueShards::default() };
        for (shard, reached) in round.with_work(&found) {
            assert_eq!((*shard, *reached), (Shard(1), START));
            *reached = 50;
        }
        assert_eq!(round.places, [(Shard(0), 90), (Shard(1), 50), (Shard(2), 90)]);
    }

    #[test]
    fn looks_continue_until_a_sweep_is_due() {
        let start = Instant::now();
        let mut due = Due::new(vec![Shard(0), Shard(1)], start);
        let mut round = due.round(start);
        assert!(round.sweeps);
        round.places = vec![(Shard(0), 70), (Shard(1), 80)];
        due.looked(round, start + Duration::from_millis(100));
        // It took 100 ms, so the next one begins two seconds later.
        let soon = start + Duration::from_millis(2099);
        let round = due.round(soon);
        assert_eq!((round.sweeps, &*round.places), (false, &[(Shard(0), 70), (Shard(1), 80)][..]));
        assert_eq!(due.until_sweep(soon), Duration::from_millis(1));
        let round = due.round(start + Duration::from_millis(2100));
        assert_eq!((round.sweeps, &*round.places), (true, &[(Shard(0), START), (Shard(1), START)][..]));
    }
}
