//! Lanes, claims and leases, and the right to write about a claimed job.

use sqlx::Postgres;
use sqlx::postgres::PgArguments;
use sqlx::query::Query;

use crate::JobId;
use crate::db::ids::{LeaseId, QueueId, Shard, Ticket, WorkerId};
use crate::db::row_address::RowAddress;

/// The number of priorities.
pub const PRIORITIES: usize = 4;

/// One ticket for each priority, the lowest first.
pub type ByPriority = [Ticket; PRIORITIES];

/// One shard of one queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Lane {
    pub shard: Shard,
    pub queue: QueueId,
}

/// The identity of a claim. Its leases get the id that the worker has made at random before it sends the claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClaimId {
    pub lane: Lane,
    pub worker: WorkerId,
    pub lease: LeaseId,
}

/// The name of a lease: the key of its row, and the id that its worker made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LeaseKey {
    pub lane: Lane,
    pub priority: i16,
    /// Its highest ticket.
    pub max_ticket: Ticket,
    pub id: LeaseId,
}

/// The right to write about a running job, which is the fence: a statement that names it changes nothing unless the worker still
/// has the lease, and the job still has the ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    pub lease: LeaseKey,
    pub worker: WorkerId,
    pub job: JobId,
    pub ticket: Ticket,
    /// The address of the job's row, if the claim returned it. A hint, and no part of the fence.
    pub address: Option<RowAddress>,
}

impl Hold {
    /// Binds the first eight parameters of a statement about the job.
    pub(crate) fn bind<'q>(
        &self,
        query: Query<'q, Postgres, PgArguments>,
    ) -> Query<'q, Postgres, PgArguments> {
        let LeaseKey { lane, priority, max_ticket, id } = self.lease;
        let query = query
            .bind(lane.shard)
            .bind(self.worker)
            .bind(lane.queue)
            .bind(priority)
            .bind(max_ticket)
            .bind(id);
        query.bind(self.job.as_uuid()).bind(self.ticket)
    }
}
