//! A finish goes straight to the rows at the addresses that the claim returned. Here the rows move before the finish, or another
//! job's row lies at the address: each result still meets its own job, and no other.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use pgjobq::prelude::*;
use pgjobq::{FailureReason, JobId};
use pgjobq_core::worker_api::{
    Bounds, Claim, ClaimId, ClaimedJob, Decision, Ended, Hold, Lane, LeaseId, LeaseKey, LeaseUse, Shard,
    Store, Ticket, WorkerId,
};

use crate::harness::TestDb;

#[job]
async fn lie_still(number: u32) {
    let _ = number;
}

/// A worker without a process, and the one lease that it holds.
struct ByHand {
    db: TestDb,
    store: Store,
    lease: LeaseKey,
    jobs: Vec<ClaimedJob>,
}

impl ByHand {
    const WORKER: WorkerId = WorkerId(7);

    /// Enqueues jobs, and claims all of them.
    async fn claim(jobs: u32) -> Self {
        let db = TestDb::new(1).await;
        let store = Store::connect(&db.client, 1).await.unwrap();
        let lane = Lane { shard: Shard(0), queue: db.client.save_queue("default").await.unwrap() };
        store.register(Self::WORKER, "by hand", Duration::from_secs(30), &[], &[]).await.unwrap();
        db.client.enqueue_all((0..jobs).map(lie_still::job)).await.unwrap();
        let id = ClaimId { lane, worker: Self::WORKER, lease: LeaseId(70) };
        let kinds = ["lie_still".to_owned()];
        let claimed = store.claim(Claim {
            id,
            wait: true,
            kinds: &kinds,
            want: jobs as usize,
            scan_hint: [Ticket(0); 4],
            found: None,
            bounds: Bounds::default(),
        });
        let jobs = claimed.await.unwrap().jobs;
        let max_ticket = jobs.iter().map(|job| job.ticket).max().unwrap();
        assert!(jobs.iter().all(|job| job.address.is_some()));
        let lease = LeaseKey { lane, priority: 1, max_ticket, id: id.lease };
        Self { db, store, lease, jobs }
    }

    /// Sends the same result for jobs, in the order of their ids, and returns those that were stale.
    async fn finish(&self, jobs: &[ClaimedJob], decision: impl Fn() -> Decision) -> Vec<JobId> {
        let ended = |job: &ClaimedJob| Ended {
            hold: Hold {
                lease: self.lease,
                worker: Self::WORKER,
                job: job.id,
                ticket: job.ticket,
                address: job.address,
            },
            decision: decision(),
        };
        let mut ended: Vec<_> = jobs.iter().map(ended).collect();
        ended.sort_by_key(|end| end.hold.job);
        let leases = [LeaseUse { key: self.lease, close: false }];
        self.store.finish(Self::WORKER, "by hand", &leases, &ended).await.unwrap().stale
    }

    /// Returns the addresses of some jobs' rows now, as text.
    async fn addresses(&self, jobs: &[ClaimedJob]) -> Vec<String> {
        let ids: Vec<_> = jobs.iter().map(|job| job.id.as_uuid()).collect();
        let read = "select j.ctid::text from unnest($1::uuid[]) with ordinality d(id, n)
                      join pgjobq.jobs j on j.id = d.id order by d.n";
        sqlx::query_scalar(read).bind(ids).fetch_all(&self.db.pool).await.unwrap()
    }

    /// Inserts the first job's row anew, as a restored dump would, and lets the row of a new job come to lie at its address.
    async fn give_first_address_away(&self) -> String {
        let address = self.addresses(&self.jobs[..1]).await.remove(0);
        self.db
            .run(&format!(
                "with moved as (delete from pgjobq.jobs where ctid = '{address}' returning *)
                 insert into pgjobq.jobs select * from moved"
            ))
            .await;
        self.db.run("vacuum pgjobq.jobs").await;
        lie_still::enqueue(&self.db.client, 1000).await.unwrap();
        let new = self.new_job().await;
        assert!(new.contains(&format!("\"{address}\"")), "{new} lies elsewhere than at {address}");
        new
    }

    /// Returns the row of the new job, with what any write to it would change.
    async fn new_job(&self) -> String {
        let new = "select to_jsonb(j) || jsonb_build_object('xmin', xmin, 'xmax', xmax, 'ctid', ctid)
                     from pgjobq.jobs j where args->>'number' = '1000'";
        self.db.text(new).await
    }

    async fn left(&self) -> i64 {
        self.db.number("select count(*) from pgjobq.jobs").await
    }
}

fn delete() -> Decision {
    Decision::Complete { keep: None, output: None }
}

fn keep() -> Decision {
    let output = serde_json::value::to_raw_value(&1).unwrap();
    Decision::Complete { keep: Some(Duration::from_secs(24 * 60 * 60)), output: Some(output) }
}

fn bury() -> Decision {
    Decision::Bury { reason: FailureReason::Fatal, message: "for good".to_owned() }
}

/// Every decision that ends a job, with the number of rows that it leaves in `finished`.
const ENDS: [(fn() -> Decision, i64); 3] = [(delete, 0), (keep, 1), (bury, 1)];

#[tokio::test]
async fn rewritten_table_loses_no_result() {
    for (end, kept) in ENDS {
        let worker = ByHand::claim(300).await;
        let (first, last) = worker.jobs.split_at(250);
        assert_eq!(worker.finish(first, end).await, []);
        let before = worker.addresses(last).await;
        // The rows move, even if the server still keeps the deleted ones.
        worker.db.run("alter table pgjobq.jobs set (fillfactor = 50)").await;
        worker.db.run("vacuum full pgjobq.jobs").await;
        let after = worker.addresses(last).await;
        assert!(before.iter().zip(&after).all(|(before, after)| before != after), "each row has moved");
        assert_eq!(worker.finish(last, end).await, []);
        assert_eq!(worker.left().await, 0);
        assert_eq!(worker.db.number("select count(*) from pgjobq.finished").await, 300 * kept);
    }
}

#[tokio::test]
async fn result_finds_row_that_was_edited_by_hand() {
    for (end, kept) in ENDS {
        let worker = ByHand::claim(3).await;
        worker.db.run("update pgjobq.jobs set args = '{\"number\": 77}' where args->>'number' = '1'").await;
        assert_eq!(worker.finish(&worker.jobs, end).await, []);
        assert_eq!(worker.left().await, 0);
        let edited = "select count(*) from pgjobq.finished where args->>'number' = '77'";
        assert_eq!(worker.db.number(edited).await, kept);
    }
}

#[tokio::test]
async fn result_after_a_retry_is_stale() {
    for (end, _) in ENDS {
        let worker = ByHand::claim(2).await;
        let retry = || Decision::Retry {
            delay: Duration::ZERO,
            reason: FailureReason::Error,
            message: "once".to_owned(),
        };
        assert_eq!(worker.finish(&worker.jobs[..1], retry).await, []);
        assert_eq!(worker.finish(&worker.jobs, end).await, [worker.jobs[0].id]);
        assert_eq!(worker.db.text("select array_agg(failures) from pgjobq.jobs").await, "{1}");
    }
}

#[tokio::test]
async fn address_with_the_row_of_another_job_misleads_no_result() {
    for (end, _) in ENDS {
        let worker = ByHand::claim(2).await;
        let new = worker.give_first_address_away().await;
        assert_eq!(worker.finish(&worker.jobs, end).await, []);
        assert_eq!(worker.new_job().await, new, "the new job's row is as it was");
        assert_eq!(worker.left().await, 1);
    }
}

#[tokio::test]
async fn stale_result_leaves_the_new_row_at_its_address_alone() {
    for (end, _) in ENDS {
        let worker = ByHand::claim(2).await;
        let new = worker.give_first_address_away().await;
        // The job is claimable again, so its ticket is another one.
        let id = worker.jobs[0].id;
        worker.db.run(&format!("update pgjobq.jobs set ticket = 1000 where id = '{id}'")).await;
        assert_eq!(worker.finish(&worker.jobs, end).await, [id]);
        assert_eq!(worker.new_job().await, new, "the new job's row is as it was");
        assert_eq!(worker.left().await, 2);
    }
}

#[tokio::test]
async fn address_beyond_the_end_of_the_table_is_no_error() {
    for (end, _) in ENDS {
        let worker = ByHand::claim(1000).await;
        let (gone, last) = worker.jobs.split_at(999);
        worker.db.run(&format!("delete from pgjobq.jobs where ticket < {}", last[0].ticket)).await;
        worker.db.run("vacuum full pgjobq.jobs").await;
        assert_eq!(worker.finish(last, end).await, []);
        worker.db.run("vacuum pgjobq.jobs").await;
        assert_eq!(worker.db.number("pg_relation_size('pgjobq.jobs')").await, 0);
        assert_eq!(worker.finish(gone, end).await.len(), 999);
    }
}

#[tokio::test]
async fn job_without_an_address_is_found_by_its_id() {
    for (end, _) in ENDS {
        let mut worker = ByHand::claim(4).await;
        worker.jobs.iter_mut().step_by(2).for_each(|job| job.address = None);
        assert_eq!(worker.finish(&worker.jobs, end).await, []);
        assert_eq!(worker.left().await, 0);
    }
}

#[tokio::test]
async fn finish_draws_tickets_only_for_jobs_ready_at_once() {
    let worker = ByHand::claim(10).await;
    let drawn = "select last_value from pgjobq.ticket";
    let before = worker.db.number(drawn).await;
    let (made, hour) = (AtomicU32::new(0), Duration::from_secs(3600));
    let decide = || match made.fetch_add(1, Ordering::Relaxed) {
        3 => Decision::Release,
        5 => Decision::Snooze { delay: hour },
        7 => Decision::Return,
        _ => delete(),
    };
    assert_eq!(worker.finish(&worker.jobs, decide).await, []);
    assert_eq!(worker.left().await, 3);
    assert_eq!(worker.db.number(drawn).await, before + 2);
    let ready = "select count(distinct ticket) from pgjobq.jobs where ticket > ";
    assert_eq!(worker.db.number(&format!("{ready}{before}")).await, 2);
}
