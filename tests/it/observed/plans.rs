//! Samples of plans: no statement is executed twice, and no result changes.

use std::collections::BTreeSet;
use std::time::Duration;

use pgjobq::observe::{ExplainSampler, Plan};
use pgjobq::prelude::*;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

use super::statements::{Hook, hooked};
use super::worker;
use crate::harness::TestDb;

/// The jobs of a test, and the statements that must be sampled while they run.
const JOBS: u32 = 300;
const HOT: [&str; 4] = ["claim", "finish", "enqueue_one", "enqueue_many"];

/// Enqueues and runs jobs with every statement sampled, and checks that each has run once and has its result. Returns the plans.
async fn run_sampled(db: &TestDb, pool: PgPool, sampler: ExplainSampler) -> Vec<Plan> {
    let hook = Hook::default();
    let client = Client::builder(pool).telemetry_hook(hook.clone()).explain_sampler(sampler).build().unwrap();
    let worker = worker(&client).build().await.unwrap().start();
    client.enqueue_all((1..JOBS).map(hooked::job)).await.unwrap();
    hooked::enqueue(&client, 0).await.unwrap();
    db.until("not exists (select from pgjobq.jobs)").await;
    worker.shutdown().await.unwrap();
    client.close().await;
    let ended = "select count(*) from pgjobq.finished where outcome = 'completed' and attempt = 1
                                                        and output = args -> 'number'";
    assert_eq!(db.number(ended).await, i64::from(JOBS), "each job has run once, and has its result");
    assert_eq!(db.number("select count(*) from pgjobq.leases").await, 0);
    hook.plans.lock().unwrap().clone()
}

fn names(plans: &[Plan]) -> BTreeSet<&'static str> {
    plans.iter().map(|plan| plan.statement).collect()
}

/// A pool whose connections have loaded `auto_explain`.
async fn with_auto_explain(db: &TestDb) -> PgPool {
    let name = db.text("current_database()").await;
    db.run(&format!("alter database {name} set session_preload_libraries = 'auto_explain'")).await;
    PgPoolOptions::new().max_connections(12).connect_with(db.options.clone()).await.unwrap()
}

on_one_shard!(auto_explain_sends_executed_plans_of_functions);
async fn auto_explain_sends_executed_plans_of_functions(db: TestDb) {
    let pool = with_auto_explain(&db).await;
    let folder = std::env::temp_dir().join(format!("pgjobq-plans-{}", uuid::Uuid::new_v4().simple()));
    let plans = run_sampled(&db, pool, ExplainSampler::one_in(1).write_to(&folder)).await;
    for name in HOT {
        let of = |inner| plans.iter().filter(move |plan| plan.statement == name && plan.inner == inner);
        assert!(of(false).count() > 0, "no plan of {name}: {:?}", names(&plans));
        assert!(of(true).count() > 0, "no plan inside {name}");
        assert!(of(false).all(|plan| plan.analyzed && plan.json["Plan"]["Actual Rows"].is_number()));
    }
    let inserts = |plan: &&Plan| {
        plan.inner && plan.json["Plan"]["Relation Name"] == "jobs" && plan.statement == "enqueue_one"
    };
    assert!(plans.iter().filter(inserts).count() > 0, "the insert into `jobs` is inside of a function");
    let files = std::fs::read_dir(&folder).unwrap().count();
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(files > 0 && files <= 1000, "{files}");
}

on_one_shard!(plain_explain_plans_without_executing);
async fn plain_explain_plans_without_executing(db: TestDb) {
    let plans = run_sampled(&db, db.pool.clone(), ExplainSampler::one_in(1)).await;
    for name in HOT {
        assert!(names(&plans).contains(name), "no plan of {name}: {:?}", names(&plans));
    }
    assert!(plans.iter().all(|plan| !plan.analyzed && !plan.inner && plan.json["Plan"].is_object()));
}

on_one_shard!(role_that_may_not_set_auto_explain_gets_plain_plans);
async fn role_that_may_not_set_auto_explain_gets_plain_plans(db: TestDb) {
    with_auto_explain(&db).await;
    let role = format!("plain_{}", uuid::Uuid::new_v4().simple());
    let schema = pgjobq::schema_sql("pgjobq").unwrap();
    db.run(&schema[schema.find("-- The grants").unwrap()..]).await;
    db.run(&format!("create role {role} login; grant pgjobq_worker to {role}")).await;
    let options = db.options.clone().username(&role);
    let pool = PgPoolOptions::new().max_connections(12).connect_with(options).await.unwrap();
    let plans = run_sampled(&db, pool.clone(), ExplainSampler::one_in(7)).await;
    pool.close().await;
    db.drop_role(&role).await;
    assert!(!plans.is_empty() && plans.iter().all(|plan| !plan.analyzed));
}

on_one_shard!(fast_statements_are_not_sampled);
async fn fast_statements_are_not_sampled(db: TestDb) {
    let hour = Duration::from_secs(3600);
    let plans = run_sampled(&db, db.pool.clone(), ExplainSampler::slower_than(hour)).await;
    assert_eq!(plans, []);
    let db = TestDb::new(1).await;
    let plans = run_sampled(&db, db.pool.clone(), ExplainSampler::slower_than(Duration::ZERO)).await;
    assert!(!plans.is_empty());
}
