//! A stack of reusable things. The one returned last is used first, so that unused ones grow old.

use std::time::{Duration, Instant};

/// The time that a thing may stay unused.
const MAX_IDLE: Duration = Duration::from_secs(5 * 60);

/// A stack of reusable things. The one that was returned last is on top.
#[derive(Debug)]
pub(super) struct Stack<T>(Vec<(Instant, T)>);

impl<T> Default for Stack<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Stack<T> {
    pub(super) fn push(&mut self, thing: T, now: Instant) {
        self.0.push((now, thing));
    }

    pub(super) fn pop(&mut self) -> Option<T> {
        self.0.pop().map(|(_, thing)| thing)
    }

    /// Removes those that were not used for long.
    pub(super) fn take_unused(&mut self, now: Instant) -> Vec<T> {
        let unused = self.0.partition_point(|(at, _)| now.saturating_duration_since(*at) > MAX_IDLE);
        self.0.drain(..unused).map(|(_, thing)| thing).collect()
    }

    pub(super) fn take_all(&mut self) -> Vec<T> {
        self.0.drain(..).map(|(_, thing)| thing).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unneeded_connections_are_taken_off() {
        let (start, minute) = (Instant::now(), Duration::from_secs(60));
        let mut stack = Stack::default();
        for thing in 1..=4 {
            stack.push(thing, start);
        }
        for now in (1..=5).map(|n| start + n * minute) {
            assert!(stack.take_unused(now).is_empty());
            assert_eq!(stack.pop(), Some(4));
            stack.push(4, now);
        }
        assert_eq!(stack.take_unused(start + 6 * minute), [1, 2, 3]);
        assert_eq!((stack.pop(), stack.pop()), (Some(4), None));
    }
}
