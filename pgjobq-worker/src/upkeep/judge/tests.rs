#![allow(clippy::unwrap_used)]

use super::*;

const LEASE: Duration = Duration::from_secs(30);

fn row(id: i64, beats: i64, lease: Duration) -> WorkerBeats {
    WorkerBeats { shard: Shard(0), id: WorkerId(id), beats, lease }
}

/// A judge that looks at times counted in seconds from a start.
struct Looking(Judge, Instant);

impl Looking {
    fn new() -> Self {
        Self(Judge::default(), Instant::now())
    }

    fn at(&mut self, seconds: f64, rows: &[WorkerBeats]) -> Verdict {
        let at = self.1 + Duration::from_secs_f64(seconds);
        self.0.look(rows, at, at)
    }

    fn silent_at(&mut self, seconds: f64, rows: &[WorkerBeats]) -> Vec<i64> {
        self.at(seconds, rows).silent.iter().map(|row| row.id.0).collect()
    }
}

#[test]
fn unchanged_count_is_silent_only_after_its_lease() {
    let mut judge = Looking::new();
    for look in 0..=6 {
        assert_eq!(judge.silent_at(5.0 * f64::from(look), &[row(1, 7, LEASE)]), Vec::<i64>::new());
    }
    assert_eq!(judge.silent_at(30.1, &[row(1, 7, LEASE)]), [1]);
}

#[test]
fn changed_count_is_a_sign_of_life_in_either_direction() {
    let mut judge = Looking::new();
    for look in 0..40 {
        let beats = 100 - look; // A standby that took over may have lost the last heartbeats.
        assert_eq!(judge.silent_at(5.0 * look as f64, &[row(1, beats, LEASE)]), Vec::<i64>::new());
    }
}

#[test]
fn every_worker_is_judged_by_its_own_lease() {
    let mut judge = Looking::new();
    let rows = [row(1, 7, Duration::from_secs(2)), row(2, 7, LEASE)];
    let mut given_up = Vec::new();
    for look in 0..=62 {
        let at = 0.5 * f64::from(look);
        given_up.push((at, judge.silent_at(at, &rows)));
    }
    let first = |id| given_up.iter().find(|(_, silent)| silent.contains(&id)).map(|(at, _)| *at);
    assert_eq!((first(1), first(2)), (Some(2.5), Some(30.5)));
}

#[test]
fn gap_between_looks_begins_the_observation_anew() {
    let mut judge = Looking::new();
    for at in [0.0, 5.0, 10.0, 26.0, 31.0, 41.0, 55.0] {
        assert_eq!(judge.silent_at(at, &[row(1, 7, LEASE)]), Vec::<i64>::new(), "at {at} s");
    }
    assert_eq!(
        judge.silent_at(56.1, &[row(1, 7, LEASE)]),
        [1],
        "26 s is when it was first seen without a gap"
    );
}

#[test]
fn silent_short_lease_is_watched_more_closely() {
    let mut judge = Looking::new();
    let short = Duration::from_secs(1);
    assert_eq!(judge.at(0.0, &[row(1, 7, short)]).look_again, None);
    assert_eq!(judge.at(5.0, &[row(1, 9, short)]).look_again, None);
    let (mut at, mut looks) = (10.0, 0);
    let silent = loop {
        let verdict = judge.at(at, &[row(1, 9, short)]);
        if !verdict.silent.is_empty() {
            break verdict.silent;
        }
        at += verdict.look_again.unwrap().as_secs_f64();
        looks += 1;
    };
    assert_eq!(silent, [row(1, 9, short)]);
    assert!((11.0..11.3).contains(&at), "{at}");
    assert_eq!(looks, 5);
}

#[test]
fn time_between_question_and_answer_is_not_counted_as_silence() {
    let mut judge = Judge::default();
    let start = Instant::now();
    let (first, last) = (start + Duration::from_secs(10), start + Duration::from_secs(39));
    judge.look(&[row(1, 7, LEASE)], start, first);
    judge.look(&[row(1, 7, LEASE)], first, start + Duration::from_secs(25));
    let verdict = judge.look(&[row(1, 7, LEASE)], last, start + Duration::from_secs(40));
    assert_eq!(verdict.silent, []);
}

#[test]
fn missed_heartbeat_of_the_judge_begins_everything_anew() {
    let mut judge = Looking::new();
    for look in 0..=5 {
        judge.at(5.0 * f64::from(look), &[row(1, 7, LEASE)]);
    }
    judge.0.start_anew();
    assert_eq!(judge.silent_at(31.0, &[row(1, 7, LEASE)]), Vec::<i64>::new());
}
