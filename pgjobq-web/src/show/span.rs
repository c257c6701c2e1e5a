//! Spans of time.

use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};

/// A span of time in its largest unit, rounded down: `42 s`, `3 min`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span(pub(crate) Duration);

impl fmt::Display for Span {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_secs() {
            0 if self.0.is_zero() => write!(out, "0 s"),
            0 => write!(out, "{} ms", self.0.as_millis()),
            seconds @ ..120 => write!(out, "{seconds} s"),
            seconds @ ..7_200 => write!(out, "{} min", seconds / 60),
            seconds @ ..172_800 => write!(out, "{} h", seconds / 3_600),
            seconds => write!(out, "{} d", seconds / 86_400),
        }
    }
}

/// In seconds.
impl Serialize for Span {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.0.as_secs_f64().serialize(to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_one_unit() {
        let spans = [0, 7, 119_000, 120_000, 7_200_000, 172_800_000];
        let shown = spans.map(|millis| Span(Duration::from_millis(millis)).to_string());
        assert_eq!(shown, ["0 s", "7 ms", "119 s", "2 min", "2 h", "2 d"]);
    }
}
