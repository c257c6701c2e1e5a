//! A claim and an admission beside jobs that wait for a permit.

use crate::limits::at_most;
use crate::server::Db;
use crate::session::Session;

/// Enqueues this many jobs under a limit of one, of one key, and lets one of them in.
async fn fill(session: &mut Session, jobs: usize) {
    session
        .run(&format!(
            "insert into pgjobq.limits (scope, name, per_key, concurrency) values ('kind', 'full', true, 1)
             on conflict (scope, name) do nothing;
             select pgjobq.note_limits();
             select pgjobq.enqueue_many('{{full}}', '{{default}}', '{{1}}', '{{3}}', '{{3}}',
                        array(select pgjobq.new_id() from generate_series(1, {jobs}) order by 1),
                        array_fill(1, array[{jobs}]), array_fill('{{}}'::text, array[{jobs}]), null, null,
                        array_fill('a'::text, array[{jobs}]), null, null, null, false, null);
             select pgjobq.admit(0::smallint, '{{full}}', '{{a}}', null)"
        ))
        .await;
}

#[tokio::test]
async fn waiting_jobs_of_a_full_key_cost_a_claim_nothing() {
    let db = Db::new("permits").await;
    let mut session = Session::new(&db).await;
    let mut buffers = Vec::new();
    for jobs in [10, 100_000] {
        fill(&mut session, jobs).await;
        session.enqueue(20, None).await;
        buffers.push(session.peek(20, 0, i64::MAX).await.buffers);
    }
    at_most(
        "buffers of a look beside 100,000 waiting jobs, of those beside ten",
        buffers[1] / buffers[0],
        2.0,
    );
}
