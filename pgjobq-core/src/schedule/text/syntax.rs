//! The text of a schedule, checked: a cron pattern, a nickname such as `@daily`, or an interval such as `every 10m`.
//!
//! It knows nothing of calendars. It keeps every pattern away from the cron library that could take that one long, and it finds
//! patterns that never come true.

use std::time::Duration;

use super::fields::{self, Field};
use super::word::{Mistake, Word, words};

/// The longest text. No pattern needs more.
const MAX_LENGTH: usize = 200;
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

const NICKNAMES: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

/// The ticks that a text describes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Syntax {
    /// One tick in each interval.
    Every(Duration),
    /// A cron pattern of six fields, which begin with the second. It has no names.
    Cron(String),
}

/// Reads the text of a schedule.
pub(crate) fn read(text: &str) -> Result<Syntax, Mistake> {
    let length = text.chars().count();
    if length > MAX_LENGTH {
        let message = format!("the text has {length} characters: write at most {MAX_LENGTH}");
        return Err(Mistake::new(MAX_LENGTH..length, message));
    }
    let words = words(text);
    match &words[..] {
        [] => {
            Err(Mistake::new(0..length, "the text is empty: write a cron pattern, such as `0 9 * * MON-FRI`"))
        }
        [nickname] if nickname.text.starts_with('@') => self::nickname(nickname),
        [first, rest @ ..] if first.text == "every" => every(first, rest),
        words => cron(words),
    }
}

fn nickname(word: &Word<'_>) -> Result<Syntax, Mistake> {
    let known = NICKNAMES.iter().find(|(name, _)| word.text.eq_ignore_ascii_case(name));
    let Some((_, pattern)) = known else {
        let names = "`@hourly`, `@daily`, `@weekly`, `@monthly` and `@yearly`";
        return Err(Mistake::new(word.at.clone(), format!("`{}` is unknown: there are {names}", word.text)));
    };
    Ok(Syntax::Cron(format!("0 {pattern}")))
}

fn every(first: &Word<'_>, rest: &[Word<'_>]) -> Result<Syntax, Mistake> {
    let [word] = rest else {
        return Err(Mistake::new(first.at.clone(), "write one time after `every`, such as `every 10m`"));
    };
    let wrong = |message: String| Err(Mistake::new(word.at.clone(), message));
    let Some(interval) = interval(word.text) else {
        return wrong(format!(
            "`{}` is no interval: write a number and its unit, such as `30s`, `10m`, `6h` or `1d`",
            word.text
        ));
    };
    if !(SHORTEST..=LONGEST).contains(&interval) {
        return wrong(format!("`{}` is out of range: write an interval from `1s` to `366d`", word.text));
    }
    Ok(Syntax::Every(interval))
}

/// Reads an interval. A number that overflows is the longest one, so that the error is about its length.
fn interval(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let seconds: u64 = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        _ => return None,
    };
    let number: u64 = if number.is_empty() { return None } else { number.parse().unwrap_or(u64::MAX) };
    Some(Duration::from_secs(number.saturating_mul(seconds)))
}

fn cron(words: &[Word<'_>]) -> Result<Syntax, Mistake> {
    let has_seconds = match words.len() {
        5 => false,
        6 => true,
        count => {
            let at = words[0].at.start..words[count - 1].at.end;
            let message = format!(
                "a cron pattern has five fields (minute, hour, day, month, weekday), or six with the second before them, and \
                 this one has {count}"
            );
            return Err(Mistake::new(at, message));
        }
    };
    let kinds = &fields::KINDS[usize::from(!has_seconds)..];
    let read: Vec<Field> =
        kinds.iter().zip(words).map(|(kind, word)| kind.read(word)).collect::<Result<_, _>>()?;
    fields::check_days(&read[read.len() - 3..], &words[words.len() - 3])?;
    let pattern: Vec<&str> = read.iter().map(|field| field.pattern.as_str()).collect();
    let seconds = if has_seconds { "" } else { "0 " };
    Ok(Syntax::Cron(format!("{seconds}{}", pattern.join(" "))))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> String {
        match read(text).unwrap() {
            Syntax::Cron(pattern) => pattern,
            Syntax::Every(interval) => panic!("`{text}` is an interval of {interval:?}"),
        }
    }

    /// The place and the message of a mistake.
    fn mistake(text: &str) -> String {
        let mistake = read(text).unwrap_err();
        format!("at character {}: {}", mistake.place(), mistake.message)
    }

    #[test]
    fn patterns_become_numbers() {
        assert_eq!(pattern("0 9 * * mon-FRI"), "0 0 9 * * 1-5");
        assert_eq!(pattern("*/10 0 9 1,15 JAN,jul ?"), "*/10 0 9 1,15 1,7 *");
        assert_eq!(pattern("5-59/5 * L * SAT-SUN"), "0 5-59/5 * L * 6-7");
        assert_eq!(pattern("0 0 LW,15W * FRIL,MON#2,SUN"), "0 0 0 LW,15W * 5L,1#2,0");
        assert_eq!(pattern(" @Daily "), "0 0 0 * * *");
        assert_eq!(read("every 90m").unwrap(), Syntax::Every(Duration::from_secs(5400)));
    }

    #[test]
    fn mistakes_have_their_place() {
        let texts = [
            ("", "at character 1: the text is empty"),
            ("0 9 * *", "at character 1: a cron pattern has five fields"),
            ("0 0 0 1 1 * 2027", "at character 1: a cron pattern has five fields"),
            ("0 24 * * *", "at character 3: `24`: the hour is a number from 0 to 23"),
            (
                "0 9 * FOO *",
                "at character 7: `FOO`: the month is a number from 1 to 12, or a name such as `JAN`",
            ),
            ("0 9 * * 1,8", "at character 11: `8`: the weekday is a number from 0 to 7"),
            ("0 9 * * FRI-MON", "at character 9: `FRI-MON` runs backwards"),
            ("*/0 * * * *", "at character 1: `*/0`: a step of 0 never moves"),
            ("*/90 * * * *", "at character 1: `*/90`: a step in the minute is less than 60: for an interval"),
            ("5/5 * * * *", "at character 1: `5/5`: a step follows `*` or a range: write `*/5` or `5-59/5`"),
            ("0 9 * * MON#6", "at character 9: `MON#6`: a number from 1 to 5 follows `#`"),
            ("0 9 , * *", "at character 5: ``: the day is a number"),
            ("é 9 * * *", "at character 1: `é`: the minute"),
            ("0 é9 * * *", "at character 3: `é9`: the hour"),
            ("@reboot", "at character 1: `@reboot` is unknown"),
            ("every", "at character 1: write one time after `every`"),
            ("every 10 m", "at character 1: write one time after `every`"),
            ("every 10x", "at character 7: `10x` is no interval"),
            ("every 0s", "at character 7: `0s` is out of range"),
            ("every 99999999999999999999d", "at character 7: `99999999999999999999d` is out of range"),
        ];
        for (text, expected) in texts {
            let found = mistake(text);
            assert!(found.starts_with(expected), "`{text}`: {found}");
        }
    }

    #[test]
    fn slow_patterns_are_refused_fast() {
        assert!(mistake("0 0 1--100000000 * *").starts_with("at character 5: `1--100000000`: the day is"));
        assert!(mistake("0 0 1-100000000 * *").starts_with("at character 5: `1-100000000`: the day is"));
        assert!(mistake("*/1000000000 * * * *").starts_with("at character 1: `*/1000000000`"));
        assert!(
            mistake(&"1,".repeat(100_000)).starts_with("at character 201: the text has 200000 characters")
        );
    }

    #[test]
    fn days_that_never_come_are_refused() {
        for never in ["0 0 30 2 *", "0 0 30,31 FEB *", "0 0 31 2,4,6,9,11 *", "0 0 31W 4 *"] {
            assert!(mistake(never).starts_with("at character 5: this can never fire"), "{never}");
        }
        for sometimes in
            ["0 0 29 2 *", "0 0 30 2 MON", "0 0 28-31 2 *", "0 0 31,1 4 *", "0 0 L 2 *", "0 0 31 */2 *"]
        {
            read(sometimes).unwrap();
        }
    }
}
