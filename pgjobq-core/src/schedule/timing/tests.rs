#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::str::FromStr;
use std::time::Instant;

use super::*;

mod brute;

fn timing(text: &str, zone: &str) -> Timing {
    let table = Timetable { timezone: zone.to_owned(), ..Timetable::new(text) };
    Timing::new(&table).unwrap_or_else(|error| panic!("{error}"))
}

/// A time with its offset, as microseconds since 1970.
fn at(text: &str) -> i64 {
    DateTime::parse_from_rfc3339(text).unwrap_or_else(|error| panic!("{text}: {error}")).timestamp() * SECOND
}

/// Returns the ticks after a time, with their offsets in the zone.
fn ticks(text: &str, zone: &str, after: &str, most: usize) -> Vec<String> {
    let tz = Tz::from_str(zone).unwrap();
    let shown =
        |tick: i64| DateTime::from_timestamp(tick / SECOND, 0).unwrap().with_timezone(&tz).to_rfc3339();
    timing(text, zone).after(at(after)).take(most).map(shown).collect()
}

#[test]
fn tick_in_a_gap_is_its_first_instant_after() {
    assert_eq!(
        ticks("30 2 * * *", "America/New_York", "2026-03-07T12:00:00Z", 2),
        ["2026-03-08T03:00:00-04:00", "2026-03-09T02:30:00-04:00"]
    );
    // So does each of several, and together they are one.
    assert_eq!(
        ticks("0,30 2,14 * * *", "America/New_York", "2026-03-08T06:15:00Z", 2),
        ["2026-03-08T03:00:00-04:00", "2026-03-08T14:00:00-04:00"]
    );
    // The day begins at one o'clock.
    assert_eq!(
        ticks("@daily", "America/Santiago", "2026-09-05T12:00:00Z", 2),
        ["2026-09-06T01:00:00-03:00", "2026-09-07T00:00:00-03:00"]
    );
}

#[test]
fn tick_in_an_overlap_is_its_first_instant() {
    assert_eq!(
        ticks("30 1 * * *", "America/New_York", "2026-10-31T12:00:00Z", 2),
        ["2026-11-01T01:30:00-04:00", "2026-11-02T01:30:00-05:00"]
    );
    assert_eq!(
        ticks("15,45 0-1 * * *", "America/New_York", "2026-11-01T04:30:00Z", 4),
        [
            "2026-11-01T00:45:00-04:00",
            "2026-11-01T01:15:00-04:00",
            "2026-11-01T01:45:00-04:00",
            "2026-11-02T00:15:00-05:00"
        ]
    );
    // Between the two passes, and in the second one, nothing is left of that day.
    assert_eq!(
        ticks("15 1 * * *", "America/New_York", "2026-11-01T06:00:00Z", 1),
        ["2026-11-02T01:15:00-05:00"]
    );
}

#[test]
fn day_that_a_zone_skips_ends_with_a_tick() {
    // Samoa went from the 29th to the 31st of December 2011.
    assert_eq!(
        ticks("0 9 * * *", "Pacific/Apia", "2011-12-29T19:00:00Z", 3),
        ["2011-12-31T00:00:00+14:00", "2011-12-31T09:00:00+14:00", "2012-01-01T09:00:00+14:00"]
    );
}

#[test]
fn wildcards_follow_the_time_that_passes() {
    assert_eq!(
        ticks("*/30 * * * *", "America/New_York", "2026-11-01T05:15:00Z", 4),
        [
            "2026-11-01T01:30:00-04:00",
            "2026-11-01T01:00:00-05:00",
            "2026-11-01T01:30:00-05:00",
            "2026-11-01T02:00:00-05:00"
        ]
    );
    assert_eq!(
        ticks("*/30 * * * *", "America/New_York", "2026-03-08T06:15:00Z", 2),
        ["2026-03-08T01:30:00-05:00", "2026-03-08T03:00:00-04:00"]
    );
}

#[test]
fn seconds_of_a_fixed_minute_happen_once() {
    // In the gap all of them are its end.
    assert_eq!(
        ticks("*/15 30 2 * * *", "America/New_York", "2026-03-08T06:59:00Z", 2),
        ["2026-03-08T03:00:00-04:00", "2026-03-09T02:30:00-04:00"]
    );
    assert_eq!(
        ticks("*/30 30 1 * * *", "America/New_York", "2026-11-01T05:00:00Z", 3),
        ["2026-11-01T01:30:00-04:00", "2026-11-01T01:30:30-04:00", "2026-11-02T01:30:00-05:00"]
    );
}

#[test]
fn years_end_and_leap_days_come() {
    assert_eq!(
        ticks("59 59 23 31 12 *", "UTC", "2027-12-31T23:59:58Z", 2),
        ["2027-12-31T23:59:59+00:00", "2028-12-31T23:59:59+00:00"]
    );
    assert_eq!(ticks("* * * * *", "UTC", "2027-12-31T23:59:30Z", 1), ["2028-01-01T00:00:00+00:00"]);
    // 2100 is no leap year.
    assert_eq!(
        ticks("0 0 29 2 *", "UTC", "2095-01-01T00:00:00Z", 2),
        ["2096-02-29T00:00:00+00:00", "2104-02-29T00:00:00+00:00"]
    );
    assert_eq!(ticks("0 12 L * *", "UTC", "2028-02-01T00:00:00Z", 1), ["2028-02-29T12:00:00+00:00"]);
    assert_eq!(ticks("0 12 * * FRIL", "UTC", "2027-01-01T00:00:00Z", 1), ["2027-01-29T12:00:00+00:00"]);
    assert_eq!(ticks("0 12 * * MON#2", "UTC", "2027-01-01T00:00:00Z", 1), ["2027-01-11T12:00:00+00:00"]);
}

#[test]
fn day_and_weekday_are_alternatives() {
    assert_eq!(
        ticks("0 0 13 * FRI", "UTC", "2027-01-08T12:00:00Z", 3),
        ["2027-01-13T00:00:00+00:00", "2027-01-15T00:00:00+00:00", "2027-01-22T00:00:00+00:00"]
    );
}

#[test]
fn intervals_are_anchored() {
    let every = timing("every 10m", "UTC");
    let tick = at("2027-01-01T00:10:00Z");
    assert_eq!(every.next_after(at("2027-01-01T00:03:21Z")), Some(tick));
    assert_eq!(every.next_after(tick - 1), Some(tick));
    assert_eq!(every.next_after(tick), Some(tick + 600 * SECOND));
    let table = Timetable { starts: Some(at("2027-01-01T00:03:21Z")), ..Timetable::new("every 10m") };
    let from_start = Timing::new(&table).unwrap();
    assert_eq!(from_start.next_after(0), Some(at("2027-01-01T00:03:21Z")));
    assert_eq!(from_start.next_after(at("2027-01-01T00:03:21Z")), Some(at("2027-01-01T00:13:21Z")));
}

#[test]
fn ticks_lie_between_start_and_end() {
    let (starts, ends) = (Some(at("2027-01-01T09:00:00Z")), Some(at("2027-01-03T09:00:00Z")));
    let table = Timetable { starts, ends, ..Timetable::new("0 9 * * *") };
    let all: Vec<i64> = Timing::new(&table).unwrap().after(0).collect();
    assert_eq!(all.len(), 3, "the start and the end are ticks");
    let table = Timetable { starts, ends: Some(at("2027-01-01T08:00:00Z")), ..Timetable::new("0 9 * * *") };
    let error = Timing::new(&table).unwrap_err();
    assert!(matches!(error, InvalidSchedule::NeverFires { .. }), "{error}");
}

#[test]
fn extreme_starts_and_ends_overflow_nothing() {
    // The last but one is in the year 262142, with which the calendar of the library ends.
    let extremes = [i64::MIN, i64::MIN + 1, -1, 0, 8_210_266_876_799_000_000, i64::MAX];
    for text in ["every 1s", "every 366d", "0 0 29 2 *", "* * * * * *"] {
        for zone in ["UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago"] {
            for starts in extremes {
                for ends in extremes {
                    let mut table = Timetable::new(text);
                    (table.timezone, table.starts, table.ends) = (zone.to_owned(), Some(starts), Some(ends));
                    let Ok(timing) = Timing::new(&table) else { continue };
                    let ticks = extremes.map(|time| timing.after(time).take(3).collect::<Vec<_>>()).concat();
                    assert!(ticks.iter().all(|tick| (starts..=ends).contains(tick)), "{table:?}: {ticks:?}");
                }
            }
        }
    }
}

#[test]
fn mistakes_are_named() {
    let mistake = |table: Timetable| Timing::new(&table).unwrap_err().to_string();
    assert_eq!(
        mistake(Timetable::new("0 0 1--100000000 * *")),
        "`0 0 1--100000000 * *`, at character 5: `1--100000000`: the day is a number from 1 to 31"
    );
    assert_eq!(
        mistake(Timetable { timezone: "berlin".to_owned(), ..Timetable::new("@daily") }),
        "there is no time zone `berlin` (did you mean `Europe/Berlin`?): write a name of the IANA database, such as \
         `Europe/Berlin` or `UTC`"
    );
    let late = mistake(Timetable { starts: Some(i64::MAX), ..Timetable::new("every 1d") });
    assert!(late.contains("at most in the year 9999"), "{late}");
    let jitter = mistake(Timetable { jitter: Some(90_000 * SECOND), ..Timetable::new("@daily") });
    assert!(jitter.starts_with("a jitter of 90000s is out of range"), "{jitter}");
}

#[test]
fn last_ticks_of_a_long_time_are_found_fast() {
    let (from, to) = (at("1990-01-01T00:00:00Z"), at("2027-01-01T00:00:00Z"));
    let every_second = timing("* * * * * *", "Europe/Berlin");
    assert_eq!(every_second.last(from, to, 3), [to - 2 * SECOND, to - SECOND, to]);
    assert_eq!(
        timing("0 0 29 2 *", "UTC").last(from, to, 2),
        [at("2020-02-29T00:00:00Z"), at("2024-02-29T00:00:00Z")]
    );
    assert_eq!(timing("@daily", "UTC").last(to - 60 * SECOND, to - SECOND, 5), [0; 0]);
    // A burst of a month, eleven months ago, has 2.6 million ticks.
    let (began, december) = (Instant::now(), at("2026-12-31T12:00:00Z"));
    let burst = timing("* * * * 1 *", "UTC").last(from, december, 1000);
    assert_eq!((burst.len(), burst[999]), (1000, at("2026-01-31T23:59:59Z")));
    assert!(began.elapsed().as_secs() < 5, "{:?}", began.elapsed());
}

#[test]
fn last_ticks_are_those_of_all() {
    let texts = ["*/7 * * * *", "0 9 * * MON-FRI", "30 2 L * *", "* * 3 * * 2", "every 90m", "0 0 1 1 *"];
    let mut random = fastrand::Rng::with_seed(11);
    let from = at("2026-01-01T00:00:00Z");
    for text in texts {
        let timing = timing(text, "Europe/Berlin");
        for _ in 0..20 {
            let to = from + random.i64(0..40 * 86_400) * SECOND;
            let most = random.usize(1..50);
            let mut all: Vec<i64> = timing.after(from).take_while(|tick| *tick <= to).collect();
            let expected = all.split_off(all.len().saturating_sub(most));
            assert_eq!(timing.last(from, to, most), expected, "{most} of `{text}` up to {to}");
        }
    }
}

#[test]
fn last_of_all_is_the_last_tick_before_the_end() {
    let ends = Some(at("2027-06-01T00:00:00Z"));
    let last =
        |text: &str, ends| Timing::new(&Timetable { ends, ..Timetable::new(text) }).unwrap().last_of_all();
    assert_eq!(last("0 0 1 1 *", ends), Some(at("2027-01-01T00:00:00Z")));
    assert_eq!(last("* * * * * *", ends), ends);
    assert_eq!(last("* * * * * *", None), None);
}

#[test]
fn zones_are_those_of_the_library() {
    let known: BTreeSet<&str> = chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name()).collect();
    assert_eq!(zones::all().collect::<BTreeSet<_>>(), known);
}
