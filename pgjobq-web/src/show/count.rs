//! Numbers of things.

use std::fmt;

use serde::{Serialize, Serializer};

/// A number, with commas between its thousands; `~` before it says that it is an estimate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Count {
    number: u64,
    exact: bool,
}

impl Count {
    pub(crate) fn exact(number: u64) -> Self {
        Self { number, exact: true }
    }

    /// A number that is an estimate, unless it is exact.
    pub(crate) fn new(number: u64, exact: bool) -> Self {
        Self { number, exact }
    }

    pub(crate) fn is_exact(&self) -> bool {
        self.exact
    }

    pub(crate) fn is_zero(&self) -> bool {
        self.number == 0
    }

    /// Returns whether there is none for sure: an estimate of 0 is only a sample without any.
    pub(crate) fn is_none(&self) -> bool {
        self.number == 0 && self.exact
    }

    /// Returns what stands behind a number of running jobs: `of 5`. A job counts as running from its claim to the record of its end, so
    /// there may be more than slots: a worker claims some jobs before it has a slot for them, and one call can take several.
    pub(crate) fn of_slots(&self, slots: &Self) -> String {
        if self.number > slots.number { format!("claimed for {slots}") } else { format!("of {slots}") }
    }

    /// Returns it with its noun: `1 job`, or `~52,000 jobs`.
    pub(crate) fn of_jobs(&self) -> String {
        match (self.number, self.exact) {
            (1, true) => "1 job".to_owned(),
            (0, false) => "perhaps some jobs".to_owned(),
            _ => format!("{self} jobs"),
        }
    }
}

impl fmt::Display for Count {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.exact {
            out.write_str("~")?;
        }
        let digits = self.number.to_string();
        for (place, digit) in digits.chars().enumerate() {
            if place > 0 && (digits.len() - place).is_multiple_of(3) {
                out.write_str(",")?;
            }
            write!(out, "{digit}")?;
        }
        Ok(())
    }
}

/// The number alone: whether it is exact stands beside it.
impl Serialize for Count {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.number.serialize(to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_have_commas() {
        let shown = [0, 999, 1000, 123_456, 10_000_000, u64::MAX].map(|n| Count::exact(n).to_string());
        assert_eq!(shown, ["0", "999", "1,000", "123,456", "10,000,000", "18,446,744,073,709,551,615"]);
        assert_eq!(Count::new(52_000, false).to_string(), "~52,000");
    }

    #[test]
    fn more_jobs_than_slots_are_only_claimed() {
        let beside = |running| Count::exact(running).of_slots(&Count::exact(1_000));
        assert_eq!([1_000, 1_001].map(beside), ["of 1,000", "claimed for 1,000"]);
    }

    #[test]
    fn estimate_of_zero_is_not_none() {
        let words =
            [(0, true), (1, true), (1, false), (0, false)].map(|(n, exact)| Count::new(n, exact).of_jobs());
        assert_eq!(words, ["0 jobs", "1 job", "~1 jobs", "perhaps some jobs"]);
        assert!(Count::exact(0).is_none() && !Count::new(0, false).is_none());
    }
}
