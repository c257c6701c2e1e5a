use super::*;
use crate::schedule::timetable::Timetable;

const MINUTE: i64 = 60_000_000;
const HOUR: i64 = 60 * MINUTE;

/// Plans an hourly schedule that was last looked at just before hour 10. Times are in hours and minutes of one day.
fn plan(missed: Missed, hour: i64, minute: i64) -> (Vec<i64>, Option<i64>, Option<i64>) {
    let timing = Timing::new(&Timetable::new("0 * * * *")).unwrap_or_else(|error| panic!("{error}"));
    let plan = TickPlan::new(&timing, missed, 10 * HOUR - 1, hour * HOUR + minute * MINUTE, i64::MAX);
    let hours = |tick: i64| tick / HOUR;
    (
        plan.ticks.into_iter().map(hours).collect(),
        plan.missed.map(|(tick, _)| hours(tick)),
        plan.next.map(hours),
    )
}

#[test]
fn tick_within_a_minute_is_not_missed() {
    for missed in [Missed::Skip, Missed::RunOnce, Missed::RunAll(1)] {
        assert_eq!(plan(missed, 10, 0), (vec![10], None, Some(11)), "{missed}");
    }
}

#[test]
fn missed_ticks_follow_the_policy() {
    assert_eq!(plan(Missed::Skip, 13, 5), (vec![], Some(13), Some(14)));
    assert_eq!(plan(Missed::RunOnce, 13, 5), (vec![13], Some(12), Some(14)));
    assert_eq!(plan(Missed::RunAll(2), 13, 5), (vec![12, 13], Some(11), Some(14)));
    assert_eq!(plan(Missed::RunAll(4), 13, 5), (vec![10, 11, 12, 13], None, Some(14)));
    assert_eq!(plan(Missed::RunOnce, 10, 5), (vec![10], None, Some(11)));
}

#[test]
fn tick_on_time_is_the_one_job_of_missed_ticks() {
    assert_eq!(plan(Missed::Skip, 13, 0), (vec![13], Some(12), Some(14)));
    assert_eq!(plan(Missed::RunOnce, 13, 0), (vec![13], Some(12), Some(14)));
    assert_eq!(plan(Missed::RunAll(2), 13, 0), (vec![11, 12, 13], Some(10), Some(14)));
}

#[test]
fn clock_that_was_set_back_fires_nothing_twice() {
    assert_eq!(plan(Missed::RunAll(9), 7, 0), (vec![], None, Some(10)));
}

#[test]
fn tick_waits_for_a_busy_worker() {
    let timing = Timing::new(&Timetable::new("0 * * * *")).unwrap_or_else(|error| panic!("{error}"));
    let (tick, before) = (10 * HOUR, 10 * HOUR - 1);
    let plan = |attended: i64, now: i64| TickPlan::new(&timing, Missed::Skip, before, now, attended);
    // The worker began to fire what was due at ten, and comes to this schedule five minutes later.
    assert_eq!(plan(tick, tick + 5 * MINUTE).ticks, [tick]);
    assert_eq!(plan(tick + MINUTE - 1, tick + 5 * MINUTE).ticks, [tick], "it looked within a minute");
    // It began too late, or has been busy for too long.
    for (attended, now) in [(tick + MINUTE, 5), (tick, 12)] {
        let plan = plan(attended, tick + now * MINUTE);
        assert!(plan.ticks.is_empty() && plan.missed.is_some(), "{plan:?}");
    }
}

#[test]
fn nothing_is_due_between_ticks() {
    let timing = Timing::new(&Timetable::new("0 * * * *")).unwrap_or_else(|error| panic!("{error}"));
    let plan = TickPlan::new(&timing, Missed::RunAll(5), 10 * HOUR, 10 * HOUR + 59 * MINUTE, i64::MAX);
    assert_eq!(plan, TickPlan { ticks: vec![], missed: None, next: Some(11 * HOUR) });
}

#[test]
fn policies_are_read_as_they_are_written() {
    for missed in [Missed::Skip, Missed::RunOnce, Missed::RunAll(1), Missed::RunAll(1000)] {
        assert_eq!(Missed::read(&missed.to_string()), Some(missed));
    }
    for other in ["", "run_all", "run_all(0)", "run_all(1001)", "run_all(-1)", "catch_up"] {
        assert_eq!(Missed::read(other), None, "{other}");
    }
}
