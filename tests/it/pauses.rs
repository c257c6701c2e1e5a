//! Pauses of queues, kinds and keys: no job of them starts, in any process, until they are over.

use std::process::{Child, Command};
use std::time::{Duration, SystemTime};

use pgjobq::filter::all;
use pgjobq::prelude::*;
use pgjobq::{JobState, PauseError, PauseScope};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::harness::{TestDb, in_time};
use crate::probe::{Probe, end_of};

#[job(kind = "pauses_note", queue = "default")]
async fn note(ctx: JobContext, probe: u64) {
    Probe::of(probe).begin(&ctx);
}

#[job(kind = "pauses_other", queue = "default")]
async fn other(ctx: JobContext, probe: u64) {
    Probe::of(probe).begin(&ctx);
}

#[job(kind = "pauses_hold", queue = "default")]
async fn hold(ctx: JobContext, probe: u64) {
    let probe = Probe::of(probe);
    let _run = probe.begin(&ctx);
    probe.pass().await;
}

#[job(kind = "pauses_nothing", queue = "default")]
pub(crate) async fn do_nothing() {}

const SERVER: &str = "PGJOBQ_TEST_PAUSED_SERVER";
const DATABASE: &str = "PGJOBQ_TEST_PAUSED_DATABASE";

/// A worker in a process of its own, which is killed when the test ends.
pub(crate) struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Process {
    pub(crate) fn start(db: &TestDb) -> Self {
        let (server, database) = db.address();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", "pauses::works_in_another_process"])
            .env(SERVER, server)
            .env(DATABASE, database);
        Self(command.spawn().unwrap())
    }
}

/// The program of that process. Run alone, it does nothing.
#[tokio::test]
async fn works_in_another_process() {
    let (Ok(server), Ok(database)) = (std::env::var(SERVER), std::env::var(DATABASE)) else { return };
    let options = server.parse::<PgConnectOptions>().unwrap().database(&database);
    let client = Client::new(PgPoolOptions::new().connect_with(options).await.unwrap());
    let worker =
        Worker::builder(&client).queue("default", 10).queue("pauses_open", 10).build().await.unwrap();
    worker.run_until(std::future::pending()).await.unwrap();
}

/// Lets a worker start some jobs in a queue that is open. By then it has looked for those of the other queues as well.
async fn run_in_open_queue(db: &TestDb) {
    for _ in 0..3 {
        let job = do_nothing::job().queue("pauses_open").enqueue(&db.client).await.unwrap();
        assert_eq!(end_of(&db.client, &job).await, Outcome::Completed(()));
    }
}

on_one_and_eight_shards!(paused_queue_starts_no_job_in_another_process);
async fn paused_queue_starts_no_job_in_another_process(db: TestDb) {
    db.client.queue("pauses_open").save().await.unwrap();
    let process = Process::start(&db);
    run_in_open_queue(&db).await;
    let before = do_nothing::enqueue(&db.client).await.unwrap();
    assert_eq!(end_of(&db.client, &before).await, Outcome::Completed(()));

    db.client.queue("default").pause().await.unwrap();
    db.client.enqueue_all((0..50).map(|_| do_nothing::job())).await.unwrap();
    let waiting = "(select count(*) from pgjobq.job_states where queue = 'default' and state = 'ready')";
    run_in_open_queue(&db).await;
    assert_eq!(db.number(waiting).await, 50);

    drop(process);
    let _restarted = Process::start(&db);
    run_in_open_queue(&db).await;
    assert_eq!(db.number(waiting).await, 50, "a pause outlives every process");

    assert!(db.client.queue("default").resume().await.unwrap());
    db.until("not exists (select from pgjobq.jobs)").await;
}

on_one_and_eight_shards!(paused_kinds_and_keys_let_other_jobs_pass);
async fn paused_kinds_and_keys_let_other_jobs_pass(db: TestDb) {
    let (paused, keyed, open) = (Probe::new(), Probe::new(), Probe::new());
    db.client.kind("pauses_note").pause().by("ada").await.unwrap();
    db.client.key("tenant:42").pause().await.unwrap();
    db.client.enqueue_all((0..40).map(|_| note::job(paused.number))).await.unwrap();
    let with_key = |probe: &Probe, key| other::job(probe.number).key(key);
    db.client.enqueue_all((0..40).map(|_| with_key(&keyed, "tenant:42"))).await.unwrap();
    db.client.enqueue_all((0..40).map(|_| with_key(&open, "tenant:43"))).await.unwrap();

    let worker = db.worker().build().await.unwrap().start();
    open.until(|probe| probe.runs().len() == 40).await;
    db.until("(select count(*) from pgjobq.leases) = 0").await;
    assert_eq!((paused.runs().len(), keyed.runs().len()), (0, 0));

    // Claims have passed over them, and the scan hint is beyond them.
    assert!(db.client.key("tenant:42").resume().await.unwrap());
    keyed.until(|probe| probe.runs().len() == 40).await;
    assert_eq!(paused.runs().len(), 0);
    assert!(db.client.kind("pauses_note").resume().await.unwrap());
    paused.until(|probe| probe.runs().len() == 40).await;
    worker.shutdown().await.unwrap();
}

on_one_shard!(quarantined_jobs_of_a_paused_kind_wait);
async fn quarantined_jobs_of_a_paused_kind_wait(db: TestDb) {
    let (paused, open) = (Probe::new(), Probe::new());
    db.client.kind("pauses_note").pause().await.unwrap();
    note::enqueue(&db.client, paused.number).await.unwrap();
    other::enqueue(&db.client, open.number).await.unwrap();
    db.run("update pgjobq.jobs set crashes = 1").await;
    let worker = db.worker().build().await.unwrap().start();
    open.until(|probe| probe.runs().len() == 1).await;
    db.client.queue("default").pause().await.unwrap();
    db.client.kind("pauses_note").resume().await.unwrap();
    assert_eq!(paused.runs().len(), 0);
    db.client.queue("default").resume().await.unwrap();
    paused.until(|probe| probe.runs().len() == 1).await;
    worker.shutdown().await.unwrap();
}

const POLL_INTERVAL: Duration = Duration::from_secs(60);

on_one_shard!(pause_ends_at_its_time_without_a_notification);
async fn pause_ends_at_its_time_without_a_notification(db: TestDb) {
    let silent = Client::builder(db.pool.clone()).notifications(false).build().unwrap();
    let worker = Worker::builder(&silent).queue("default", 5).poll_interval(POLL_INTERVAL);
    let worker = worker.build().await.unwrap().start();
    for scope in [PauseScope::Queue, PauseScope::Kind] {
        let until = SystemTime::now() + Duration::from_secs(10);
        match scope {
            PauseScope::Queue => db.client.queue("default").pause().until(until).await.unwrap(),
            _ => db.client.kind("pauses_nothing").pause().until(until).await.unwrap(),
        }
        db.run("create table public.due as select until from pgjobq.pauses").await;
        let job = do_nothing::enqueue(&db.client).await.unwrap();
        assert_eq!(end_of(&db.client, &job).await, Outcome::Completed(()));
        let late = "(select finished_at - until from pgjobq.finished, public.due)";
        let late = db.number(&format!("extract(epoch from {late}) * 1000")).await;
        // The next poll would be a minute after the last one, which was before the pause ended.
        assert!(
            (0..POLL_INTERVAL.as_millis() as i64 / 2).contains(&late),
            "it began {late} ms after the end"
        );
        assert_eq!(db.client.pauses().await.unwrap(), []);
        db.run("drop table public.due; delete from pgjobq.finished").await;
    }
    worker.shutdown().await.unwrap();
}

on_one_shard!(running_jobs_go_on_while_their_queue_is_paused);
async fn running_jobs_go_on_while_their_queue_is_paused(db: TestDb) {
    let probe = Probe::new();
    let worker = db.worker().build().await.unwrap().start();
    let running = hold::enqueue(&db.client, probe.number).await.unwrap();
    probe.until(|probe| probe.running() == 1).await;
    db.client.queue("default").pause().await.unwrap();
    let waiting = hold::enqueue(&db.client, probe.number).await.unwrap();
    probe.gate.add_permits(2);
    assert_eq!(end_of(&db.client, &running).await, Outcome::Completed(()));
    assert_eq!(waiting.status(&db.client).await.unwrap().unwrap().state, JobState::Ready);
    db.client.queue("default").resume().await.unwrap();
    assert_eq!(end_of(&db.client, &waiting).await, Outcome::Completed(()));
    worker.shutdown().await.unwrap();
}

on_one_shard!(lanes_of_a_new_queue_obey_earlier_pauses);
async fn lanes_of_a_new_queue_obey_earlier_pauses(db: TestDb) {
    let (paused, open) = (Probe::new(), Probe::new());
    db.client.kind("pauses_note").pause().await.unwrap();
    db.client.queue("pauses_new").save().await.unwrap();
    note::job(paused.number).queue("pauses_new").enqueue(&db.client).await.unwrap();
    other::job(open.number).queue("pauses_new").enqueue(&db.client).await.unwrap();
    let worker = db.worker().queue("pauses_new", 5).build().await.unwrap().start();
    open.until(|probe| probe.runs().len() == 1).await;
    assert_eq!(paused.runs().len(), 0);
    db.client.kind("pauses_note").resume().await.unwrap();
    paused.until(|probe| probe.runs().len() == 1).await;
    worker.shutdown().await.unwrap();
}

on_one_shard!(lane_is_unmarked_by_a_claim_that_takes_jobs);
async fn lane_is_unmarked_by_a_claim_that_takes_jobs(db: TestDb) {
    db.run("select pgjobq.register_worker(0::smallint, 7, 'mine')").await;
    let claim = "select count(id) from pgjobq.claim(0::smallint, (select id from pgjobq.queues where name = 'default'), 7, 77, true, '{pauses_nothing}', 5, '{0,0,0,0}', null, null)";
    let marked = "select count(*) from pgjobq.lanes l join pgjobq.queues q on q.id = l.queue_id
                   where q.name = 'default' and may_be_paused";
    assert_eq!((db.number(claim).await, db.number(marked).await), (0, 1));
    do_nothing::enqueue(&db.client).await.unwrap();
    assert_eq!((db.number(claim).await, db.number(marked).await), (1, 0));
    db.client.key("some").pause().await.unwrap();
    assert_eq!(db.number(marked).await, 1);
    do_nothing::enqueue(&db.client).await.unwrap();
    assert_eq!((db.number(claim).await, db.number(marked).await), (1, 1));
}

on_one_shard!(lane_born_while_a_pause_is_made_obeys_it);
async fn lane_born_while_a_pause_is_made_obeys_it(db: TestDb) {
    let mut gate = db.pool.begin().await.unwrap();
    sqlx::query("select pg_advisory_xact_lock(4711)").execute(&mut *gate).await.unwrap();
    let pool = db.pool.clone();
    let pause = tokio::spawn(async move {
        let held =
            "begin; select pgjobq.pause('kind', 'pauses_note'); select pg_advisory_xact_lock(4711); commit";
        sqlx::raw_sql(held).execute(&pool).await.unwrap();
    });
    db.until(
        "exists (select from pg_locks where locktype = 'advisory' and objid = 4711 and not granted
                    and database = (select oid from pg_database where datname = current_database()))",
    )
    .await;
    // The pause has marked all lanes that it sees. This one comes later, and a claim in it sees no pause.
    db.client.queue("pauses_late").save().await.unwrap();
    db.run("select pgjobq.register_worker(0::smallint, 7, 'mine')").await;
    let claim = "select count(c.id) from pgjobq.queues q, lateral pgjobq.claim(0::smallint, q.id, 7, 77, true,
                        '{pauses_note,pauses_other}', 5, '{0,0,0,0}', null, null) c where q.name = 'pauses_late'";
    other::job(0).queue("pauses_late").enqueue(&db.client).await.unwrap();
    assert_eq!(db.number(claim).await, 1);
    gate.rollback().await.unwrap();
    pause.await.unwrap();
    note::job(0).queue("pauses_late").enqueue(&db.client).await.unwrap();
    assert_eq!(db.number(claim).await, 0);
}

on_one_shard!(deleted_queue_loses_its_pause);
async fn deleted_queue_loses_its_pause(db: TestDb) {
    db.client.queue("pauses_gone").save().await.unwrap();
    db.client.queue("pauses_gone").pause().await.unwrap();
    assert!(db.client.queue("pauses_gone").delete().await.unwrap());
    db.client.queue("pauses_gone").save().await.unwrap();
    assert_eq!(db.client.pauses().await.unwrap(), []);
}

on_one_shard!(pauses_are_listed_with_their_reasons);
async fn pauses_are_listed_with_their_reasons(db: TestDb) {
    db.client.queue("default").pause().because("the provider is down").by("ada").await.unwrap();
    db.client.key("tenant:42").pause().until(SystemTime::now() + Duration::from_secs(3600)).await.unwrap();
    // A second pause replaces the first one.
    db.client.queue("default").pause().because("it is still down").by("bob").await.unwrap();
    let pauses = db.client.pauses().await.unwrap();
    let [key, queue] = &pauses[..] else { panic!("{pauses:?}") };
    assert_eq!((queue.scope, &*queue.name, &*queue.by), (PauseScope::Queue, "default", "bob"));
    let role = db.text("select current_user").await;
    assert_eq!((key.scope, &key.by, &key.role, &key.reason), (PauseScope::Key, &role, &role, &None));
    assert_eq!(
        queue.to_string(),
        "the queue `default` is paused by bob, because it is still down, until somebody resumes it"
    );
    let until =
        "select to_char(until at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') from pgjobq.pauses";
    let until = db.text(&format!("{until} where scope = 'key'")).await;
    assert_eq!(key.to_string(), format!("the key `tenant:42` is paused by {role}, until {until}"));
    assert!(db.client.queue("default").resume().await.unwrap());
    assert!(!db.client.queue("default").resume().await.unwrap(), "it is not paused any more");
    assert!(!db.client.kind("pauses_note").resume().await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reason_beyond_the_database_encoding_is_escaped() {
    in_time(async {
        let db = TestDb::encoded("LATIN1").await;
        let queue = db.client.queue("pauses_latin");
        db.client.queue("pauses_latin").save().await.unwrap();
        queue.pause().because("no ✗").by("zoë").await.unwrap();
        queue.pause().because("no ✗").by("✗").await.unwrap();
        let pause = db.client.pauses().await.unwrap().remove(0);
        assert_eq!((pause.reason.as_deref(), &*pause.by), (Some("no \\u{2717}"), "\\u{2717}"));
        queue.change().limit(3).by("✗").await.unwrap();
        let settings = queue.settings().await.unwrap().unwrap();
        assert_eq!(settings.limit.by_operator.unwrap().by, "\\u{2717}");
        for outcome in ["zoë: done", "no ✗"] {
            db.client.audit("cancel", "all").note().await.unwrap().end(outcome).await.unwrap();
        }
        let records = db.client.audit_records(None, 2).await.unwrap();
        let outcomes: Vec<_> = records.iter().filter_map(|record| record.outcome.as_deref()).collect();
        assert_eq!(outcomes, ["no \\u{2717}", "zoë: done"]);
        let cancelled = db.client.jobs(all()).cancel().by("✗").because("no ✗").await.unwrap();
        assert_eq!((cancelled.reason.as_deref(), &*cancelled.asked_by), (Some("no \\u{2717}"), "\\u{2717}"));
    })
    .await;
}

on_one_shard!(pause_of_one_key_too_many_is_refused);
async fn pause_of_one_key_too_many_is_refused(db: TestDb) {
    db.run("insert into pgjobq.pauses (scope, name, paused_by) select 'key', 'k' || n, 'ada' from generate_series(1, 200) n")
        .await;
    let error = db.client.key("tenant:1").pause().await.unwrap_err();
    assert!(
        error.to_string().contains("the key 'tenant:1' cannot be paused, because 200 others are"),
        "{error}"
    );
    assert_eq!(db.number("select count(*) from pgjobq.pauses").await, 200);
    // Such a pause may be changed, and one that is over makes room.
    db.client.key("k7").pause().because("still broken").await.unwrap();
    db.run("update pgjobq.pauses set until = now() - interval '1 second' where name = 'k1'").await;
    db.client.key("tenant:1").pause().await.unwrap();
    db.client.kind("of_a_program_to_come").pause().await.unwrap();
    db.client.queue("default").pause().await.unwrap();
}

on_one_shard!(impossible_pauses_are_refused);
async fn impossible_pauses_are_refused(db: TestDb) {
    let client = &db.client;
    let unknown = client.queue("no_such").pause().await.unwrap_err();
    assert!(matches!(&unknown, PauseError::UnknownQueue(queue) if queue == "no_such"), "{unknown}");
    assert!(unknown.to_string().contains("client.queue(\"no_such\").save()"), "{unknown}");
    assert!(matches!(client.kind("no spaces").pause().await, Err(PauseError::Name(_))));
    let misspelt = client.queue("defualt").resume().await;
    assert!(matches!(&misspelt, Err(PauseError::UnknownQueue(queue)) if queue == "defualt"), "{misspelt:?}");
    assert!(matches!(client.kind("no spaces").resume().await, Err(PauseError::Name(_))));
    assert!(matches!(client.key("").resume().await, Err(PauseError::Key(0))));
    assert!(matches!(client.key("").pause().await, Err(PauseError::Key(0))));
    assert!(matches!(client.key("k".repeat(201)).pause().await, Err(PauseError::Key(201))));
    assert!(matches!(client.key("a\0b").pause().await, Err(PauseError::Key(3))));
    let past = client.queue("default").pause().until(SystemTime::now() - Duration::from_secs(1)).await;
    assert!(matches!(past, Err(PauseError::Over { .. })));
    client.kind("of_a_program_to_come").pause().await.unwrap();
    let hostile = "'); drop table pgjobq.jobs; --";
    client.key(hostile).pause().because(hostile).by(hostile).await.unwrap();
    assert_eq!(client.pauses().await.unwrap()[1].name, hostile);
    // The lanes stay locked until the transaction ends.
    for call in ["pgjobq.pause('queue', 'default')", "pgjobq.resume('queue', 'default')"] {
        let mut open = db.pool.begin().await.unwrap();
        let error = sqlx::raw_sql(sqlx::AssertSqlSafe(format!("select {call}"))).execute(&mut *open).await;
        assert!(error.unwrap_err().to_string().contains("a transaction of its own"));
    }
    let error = sqlx::raw_sql("select pgjobq.pause('quee', 'default')").execute(&db.pool).await.unwrap_err();
    assert!(error.to_string().contains("a queue, a kind or a key can be paused, not 'quee'"), "{error}");
}

on_one_shard!(pause_of_more_than_a_century_is_refused);
async fn pause_of_more_than_a_century_is_refused(db: TestDb) {
    for until in ["'infinity'", "now() + interval '101 years'", "'200000-01-01Z'"] {
        let sql = format!("select pgjobq.pause('queue', 'default', {until})");
        let error = sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&db.pool).await.unwrap_err();
        let error = error.into_database_error().unwrap().downcast::<sqlx::postgres::PgDatabaseError>();
        assert!(error.message().starts_with("a pause of more than a hundred years: until "), "{error}");
        assert_eq!(error.hint(), Some("Leave the time out: then it lasts until somebody resumes it."));
    }
    let year = Duration::from_secs(366 * 86_400);
    for years in [101, 10_000, 400_000] {
        let until = SystemTime::now() + years * year;
        let error = db.client.queue("default").pause().until(until).await.unwrap_err();
        assert!(matches!(error, PauseError::TooLong { .. }), "{error}");
    }
    assert_eq!(db.client.pauses().await.unwrap(), []);
    db.client.queue("default").pause().until(SystemTime::now() + 99 * year).await.unwrap();
    assert_eq!(db.client.pauses().await.unwrap().len(), 1);
}
