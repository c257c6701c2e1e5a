//! The look at lanes before a claim, which changes nothing.

use sqlx::Row;
use sqlx::postgres::PgRow;

use crate::DatabaseError;
use crate::db::ids::{QueueId, Shard, Ticket};
use crate::store::access::Store;
use crate::store::claim::by_priority;
use crate::store::model::{ByPriority, Lane};

/// A look at one lane.
#[derive(Clone, Copy, Debug)]
pub struct Peek {
    pub lane: Lane,
    pub low: ByPriority,
    pub high: ByPriority,
    /// The start of the walk through the quarantine.
    pub quarantine: ByPriority,
}

/// The result of a look at a lane.
#[derive(Clone, Debug, Default)]
pub struct Peeked {
    /// Free tickets with their priorities, those of the highest priority first.
    pub found: Vec<(Ticket, i16)>,
    /// The ticket up to which each priority was scanned.
    pub scanned_to: ByPriority,
    /// True if a quarantined job waits.
    pub quarantined: bool,
    /// The start of the next walk through the quarantine.
    pub quarantine: ByPriority,
    /// The pauses that concern the lane.
    pub pauses: Pauses,
}

/// The pauses that concern a lane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pauses {
    #[default]
    None,
    /// Kinds or keys are paused, which jobs of this lane may have.
    Some,
    /// The queue is paused, and nothing was looked at.
    Queue,
}

impl Store {
    /// Looks at several lanes at once, for up to `want` tickets in each, without changing anything.
    pub async fn peek(
        &self,
        lanes: &[Peek],
        kinds: &[String],
        want: usize,
    ) -> Result<Vec<Peeked>, DatabaseError> {
        let (path, needs_columns) = self.filter_arguments();
        let query = sqlx::query(self.sql.peek.clone())
            .bind(lanes.iter().map(|peek| peek.lane.shard).collect::<Vec<Shard>>())
            .bind(lanes.iter().map(|peek| peek.lane.queue).collect::<Vec<QueueId>>())
            .bind(kinds)
            .bind(want as i32)
            .bind(lanes.iter().flat_map(|peek| peek.low).collect::<Vec<Ticket>>())
            .bind(lanes.iter().flat_map(|peek| peek.high).collect::<Vec<Ticket>>())
            .bind(lanes.iter().flat_map(|peek| peek.quarantine).collect::<Vec<Ticket>>())
            .bind(path)
            .bind(needs_columns);
        let rows = self.rows(query).await?;
        let mut peeked = vec![Peeked::default(); lanes.len()];
        for row in &rows {
            let lane: i32 = row.try_get("lane").map_err(DatabaseError::Refused)?;
            peeked[lane as usize - 1] = read_peeked(row).map_err(DatabaseError::Refused)?;
        }
        Ok(peeked)
    }
}

fn read_peeked(row: &PgRow) -> Result<Peeked, sqlx::Error> {
    let found: Option<Vec<Ticket>> = row.try_get("found")?;
    let priorities: Option<Vec<i16>> = row.try_get("found_priority")?;
    Ok(Peeked {
        found: found.into_iter().flatten().zip(priorities.into_iter().flatten()).collect(),
        scanned_to: by_priority(row, "scanned_to")?,
        quarantined: row.try_get("quarantined")?,
        quarantine: by_priority(row, "quarantine")?,
        pauses: match (row.try_get("pauses")?, row.try_get("paused")?) {
            (_, true) => Pauses::Queue,
            (true, false) => Pauses::Some,
            (false, false) => Pauses::None,
        },
    })
}
