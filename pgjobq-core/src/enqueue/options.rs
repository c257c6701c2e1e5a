//! The options of an enqueue that few jobs have, as JSON: what becomes of a job that meets a full limit, or another one with its
//! unique key.

use serde_json::{Map, Value, json};

use crate::{OnConflict, OnDuplicate, UniqueWhile};

/// The options of a job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// `kind` or `key`, if the code of the job's kind has a limit, for the kind or for each key.
    pub(crate) limit: Option<&'static str>,
    /// The answer to a key at its limit, if it is not that of the kind.
    pub(crate) on_conflict: Option<OnConflict>,
    /// The time in which a unique job is the only one, and the answer to a second.
    pub(crate) unique: Option<(UniqueWhile, OnDuplicate)>,
}

impl Options {
    /// Returns the options as an enqueue sends them; `None` if there are none.
    pub(crate) fn to_json(self) -> Option<String> {
        let mut options =
            self.unique.and_then(|(lasts, answer)| of_unique(lasts, answer)).unwrap_or_default();
        if let Some(limit) = self.limit {
            options.insert("limit".to_owned(), limit.into());
        }
        if let Some(answer) = self.on_conflict {
            options.insert("on_conflict".to_owned(), answer.as_str().into());
        }
        (!options.is_empty()).then(|| Value::Object(options).to_string())
    }
}

/// Returns the options of a unique job that are not the defaults; `None` if there are none.
pub(crate) fn of_unique(lasts: UniqueWhile, answer: OnDuplicate) -> Option<Map<String, Value>> {
    let mut options = Map::new();
    let mut set = |name: &str, value: Value| options.insert(name.to_owned(), value);
    if lasts != UniqueWhile::default() {
        set("unique", lasts.as_str().into());
    }
    if let UniqueWhile::For(time) = lasts {
        set("unique_for", json!(u64::try_from(time.as_micros()).unwrap_or(u64::MAX)));
    }
    if answer != OnDuplicate::default() {
        set("duplicate", answer.as_str().into());
    }
    if let OnDuplicate::Debounce(time) = answer {
        set("debounce", json!(u64::try_from(time.as_micros()).unwrap_or(u64::MAX)));
    }
    (!options.is_empty()).then_some(options)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn defaults_are_no_options() {
        let unique = Some((UniqueWhile::Live, OnDuplicate::Keep));
        assert_eq!(Options { unique, ..Options::default() }.to_json(), None);
        let second = Duration::from_secs(1);
        let unique = Some((UniqueWhile::For(second), OnDuplicate::Debounce(second)));
        assert_eq!(
            Options { limit: Some("key"), on_conflict: Some(OnConflict::Drop), unique }.to_json().as_deref(),
            Some(
                r#"{"debounce":1000000,"duplicate":"debounce","limit":"key","on_conflict":"drop","unique":"time","unique_for":1000000}"#
            )
        );
    }
}
