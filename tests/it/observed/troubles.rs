//! Lost leases, crashes and outages, as observers see them.

use std::time::Duration;

use pgjobq::observe::{Event, Outcome};
use pgjobq::prelude::*;
use sqlx::postgres::PgPoolOptions;

use super::{observed, observed_by, worker};
use crate::harness::TestDb;
use crate::probe::{Probe, end_of};
use crate::proxy::Proxy;

/// Ends when its test opens the gate, whatever else happens.
#[job(max_crashes = 5)]
async fn observed_stubborn(ctx: JobContext, probe: u64) -> Result<()> {
    let probe = Probe::of(probe);
    let _run = probe.begin(&ctx);
    probe.gate.acquire().await?.forget();
    Ok(())
}

on_one_and_eight_shards!(refused_result_is_a_stale_one_of_a_lost_lease);
async fn refused_result_is_a_stale_one_of_a_lost_lease(db: TestDb) {
    let (client, seen) = observed(&db);
    let worker = worker(&client).build().await.unwrap().start();
    let probe = Probe::new();
    let job = observed_stubborn::enqueue(&client, probe.number).await.unwrap();
    probe.until(|probe| probe.running() == 1).await;
    // As if another worker had taken the lease back, and the job was claimable again.
    db.run(
        "delete from pgjobq.leases; update pgjobq.jobs set ticket = nextval('pgjobq.ticket'), attempt = attempt + 1",
    )
    .await;
    probe.gate.add_permits(2);
    let _ = end_of(&db.client, &job).await;
    worker.shutdown().await.unwrap();
    client.close().await;

    assert_eq!(seen.outcomes(job.id()), [Outcome::Completed], "of the attempt whose result counts");
    assert_eq!(seen.count(|event| matches!(event, Event::Started(_))), 2);
    assert_eq!(seen.count(|event| matches!(event, Event::LeaseLost(lost) if lost.job.attempt == 1)), 1);
    assert_eq!(seen.count(|event| matches!(event, Event::LeaseLost(_))), 1);
    let stale = |event: &Event| matches!(event, Event::StaleResult(stale) if stale.job.id == job.id());
    assert!(seen.count(stale) <= 1, "an attempt that was asked to stop has no result");
}

on_one_and_eight_shards!(dead_worker_is_observed_by_those_who_recover_its_jobs);
async fn dead_worker_is_observed_by_those_who_recover_its_jobs(db: TestDb) {
    let (client, seen) = observed(&db);
    let probe = Probe::new();
    let again = observed_stubborn::enqueue(&db.client, probe.number).await.unwrap();
    let buried = observed_stubborn::job(probe.number).max_crashes(0).enqueue(&db.client).await.unwrap();
    // A worker that claims both, and dies.
    db.run(
        "do $$ declare l record; begin
             for l in select n.* from pgjobq.lanes n join pgjobq.queues q on q.id = n.queue_id
                       where q.name = 'default' loop
                 perform pgjobq.register_worker(l.shard, 42, 'ghost');
                 perform pgjobq.claim(l.shard, l.queue_id, 42, 7, true, array['observed_stubborn'], 100,
                                      '{0,0,0,0}', null, null);
             end loop;
             delete from pgjobq.workers where id = 42;
         end $$",
    )
    .await;
    probe.gate.add_permits(1);
    let worker = worker(&client).build().await.unwrap().start();
    let _ = end_of(&db.client, &again).await;
    let _ = end_of(&db.client, &buried).await;
    worker.shutdown().await.unwrap();
    client.close().await;

    let recovered = |event: Event| match event {
        Event::CrashRecovered(recovered) => {
            assert_eq!(recovered.queue.as_deref(), Some("default"));
            [recovered.requeued, recovered.buried]
        }
        _ => [0, 0],
    };
    let sum =
        seen.all().into_iter().map(recovered).fold([0, 0], |sum, one| [sum[0] + one[0], sum[1] + one[1]]);
    assert_eq!(sum, [1, 1]);
    assert_eq!(seen.outcomes(buried.id()), [Outcome::Dead]);
    assert_eq!(seen.outcomes(again.id()), [Outcome::Completed]);
}

on_one_shard!(outage_is_observed_once_from_its_begin_to_its_end);
async fn outage_is_observed_once_from_its_begin_to_its_end(db: TestDb) {
    let proxy = Proxy::to(&db.options).await;
    let pool = PgPoolOptions::new().connect_with(proxy.options()).await.unwrap();
    let (client, seen) = observed_by(Client::builder(pool));
    let worker = worker(&client).build().await.unwrap().start();
    proxy.cut();
    seen.until(|event| matches!(event, Event::ConnectionLost(_))).await;
    tokio::time::sleep(Duration::from_millis(300)).await; // More errors come, and are no second loss.
    proxy.mend();
    seen.until(|event| matches!(event, Event::ConnectionRegained(_))).await;
    let probe = Probe::new();
    probe.gate.add_permits(1);
    let job = observed_stubborn::enqueue(&client, probe.number).await.unwrap();
    let _ = end_of(&db.client, &job).await;
    worker.shutdown().await.unwrap();
    client.close().await;
    let is_lost = |event: &Event| matches!(event, Event::ConnectionLost(_));
    let is_regained = |event: &Event| matches!(event, Event::ConnectionRegained(_));
    let changes = seen
        .all()
        .iter()
        .filter(|event| is_lost(event) || is_regained(event))
        .map(is_lost)
        .collect::<Vec<_>>();
    assert!(changes.iter().enumerate().all(|(n, lost)| *lost == n.is_multiple_of(2)), "{changes:?}");
}
