//! Unusual defaults of the database role: either everything works, or the setup fails with an error that names the setting
//! to change.

use std::time::Duration;

use pgjobq::prelude::*;
use pgjobq::{CancelOutcome, RequeueOutcome};
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, PgPool};

use crate::error_text::whole;
use crate::harness::{TestDb, in_time};
use crate::lifecycle::{double, fail_twice, give_up};
use crate::probe::end_of;

#[job]
async fn witness(tx: &mut Tx) -> Result<i64> {
    Ok(sqlx::query_scalar("select 7::bigint").fetch_one(&mut **tx).await?)
}

/// A role with minimal privileges and these defaults, and a pool of its connections.
struct Role<'d> {
    db: &'d TestDb,
    name: String,
    pool: PgPool,
}

impl<'d> Role<'d> {
    async fn with(db: &'d TestDb, defaults: &[&str]) -> Self {
        let name = format!("pgjobq_test_{}", uuid::Uuid::new_v4().simple());
        db.run(&format!("create role {name} login")).await;
        for default in defaults {
            db.run(&format!("alter role {name} set {default}")).await;
        }
        let database = db.text("current_database()").await;
        db.run(&format!("grant create on database {database} to {name}")).await;
        let pool = PgPoolOptions::new().max_connections(4).connect_with(db.options.clone().username(&name));
        Self { db, pool: pool.await.unwrap(), name }
    }

    async fn drop(self) {
        self.pool.close().await;
        self.db.drop_role(&self.name).await;
    }
}

/// Runs all features, from the migration to the shutdown.
pub(crate) async fn everything_runs(pool: &PgPool) {
    let client = Client::builder(pool.clone()).shards(8).build().unwrap();
    for _ in 0..2 {
        client.migrate().await.unwrap();
    }
    let worker = Worker::builder(&client).queue("default", 20).poll_interval(Duration::from_millis(200));
    let worker = worker.build().await.unwrap().start();

    assert_eq!(double::call(&client, 21).await.unwrap(), 42);
    assert_eq!(fail_twice::call(&client).await.unwrap(), 3);
    let dead = give_up::enqueue(&client).await.unwrap();
    let Outcome::Dead(failure) = end_of(&client, &dead).await else { panic!() };
    assert_eq!(failure.message(), "there is no such account");
    let later = double::job(1).delay(Duration::from_millis(50)).enqueue(&client).await.unwrap();
    // A commit that notifies waits for those of the whole server, for longer than the shortest of these times.
    let patient = pool.connect_options().as_ref().clone().options([
        ("lock_timeout", "10s"),
        ("statement_timeout", "30s"),
        ("idle_in_transaction_session_timeout", "30s"),
    ]);
    let own = PgPool::connect_with(patient).await.unwrap();
    let mut doubled = vec![(later, 2), (double::job(2).enqueue(&own).await.unwrap(), 4)];
    let mut tx = own.begin().await.unwrap();
    doubled.push((double::job(3).enqueue(&mut *tx).await.unwrap(), 6));
    tx.commit().await.unwrap();
    let from_sql = r#"select job from pgjobq.enqueue('double', '{"number": 4}')"#.to_owned();
    let from_sql: uuid::Uuid = sqlx::query_scalar(AssertSqlSafe(from_sql)).fetch_one(&own).await.unwrap();
    doubled.push((double::handle(from_sql), 8));
    for (job, result) in &doubled {
        assert_eq!(end_of(&client, job).await, Outcome::Completed(*result));
    }
    let many: Vec<_> = (0..120).map(double::job).collect();
    let last = double::handle(many[119].job_id());
    assert_eq!(client.enqueue_all(many).await.unwrap().new, 120);
    assert_eq!(end_of(&client, &last).await, Outcome::Completed(238));
    assert_eq!(last.status(&client).await.unwrap().unwrap().state.as_str(), "completed");

    assert_eq!(witness::call(&client).await.unwrap(), 7);
    let never = double::job(5).delay(Duration::from_secs(3600)).enqueue(&client).await.unwrap();
    assert_eq!(never.cancel(&client).await.unwrap(), CancelOutcome::Cancelled);
    let never = double::job(6).delay(Duration::from_secs(3600)).enqueue(&client).await.unwrap();
    let from_sql = format!("select pgjobq.cancel('{}', 'by hand')", never.id());
    assert!(sqlx::query_scalar::<_, bool>(AssertSqlSafe(from_sql)).fetch_one(&own).await.unwrap());
    assert_eq!(end_of(&client, &never).await, Outcome::Cancelled);
    client.queue("attic").save().await.unwrap();
    let hurried = double::job(8).queue("attic").expires_in(Duration::from_millis(1));
    assert_eq!(end_of(&client, &hurried.enqueue(&client).await.unwrap()).await, Outcome::Expired);
    assert_eq!(client.dead_jobs().list(9).await.unwrap().len(), 1);
    assert_eq!(dead.requeue(&client).await.unwrap(), RequeueOutcome::Requeued);
    assert!(matches!(end_of(&client, &dead).await, Outcome::Dead(_)));
    double::job(7).delay(Duration::from_secs(3600)).enqueue(&client).await.unwrap();
    assert_eq!(client.queue("default").purge().await.unwrap(), 1);
    assert!(client.queue("default").stats().await.unwrap().is_some());

    worker.shutdown().await.unwrap();
    client.close().await;
    own.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn read_only_role_error_says_what_to_change() {
    in_time(async {
        let db = TestDb::empty().await;
        let role = Role::with(&db, &["default_transaction_read_only = on"]).await;
        let client = Client::builder(role.pool.clone()).enqueue_timeout(Duration::from_secs(8)).build().unwrap();
        let said = "nothing can be written here: it is a standby, so connect to the primary, or `default_transaction_read_only` \
                    is on, so `alter role … set default_transaction_read_only = off`";
        let migrate = client.migrate().await.unwrap_err();
        assert_eq!(migrate.to_string(), said);
        let writes = db.options.clone().username(&role.name).options([("default_transaction_read_only", "off")]);
        let writes = Client::new(PgPool::connect_with(writes).await.unwrap());
        writes.migrate().await.unwrap();
        writes.pool().close().await;
        let build = Worker::builder(&client).queue("default", 1).build().await.unwrap_err();
        assert!(build.to_string().starts_with(&format!("the worker cannot start: {said}")), "{build}");
        let refused = double::enqueue(&role.pool, 1).await.unwrap_err();
        assert_eq!(refused.to_string(), said);
        // A client retries, because a standby may take over, and finally returns the last error.
        let hurried = Client::builder(role.pool.clone()).enqueue_timeout(Duration::from_secs(8)).build().unwrap();
        let refused = double::enqueue(&hurried, 1).await.unwrap_err();
        assert!(whole(&refused).contains(said), "{}", whole(&refused));
        role.drop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn worker_sets_each_setting_that_it_relies_on() {
    in_time(async {
        let db = TestDb::empty().await;
        let defaults = [
            "statement_timeout = '20s'",
            "lock_timeout = '1s'",
            "idle_in_transaction_session_timeout = '1s'",
            "idle_session_timeout = '1h'",
            "default_transaction_isolation = serializable",
            "synchronous_commit = off",
        ];
        let role = Role::with(&db, &defaults).await;
        let client = Client::new(role.pool.clone());
        client.migrate().await.unwrap();
        db.run(
            "create table seen as select name, setting from pg_settings limit 0;
             grant insert on seen to public;
             create function see() returns trigger language plpgsql as $$ begin
                 insert into public.seen select name, current_setting(name) from pg_settings
                  where name ~ '(timeout|synchronous_commit|transaction_.*)$';
                 return new;
             end $$;
             create trigger see after insert on pgjobq.finished for each row execute function see()",
        )
        .await;
        let worker = Worker::builder(&client).queue("default", 1).build().await.unwrap().start();
        assert_eq!(double::call(&client, 21).await.unwrap(), 42);
        worker.shutdown().await.unwrap();
        for (name, setting) in [
            ("statement_timeout", "30s"),
            ("lock_timeout", "10s"),
            ("idle_in_transaction_session_timeout", "30s"),
            ("idle_session_timeout", "0"),
            ("transaction_isolation", "read committed"),
            ("transaction_read_only", "off"),
            ("synchronous_commit", "on"),
        ] {
            assert_eq!(
                db.text(&format!("select setting from seen where name = '{name}'")).await,
                setting,
                "{name}"
            );
        }
        role.drop().await;
    })
    .await;
}

/// Defines a test per setting, each in its own database.
macro_rules! everything_runs_with {
    ($($name:ident: $($default:literal),+;)+) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            in_time(async {
                let db = TestDb::empty().await;
                let role = Role::with(&db, &[$($default),+]).await;
                everything_runs(&role.pool).await;
                role.drop().await;
            })
            .await;
        }
    )+};
}

everything_runs_with! {
    serializable: "default_transaction_isolation = 'serializable'";
    serializable_and_deferrable: "default_transaction_isolation = 'serializable'", "default_transaction_deferrable = on";
    repeatable_read: "default_transaction_isolation = 'repeatable read'";
    short_statements: "statement_timeout = '3s'";
    short_locks: "lock_timeout = '1ms'";
    short_transactions: "idle_in_transaction_session_timeout = '3s'";
    short_sessions: "idle_session_timeout = '3s'";
    a_search_path_that_leads_nowhere: "search_path = nowhere";
    an_empty_search_path: "search_path = ''";
    commits_that_do_not_wait: "synchronous_commit = off";
    plans_made_anew: "plan_cache_mode = force_custom_plan";
    plans_kept: "plan_cache_mode = force_generic_plan";
    everything_compiled: "jit = on", "jit_above_cost = 0";
    // What such plans cost would let the server compile each of them, which takes a hundred times as long as they run.
    no_way_to_plan: "enable_indexscan = off", "enable_indexonlyscan = off", "enable_nestloop = off", "enable_sort = off", "jit = off";
    little_memory: "work_mem = '64kB'", "hash_mem_multiplier = 1", "temp_buffers = '800kB'";
    other_ways_to_write: "TimeZone = 'Pacific/Chatham'", "DateStyle = 'German, DMY'", "IntervalStyle = 'sql_standard'",
        "bytea_output = 'escape'", "extra_float_digits = -15", "lc_messages = 'C'", "client_min_messages = debug5",
        "client_encoding = 'LATIN1'";
    other_ways_to_read: "standard_conforming_strings = off", "backslash_quote = off", "escape_string_warning = on",
        "array_nulls = off", "transform_null_equals = on", "quote_all_identifiers = on", "xmloption = document";
    row_security_off: "row_security = off", "check_function_bodies = off", "default_toast_compression = 'pglz'";
    strict_plpgsql: "plpgsql.extra_errors = 'all'", "plpgsql.extra_warnings = 'all'", "plpgsql.check_asserts = on";
}
