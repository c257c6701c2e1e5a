#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::str::FromStr;

use chrono::{Datelike, NaiveDate, Timelike};

use super::*;

/// Time zones whose clocks are changed: by an hour or by half an hour, in both hemispheres, at midnight, and at other hours.
const ZONES: [&str; 6] = [
    "America/New_York",
    "Europe/Berlin",
    "Australia/Lord_Howe",
    "America/Santiago",
    "Pacific/Chatham",
    "Africa/Casablanca",
];

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
}

#[test]
fn zones_are_those_of_the_library() {
    let known: BTreeSet<&str> = chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name()).collect();
    assert_eq!(zones::all().collect::<BTreeSet<_>>(), known);
}

/// A pattern as a person would check it on each minute: sets of minutes, hours, days, months and weekdays.
struct Brute {
    sets: [[bool; 60]; 5],
    any_day: bool,
    any_weekday: bool,
    /// True if the minute and the hour are fixed. Such a tick happens once each day, also if its time happens twice or not at all.
    is_fixed: bool,
}

impl Brute {
    fn new(pattern: &str) -> Self {
        let fields: Vec<&str> = pattern.split(' ').collect();
        let ranges = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 6)];
        let sets = std::array::from_fn(|field| {
            let ((least, most), mut set) = (ranges[field], [false; 60]);
            for value in fields[field].split(',').flat_map(|item| Self::values(item, least, most)) {
                set[value as usize] = true;
            }
            set
        });
        let has = |field: usize| fields[field].contains('*');
        Self { sets, any_day: fields[2] == "*", any_weekday: fields[4] == "*", is_fixed: !has(0) && !has(1) }
    }

    fn values(item: &str, least: u32, most: u32) -> Vec<u32> {
        let (base, step) = item.split_once('/').unwrap_or((item, "1"));
        let (first, last) = match base.split_once('-') {
            Some((first, last)) => (first.parse().unwrap(), last.parse().unwrap()),
            None if base == "*" => (least, most),
            None => (base.parse().unwrap(), base.parse().unwrap()),
        };
        (first..=last).step_by(step.parse().unwrap()).collect()
    }

    fn matches_day(&self, day: NaiveDate) -> bool {
        let is_day = self.sets[2][day.day() as usize];
        let is_weekday = self.sets[4][day.weekday().num_days_from_sunday() as usize];
        let is_it = match (self.any_day, self.any_weekday) {
            (false, false) => is_day || is_weekday,
            _ => is_day && is_weekday,
        };
        is_it && self.sets[3][day.month() as usize]
    }

    fn matches(&self, local: NaiveDateTime) -> bool {
        self.sets[0][local.minute() as usize]
            && self.sets[1][local.hour() as usize]
            && self.matches_day(local.date())
    }

    /// Returns the ticks of ten years, minute by minute. Those with wildcards are the instants whose local time matches. The others are
    /// the local times that match, each at its first instant, or at the first one after the gap.
    fn ticks(&self, zone: Tz, days: impl Iterator<Item = NaiveDate>) -> BTreeSet<i64> {
        let mut ticks = BTreeSet::new();
        for day in days {
            if self.is_fixed {
                if !self.matches_day(day) {
                    continue;
                }
                for minute in 0..24 * 60 {
                    let local = day.and_hms_opt(minute / 60, minute % 60, 0).unwrap();
                    if self.matches(local) {
                        ticks.insert(first_minute(zone, local).timestamp());
                    }
                }
            } else {
                let midnight = Utc.from_utc_datetime(&day.and_hms_opt(0, 0, 0).unwrap());
                for minute in 0..24 * 60 {
                    let instant = midnight + TimeDelta::minutes(minute);
                    if self.matches(instant.with_timezone(&zone).naive_local()) {
                        ticks.insert(instant.timestamp());
                    }
                }
            }
        }
        ticks
    }
}

fn first_minute(zone: Tz, mut local: NaiveDateTime) -> DateTime<Tz> {
    loop {
        match zone.from_local_datetime(&local) {
            LocalResult::Single(instant) | LocalResult::Ambiguous(instant, _) => return instant,
            LocalResult::None => local += TimeDelta::minutes(1),
        }
    }
}

/// The days around each change of the clock in ten years, those around each New Year, and some others; all days if
/// `PGJOBQ_SCHEDULE_DAYS` is set, which takes minutes.
fn days(zone: Tz) -> Vec<NaiveDate> {
    let first = NaiveDate::from_ymd_opt(2025, 1, 1).unwrap();
    let offset = |day: NaiveDate| {
        use chrono::Offset;
        zone.offset_from_utc_datetime(&day.and_hms_opt(0, 0, 0).unwrap()).fix()
    };
    let all = || first.iter_days().take(3652);
    let changes = all().filter(|day| offset(*day) != offset(day.succ_opt().unwrap()));
    let around = changes.flat_map(|day| (-2..=3).map(move |by| day + TimeDelta::days(by)));
    let step = if std::env::var_os("PGJOBQ_SCHEDULE_DAYS").is_some() { 1 } else { 83 };
    let others = all().step_by(step).chain(all().filter(|day| day.ordinal() == 1 || day.ordinal() >= 365));
    around.chain(others).collect::<BTreeSet<_>>().into_iter().collect()
}

/// Patterns that are drawn for a zone. The seed is fixed: the test is the same in each run.
fn patterns(random: &mut fastrand::Rng) -> String {
    let pick =
        |random: &mut fastrand::Rng, choices: &[&str]| choices[random.usize(..choices.len())].to_owned();
    let minute = format!("{}", random.u32(..60));
    let hours = format!("{}", random.u32(..4));
    let minute = pick(random, &[&minute, "*", "*/7", "*/15", "0", "30", "0,20,59", "10-30/5", "0-59"]);
    let hour = pick(random, &[&hours, "*", "*/2", "1-3", "2", "0", "3,23", "1", "22-23"]);
    let day = pick(random, &["*", "*", "*", "1,29,31", "*/2", "8-14"]);
    let month = pick(random, &["*", "*", "*", "3,4,9,10,11", "2"]);
    let weekday = pick(random, &["*", "*", "*", "0", "1-5", "6"]);
    format!("{minute} {hour} {day} {month} {weekday}")
}

#[test]
fn ticks_of_ten_years_are_those_of_brute_force() {
    let mut random = fastrand::Rng::with_seed(7);
    for name in ZONES {
        let zone = Tz::from_str(name).unwrap();
        let days = days(zone);
        for _ in 0..8 {
            let pattern = patterns(&mut random);
            let (brute, timing) = (Brute::new(&pattern), timing(&pattern, name));
            // Runs of days in a row, because a tick of a day may be on the next one in UTC.
            for run in days.chunk_by(|a, b| a.succ_opt() == Some(*b)) {
                let start = Utc.from_utc_datetime(&run[0].and_hms_opt(0, 0, 0).unwrap()).timestamp();
                let end = start + 86_400 * i64::try_from(run.len()).unwrap();
                let around = run[0].pred_opt().into_iter().chain(run.iter().copied());
                let around = around.chain(run[run.len() - 1].succ_opt());
                let expected: Vec<i64> = brute
                    .ticks(zone, around)
                    .into_iter()
                    .filter(|tick| (start..end).contains(tick))
                    .collect();
                let found: Vec<i64> = timing
                    .after(start * SECOND - 1)
                    .map(|tick| tick / SECOND)
                    .take_while(|tick| *tick < end)
                    .collect();
                assert_eq!(found, expected, "`{pattern}` in {name} from {}", run[0]);
            }
        }
    }
}

#[test]
fn schedule_that_starts_after_the_last_time_never_fires() {
    for text in ["@daily", "every 10m", "* * * * *"] {
        for starts in [LATEST + 1, i64::MAX / 2, i64::MAX] {
            let table = Timetable { starts: Some(starts), ..Timetable::new(text) };
            let error = Timing::new(&table).unwrap_err();
            assert!(matches!(error, InvalidSchedule::NeverFires { .. }), "{text} from {starts}: {error}");
        }
    }
    let table = Timetable { starts: Some(LATEST - 3600 * SECOND), ..Timetable::new("every 10m") };
    let ticks = Timing::new(&table).unwrap().after(0).count();
    assert_eq!(ticks, 7, "the last ones");
}
