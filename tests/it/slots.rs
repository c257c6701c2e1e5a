//! A worker claims at most as many jobs as it has room for. Jobs that run for long are claimed for free slots alone.

use pgjobq_core::worker_api::{Bounds, Claim, ClaimId, Lane, LeaseId, Store, Ticket, WorkerId};

use crate::gate::{Gate, result};
use crate::harness::TestDb;
use crate::lifecycle::double;

/// Counts the jobs that leases cover.
pub(crate) const LEASED: &str = "select count(*) from pgjobq.leases l join pgjobq.jobs j
    on j.shard = l.shard and j.queue_id = l.queue_id and j.priority = l.priority and l.tickets @> j.ticket";

on_one_and_eight_shards!(invariant_3_no_job_is_claimed_without_a_free_slot);
async fn invariant_3_no_job_is_claimed_without_a_free_slot(db: TestDb) {
    let gate = Gate::new();
    db.client.queue("other").save().await.unwrap();
    let worker = pgjobq::Worker::builder(&db.client)
        .queue("default", 3)
        .queue("other", 4)
        .heartbeat(std::time::Duration::from_millis(100))
        .lease(std::time::Duration::from_secs(600))
        .poll_interval(std::time::Duration::from_millis(50))
        .build()
        .await
        .unwrap()
        .start();
    let mut jobs = Vec::new();
    for n in 0..40 {
        jobs.push(gate.job().queue(["default", "other"][n % 2]).enqueue(&db.client).await.unwrap());
    }
    gate.until(|count| count.inside == 7).await;
    // Several polls and heartbeats, each of which could claim more.
    let beats = "select count(distinct seen_at) = 1 and min(seen_at) > $ from pgjobq.workers where shard = 0";
    for _ in 0..5 {
        let seen = db.text("select max(seen_at) from pgjobq.workers").await;
        db.until(&beats.replace('$', &format!("'{seen}'"))).await;
        assert_eq!(db.number(LEASED).await, 7);
    }
    gate.open();
    for job in jobs {
        result(&db, &job).await;
    }
    assert_eq!(gate.count().most, 7);
    worker.shutdown().await.unwrap();
}

on_one_and_eight_shards!(invariant_3_claim_never_returns_more_than_asked);
async fn invariant_3_claim_never_returns_more_than_asked(db: TestDb) {
    let store = Store::connect(&db.client, 1).await.unwrap();
    store.register(WorkerId(1), "ours", std::time::Duration::from_secs(30), &[], &[]).await.unwrap();
    let queue = store.check_queues(&["default"]).await.unwrap()[0].id.unwrap();
    for shard in store.shards() {
        let lane = Lane { shard, queue };
        // Many jobs in each priority, and two that have the same ticket.
        for priority in [pgjobq::Priority::Low, pgjobq::Priority::Normal, pgjobq::Priority::Critical] {
            let mut ids = std::iter::repeat_with(uuid::Uuid::new_v4)
                .filter(|id| (id.as_u128() & 0x3ff) as usize % store.shards().len() == shard.0 as usize);
            for n in 0..12 {
                double::job(n).id(ids.next().unwrap()).priority(priority).enqueue(&db.client).await.unwrap();
            }
        }
        db.run(&format!(
            "update pgjobq.jobs set ticket = ticket - 1 where shard = {shard} and ticket % 4 = 0"
        ))
        .await;
        let tickets =
            "select array_agg(ticket)::text, array_agg(priority)::text from pgjobq.jobs where shard = $1";
        let (tickets, priorities): (String, String) =
            sqlx::query_as(tickets).bind(shard.0).fetch_one(&db.pool).await.unwrap();
        let mut lease = 0;
        for want in [1, 2, 3, 5] {
            let tickets = numbers(&tickets).into_iter().map(Ticket);
            let named: Vec<_> = tickets.zip(numbers(&priorities)).collect();
            for found in [None, Some(&*named)] {
                lease += 1;
                let claim = Claim {
                    id: ClaimId { lane, worker: WorkerId(1), lease: LeaseId(lease) },
                    wait: true,
                    kinds: &["double".to_owned()],
                    want,
                    scan_hint: [Ticket(0); 4],
                    found,
                    bounds: Bounds::default(),
                };
                let claimed = store.claim(claim).await.unwrap();
                assert!(claimed.jobs.len() <= want && !claimed.jobs.is_empty());
            }
        }
    }
}

/// Parses the numbers of a PostgreSQL array, and returns each twice.
fn numbers<T: std::str::FromStr<Err: std::fmt::Debug> + Copy>(array: &str) -> Vec<T> {
    let numbers = array.trim_matches(['{', '}']).split(',').map(|number| number.parse().unwrap());
    numbers.flat_map(|number| [number, number]).collect()
}
