//! Jobs that wait for a permit cost nobody else anything.

use crate::calls::End;
use crate::limits::at_most;
use crate::server::Db;
use crate::session::{Cost, Session};
use crate::tables::QUIET;

/// A key whose only permit is taken by the first of these jobs, while all others wait. They are written as an enqueue does.
async fn fill(session: &mut Session, jobs: usize) {
    let _alone = QUIET.write().await;
    session
        .run(&format!(
            "insert into pgjobq.limits (scope, name, per_key, concurrency) values ('kind', 'full', true, 1)
             on conflict (scope, name) do nothing;
             select pgjobq.note_limits();
             insert into pgjobq.jobs (shard, id, queue_id, priority, kind, args, key, retries, max_crashes, created_at,
                                      waits_for, limits, arrival)
             select 0, gen_random_uuid(), {}, 1, 'full', '{{}}', 'a', 3, 3, clock_timestamp(), 0, 1 | 16, nextval('pgjobq.ticket')
               from generate_series(1, {jobs});
             select pgjobq.admit(0::smallint, '{{full}}', '{{a}}', null)",
            session.queue
        ))
        .await;
}

/// The lowest costs of a look from the start of the line, a claim, and a finish of twenty plain jobs; and of an admission of the
/// full key.
async fn cheapest(session: &mut Session) -> [(&'static str, Cost); 4] {
    let _quiet = QUIET.read().await;
    let lower = |cheapest: &mut Cost, cost: Cost| {
        cheapest.buffers = cheapest.buffers.min(cost.buffers);
        cheapest.wal = cheapest.wal.min(cost.wal);
    };
    let mut costs = ["look", "claim", "finish", "admission"].map(|name| (name, Cost::ENDLESS));
    for _ in 0..8 {
        session.enqueue(20, None).await;
        lower(&mut costs[0].1, session.peek(20, 0, i64::MAX).await);
        // Another worker has the job that has the permit: it is first in line, and of a kind that this one does not know.
        let (claim, lease) = session.claim(20, 0, None).await;
        assert_eq!(lease.jobs.len(), 20);
        lower(&mut costs[1].1, claim);
        lower(&mut costs[2].1, session.finish(&lease, End::Complete).await);
        let admission = "explain (analyze, wal, buffers, format json)
            select * from pgjobq.admit(0::smallint, '{full}', '{a}', null)";
        lower(&mut costs[3].1, session.cost(sqlx::query(admission)).await);
    }
    costs
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn million_waiting_jobs_of_a_full_key_cost_nothing() {
    let db = Db::new("permits").await;
    let mut session = Session::new(&db).await;
    // With few rows, an index grows by a level meanwhile.
    session.fill(3_000, "other").await;
    fill(&mut session, 10).await;
    let few = cheapest(&mut session).await;
    fill(&mut session, 1_000_000).await;
    let waiting = "select count(*) from pgjobq.jobs where kind = 'full' and ticket is null";
    assert_eq!(session.number(waiting).await, 1_000_009);
    for ((name, beside_few), (_, beside_many)) in few.into_iter().zip(cheapest(&mut session).await) {
        // Each index of the table has one or two levels more.
        at_most(
            &format!("buffers of a {name} beside a million waiting jobs,"),
            beside_many.buffers,
            beside_few.buffers * 1.5,
        );
        at_most(&format!("WAL of a {name} beside a million waiting jobs,"), beside_many.wal, beside_few.wal);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn admission_calls_no_function_for_each_key() {
    let db = Db::new("admission").await;
    let mut session = Session::new(&db).await;
    session
        .run(&format!(
            "insert into pgjobq.limits (scope, name, per_key, concurrency) values ('kind', 'keyed', true, 1);
             select pgjobq.note_limits();
             insert into pgjobq.jobs (shard, id, queue_id, priority, kind, args, key, retries, max_crashes, created_at,
                                      waits_for, limits, arrival)
             select 0, gen_random_uuid(), {}, 1, 'keyed', '{{}}', n, 3, 3, clock_timestamp(), 0, 1 | 16,
                    nextval('pgjobq.ticket')
               from generate_series(1, 100) n",
            session.queue
        ))
        .await;
    session.run("set track_functions = 'all'; begin").await;
    let admitted = "select admitted from pgjobq.admit(0::smallint, array_fill('keyed'::text, array[100]),
                                                      array(select n::text from generate_series(1, 100) n), null)";
    assert_eq!(session.number(&format!("select ({admitted})::bigint")).await, 100);
    // The table calls one itself, for each row of a job under limits.
    let calls = session
        .number(
            "select sum(calls)::bigint from pg_stat_xact_user_functions
              where schemaname = 'pgjobq' and funcname <> 'has_its_permits'",
        )
        .await;
    session.run("rollback").await;
    at_most("calls of functions in an admission of a hundred keys", calls as f64, 30.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn look_for_own_answers_passes_no_job_under_a_rate() {
    let db = Db::new("answers").await;
    let mut session = Session::new(&db).await;
    for setting in ["enable_seqscan", "enable_bitmapscan", "enable_sort"] {
        let off = "select set_config($1, 'off', false)";
        sqlx::query(off).bind(setting).execute(&mut session.measured).await.unwrap();
    }
    let mut costs = Vec::new();
    for jobs in [10, 5_000] {
        session.fill(jobs, "rated").await;
        session
            .run(
                "update pgjobq.jobs set limits = 5, arrival = ticket, permit = 0 where kind = 'rated' and limits is null",
            )
            .await;
        session.run("vacuum pgjobq.jobs").await;
        let look = "explain (analyze, wal, buffers, format json) select pgjobq.has_own_answers(0::smallint, 'rated')";
        let _quiet = QUIET.read().await;
        let mut least = Cost::ENDLESS;
        for _ in 0..4 {
            let cost = session.cost(sqlx::query(look)).await;
            least.buffers = least.buffers.min(cost.buffers);
        }
        costs.push(least.buffers);
    }
    at_most("buffers of a look beside 5,000 jobs under a rate", costs[1], costs[0] + 6.0);
}
