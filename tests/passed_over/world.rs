//! The state that the producers and workers of one test share.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use pgjobq::prelude::*;
use pgjobq_core::worker_api::{Lane, QueueStanding, Store, Ticket};
use sqlx::Row;
use tokio::sync::RwLock;

use crate::harness::TestDb;
use crate::ledger::Ledger;

/// The kinds of the jobs that producers send. Each job only records that it runs.
pub(crate) const KINDS: [&str; 3] = [red::KIND, green::KIND, blue::KIND];
/// The queues that they send them to.
pub(crate) const QUEUES: [&str; 2] = ["default", "side"];

#[job(retain = "0s", retries = 1000)]
async fn red(ctx: JobContext, ledger: State<Arc<Ledger>>) -> Result<()> {
    note(&ctx, &ledger)
}

#[job(retain = "0s", retries = 1000)]
async fn green(ctx: JobContext, ledger: State<Arc<Ledger>>) -> Result<()> {
    note(&ctx, &ledger)
}

#[job(retain = "0s", retries = 1000)]
async fn blue(ctx: JobContext, ledger: State<Arc<Ledger>>) -> Result<()> {
    note(&ctx, &ledger)
}

/// Records that a real worker runs the job once. The job must exist, and no worker may ever have run it.
fn note(ctx: &JobContext, ledger: &Ledger) -> Result<()> {
    ledger.taken(ctx.id(), 0);
    ledger.let_go(ctx.id(), 0);
    ledger.left(ctx.id(), 0, crate::ledger::Leaves::Done);
    Ok(())
}

/// A new job of a kind.
pub(crate) fn new_job(kind: &str) -> NewJob<()> {
    match kind {
        red::KIND => red::job(),
        green::KIND => green::job(),
        _ => blue::job(),
    }
}

/// The state that the producers and workers of one test share.
pub(crate) struct World {
    pub(crate) db: TestDb,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) store: Store,
    pub(crate) lanes: Vec<Lane>,
    /// Locked for reading from before a claim is sent until the ledger has its answer.
    pub(crate) claims: RwLock<()>,
    /// True while two jobs may have the same ticket, so that one may be hidden under the other's lease.
    pub(crate) tickets_collide: AtomicBool,
}

impl World {
    pub(crate) async fn new(db: TestDb) -> Arc<Self> {
        for queue in QUEUES {
            db.client.queue(queue).save().await.unwrap();
        }
        let store = Store::connect(&db.client, 6).await.unwrap();
        let queues = store.check_queues(&QUEUES).await.unwrap();
        let lane = |shard| move |queue: &QueueStanding| Lane { shard, queue: queue.id.unwrap() };
        let lanes = store.shards().into_iter().flat_map(|shard| queues.iter().map(lane(shard))).collect();
        let (ledger, claims, tickets_collide) = (Arc::default(), RwLock::default(), AtomicBool::new(false));
        Arc::new(Self { db, ledger, store, lanes, claims, tickets_collide })
    }

    /// Returns the number of tickets that the sequence has drawn.
    pub(crate) async fn drawn(&self) -> i64 {
        self.db.number("select last_value from pgjobq.ticket").await
    }

    /// The ids of the jobs that have these tickets in a lane.
    pub(crate) async fn jobs(&self, lane: Lane, found: &[(Ticket, i16)]) -> Vec<JobId> {
        let (tickets, priorities): (Vec<Ticket>, Vec<i16>) = found.iter().copied().unzip();
        let rows = sqlx::query(
            "select j.id from unnest($3::bigint[], $4::smallint[]) f(ticket, priority),
                    lateral (select id from pgjobq.jobs j
                              where j.shard = $1 and j.queue_id = $2 and j.priority = f.priority and j.crashes = 0
                                and j.ticket = f.ticket offset 0) j",
        );
        let rows = rows.bind(lane.shard).bind(lane.queue).bind(tickets).bind(priorities);
        let rows = rows.fetch_all(&self.db.pool).await.unwrap();
        rows.iter().map(|row| row.get::<uuid::Uuid, _>(0).into()).collect()
    }

    /// Panics if two workers held one job, or if two live leases share a ticket.
    pub(crate) async fn check(&self) {
        self.ledger.check();
        let twice = self.db.number(
            "select count(*) from pgjobq.leases a join pgjobq.leases b using (shard, queue_id, priority)
              where a.max_ticket < b.max_ticket and a.tickets && b.tickets",
        );
        assert_eq!(twice.await, 0, "pairs of leases that share a ticket");
    }
}
