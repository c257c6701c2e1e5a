//! The cost of a claim beside jobs that a rate holds back.

use crate::limits::at_most;
use crate::pauses::cheapest_claim;
use crate::server::Db;
use crate::session::Session;
use crate::tables::KIND;

/// Puts jobs of a kind into the waiting room of their rate, where the others are.
async fn hold_back(session: &mut Session, kind: &str) {
    session.fill(30_000, kind).await;
    session
        .run(&format!(
            "update pgjobq.jobs set limits = 5, arrival = ticket, ticket = null where kind = '{kind}'"
        ))
        .await;
    session.run("vacuum pgjobq.jobs").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_over_their_rate_cost_a_claim_nothing() {
    let db = Db::new("rates").await;
    let mut session = Session::new(&db).await;
    session.fill(2_000, KIND).await;
    let without = cheapest_claim(&mut session).await;
    hold_back(&mut session, "over_its_rate").await;
    let beside = cheapest_claim(&mut session).await;
    at_most("buffers of a claim beside 30,000 jobs over their rate", beside.buffers, without.buffers + 3.0);
    at_most("WAL of a claim beside 30,000 jobs over their rate", beside.wal, without.wal);

    // Those in line, under the rate: their claim reads and writes one history, however many wait.
    session
        .run(&format!(
            "insert into pgjobq.limits (scope, name, rates) values ('kind', '{KIND}', '[[1000000, 3600000000]]');
             select pgjobq.note_limits();
             update pgjobq.jobs set limits = 5, arrival = ticket, permit = 0 where kind = '{KIND}'"
        ))
        .await;
    session.run("vacuum pgjobq.jobs").await;
    let few = cheapest_claim(&mut session).await;
    session.run(&format!("update pgjobq.jobs set kind = '{KIND}' where limits = 5 and ticket is null")).await;
    session.run("vacuum pgjobq.jobs").await;
    let many = cheapest_claim(&mut session).await;
    at_most("buffers of a claim of ten jobs under a rate", few.buffers, without.buffers + 150.0);
    at_most("buffers of that claim beside 30,000 that wait", many.buffers, few.buffers + 10.0);
    at_most("WAL of that claim beside 30,000 that wait", many.wal, few.wal + 200.0);
}
