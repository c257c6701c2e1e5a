//! The ticks of ten years, compared with those that a person would find by trying each time of a day.

use std::collections::HashMap;

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

/// A pattern as a person would check it: sets of seconds, minutes, hours, days, months and weekdays, and days that differ from month
/// to month.
struct Brute {
    sets: [[bool; 60]; 6],
    moving: Vec<Moving>,
    any_day: bool,
    any_weekday: bool,
    /// True if the minute and the hour are fixed. Such a tick happens once each day, also if its time happens twice or not at all.
    is_fixed: bool,
}

/// A day that differs from month to month.
#[derive(Clone, Copy)]
enum Moving {
    /// `L`
    Last,
    /// `LW`
    LastFromMondayToFriday,
    /// `15W`
    Nearest(u32),
    /// `5L`
    LastOf(u32),
    /// `1#2`
    Nth(u32, u32),
}

impl Moving {
    /// Reads an item of the day, or else of the weekday.
    fn read(item: &str, is_day: bool) -> Option<Self> {
        let number = |text: &str| text.parse().unwrap();
        match (item, is_day) {
            ("L", true) => Some(Self::Last),
            ("LW", true) => Some(Self::LastFromMondayToFriday),
            (_, true) => item.strip_suffix('W').map(|day| Self::Nearest(number(day))),
            (_, false) => match item.split_once('#') {
                Some((day, nth)) => Some(Self::Nth(number(day), number(nth))),
                None => item.strip_suffix('L').map(|day| Self::LastOf(number(day))),
            },
        }
    }

    fn is_of_the_month(self) -> bool {
        matches!(self, Self::Last | Self::LastFromMondayToFriday | Self::Nearest(_))
    }

    fn matches(self, day: NaiveDate) -> bool {
        let days: Vec<NaiveDate> =
            day.with_day(1).unwrap().iter_days().take_while(|d| d.month() == day.month()).collect();
        let is_work = |day: &NaiveDate| !matches!(weekday(*day), 0 | 6);
        let of = |wanted: u32| days.iter().copied().filter(move |day| weekday(*day) == wanted);
        let found = match self {
            Self::Last => days.last().copied(),
            Self::LastFromMondayToFriday => days.iter().copied().rfind(is_work),
            Self::Nearest(wanted) => {
                let distance = |day: &NaiveDate| day.day().abs_diff(wanted);
                days.iter().copied().filter(is_work).min_by_key(distance)
            }
            Self::LastOf(wanted) => of(wanted).next_back(),
            Self::Nth(wanted, nth) => of(wanted).nth(nth as usize - 1),
        };
        found == Some(day)
    }
}

fn weekday(day: NaiveDate) -> u32 {
    day.weekday().num_days_from_sunday()
}

impl Brute {
    fn new(pattern: &str) -> Self {
        let mut fields: Vec<&str> = pattern.split(' ').collect();
        if fields.len() == 5 {
            fields.insert(0, "0");
        }
        let ranges = [(0, 59), (0, 59), (0, 23), (1, 31), (1, 12), (0, 6)];
        let mut moving = Vec::new();
        let sets = std::array::from_fn(|field| {
            let ((least, most), mut set) = (ranges[field], [false; 60]);
            for item in fields[field].split(',') {
                let special = if matches!(field, 3 | 5) { Moving::read(item, field == 3) } else { None };
                moving.extend(special);
                let values = if special.is_some() { Vec::new() } else { Self::values(item, least, most) };
                values.into_iter().for_each(|value| set[value as usize] = true);
            }
            set
        });
        let has = |field: usize| fields[field].contains('*');
        let is_any = |field: usize| fields[field] == "*";
        Self { sets, moving, any_day: is_any(3), any_weekday: is_any(5), is_fixed: !has(1) && !has(2) }
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
        let moves = |of_the_month: bool| {
            let mut those = self.moving.iter().filter(|moving| moving.is_of_the_month() == of_the_month);
            those.any(|moving| moving.matches(day))
        };
        let is_day = self.sets[3][day.day() as usize] || moves(true);
        let is_weekday = self.sets[5][weekday(day) as usize] || moves(false);
        let is_it = match (self.any_day, self.any_weekday) {
            (false, false) => is_day || is_weekday,
            _ => is_day && is_weekday,
        };
        is_it && self.sets[4][day.month() as usize]
    }

    fn matches_minute(&self, local: NaiveDateTime) -> bool {
        self.sets[1][local.minute() as usize] && self.sets[2][local.hour() as usize]
    }

    /// Returns the ticks of these days. Those with wildcards are the instants whose local time matches. The others are the local times
    /// that match, each at its first instant, or at the first one after the gap. No zone has an offset with seconds in these years.
    fn ticks(&self, clock: &mut Clock, days: impl Iterator<Item = NaiveDate>) -> BTreeSet<i64> {
        let seconds: Vec<i64> = (0..60).filter(|second| self.sets[0][*second as usize]).collect();
        let mut ticks = BTreeSet::new();
        for day in days {
            if self.is_fixed && self.matches_day(day) {
                for local in minutes(day).filter(|local| self.matches_minute(*local)) {
                    let all = seconds
                        .iter()
                        .map(|second| first_after(clock.zone, local + TimeDelta::seconds(*second)));
                    ticks.extend(all.map(|instant| instant.timestamp()));
                }
            } else if !self.is_fixed {
                for (instant, local) in clock.of(day) {
                    if self.matches_minute(*local) && self.matches_day(local.date()) {
                        ticks.extend(seconds.iter().map(|second| instant + second));
                    }
                }
            }
        }
        ticks
    }
}

/// The clock on a wall: the local time of each minute, read once for all patterns.
struct Clock {
    zone: Tz,
    days: HashMap<NaiveDate, Vec<(i64, NaiveDateTime)>>,
}

impl Clock {
    /// Returns the minutes of a day in UTC, as seconds since 1970, each with its local time.
    fn of(&mut self, day: NaiveDate) -> &[(i64, NaiveDateTime)] {
        let zone = self.zone;
        self.days.entry(day).or_insert_with(|| {
            let instants = minutes(day).map(|minute| minute.and_utc());
            instants.map(|at| (at.timestamp(), at.with_timezone(&zone).naive_local())).collect()
        })
    }
}

/// Returns the minutes of a day.
fn minutes(day: NaiveDate) -> impl Iterator<Item = NaiveDateTime> {
    let midnight = day.and_hms_opt(0, 0, 0).unwrap();
    (0..24 * 60).map(move |minute| midnight + TimeDelta::minutes(minute))
}

/// Returns the first instant of a local time; in a gap, the first one after it, which begins a minute.
fn first_after(zone: Tz, mut local: NaiveDateTime) -> DateTime<Tz> {
    loop {
        match zone.from_local_datetime(&local) {
            LocalResult::Single(instant) | LocalResult::Ambiguous(instant, _) => return instant,
            LocalResult::None => local = local.with_second(0).unwrap() + TimeDelta::minutes(1),
        }
    }
}

/// The days around each change of the clock in ten years, those around each New Year, and each 83rd; all days if
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
    let second = pick(random, &["", "", "", "*/15 ", "7 ", "0,59 ", "10-20/5 "]);
    let minute = pick(random, &[&minute, "*", "*/7", "*/15", "0", "30", "0,20,59", "10-30/5", "0-59"]);
    let hour = pick(random, &[&hours, "*", "*/2", "1-3", "2", "0", "3,23", "1", "22-23"]);
    let day = pick(random, &["*", "*", "*", "1,29,31", "*/2", "8-14", "L", "15W", "1W,LW"]);
    let month = pick(random, &["*", "*", "*", "3,4,9,10,11", "2"]);
    let weekday = pick(random, &["*", "*", "*", "0", "1-5", "6", "0L", "0#1,0#2", "5#3,5L"]);
    format!("{second}{minute} {hour} {day} {month} {weekday}")
}

#[test]
fn ticks_of_ten_years_are_those_of_brute_force() {
    let mut random = fastrand::Rng::with_seed(7);
    for name in ZONES {
        let zone = Tz::from_str(name).unwrap();
        let (days, mut clock) = (days(zone), Clock { zone, days: HashMap::new() });
        for _ in 0..12 {
            let pattern = patterns(&mut random);
            let (brute, timing) = (Brute::new(&pattern), timing(&pattern, name));
            // Runs of days in a row, because a tick of a day may be on the next one in UTC.
            for run in days.chunk_by(|a, b| a.succ_opt() == Some(*b)) {
                let start = Utc.from_utc_datetime(&run[0].and_hms_opt(0, 0, 0).unwrap()).timestamp();
                let end = start + 86_400 * i64::try_from(run.len()).unwrap();
                let around = run[0].pred_opt().into_iter().chain(run.iter().copied());
                let around = around.chain(run[run.len() - 1].succ_opt());
                let expected: Vec<i64> = brute
                    .ticks(&mut clock, around)
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
fn intervals_are_those_of_brute_force() {
    let start = at("2027-03-01T00:00:00Z") / SECOND;
    for (interval, seconds) in [("7s", 7), ("10m", 600), ("90m", 5400), ("5h", 18_000), ("3d", 259_200)] {
        for starts in [None, Some(start - 1000), Some(start + 4321)] {
            let table = Timetable {
                starts: starts.map(|at| at * SECOND),
                ..Timetable::new(format!("every {interval}"))
            };
            let origin = starts.unwrap_or(0);
            let expected: Vec<i64> = (start..start + 700_000)
                .filter(|second| *second >= origin && (second - origin) % seconds == 0)
                .take(200)
                .collect();
            let timing = Timing::new(&table).unwrap();
            let found: Vec<i64> =
                timing.after(start * SECOND - 1).map(|tick| tick / SECOND).take(expected.len()).collect();
            assert_eq!(found, expected, "every {interval} from {starts:?}");
        }
    }
}
