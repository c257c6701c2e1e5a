//! The fields of a cron pattern, each checked by itself.

use super::word::{Mistake, Word};

/// A kind of field.
pub(crate) struct Kind {
    name: &'static str,
    least: u32,
    most: u32,
    /// The names of its values, from `least` on.
    names: &'static [&'static str],
}

/// All kinds, in their order in a pattern.
pub(crate) const KINDS: [Kind; 6] = [
    Kind { name: "second", least: 0, most: 59, names: &[] },
    Kind { name: "minute", least: 0, most: 59, names: &[] },
    Kind { name: "hour", least: 0, most: 23, names: &[] },
    Kind { name: "day", least: 1, most: 31, names: &[] },
    Kind {
        name: "month",
        least: 1,
        most: 12,
        names: &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"],
    },
    Kind { name: "weekday", least: 0, most: 7, names: &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"] },
];

/// A field that has been read.
pub(crate) struct Field {
    /// The field in numbers.
    pub(crate) pattern: String,
    /// True if it admits every value.
    is_any: bool,
    /// The values that it admits, one bit each; without those that differ from month to month, such as `L`. Of `15W` it is the 15th.
    values: u64,
    /// True if it admits a day that each month has, such as `L`.
    moves: bool,
}

impl Kind {
    /// Reads the field that stands in this word.
    pub(crate) fn read(&self, word: &Word<'_>) -> Result<Field, Mistake> {
        let may_be_open = matches!(self.name, "day" | "weekday");
        if word.text == "*" || (may_be_open && word.text == "?") {
            return Ok(Field { pattern: "*".to_owned(), is_any: true, values: u64::MAX, moves: false });
        }
        let mut field = Field { pattern: String::new(), is_any: false, values: 0, moves: false };
        let mut from = word.at.start;
        for item in word.text.split(',') {
            let at = from..from + item.chars().count();
            from = at.end + 1;
            let read = self.item(&item.to_ascii_uppercase(), &mut field);
            let pattern = read.map_err(|message| Mistake::new(at, message))?;
            let comma = if field.pattern.is_empty() { "" } else { "," };
            field.pattern += &format!("{comma}{pattern}");
        }
        Ok(field)
    }

    /// Reads one item, and adds its values to the field. Returns it in numbers, or what is wrong.
    fn item(&self, item: &str, field: &mut Field) -> Result<String, String> {
        if let Some((moving, day)) = self.moving(item)? {
            field.moves |= day.is_none();
            field.values |= day.map_or(0, |day| 1 << day);
            return Ok(moving);
        }
        let (base, step) = match item.split_once('/') {
            Some((base, step)) => (base, Some(self.step(item, base, step)?)),
            None => (item, None),
        };
        let (pattern, first, last) = if base == "*" {
            ("*".to_owned(), self.least, self.most)
        } else if let Some((first, last)) = base.split_once('-') {
            let (first, last) = (self.value(item, first)?, self.end(item, last)?);
            if first > last {
                return Err(format!(
                    "`{item}` runs backwards: write the lower {} first, or two ranges with a comma",
                    self.name
                ));
            }
            (format!("{first}-{last}"), first, last)
        } else {
            let value = self.value(item, base)?;
            (value.to_string(), value, value)
        };
        let values = (first..=last).step_by(step.unwrap_or(1) as usize);
        field.values |= values.fold(0, |all, value| all | 1 << value);
        Ok(step.map_or(pattern.clone(), |step| format!("{pattern}/{step}")))
    }

    /// Reads the items that mean another day in each month: `L`, `15W`, `FRIL`, `MON#2`. Also returns the day without which the month
    /// has no such day.
    fn moving(&self, item: &str) -> Result<Option<(String, Option<u32>)>, String> {
        let before = |suffix| item.strip_suffix(suffix).filter(|before| !before.is_empty());
        match self.name {
            "day" if item == "L" || item == "LW" => Ok(Some((item.to_owned(), None))),
            "day" => {
                let Some(day) = before('W') else { return Ok(None) };
                let day = self.value(item, day)?;
                Ok(Some((format!("{day}W"), Some(day))))
            }
            "weekday" => match (before('L'), item.split_once('#')) {
                (Some(day), _) => Ok(Some((format!("{}L", self.value(item, day)? % 7), None))),
                (None, Some((day, nth @ ("1" | "2" | "3" | "4" | "5")))) => {
                    Ok(Some((format!("{}#{nth}", self.value(item, day)? % 7), None)))
                }
                (None, Some(_)) => {
                    Err(format!("`{item}`: a number from 1 to 5 follows `#`, such as `MON#2`"))
                }
                (None, None) => Ok(None),
            },
            _ => Ok(None),
        }
    }

    fn step(&self, item: &str, base: &str, step: &str) -> Result<u32, String> {
        let name = self.name;
        if base != "*" && !base.contains('-') {
            return Err(format!(
                "`{item}`: a step follows `*` or a range: write `*/{step}` or `{base}-{}/{step}`",
                self.most
            ));
        }
        let size = self.most - self.least + 1;
        match number(step) {
            Some(step) if (1..size).contains(&step) => Ok(step),
            Some(0) => Err(format!("`{item}`: a step of 0 never moves: write at least 1")),
            Some(_) => Err(format!(
                "`{item}`: a step in the {name} is less than {size}: for an interval, write `every …`, such as `every 90m`"
            )),
            None => Err(format!("`{item}`: a step is a number, such as `*/5`")),
        }
    }

    /// Reads the end of a range. Sunday ends a week as well.
    fn end(&self, item: &str, text: &str) -> Result<u32, String> {
        let value = self.value(item, text)?;
        Ok(if self.name == "weekday" && value == 0 { 7 } else { value })
    }

    fn value(&self, item: &str, text: &str) -> Result<u32, String> {
        let Self { name, least, most, names } = self;
        let named = names.iter().position(|known| *known == text).and_then(|at| u32::try_from(at).ok());
        let value = named.map(|at| at + least).or_else(|| number(text));
        match value {
            Some(value) if (*least..=*most).contains(&value) => Ok(value),
            _ => {
                let named =
                    names.first().map_or(String::new(), |first| format!(", or a name such as `{first}`"));
                Err(format!("`{item}`: the {name} is a number from {least} to {most}{named}"))
            }
        }
    }
}

/// Reads a number of at most two digits. None of a pattern is larger.
fn number(text: &str) -> Option<u32> {
    let is_number = (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { text.parse().ok() } else { None }
}

/// Rejects days that never come, such as the 30th of February. A day of the month and a weekday are alternatives, as in every cron.
pub(crate) fn check_days(fields: &[Field], word: &Word<'_>) -> Result<(), Mistake> {
    const LONGEST_MONTHS: [u32; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let [day, month, weekday] = fields else { return Ok(()) };
    if day.is_any || day.moves || !weekday.is_any {
        return Ok(());
    }
    let first = day.values.trailing_zeros();
    let comes = (1_u32..).zip(LONGEST_MONTHS).any(|(n, days)| month.values & 1 << n != 0 && first <= days);
    if comes {
        return Ok(());
    }
    let message = format!("this can never fire: no month that the pattern names has a day {first}");
    Err(Mistake::new(word.at.clone(), message))
}
