//! A worker is stopped for longer than its lease, and wakes. Its jobs have run elsewhere; what it says of them changes
//! nothing, and its handlers are told.

use std::collections::BTreeMap;

use pgjobq::sqlx::{self, Row};

use crate::process::Process;
use crate::{Stage, jobs};

pub(crate) async fn run() -> String {
    let stage = Stage::new().await;
    let zombie = Process::start(&stage.url, 40);
    stage.client.enqueue_all((0..20).map(|_| jobs::wait_for_loss::job())).await.unwrap();
    stage.client.enqueue_all((0..20).map(|_| jobs::sleep_through::job(400))).await.unwrap();
    stage.until("(select count(*) from ledger) = 40").await;
    assert_eq!(stage.number("select count(*) from pgjobq.finished").await, 0, "none has ended yet");
    zombie.freeze();

    let other = Process::start(&stage.url, 40);
    stage.until("(select count(*) from pgjobq.finished) = 40").await;
    let before = rows(&stage).await;

    zombie.thaw();
    let zombie_id = zombie.id();
    let told = format!("select count(*) from ledger where process = {zombie_id} and told_at is not null");
    stage.until(&format!("({told}) = 20")).await;
    stage
        .until(&format!(
            "(select count(*) from ledger where process = {zombie_id} and ended_at is not null) = 40"
        ))
        .await;
    // It goes on under another identity, as good as new.
    other.shut_down().await;
    jobs::work::call(&stage.client, 1).await.unwrap();
    zombie.shut_down().await; // Everything that it had to say has been said.

    let mut after = rows(&stage).await;
    after.retain(|id, _| before.contains_key(id));
    assert_eq!(after, before, "a stale result changed something");
    let by_other = "select count(*) from pgjobq.finished where attempt = 2 and crashes = 1 and failures = 0
                       and outcome = 'completed' and output::int <> ";
    assert_eq!(stage.number(&format!("{by_other} {zombie_id}")).await, 40);
    assert_eq!(stage.number("select count(*) from pgjobq.failures").await, 0);
    assert_eq!(stage.number("select count(*) from pgjobq.jobs").await, 0);
    "40 jobs of a frozen worker completed elsewhere; 20 handlers were told, 40 late results changed nothing"
        .to_owned()
}

/// The finished jobs, each with the transaction that wrote its row.
async fn rows(stage: &Stage) -> BTreeMap<String, String> {
    let rows =
        sqlx::query("select id::text as id, xmin::text || ' ' || f::text as row from pgjobq.finished f");
    let rows = rows.fetch_all(&stage.pool).await.unwrap();
    rows.iter().map(|row| (row.get("id"), row.get("row"))).collect()
}
