//! Filling the tables, and reading back what a claim took.

use pgjobq_core::worker_api::RowAddress;
use sqlx::AssertSqlSafe;
use tokio::sync::RwLock;
use uuid::Uuid;

use crate::session::{Session, fresh_id};

/// The kind of the jobs here.
pub(crate) const KIND: &str = "send_welcome";

/// Arguments of 100 bytes.
pub(crate) const ARGS: &str = r#"{"to": "alice.liddell@example.com", "user_id": 123456789, "template": "welcome", "language": "en-GB"}"#;

/// A long transaction, in whichever database, lets no index entry be marked as dead. So tables are filled while nothing is
/// measured that passes such entries.
pub(crate) static QUIET: RwLock<()> = RwLock::const_new(());

/// A lease, as a worker knows it after a claim.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lease {
    pub(crate) id: i64,
    pub(crate) max_ticket: i64,
    pub(crate) jobs: Vec<(Uuid, i64)>,
    pub(crate) addresses: Vec<RowAddress>,
}

impl Session {
    /// Inserts this many waiting jobs of a kind, in one statement.
    pub(crate) async fn fill(&mut self, count: usize, kind: &str) {
        self.fill_with(count, kind, "null").await;
    }

    /// Inserts jobs with these attributes: an expression of `n`, which counts them from 1.
    pub(crate) async fn fill_with(&mut self, count: usize, kind: &str, attributes: &str) {
        let _alone = QUIET.write().await;
        let first = self.drawn().await;
        let queue = self.queue;
        self.run(&format!(
            "insert into pgjobq.jobs (shard, id, queue_id, priority, kind, args, ticket, retries, max_crashes, created_at,
                    attributes)
             select 0, (lpad(to_hex(1700000000000 + {first} + n), 12, '0') || '70008000' || lpad(to_hex(n), 12, '0'))::uuid,
                    {queue}, 1, '{kind}', '{ARGS}', {first} + n, 20, 3, now(),
                    {attributes}
               from generate_series(1, {count}) n;
             select setval('pgjobq.ticket', {first} + {count});"
        ))
        .await;
    }

    /// Inserts this many jobs that have come due, twenty of them in each moment.
    pub(crate) async fn fill_due(&mut self, count: usize) {
        let _alone = QUIET.write().await;
        let queue = self.queue;
        self.run(&format!(
            "insert into pgjobq.jobs (shard, id, queue_id, priority, kind, args, run_at, retries, max_crashes, created_at)
             select 0, pgjobq.new_id(), {queue}, 1, '{KIND}', '{ARGS}',
                    now() - interval '1 hour' + (n / 20) * interval '1 millisecond', 20, 3, now()
               from generate_series(1, {count}) n"
        ))
        .await;
    }

    /// Inserts this many jobs that an earlier worker holds, each by a lease of its own.
    pub(crate) async fn fill_leases(&mut self, count: usize) {
        let first = self.drawn().await;
        self.fill(count, KIND).await;
        let (queue, worker) = (self.queue, self.worker);
        self.run(&format!(
            "insert into pgjobq.leases (shard, queue_id, priority, max_ticket, id, worker, tickets)
             select 0, {queue}, 1, {first} + n, n, {worker}, int8multirange(int8range({first} + n, {first} + n, '[]'))
               from generate_series(1, {count}) n"
        ))
        .await;
    }

    /// Returns the tickets that the claim with this lease took, if it took any.
    pub(crate) async fn lease(&mut self, id: i64) -> Option<Lease> {
        let found: Option<(i64, i64, String)> = sqlx::query_as(
            "select max_ticket, lower(tickets), tickets::text from pgjobq.leases where shard = 0 and worker = $1 and id = $2",
        )
        .bind(self.worker)
        .bind(id)
        .fetch_optional(&mut self.stage)
        .await
        .unwrap();
        let (max_ticket, low, tickets) = found?;
        let (mut jobs, mut addresses) = (Vec::new(), Vec::new());
        for line in ["crashes = 0", "crashes > 0"] {
            let sql = format!(
                "select id, ticket, ctid from pgjobq.jobs
                  where shard = 0 and queue_id = {} and priority = 1 and ticket is not null and {line}
                    and ticket >= {low} and ticket <= {max_ticket} and '{tickets}'::int8multirange @> ticket
                  order by ticket",
                self.queue
            );
            let found: Vec<(Uuid, i64, RowAddress)> =
                sqlx::query_as(AssertSqlSafe(sql)).fetch_all(&mut self.stage).await.unwrap();
            jobs.extend(found.iter().map(|(id, ticket, _)| (*id, *ticket)));
            addresses.extend(found.into_iter().map(|(_, _, address)| address));
        }
        Some(Lease { id, max_ticket, jobs, addresses })
    }

    /// Deletes all rows of the tables. The dead rows stay.
    pub(crate) async fn empty(&mut self) {
        let _alone = QUIET.write().await;
        self.run("delete from pgjobq.jobs; delete from pgjobq.leases; delete from pgjobq.finished").await;
    }

    /// Deletes the quarantined jobs.
    pub(crate) async fn drop_suspects(&mut self) {
        let queue = self.queue;
        self.run(&format!(
            "delete from pgjobq.jobs
              where ctid = any (array(
                    select ctid from pgjobq.jobs
                     where shard = 0 and queue_id = {queue} and priority = 1 and ticket is not null and crashes > 0
                     order by ticket))"
        ))
        .await;
    }

    /// The last ticket that was drawn.
    pub(crate) async fn drawn(&mut self) -> i64 {
        self.number("select coalesce(pg_sequence_last_value('pgjobq.ticket'), 0)").await
    }

    /// Returns the lowest tickets above one that no lease covers.
    pub(crate) async fn free_tickets(&mut self, count: usize, above: i64) -> Vec<i64> {
        sqlx::query_scalar(
            "select ticket from pgjobq.jobs
              where shard = 0 and queue_id = $1 and priority = 1 and ticket is not null and crashes = 0 and ticket > $2
              order by ticket limit $3",
        )
        .bind(self.queue)
        .bind(above)
        .bind(count as i64)
        .fetch_all(&mut self.stage)
        .await
        .unwrap()
    }

    /// Removes the worker, and registers another one in its place.
    pub(crate) async fn disappear(&mut self) {
        self.leave().await;
        self.worker = fresh_id();
        self.register().await;
    }

    /// Deletes the worker's row.
    pub(crate) async fn leave(&mut self) {
        let worker = self.worker;
        self.run(&format!("select pgjobq.leave(0::smallint, {worker})")).await;
    }

    /// Inserts one row into each of the tables that change.
    pub(crate) async fn one_row_everywhere(&mut self) {
        self.fill_leases(1).await;
        let queue = self.queue;
        self.run(&format!(
            "insert into pgjobq.failures (shard, job, attempt, reason, message)
             select 0, id, 1, 'error', 'it failed' from pgjobq.jobs;
             insert into pgjobq.finished (shard, id, outcome, queue_id, priority, kind, args, attempt, failures, crashes,
                    retries, max_crashes, created_at, drop_on)
             select 0, gen_random_uuid(), 'completed', {queue}, 1, '{KIND}', '{ARGS}', 1, 0, 0, 20, 3, now(), day
               from pgjobq.finished_days"
        ))
        .await;
    }
}

impl Lease {
    /// The ids of its jobs.
    pub(crate) fn ids(&self) -> Vec<Uuid> {
        self.jobs.iter().map(|(id, _)| *id).collect()
    }
}
