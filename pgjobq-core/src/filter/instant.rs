//! Times in the text form of filters: RFC 3339, with microseconds.

const MICROS_PER_SECOND: i64 = 1_000_000;
const SECONDS_PER_DAY: i64 = 86_400;
/// The last time that a job can have: the end of the year 9999.
pub(crate) const LATEST: i64 = 253_402_300_800 * MICROS_PER_SECOND - 1;

/// Writes microseconds since 1970 as a time in UTC.
pub(crate) fn print(micros: i64) -> String {
    let (seconds, fraction) = (micros.div_euclid(MICROS_PER_SECOND), micros.rem_euclid(MICROS_PER_SECOND));
    let (days, second) = (seconds.div_euclid(SECONDS_PER_DAY), seconds.rem_euclid(SECONDS_PER_DAY));
    let (year, month, day) = date_of(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let fraction = if fraction == 0 { String::new() } else { format!(".{fraction:06}") };
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z")
}

/// Reads a time: a date, `T` or a space, the time of day, and `Z` or an offset. Returns microseconds since 1970; none before.
pub(crate) fn parse(text: &str) -> Option<i64> {
    let text = text.trim();
    if !text.is_ascii() || text.len() < 20 {
        return None;
    }
    let (date_and_time, rest) = text.split_at(19);
    let number = |range: std::ops::Range<usize>| -> Option<i64> {
        let digits = &date_and_time[range];
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
    };
    let signs = [4, 7, 10, 13, 16].map(|at| date_and_time.as_bytes()[at]);
    if !matches!(signs, [b'-', b'-', b'T' | b't' | b' ', b':', b':']) {
        return None;
    }
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    let days = days_before(year, month, day);
    if date_of(days) != (year, month, day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (fraction, offset) = fraction_and_offset(rest)?;
    let seconds = days * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second - offset;
    let micros = seconds * MICROS_PER_SECOND + fraction;
    (0..=LATEST).contains(&micros).then_some(micros)
}

/// Reads what follows the seconds: at most six digits of a fraction, and the offset from UTC, in seconds.
fn fraction_and_offset(rest: &str) -> Option<(i64, i64)> {
    let (fraction, zone) = match rest.strip_prefix('.') {
        Some(rest) => rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?),
        None => ("000000", rest),
    };
    if !(1..=6).contains(&fraction.len()) {
        return None;
    }
    let fraction: i64 = format!("{fraction:0<6}").parse().ok()?;
    if zone.eq_ignore_ascii_case("z") {
        return Some((fraction, 0));
    }
    let (sign, zone) = (zone.get(..1)?, zone.get(1..)?);
    let (hours, minutes) = zone.split_once(':')?;
    let number = |digits: &str| -> Option<i64> {
        (digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| digits.parse().ok())?
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    let offset = hours * 3600 + minutes * 60;
    match sign {
        _ if hours > 23 || minutes > 59 => None,
        "+" => Some((fraction, offset)),
        "-" => Some((fraction, -offset)),
        _ => None,
    }
}

/// Returns the days from 1970-01-01 to a date. A year begins in March here, so that the leap day is its last one.
fn days_before(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Returns the year, month and day of a number of days after 1970-01-01.
fn date_of(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let (day, month) = (day_of_year - (153 * shifted + 2) / 5 + 1, (shifted + 2) % 12 + 1);
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn days_are_printed_and_read_back() {
        for day in (0..=LATEST / MICROS_PER_SECOND / SECONDS_PER_DAY).step_by(17) {
            let micros = day * SECONDS_PER_DAY * MICROS_PER_SECOND + day % 86_400_000_000;
            assert_eq!(parse(&print(micros)), Some(micros), "{}", print(micros));
        }
        assert_eq!(print(LATEST), "9999-12-31T23:59:59.999999Z");
        assert_eq!(print(951_782_400_000_000), "2000-02-29T00:00:00Z");
    }

    #[test]
    fn offset_is_taken_off() {
        assert_eq!(parse("2027-01-31T12:00:00.5+01:30"), parse("2027-01-31 10:30:00.5Z"));
        assert_eq!(parse("2027-01-31t12:00:00-01:00"), parse("2027-01-31T13:00:00z"));
    }

    #[test]
    fn wrong_time_is_refused() {
        for text in [
            "",
            "2027-01-31",
            "2027-02-29T00:00:00Z",
            "2027-01-31T24:00:00Z",
            "2027-01-31T12:00:00",
            "2027-01-31T12:00:00+1:00",
            "2027-01-31T12:00:00.Z",
            "2027-01-31T12:00:00.1234567Z",
            "1969-12-31T23:59:59Z",
            "2027-13-01T00:00:00Z",
            "2027-00-01T00:00:00Z",
            "2027-01-00T00:00:00Z",
            "+027-01-31T12:00:00Z",
            "2027-01-31T12:00:00é",
            "2027-01-31T12:00:00+24:00",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
