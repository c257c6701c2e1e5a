//! Filling the tables, and reading back what a claim took.

use sqlx::Row;
use uuid::Uuid;

use crate::session::Session;

/// The kind of the jobs here.
pub(crate) const KIND: &str = "send_welcome";

/// Arguments of 100 bytes.
pub(crate) const ARGS: &str = r#"{"to": "alice.liddell@example.com", "user_id": 123456789, "template": "welcome", "language": "en-GB"}"#;

/// A lease, as a worker knows it after a claim.
#[derive(Clone, Debug)]
pub(crate) struct Lease {
    pub(crate) id: i64,
    pub(crate) hi: i64,
    pub(crate) jobs: Vec<(Uuid, i64)>,
}

impl Session {
    /// So many jobs of a kind in line, as one statement.
    pub(crate) async fn fill(&mut self, count: usize, kind: &str) {
        let first = self.number("select coalesce(pg_sequence_last_value('pgjobq.ticket'), 0)").await;
        let queue = self.queue;
        self.run(&format!(
            "insert into pgjobq.jobs (shard, id, queue_id, priority, kind, args, ticket, retries, crash_budget, created_at)
             select 0, (lpad(to_hex(1700000000000 + {first} + n), 12, '0') || '70008000' || lpad(to_hex(n), 12, '0'))::uuid,
                    {queue}, 1, '{kind}', '{ARGS}', {first} + n, 20, 3, now()
               from generate_series(1, {count}) n;
             select setval('pgjobq.ticket', {first} + {count});"
        ))
        .await;
    }

    /// So many jobs that a worker of old holds, each by a lease of its own.
    pub(crate) async fn fill_leases(&mut self, count: usize) {
        let first = self.number("select coalesce(pg_sequence_last_value('pgjobq.ticket'), 0)").await;
        self.fill(count, KIND).await;
        let (queue, worker) = (self.queue, self.worker);
        self.run(&format!(
            "insert into pgjobq.leases (shard, queue_id, priority, hi, id, worker, tickets)
             select 0, {queue}, 1, {first} + n, n, {worker}, int8multirange(int8range({first} + n, {first} + n, '[]'))
               from generate_series(1, {count}) n"
        ))
        .await;
    }

    /// What the claim with this lease took.
    pub(crate) async fn lease(&mut self, id: i64) -> Lease {
        let row = sqlx::query(
            "select l.hi, array_agg(j.id order by j.ticket), array_agg(j.ticket order by j.ticket)
               from pgjobq.leases l, unnest(l.tickets) r(tickets), pgjobq.jobs j
              where l.shard = 0 and l.worker = $1 and l.id = $2 and j.shard = 0 and j.queue_id = l.queue_id
                and j.priority = l.priority and j.ticket is not null
                and (j.crashes = 0 or j.crashes > 0) and j.ticket >= lower(r.tickets) and j.ticket < upper(r.tickets)
              group by l.hi",
        )
        .bind(self.worker)
        .bind(id)
        .fetch_one(&mut self.stage)
        .await
        .unwrap();
        let ids: Vec<Uuid> = row.get(1);
        Lease { id, hi: row.get(0), jobs: ids.into_iter().zip(row.get::<Vec<i64>, _>(2)).collect() }
    }
}
