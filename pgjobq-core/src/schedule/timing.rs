//! The ticks of a schedule, computed from a checked timetable. Nothing here reads a clock.

use std::time::Duration;

use chrono::{DateTime, LocalResult, NaiveDateTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};

use super::invalid::InvalidSchedule;
use super::text::syntax::{Syntax, read};
use super::text::word::Mistake;
use super::text::zones;
use super::timetable::{NO_ZONE, Timetable};
use crate::filter::instant::LATEST;

const SECOND: i64 = 1_000_000;
/// The beginning of the year 10000, in seconds since 1970.
const YEAR_10000: i64 = 253_402_300_800;
/// No clock is ever put forward by more, except where the date line moved: Samoa has no 30 December 2011.
const LONGEST_GAP: TimeDelta = TimeDelta::days(2);
const LONGEST_JITTER: Duration = Duration::from_secs(24 * 60 * 60);

/// The ticks of a schedule. Times are microseconds since 1970.
#[derive(Debug)]
pub(crate) struct Timing {
    rule: Rule,
    /// The first time at which a tick may be.
    starts: Option<i64>,
    /// The last one.
    ends: Option<i64>,
}

#[derive(Debug)]
enum Rule {
    /// An interval. Its ticks are counted from the start, or from 1970: no restart of a program shifts them.
    Every(i64),
    /// A pattern of which the minute or the hour has a `*`. It follows the time that passes, also while clocks are changed.
    Wild(Box<Cron>, Tz),
    /// Any other pattern. Each of its local times is one tick.
    Fixed(Box<Cron>, Tz),
}

impl Timing {
    /// Checks a timetable that is to be set. Its interval has no time zone; in one that is stored, a zone does no harm.
    pub(crate) fn to_set(table: &Timetable) -> Result<Self, InvalidSchedule> {
        let timing = Self::new(table)?;
        match timing.rule {
            Rule::Every(_) if table.timezone != NO_ZONE => Err(InvalidSchedule::ZoneOfInterval {
                text: table.text.clone(),
                zone: table.timezone.clone(),
            }),
            _ => Ok(timing),
        }
    }

    /// Checks a timetable.
    pub(crate) fn new(table: &Timetable) -> Result<Self, InvalidSchedule> {
        let zone = zone(&table.timezone)?;
        let wrong = |mistake| InvalidSchedule::text(&table.text, mistake);
        let rule = match read(&table.text).map_err(wrong)? {
            Syntax::Every(interval) => Rule::Every(micros(interval)),
            Syntax::Cron(pattern) => {
                let cron = Box::new(cron(&pattern).map_err(wrong)?);
                let is_wild = pattern.split(' ').skip(1).take(2).any(|field| field.contains('*'));
                if is_wild { Rule::Wild(cron, zone) } else { Rule::Fixed(cron, zone) }
            }
        };
        if let Some(jitter) = table.jitter {
            let jitter = Duration::from_micros(jitter.unsigned_abs());
            if !(Duration::from_millis(1)..=LONGEST_JITTER).contains(&jitter) {
                return Err(InvalidSchedule::Jitter(jitter));
            }
        }
        // Later times overflow, here or in the database.
        if [table.starts, table.ends].into_iter().flatten().any(|time| !(0..=LATEST).contains(&time)) {
            return Err(InvalidSchedule::OutOfRange);
        }
        let timing = Self { rule, starts: table.starts, ends: table.ends };
        if timing.next_after(0).is_none() {
            return Err(InvalidSchedule::NeverFires { text: table.text.clone() });
        }
        Ok(timing)
    }

    /// Returns the first tick after a time; `None` if there is none.
    pub(crate) fn next_after(&self, time: i64) -> Option<i64> {
        let time = self.starts.map_or(time, |starts| time.max(starts.saturating_sub(1)));
        let tick = match &self.rule {
            Rule::Every(interval) => next_multiple(*interval, self.starts.unwrap_or(0), time)?,
            Rule::Wild(cron, zone) => next(cron, &second(time)?.with_timezone(zone))?.timestamp() * SECOND,
            Rule::Fixed(cron, zone) => next_fixed(cron, *zone, second(time)?)?.timestamp() * SECOND,
        };
        Some(tick).filter(|tick| *tick > time && self.ends.is_none_or(|ends| *tick <= ends))
    }

    /// Returns the ticks after a time, in order.
    pub(crate) fn after(&self, time: i64) -> impl Iterator<Item = i64> {
        std::iter::successors(self.next_after(time), |tick| self.next_after(*tick))
    }

    /// Returns the last tick of all, if the schedule ends.
    pub(crate) fn last_of_all(&self) -> Option<i64> {
        self.ends.and_then(|ends| self.last(0, ends, 1).pop())
    }

    /// Returns the last ticks after `from` and up to `to`, at most `most` (at least 1), in order. It searches for a time after which
    /// there are at least `most` ticks, and at most twice as many. So it looks at a multiple of `most` ticks, however many there are.
    pub(crate) fn last(&self, from: i64, to: i64, most: usize) -> Vec<i64> {
        let enough = |begin: i64| -> Vec<i64> {
            self.after(begin).take_while(|tick| *tick <= to).take(2 * most + 1).collect()
        };
        // After `early` there are too many ticks, and after `late` too few.
        let (mut early, mut late) = (None, to);
        let mut begin = to.saturating_sub(60 * SECOND).max(from);
        loop {
            let mut ticks = enough(begin);
            if ticks.len() > 2 * most {
                early = Some(begin);
            } else if ticks.len() < most && begin > from {
                late = begin;
            } else {
                return ticks.split_off(ticks.len().saturating_sub(most));
            }
            begin = match early {
                Some(early) => early + (late - early) / 2,
                None => to.saturating_sub((to - begin).saturating_mul(2)).max(from),
            };
        }
    }
}

/// Returns the first time after `time` that is a multiple of the interval from `origin`. A definition that was stored by hand may have
/// any origin.
fn next_multiple(interval: i64, origin: i64, time: i64) -> Option<i64> {
    let [interval, origin, time] = [interval, origin, time].map(i128::from);
    let intervals = (time - origin).div_euclid(interval) + 1;
    i64::try_from(origin + intervals * interval).ok()
}

/// Returns the full second of a time before the year 10000. Near the end of the calendar the library panics in some zones.
fn second(time: i64) -> Option<DateTime<Utc>> {
    let second = time.div_euclid(SECOND);
    if second < YEAR_10000 { DateTime::from_timestamp(second, 0) } else { None }
}

/// Returns the next time that matches.
fn next<Z: TimeZone>(cron: &Cron, after: &DateTime<Z>) -> Option<DateTime<Z>> {
    cron.find_next_occurrence(after, false).ok()
}

/// Returns the next instant of a local time that matches. The local times are searched as if they were UTC, which has neither gaps nor
/// overlaps. Later local times have no earlier instants, so the first one with an instant after `time` is the next.
fn next_fixed(cron: &Cron, zone: Tz, time: DateTime<Utc>) -> Option<DateTime<Tz>> {
    let local = time.with_timezone(&zone).naive_local().and_utc();
    let mut matching = std::iter::successors(next(cron, &local), |local| next(cron, local));
    matching.find_map(|local| first_instant(zone, local.naive_utc()).filter(|instant| *instant > time))
}

/// Returns the first instant with a local time: of two the earlier one, and if there is none, that of the end of the gap.
fn first_instant(zone: Tz, local: NaiveDateTime) -> Option<DateTime<Tz>> {
    match zone.from_local_datetime(&local) {
        LocalResult::Single(instant) | LocalResult::Ambiguous(instant, _) => Some(instant),
        LocalResult::None => {
            let (mut before, mut after) = (local - LONGEST_GAP, local + LONGEST_GAP);
            while after - before > TimeDelta::seconds(1) {
                let middle = before + TimeDelta::seconds((after - before).num_seconds() / 2);
                let is_before = middle <= local || zone.from_local_datetime(&middle).earliest().is_none();
                if is_before { before = middle } else { after = middle }
            }
            zone.from_local_datetime(&after).earliest()
        }
    }
}

/// The parser gets only what `text` has checked, so it does not fail. If it does, the error has no place.
fn cron(pattern: &str) -> Result<Cron, Mistake> {
    let parser = CronParser::builder().seconds(Seconds::Required).year(Year::Disallowed).build();
    parser.parse(pattern).map_err(|error| Mistake::new(0..0, error.to_string()))
}

fn zone(name: &str) -> Result<Tz, InvalidSchedule> {
    name.parse().map_err(|_| {
        let similar = zones::all().find(|zone| {
            let ends_so = zone.rsplit('/').next().is_some_and(|city| city.eq_ignore_ascii_case(name));
            zone.eq_ignore_ascii_case(name) || ends_so
        });
        InvalidSchedule::TimeZone { zone: name.chars().take(100).collect(), similar }
    })
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
