//! How far a worker has looked for jobs whose time has come, and when it looks from the start again.
//!
//! A look from the start passes the dead index entries of all jobs that came due before, and there are many while somebody
//! holds an old snapshot. Nothing here carries correctness: what a look from the guess misses (a transaction that committed late,
//! a row that was locked) is found by the next sweep.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use pgjobq_core::__private::DueShards;

use crate::pause::jittered;

/// The least time between two sweeps.
const SWEEP_EVERY: Duration = Duration::from_millis(250);
/// The share of its time that a worker sweeps: one part in so many.
const SWEEP_SHARE: u32 = 20;
/// Before the time of every job, in microseconds since 1970.
const START: i64 = 0;

/// How far each shard has been looked through, by time.
#[derive(Debug)]
pub(crate) struct Due {
    reached: Vec<(i16, i64)>,
    next_sweep: Instant,
}

/// One look at all shards.
pub(crate) struct Round {
    /// The shards, and from when on to look in each.
    pub(crate) places: Vec<(i16, i64)>,
    /// Whether it begins at the start.
    pub(crate) sweeps: bool,
    began: Instant,
}

impl Due {
    /// Nothing has been looked through.
    pub(crate) fn new(shards: Vec<i16>, now: Instant) -> Self {
        Self { reached: shards.into_iter().map(|shard| (shard, START)).collect(), next_sweep: now }
    }

    /// The next look: a sweep if one is due.
    pub(crate) fn round(&self, now: Instant) -> Round {
        let sweeps = now >= self.next_sweep;
        let from = |(shard, reached): &(i16, i64)| (*shard, if sweeps { START } else { *reached });
        Round { places: self.reached.iter().map(from).collect(), sweeps, began: now }
    }

    /// A look has come to its end: `round.places` is now how far it came.
    pub(crate) fn looked(&mut self, round: Round, now: Instant) {
        self.reached = round.places;
        if round.sweeps {
            self.next_sweep = now + jittered(SWEEP_EVERY).max((now - round.began) * SWEEP_SHARE);
        }
    }

    /// How long it is until the next sweep.
    pub(crate) fn until_sweep(&self, now: Instant) -> Duration {
        self.next_sweep.saturating_duration_since(now)
    }
}

impl Round {
    /// Moves on the cursor of each shard in which nothing is due. Returns the other shards.
    pub(crate) fn with_work(&mut self, found: &DueShards) -> impl Iterator<Item = &mut (i16, i64)> {
        let due: HashSet<i16> = found.due.iter().copied().collect();
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
        let mut round = Due::new(vec![0, 1, 2], Instant::now()).round(Instant::now());
        let found = DueShards { due: vec![1], looked: 90, next_due: None };
        for (shard, reached) in round.with_work(&found) {
            assert_eq!((*shard, *reached), (1, START));
            *reached = 50;
        }
        assert_eq!(round.places, [(0, 90), (1, 50), (2, 90)]);
    }

    #[test]
    fn looks_go_on_from_the_last_one_until_a_sweep_is_due() {
        let start = Instant::now();
        let mut due = Due::new(vec![0, 1], start);
        let mut round = due.round(start);
        assert!(round.sweeps);
        round.places = vec![(0, 70), (1, 80)];
        due.looked(round, start + Duration::from_millis(100));
        // It took 100 ms, so the next one begins two seconds later.
        let soon = start + Duration::from_millis(2099);
        let round = due.round(soon);
        assert_eq!((round.sweeps, &*round.places), (false, &[(0, 70), (1, 80)][..]));
        assert_eq!(due.until_sweep(soon), Duration::from_millis(1));
        let round = due.round(start + Duration::from_millis(2100));
        assert_eq!((round.sweeps, &*round.places), (true, &[(0, START), (1, START)][..]));
    }
}
