//! Problems that are reported only once they have lasted for a while.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// The problems of the looks up to now, each with the time of the first look without a break that found it.
#[derive(Debug)]
pub(super) struct Lasting<P>(BTreeMap<P, Instant>);

impl<P: Ord + Clone> Lasting<P> {
    pub(super) fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Notes what a look has found. Returns the problems that have lasted for at least this time.
    pub(super) fn note(&mut self, found: Vec<P>, now: Instant, at_least: Duration) -> Vec<P> {
        let since = |problem: P| {
            let since = self.0.get(&problem).copied().unwrap_or(now);
            (problem, since)
        };
        self.0 = found.into_iter().map(since).collect();
        let lasting = self.0.iter().filter(|(_, since)| now.duration_since(**since) >= at_least);
        lasting.map(|(problem, _)| problem.clone()).collect()
    }

    /// Returns whether a problem has not lasted long enough yet, so that another look should come soon.
    pub(super) fn is_pending(&self, now: Instant, at_least: Duration) -> bool {
        self.0.values().any(|since| now.duration_since(*since) < at_least)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_problems_that_last_are_reported() {
        let (start, patience) = (Instant::now(), Duration::from_secs(10));
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut problems = Lasting::new();
        assert_eq!(problems.note(vec!["a", "b"], start, patience), [""; 0]);
        assert!(problems.is_pending(start, patience));
        assert_eq!(problems.note(vec!["a"], after(9), patience), [""; 0]);
        assert_eq!(problems.note(vec!["a", "b"], after(10), patience), ["a"], "the other one came and went");
        assert!(problems.is_pending(after(10), patience));
        assert_eq!(problems.note(vec!["a", "b"], after(20), patience), ["a", "b"]);
        assert!(!problems.is_pending(after(20), patience));
        assert_eq!(problems.note(Vec::new(), after(21), patience), [""; 0]);
    }
}
