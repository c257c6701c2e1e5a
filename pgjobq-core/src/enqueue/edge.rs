//! The edges of a new job: the jobs that it waits for.

use serde::Serialize;

use crate::JobId;

/// A job that another one waits for.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parent {
    pub(crate) id: JobId,
    /// True if nothing is left of it once it has completed: then a missing row means that it has.
    pub(crate) unkept: bool,
}

/// What a child demands of its parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) enum Demand {
    /// The parent completes. Otherwise the child is cancelled.
    #[serde(rename = "o")]
    Completed,
    /// The parent ends.
    #[serde(rename = "a")]
    AnyEnd,
}

/// An edge of a new job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NewEdge {
    pub(crate) parent: Parent,
    pub(crate) demand: Demand,
}

/// The edges of the rows of one statement, as JSON for the database; `None` if there are none.
pub(super) fn to_json<'r>(rows: impl Iterator<Item = &'r [NewEdge]>) -> Option<String> {
    #[derive(Serialize)]
    struct Sent {
        /// The place of the row, counted from 1 as PostgreSQL does.
        child: usize,
        parent: JobId,
        demand: Demand,
        unkept: bool,
    }
    let of_row = |(place, edges): (usize, &'r [NewEdge])| {
        edges.iter().map(move |edge| Sent {
            child: place + 1,
            parent: edge.parent.id,
            demand: edge.demand,
            unkept: edge.parent.unkept,
        })
    };
    let sent: Vec<Sent> = rows.enumerate().flat_map(of_row).collect();
    (!sent.is_empty()).then(|| serde_json::to_string(&sent).expect("ids and letters are JSON"))
}
