//! The edges of a new job or step: the jobs that it waits for.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::{EnqueueError, JobId};

/// A job that another one waits for.
#[doc(hidden)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parent {
    pub(crate) id: JobId,
    /// True if nothing is left of it once it has completed: then a missing row means that it has.
    pub(crate) unkept: bool,
    /// The kind of a handle that was made from an id, and its aliases. Empty if the handle cannot be wrong, or the kind does not matter.
    pub(crate) kinds: Vec<&'static str>,
}

/// The demand of a child on its parent. Of two demands on one parent the later one in this order counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) enum Demand {
    /// The parent ends.
    #[serde(rename = "a")]
    AnyEnd,
    /// The parent completes. Otherwise the child is cancelled.
    #[serde(rename = "o")]
    Completed,
    /// The parent completes. Otherwise the child is held.
    #[serde(rename = "h")]
    CompletedOrHeld,
}

impl Demand {
    /// The letter in the database.
    pub(crate) fn letter(self) -> char {
        match self {
            Self::AnyEnd => 'a',
            Self::Completed => 'o',
            Self::CompletedOrHeld => 'h',
        }
    }

    /// Returns the demand of a child that is held, if `holds`, instead of cancelled.
    pub(crate) fn held_if(self, holds: bool) -> Self {
        if self == Self::Completed && holds { Self::CompletedOrHeld } else { self }
    }

    /// Reads the letter in the database, which is a capital if the child takes an argument from the parent.
    pub(crate) fn of_letter(letter: char) -> Option<Self> {
        let all = [Self::AnyEnd, Self::Completed, Self::CompletedOrHeld];
        all.into_iter().find(|demand| demand.letter() == letter.to_ascii_lowercase())
    }
}

/// An edge of a new job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewEdge {
    pub(crate) parent: Parent,
    pub(crate) demand: Demand,
}

/// The parents that the database refuses: those of another kind with their kind, and those that do not exist.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Refused(HashMap<JobId, Option<String>>);

impl Refused {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Fails with the first of the parents of a job of this kind that is refused.
    pub(crate) fn check(&self, kind: &'static str, edges: &[NewEdge]) -> Result<(), EnqueueError> {
        for NewEdge { parent, .. } in edges {
            let id = parent.id;
            match (self.0.get(&id), &parent.kinds[..]) {
                (Some(None), _) => return Err(EnqueueError::UnknownParent { kind, parent: id }),
                (Some(Some(found)), kinds @ [expected, ..]) if !kinds.contains(&found.as_str()) => {
                    let found = found.clone();
                    return Err(EnqueueError::ParentOfOtherKind { kind, parent: id, expected, found });
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// The edges of the rows of one statement, as JSON for the database; `None` if there are none. `later` are rows of later statements,
/// of which the database only checks the parents.
pub(crate) fn to_json<'r>(
    rows: impl Iterator<Item = &'r [NewEdge]>,
    later: impl Iterator<Item = &'r [NewEdge]>,
) -> Option<String> {
    #[derive(Serialize)]
    struct Sent<'r> {
        /// The place of the row, counted from 1 as PostgreSQL does.
        child: Option<usize>,
        parent: JobId,
        demand: Demand,
        unkept: bool,
        #[serde(skip_serializing_if = "<[_]>::is_empty")]
        kinds: &'r [&'static str],
    }
    let of_row = |(child, edges): (Option<usize>, &'r [NewEdge])| {
        edges.iter().map(move |edge| Sent {
            child,
            parent: edge.parent.id,
            demand: edge.demand,
            unkept: edge.parent.unkept,
            kinds: &edge.parent.kinds,
        })
    };
    let rows = rows.enumerate().map(|(place, edges)| (Some(place + 1), edges));
    let later = later.map(|edges| (None, edges));
    let sent: Vec<Sent> = rows.chain(later).flat_map(of_row).collect();
    (!sent.is_empty()).then(|| serde_json::to_string(&sent).expect("ids and letters are JSON"))
}
