//! Workers claim only jobs that they accept, and leave the others to other workers.

use std::time::Duration;

use pgjobq::filter::{self, Filter};
use pgjobq::prelude::*;
use pgjobq::{JobState, RunningWorker};
use pgjobq_core::worker_api::{
    AcceptedJobs, ByPriority, Claim, ClaimId, Lane, LeaseId, Opened, Peek, QuarantineClaim, Shard, Store,
    Ticket, WorkerId,
};

use crate::harness::{PATIENCE, TestDb};
use crate::local_wake_ups::listen;

/// The name of a worker, which its jobs return.
struct Site(&'static str);

// Not in a queue that other tests serve: their workers lack the state.
#[job(queue = "filter_sites")]
async fn filter_names_site(load: String, site: State<Site>) -> Result<String> {
    let _ = load;
    Ok(site.0.to_owned())
}

/// A job for a region. It has long arguments if `is_long`, so that its claim counts bytes.
fn job_for(region: Option<&str>, is_long: bool) -> NewJob<String> {
    let job = filter_names_site::job("x".repeat(if is_long { 5000 } else { 1 })).queue("default");
    match region {
        Some(region) => job.attribute("region", region),
        None => job,
    }
}

async fn start(db: &TestDb, site: &'static str, filter: Option<Filter>) -> RunningWorker {
    let worker = db.worker().state(Site(site));
    let worker = match filter {
        Some(filter) => worker.accept(filter),
        None => worker,
    };
    worker.build().await.unwrap().start()
}

async fn site_of(db: &TestDb, job: &JobHandle<String>) -> String {
    match job.wait_timeout(&db.client, PATIENCE).await.unwrap() {
        Outcome::Completed(site) => site,
        other => panic!("{other:?}"),
    }
}

on_one_and_eight_shards!(each_job_runs_once_on_a_worker_that_accepts_it);
async fn each_job_runs_once_on_a_worker_that_accepts_it(db: TestDb) {
    let region = |region| attribute("region").eq(region);
    let workers = [
        start(&db, "eu", Some(region("eu"))).await,
        start(&db, "us", Some(region("us").and(filter::kind("filter_names_site")))).await,
        start(&db, "any", None).await,
    ];
    let regions = [Some("eu"), Some("us"), Some("asia"), None];
    let mut handles = Vec::new();
    for n in 0..400 {
        let job = job_for(regions[n % 4], n % 50 < 2).priority([Priority::Normal, Priority::High][n / 4 % 2]);
        handles.push((regions[n % 4], job.enqueue(&db.client).await.unwrap()));
    }
    for (region, job) in &handles {
        let site = site_of(&db, job).await;
        assert!(site == "any" || Some(site.as_str()) == *region, "a job for {region:?} ran in {site}");
    }
    assert_eq!(db.number("select count(*) from pgjobq.finished where attempt = 1").await, 400);
    for worker in workers {
        worker.shutdown().await.unwrap();
    }
}

on_one_shard!(jobs_behind_many_others_are_found);
async fn jobs_behind_many_others_are_found(db: TestDb) {
    db.run("select pgjobq.create_queue('default')").await;
    db.client.enqueue_all((0..12_000).map(|_| job_for(Some("us"), false))).await.unwrap();
    let wanted: Vec<_> =
        futures_util::future::join_all((0..30).map(|n| job_for(Some("eu"), n % 3 == 0).enqueue(&db.client)))
            .await;
    let worker = start(&db, "eu", Some(attribute("region").eq("eu"))).await;
    for job in &wanted {
        assert_eq!(site_of(&db, job.as_ref().unwrap()).await, "eu");
    }
    let late = job_for(Some("eu"), false).enqueue(&db.client).await.unwrap();
    assert_eq!(site_of(&db, &late).await, "eu");
    worker.shutdown().await.unwrap();
    let left = "select count(*) from pgjobq.job_states where state = 'ready' and attempt = 0";
    assert_eq!(db.number(left).await, 12_000, "the others are as they were");
}

on_one_shard!(job_that_no_worker_accepts_waits);
async fn job_that_no_worker_accepts_waits(db: TestDb) {
    let small = attribute("rows").lt(100).and(filter::priority(Priority::High)).and(filter::queue("default"));
    let worker = start(&db, "small", Some(small)).await;
    let job = |rows: &str| {
        job_for(None, false).attribute("rows", rows.parse::<i64>().unwrap_or(0)).priority(Priority::High)
    };
    let large = job("100").enqueue(&db.client).await.unwrap();
    let text = job_for(None, false)
        .attribute("rows", "5")
        .priority(Priority::High)
        .enqueue(&db.client)
        .await
        .unwrap();
    let low = job("5").priority(Priority::Low).enqueue(&db.client).await.unwrap();
    let fits = job("99").enqueue(&db.client).await.unwrap();
    assert_eq!(site_of(&db, &fits).await, "small");
    for waiting in [&large, &text, &low] {
        assert_eq!(waiting.status(&db.client).await.unwrap().unwrap().state, JobState::Ready);
    }
    let shown = "select filter from pgjobq.workers";
    assert_eq!(db.text(shown).await, "rows < 100 and priority = 'high' and queue = 'default'");
    let accepted = "select count(*) from pgjobq.jobs j, pgjobq.workers w where pgjobq.matches(j.attributes, w.filter_path,
        pgjobq.filter_columns(j.id, j.kind, 'default', j.key, 'ready', j.priority, j.attempt, j.created_at))";
    assert_eq!(db.number(accepted).await, 0);
    worker.shutdown().await.unwrap();
}

on_one_shard!(filtered_worker_of_the_process_lets_others_be_notified);
async fn filtered_worker_of_the_process_lets_others_be_notified(db: TestDb) {
    // Looks find nothing, so that only a notification finds a job.
    db.run("do $$ begin
        execute regexp_replace(pg_get_functiondef('pgjobq.peek'::regproc), '\\nbegin\\n',
            E'\\nbegin\\n    scanned_to := p_low; quarantined := false; quarantine := p_quarantine; pauses := false;
              paused := false; return;\\n');
        end $$")
        .await;
    let own = start(&db, "eu", Some(attribute("region").eq("eu"))).await;
    let (elsewhere, _signals) = listen(&db).await;
    let other =
        Worker::builder(&elsewhere).queue("default", 5).state(Site("any")).build().await.unwrap().start();
    db.until("(select count(*) from pgjobq.workers where idle <> '{}') = 2").await;
    let job = job_for(Some("us"), false).enqueue(&db.client).await.unwrap();
    assert_eq!(site_of(&db, &job).await, "any");
    // A job that comes due is promoted by one of the workers, which need not be the one that accepts it.
    for _ in 0..4 {
        let due =
            job_for(Some("us"), false).delay(Duration::from_millis(50)).enqueue(&db.client).await.unwrap();
        assert_eq!(site_of(&db, &due).await, "any");
    }
    own.shutdown().await.unwrap();
    other.shutdown().await.unwrap();
    elsewhere.close().await;
}

/// A worker by hand, which accepts the jobs of Europe.
struct ByHand {
    store: Store,
    lane: Lane,
}

fn kinds() -> Vec<String> {
    ["filter_names_site"].map(str::to_owned).to_vec()
}
const WORKER: WorkerId = WorkerId(7);

impl ByHand {
    async fn new(db: &TestDb) -> Self {
        let accepted = AcceptedJobs::new(&attribute("region").eq("eu")).unwrap();
        let store = Store::connect(&db.client, 2).await.unwrap().accept(accepted);
        store
            .register(WORKER, "by hand", Duration::from_secs(60), &[("default", 9)], &kinds())
            .await
            .unwrap();
        let queue = db.number("select id from pgjobq.queues where name = 'default'").await;
        Self { store, lane: Lane { shard: Shard(0), queue: pgjobq_core::worker_api::QueueId(queue as i32) } }
    }

    fn claim_id(&self) -> ClaimId {
        ClaimId { lane: self.lane, worker: WORKER, lease: LeaseId(fastrand::i64(1..)) }
    }

    async fn claim(&self, scan_hint: ByPriority, found: Option<&[(Ticket, i16)]>) -> usize {
        let (id, bounds) = (self.claim_id(), Default::default());
        let claim = Claim { id, wait: true, kinds: &kinds(), want: 100, scan_hint, found, bounds };
        let claimed = self.store.claim(claim).await.unwrap();
        assert_eq!(claimed.lane, Opened::Open);
        claimed.jobs.len()
    }
}

on_one_shard!(hostile_scan_hint_does_no_harm);
async fn hostile_scan_hint_does_no_harm(db: TestDb) {
    for n in 0..60 {
        job_for(Some(["eu", "us"][n % 2]), n % 20 == 0).enqueue(&db.client).await.unwrap();
    }
    let by_hand = ByHand::new(&db).await;
    let [bottom, top] = [Ticket(0), Ticket(i64::MAX)].map(|ticket| [ticket; 4]);
    assert_eq!(by_hand.claim(top, None).await, 0, "a hint above all jobs");
    let foreign = "select array_agg(ticket) from pgjobq.jobs where attributes->>'region' = 'us'";
    let foreign: Vec<i64> = sqlx::query_scalar(foreign).fetch_one(&db.pool).await.unwrap();
    let named: Vec<_> = foreign.iter().map(|ticket| (Ticket(*ticket), 1)).collect();
    assert_eq!(by_hand.claim(bottom, Some(&named)).await, 0, "tickets of other workers' jobs");
    let peek = Peek { lane: by_hand.lane, low: bottom, high: top, quarantine: bottom };
    let found = by_hand.store.peek(&[peek], &kinds(), 100).await.unwrap().remove(0).found;
    assert_eq!(found.len(), 30, "the sweep finds what the hint missed");
    assert_eq!(by_hand.claim(top, Some(&found)).await, 30);
    assert_eq!(by_hand.claim(bottom, None).await, 0);
    assert_eq!(db.number("select count(*) from pgjobq.job_states where state = 'ready'").await, 30);
}

on_one_shard!(quarantined_job_waits_for_a_worker_that_accepts_it);
async fn quarantined_job_waits_for_a_worker_that_accepts_it(db: TestDb) {
    for region in ["us", "eu"] {
        job_for(Some(region), false).enqueue(&db.client).await.unwrap();
    }
    let by_hand = ByHand::new(&db).await;
    db.run("update pgjobq.jobs set crashes = 1").await;
    let [bottom, top] = [Ticket(0), Ticket(i64::MAX)].map(|ticket| [ticket; 4]);
    let peek = Peek { lane: by_hand.lane, low: bottom, high: top, quarantine: bottom };
    let look = async || by_hand.store.peek(&[peek], &kinds(), 100).await.unwrap().remove(0).quarantined;
    assert!(look().await);
    let id = by_hand.claim_id();
    let claim =
        QuarantineClaim { id, kinds: &kinds(), want: 9, alone: true, lone_first: false, from: bottom };
    assert_eq!(by_hand.store.claim_quarantined(claim).await.unwrap().jobs.len(), 1);
    assert!(!look().await, "the job of the other region is left, and is for others");
    let again = QuarantineClaim { id: by_hand.claim_id(), ..claim };
    assert_eq!(by_hand.store.claim_quarantined(again).await.unwrap().jobs.len(), 0);
}

#[tokio::test]
async fn wrong_filter_is_an_error_of_build() {
    let db = TestDb::new(1).await;
    let error = async |filter: Filter| {
        db.worker().state(Site("none")).accept(filter).build().await.unwrap_err().to_string()
    };
    for (filter, says) in [
        (
            filter::state(JobState::Ready),
            "`accept`: the filter is wrong: a worker cannot accept jobs by their `state`",
        ),
        (filter::error_contains("x").not(), "a worker cannot accept jobs by their `error`"),
        (attribute("a").eq(f64::NAN), "`a` is compared with NaN"),
        ((0..10_000).map(|n| attribute("a").eq(n)).reduce(Filter::or).unwrap(), "this one has 10000"),
    ] {
        let error = error(filter).await;
        assert!(error.starts_with("the worker cannot start: ") && error.contains(says), "{error}");
    }
    // Two filters both have to match, and one that matches all jobs is none.
    let both = db
        .worker()
        .state(Site("both"))
        .accept(filter::all())
        .accept(attribute("a").eq(1))
        .accept(attribute("b").eq(2));
    let worker = both.build().await.unwrap().start();
    db.until("exists (select from pgjobq.workers where filter = 'a = 1 and b = 2')").await;
    worker.shutdown().await.unwrap();
    let worker = db.worker().state(Site("all")).accept(filter::all()).build().await.unwrap().start();
    db.until("exists (select from pgjobq.workers where filter is null and filter_path is null)").await;
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn filter_that_the_database_cannot_read_fails_the_build() {
    let db = TestDb::encoded("LATIN1").await;
    let worker = db.worker().state(Site("latin"));
    let error = worker.accept(attribute("name").eq("\u{2717}")).build().await.unwrap_err().to_string();
    assert!(error.contains("the database cannot read the filter `name = '\u{2717}'`: "), "{error}");
    let worker = start(&db, "latin", Some(attribute("name").ge("é"))).await;
    let job = job_for(None, false).attribute("name", "ê").enqueue(&db.client).await.unwrap();
    assert_eq!(site_of(&db, &job).await, "latin");
    worker.shutdown().await.unwrap();
}
