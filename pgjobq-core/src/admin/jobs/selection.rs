//! A filter as the statements take it: the path, and the lists in which to look for jobs.

use std::collections::HashSet;

use uuid::Uuid;

use crate::JobState;
use crate::db::literal::Literal;
use crate::filter::{Compiled, Filter, FilterError};

/// The states in which a job has not ended.
const LIVE: [JobState; 6] = [
    JobState::Blocked,
    JobState::Scheduled,
    JobState::Held,
    JobState::Limited,
    JobState::Ready,
    JobState::Running,
];
/// The states in which a job has ended otherwise than completed.
const ENDED_BADLY: [JobState; 3] = [JobState::Dead, JobState::Cancelled, JobState::Expired];

/// The jobs that an operation can concern, of all that match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Concerned {
    All,
    Live,
    Ended,
    EndedBadly,
}

/// A filter as the statements take it.
#[derive(Clone, Debug)]
pub(super) struct Selection {
    path: String,
    needs_columns: bool,
    needs_queue: bool,
    needs_state: bool,
    needs_errors: bool,
    ids: Option<Vec<Uuid>>,
    /// Attributes that every matching job has, and beside each the value there, as JSON.
    attributes: Vec<String>,
    values: Vec<String>,
    /// See the type `selection` of the schema.
    lists: Vec<&'static str>,
}

impl Selection {
    pub(super) fn new(filter: &Filter, concerned: Concerned) -> Result<Self, FilterError> {
        let Compiled { path, needs_columns, needs_queue, needs_state, needs_errors, narrow } =
            filter.compile()?;
        let states = narrow.states.map(HashSet::<JobState>::from_iter);
        let lists = lists(concerned, |state| states.as_ref().is_none_or(|some| some.contains(&state)));
        let ids = narrow.ids.map(|ids| ids.into_iter().map(|id| id.as_uuid()).collect());
        let as_json = |(name, value)| Some((name, serde_json::to_string(&value).ok()?));
        let (attributes, values) = narrow.equals.into_iter().filter_map(as_json).unzip();
        Ok(Self {
            path,
            needs_columns,
            needs_queue,
            needs_state,
            needs_errors,
            ids,
            attributes,
            values,
            lists,
        })
    }
}

impl Selection {
    /// Returns whether no job can be in it: the filter admits none of the states that are concerned.
    pub(super) fn is_nowhere(&self) -> bool {
        self.lists.is_empty()
    }
}

/// It is written as a row without a type; the statements cast it.
impl Literal for &Selection {
    fn kind(&self) -> &'static str {
        "unknown"
    }

    fn write(&self, out: &mut String) {
        out.push_str("row(");
        (&self.lists[..]).write(out);
        out.push_str("::text[], ");
        self.path.as_str().write(out);
        for needed in [self.needs_columns, self.needs_queue, self.needs_state, self.needs_errors] {
            out.push_str(if needed { ", true" } else { ", false" });
        }
        out.push_str(", ");
        self.ids.as_deref().write(out);
        out.push_str("::uuid[], ");
        write_texts(&self.attributes, out);
        out.push_str("::text[], ");
        write_texts(&self.values, out);
        out.push_str("::text[]::jsonb[], pg_catalog.clock_timestamp())");
    }
}

fn write_texts(texts: &[String], out: &mut String) {
    (&texts.iter().map(String::as_str).collect::<Vec<_>>()[..]).write(out);
}

/// Returns where to look for jobs in the states that the filter admits.
fn lists(concerned: Concerned, admits: impl Fn(JobState) -> bool) -> Vec<&'static str> {
    let live = matches!(concerned, Concerned::All | Concerned::Live);
    let waiting = LIVE.into_iter().any(|state| state != JobState::Running && admits(state));
    let completed = matches!(concerned, Concerned::All | Concerned::Ended) && admits(JobState::Completed);
    let mut lists = Vec::new();
    if live && waiting {
        lists.push("live");
    } else if live && admits(JobState::Running) {
        lists.push("running");
    }
    if completed {
        lists.push("ended");
    } else if concerned != Concerned::Live {
        lists.extend(ENDED_BADLY.into_iter().filter(|state| admits(*state)).map(JobState::as_str));
    }
    lists
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lists_that_may_have_matching_jobs_are_walked() {
        let of = |concerned, states: &[JobState]| lists(concerned, |state| states.contains(&state));
        let every = [&LIVE[..], &ENDED_BADLY, &[JobState::Completed]].concat();
        assert_eq!(of(Concerned::All, &every), ["live", "ended"]);
        assert_eq!(of(Concerned::Live, &every), ["live"]);
        assert_eq!(of(Concerned::Ended, &every), ["ended"]);
        assert_eq!(of(Concerned::EndedBadly, &every), ["dead", "cancelled", "expired"]);
        assert_eq!(of(Concerned::All, &[JobState::Dead, JobState::Ready]), ["live", "dead"]);
        assert_eq!(of(Concerned::All, &[JobState::Dead, JobState::Running]), ["running", "dead"]);
        assert_eq!(of(Concerned::Ended, &[JobState::Running]), [""; 0]);
        assert_eq!(of(Concerned::Live, &[JobState::Dead]), [""; 0]);
        assert_eq!(of(Concerned::EndedBadly, &[JobState::Completed]), [""; 0]);
    }
}
