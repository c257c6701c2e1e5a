//! The edges of a new job or step: the jobs that it waits for.

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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NewEdge {
    pub(crate) parent: Parent,
    pub(crate) demand: Demand,
}

/// The edges of the rows of one statement, as JSON for the database; `None` if there are none. `later` are rows of later statements,
/// of which the database only checks the parents.
pub(crate) fn to_json<'r>(
    rows: impl Iterator<Item = &'r [NewEdge]>,
    later: impl Iterator<Item = &'r [NewEdge]>,
) -> Option<String> {
    #[derive(Serialize)]
    struct Sent {
        /// The place of the row, counted from 1 as PostgreSQL does.
        child: Option<usize>,
        parent: JobId,
        demand: Demand,
        unkept: bool,
    }
    let of_row = |(child, edges): (Option<usize>, &'r [NewEdge])| {
        edges.iter().map(move |edge| Sent {
            child,
            parent: edge.parent.id,
            demand: edge.demand,
            unkept: edge.parent.unkept,
        })
    };
    let rows = rows.enumerate().map(|(place, edges)| (Some(place + 1), edges));
    let later = later.map(|edges| (None, edges));
    let sent: Vec<Sent> = rows.chain(later).flat_map(of_row).collect();
    (!sent.is_empty()).then(|| serde_json::to_string(&sent).expect("ids and letters are JSON"))
}
