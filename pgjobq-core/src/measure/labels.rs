//! The values of labels, of which there are few.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use foldhash::fast::RandomState;

use crate::measure::metric::Metric;

/// The largest number of queues, and of kinds, that have metrics of their own.
const MOST_NAMES: usize = 200;
/// The name of all further ones.
const OTHER: &str = "other";
/// The name of those that are not known, because nothing of the job was kept.
const UNKNOWN: &str = "unknown";

/// A metric with the values of its labels.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) metric: &'static str,
    pub(super) queue: Option<Arc<str>>,
    pub(super) kind: Option<Arc<str>>,
    /// The outcome or the state.
    pub(super) word: Option<&'static str>,
    pub(super) operation: Option<&'static str>,
}

impl Key {
    pub(super) fn of(metric: &'static Metric) -> Self {
        Self { metric: metric.name, queue: None, kind: None, word: None, operation: None }
    }

    pub(super) fn word(mut self, word: &'static str) -> Self {
        self.word = Some(word);
        self
    }

    pub(super) fn operation(mut self, operation: &'static str) -> Self {
        self.operation = Some(operation);
        self
    }

    /// Returns the labels of `metric`, in its order.
    pub(super) fn labels(&self, metric: &'static Metric) -> Vec<(&'static str, &str)> {
        let value = |label: &str| match label {
            "queue" => self.queue.as_deref(),
            "kind" => self.kind.as_deref(),
            "operation" => self.operation,
            _ => self.word,
        };
        metric.labels.iter().map(|label| (*label, value(label).unwrap_or(UNKNOWN))).collect()
    }
}

/// A map by labels, with a fast hash: each event looks up several names, of which there are few.
pub(super) type ByKey<V> = HashMap<Key, V, RandomState>;

/// The names that have metrics of their own.
#[derive(Debug, Default)]
pub(super) struct Names(HashSet<Arc<str>, RandomState>);

impl Names {
    /// Returns the label of a name: the name itself, or `other` if there are too many.
    pub(super) fn label(&mut self, name: &str) -> Arc<str> {
        let name = if name.is_empty() { UNKNOWN } else { name };
        if let Some(known) = self.0.get(name) {
            return Arc::clone(known);
        }
        if self.0.len() >= MOST_NAMES {
            return Arc::from(OTHER);
        }
        let new: Arc<str> = Arc::from(name);
        self.0.insert(Arc::clone(&new));
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_names_share_one_label() {
        let mut names = Names::default();
        for n in 0..MOST_NAMES {
            assert_eq!(&*names.label(&format!("kind {n}")), format!("kind {n}"));
        }
        assert_eq!(&*names.label("one more"), OTHER);
        assert_eq!(&*names.label("kind 7"), "kind 7");
        assert_eq!(names.0.len(), MOST_NAMES);
    }
}
