//! The record that a worker process keeps of its runs and their leases.

use pgjobq::JobContext;
use pgjobq::sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use pgjobq::sqlx::{self, PgPool};
use uuid::Uuid;

/// A worker process's connection to the ledger. It bypasses the broken network, because the test must see what a worker
/// does while it is cut off.
pub(crate) struct Ledger {
    pool: PgPool,
    place: i32,
    worker: String,
}

pub(crate) async fn create(pool: &PgPool) {
    for books in [
        include_str!("ledger.sql"),
        include_str!("limits.sql"),
        include_str!("chosen.sql"),
        include_str!("witness.sql"),
    ] {
        sqlx::raw_sql(books).execute(pool).await.unwrap();
    }
}

impl Ledger {
    pub(crate) fn new(url: &str, place: usize, worker: &str) -> Self {
        let options: PgConnectOptions = url.parse().unwrap();
        let options = options.application_name("chaos ledger");
        let pool = PgPoolOptions::new().max_connections(4).acquire_timeout(std::time::Duration::from_secs(3));
        Self { pool: pool.connect_lazy_with(options), place: place as i32, worker: worker.to_owned() }
    }

    pub(crate) fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Records that a run begins, and returns its id.
    pub(crate) async fn begin(&self, ctx: &JobContext) -> sqlx::Result<Uuid> {
        let run = Uuid::new_v4();
        let begin =
            "insert into runs (run, job, attempt, place, worker, lease, holder, kind, key, queue, ticket)
            select $1, $2, $3, $4, $5, l.id, w.name, j.kind, j.key, q.name, j.ticket
              from (select) one
              left join pgjobq.jobs j on j.shard = 0 and j.id = $2
              left join pgjobq.queues q on q.id = j.queue_id
              left join pgjobq.leases l on l.shard = 0 and l.queue_id = j.queue_id and l.priority = j.priority
                                       and l.tickets @> j.ticket
              left join pgjobq.workers w on w.shard = 0 and w.id = l.worker";
        let begin = sqlx::query(begin).bind(run).bind(ctx.id().as_uuid()).bind(ctx.attempt() as i32);
        begin.bind(self.place).bind(&self.worker).execute(&self.pool).await?;
        Ok(run)
    }

    /// Records what a run got from its parents.
    pub(crate) async fn note_inputs(&self, run: Uuid, inputs: &[Uuid]) -> sqlx::Result<()> {
        let note = sqlx::query("insert into inputs (run, input) select $1, unnest($2::uuid[])");
        note.bind(run).bind(inputs).execute(&self.pool).await.map(drop)
    }

    /// Returns whether a person has removed the cause of the failures in this workflow.
    pub(crate) async fn is_repaired(&self, workflow: Uuid) -> sqlx::Result<bool> {
        let repaired = sqlx::query_scalar("select exists (select from repaired where workflow = $1)");
        repaired.bind(workflow).fetch_one(&self.pool).await
    }

    /// Records the version that a run got as an argument.
    pub(crate) async fn note_version(&self, run: Uuid, version: i32) -> sqlx::Result<()> {
        let note = sqlx::query("insert into sights (run, version) values ($1, $2)");
        note.bind(run).bind(version).execute(&self.pool).await.map(drop)
    }

    /// Records the version of a document that a run reads.
    pub(crate) async fn note_document(&self, run: Uuid, name: &str) -> sqlx::Result<()> {
        let note = sqlx::query(
            "insert into sights (run, version) select $1, coalesce(max(version), 0) from documents where name = $2",
        );
        note.bind(run).bind(name).execute(&self.pool).await.map(drop)
    }

    /// Records that a run has done its work.
    pub(crate) async fn end(&self, run: Uuid) -> sqlx::Result<()> {
        let end = sqlx::query("update runs set ended = nextval('moments') where run = $1").bind(run);
        end.execute(&self.pool).await.map(drop)
    }
}
