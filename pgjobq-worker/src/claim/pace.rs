//! Measures how fast the attempts of a queue end, and decides from it how many jobs to prefetch.
//!
//! The server spends about 0.3 ms of CPU on a claim and its commit, however few jobs it gets. With ten slots and short jobs it would
//! do so for each handful of jobs. So a queue prefetches as many jobs as ended there within the last moment, if these were more than
//! its slots. A prefetched job then waits about a moment for its slot. A queue whose jobs run longer than a moment prefetches none.

use std::time::{Duration, Instant};

use super::portion::CLAIM_BATCH_SIZE;

/// The longest time that a claimed job waits for a slot before the worker returns it, if no other waited in the database when the
/// worker last looked: another worker may be idle.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_millis(100);
/// The same if others waited there: idle workers have those, and a returned job goes to the end of the line.
pub(crate) const LONGEST_WAIT_BEFORE_OTHERS: Duration = Duration::from_secs(1);

/// The shortest moment: ten times what a claim of 500 jobs takes. Queues share it: with five that are busy it is five times as long.
const SHORTEST_MOMENT: Duration = Duration::from_millis(10);
/// The longest moment, for a distant database. Jobs that run twice as long as before still begin in time.
const LONGEST_MOMENT: Duration = Duration::from_millis(LONGEST_WAIT.as_millis() as u64 / 2);
/// The number of busy queues from which on another one changes nothing.
pub(crate) const MOST_BUSY: usize = (LONGEST_MOMENT.as_millis() / SHORTEST_MOMENT.as_millis()) as usize;
/// A moment lasts for at least this many round trips of a claim, so that the next jobs arrive before the last ones have begun.
const ROUND_TRIPS: u32 = 2;

/// The first pause after prefetched jobs did not begin in time, and the longest one.
const FIRST_PAUSE: Duration = LONGEST_WAIT;
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The pace at which the attempts of a queue end.
#[derive(Debug)]
pub(crate) struct Pace {
    /// The start of the moment that is being measured, and the number of attempts that have ended in it.
    since: Instant,
    ended: usize,
    /// The number of attempts that ended in a moment before.
    before: usize,
    /// The mean round trip of a claim.
    round_trip: Duration,
    /// The number of queues whose jobs the worker claims just now, this one among them.
    busy_queues: u32,
    /// The end of the last pause, in which the queue prefetches nothing.
    paused_until: Option<Instant>,
    pause: Duration,
}

impl Pace {
    pub(crate) fn new(now: Instant) -> Self {
        let (round_trip, pause) = (Duration::ZERO, FIRST_PAUSE);
        Self { since: now, ended: 0, before: 0, round_trip, busy_queues: 1, paused_until: None, pause }
    }

    /// Notes that an attempt has ended.
    pub(crate) fn ended(&mut self) {
        self.ended += 1;
    }

    /// Notes the round trip of a claim.
    pub(crate) fn answered(&mut self, round_trip: Duration) {
        self.round_trip = (self.round_trip * 7 + round_trip) / 8;
    }

    /// Notes how many queues share the worker's claims. Each then asks less often, and for more jobs.
    pub(crate) fn shared_by(&mut self, busy_queues: u32) {
        self.busy_queues = busy_queues.max(1);
    }

    /// Returns the number of jobs to prefetch for a queue with this many slots.
    pub(crate) fn jobs(&mut self, slots: usize, now: Instant) -> usize {
        let moment = (self.round_trip * ROUND_TRIPS).max(SHORTEST_MOMENT.saturating_mul(self.busy_queues));
        let moment = moment.min(LONGEST_MOMENT);
        let elapsed = now.saturating_duration_since(self.since);
        if elapsed >= moment {
            self.before = (self.ended as f64 * (moment.as_secs_f64() / elapsed.as_secs_f64())) as usize;
            (self.since, self.ended) = (now, 0);
        }
        let jobs = self.before.max(self.ended);
        let prefetches = jobs > slots && self.paused_until.is_none_or(|until| now >= until);
        if prefetches { jobs.min(CLAIM_BATCH_SIZE.saturating_sub(slots)) } else { 0 }
    }

    /// Pauses after prefetched jobs did not begin in time: longer each time, unless the last time was long ago.
    pub(crate) fn was_misjudged(&mut self, now: Instant) {
        let is_again = |until: Instant| now.saturating_duration_since(until) < LONGEST_PAUSE;
        let is_again = self.paused_until.is_some_and(is_again);
        self.pause = if is_again { (self.pause * 2).min(LONGEST_PAUSE) } else { FIRST_PAUSE };
        self.pause_for(self.pause, now);
    }

    /// Pauses after a claim brought a job that must not wait in the worker.
    pub(crate) fn met_unprefetchable(&mut self, now: Instant) {
        self.pause_for(LONGEST_PAUSE, now);
    }

    fn pause_for(&mut self, pause: Duration, now: Instant) {
        self.paused_until = self.paused_until.max(Some(now + pause));
        (self.since, self.ended, self.before) = (now, 0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lets `ended` attempts end in each of `moments` shortest moments.
    fn run(pace: &mut Pace, now: &mut Instant, moments: u32, ended: usize, slots: usize) -> usize {
        let mut jobs = 0;
        for _ in 0..moments {
            (0..ended).for_each(|_| pace.ended());
            *now += SHORTEST_MOMENT;
            jobs = pace.jobs(slots, *now);
        }
        jobs
    }

    #[test]
    fn queue_prefetches_what_ended_in_a_moment() {
        let mut now = Instant::now();
        let mut pace = Pace::new(now);
        assert_eq!(pace.jobs(10, now), 0, "nothing was measured");
        assert_eq!(run(&mut pace, &mut now, 1, 120, 10), 120);
        assert_eq!(run(&mut pace, &mut now, 1, 10, 10), 0, "no more than its slots");
        assert_eq!(run(&mut pace, &mut now, 1, 9000, 10), CLAIM_BATCH_SIZE - 10);
        assert_eq!(run(&mut pace, &mut now, 1, 9000, 2000), 0, "its slots alone fill a claim");
        now += Duration::from_secs(1);
        assert_eq!(pace.jobs(10, now), 0, "it was idle");
    }

    #[test]
    fn busy_queues_prefetch_for_longer_moments() {
        let mut now = Instant::now();
        let mut pace = Pace::new(now);
        assert_eq!(run(&mut pace, &mut now, 3, 60, 100), 0, "fewer than its slots end in 10 ms");
        pace.shared_by(3);
        assert_eq!(run(&mut pace, &mut now, 3, 60, 100), 180);
        pace.shared_by(1000);
        assert_eq!(run(&mut pace, &mut now, 6, 60, 100), 300, "no moment is longer than 50 ms");
    }

    #[test]
    fn moment_lasts_for_two_round_trips() {
        let mut now = Instant::now();
        let mut pace = Pace::new(now);
        (0..100).for_each(|_| pace.answered(Duration::from_millis(20)));
        (0..15).for_each(|_| pace.ended());
        now += Duration::from_millis(30);
        assert_eq!(pace.jobs(10, now), 15, "a moment is not over, and more than the slots have ended");
        (0..25).for_each(|_| pace.ended());
        now += Duration::from_millis(10);
        assert!((39..=40).contains(&pace.jobs(10, now)));
        (0..100).for_each(|_| pace.answered(Duration::from_secs(3)));
        now += LONGEST_MOMENT;
        assert_eq!(pace.jobs(10, now), 0);
    }

    #[test]
    fn pause_doubles_while_jobs_do_not_begin_in_time() {
        let mut now = Instant::now();
        let mut pace = Pace::new(now);
        let mut pauses = Vec::new();
        for _ in 0..12 {
            pace.was_misjudged(now);
            let began = now;
            while run(&mut pace, &mut now, 1, 100, 10) == 0 {}
            pauses.push((now - began).as_millis());
        }
        assert_eq!(pauses[..5], [100, 200, 400, 800, 1600]);
        assert_eq!(pauses[11], 60_000);
        now += 2 * LONGEST_PAUSE;
        pace.was_misjudged(now);
        let began = now;
        while run(&mut pace, &mut now, 1, 100, 10) == 0 {}
        assert_eq!(now - began, FIRST_PAUSE, "the last time was long ago");
    }
}
