//! Every connection is opened with the options that the application's pool has now.

use std::time::Duration;

use pgjobq::prelude::*;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Executor};

use crate::harness::{TestDb, in_time};
use crate::lifecycle::double;

#[job]
async fn who_writes(tx: &mut Tx) -> Result<String> {
    Ok(sqlx::query_scalar("select current_user::text").fetch_one(&mut **tx).await?)
}

/// Creates a role with this definition, and returns its name and options to connect as it.
async fn role(db: &TestDb, definition: &str) -> (String, PgConnectOptions) {
    let name = format!("pgjobq_test_{}", uuid::Uuid::new_v4().simple());
    db.run(&format!("create role {name} {definition}")).await;
    let options = db.options.clone().username(&name);
    (name, options)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rotated_credentials_reach_every_connection() {
    in_time(async {
        let db = TestDb::new(1).await;
        let (old, as_old) = role(&db, "login superuser password 'one'").await;
        let (new, as_new) = role(&db, "login superuser password 'two'").await;
        let pool =
            PgPoolOptions::new().max_connections(4).connect_with(as_old.password("one")).await.unwrap();
        let client = Client::new(pool.clone());
        let worker = Worker::builder(&client).queue("default", 5).heartbeat(Duration::from_millis(200));
        let worker = worker.poll_interval(Duration::from_millis(200)).build().await.unwrap().start();
        assert_eq!(who_writes::call(&client).await.unwrap(), old);

        pool.set_connect_options(as_new.password("two"));
        db.run(&format!("alter role {old} nologin")).await;
        db.run(&format!("select pg_terminate_backend(pid) from pg_stat_activity where usename = '{old}'"))
            .await;
        assert_eq!(who_writes::call(&client).await.unwrap(), new);
        assert_eq!(double::call(&client, 4).await.unwrap(), 8);
        for name in ["pgjobq worker", "pgjobq listener"] {
            let there =
                format!("from pg_stat_activity where usename = '{new}' and application_name = '{name}'");
            db.until(&format!("exists (select {there})")).await;
        }
        let beats = db.number("select max(beats) from pgjobq.workers").await;
        db.until(&format!("(select max(beats) from pgjobq.workers) > {beats} + 1")).await;
        assert!(worker.health().is_ready());
        worker.shutdown().await.unwrap();
        client.close().await;
        pool.close().await;
        db.drop_role(&old).await;
        db.drop_role(&new).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn role_set_by_after_connect_is_that_of_every_connection() {
    in_time(async {
        let db = TestDb::empty().await;
        let (owner, _) = role(&db, "nologin").await;
        let (app, as_app) = role(&db, "login noinherit").await;
        let database = db.text("current_database()").await;
        db.run(&format!("grant create on database {database} to {owner}; grant {owner} to {app}")).await;
        let hook = format!("set role {owner}");
        let pool = PgPoolOptions::new().max_connections(4).after_connect(move |connection, _| {
            let hook = sqlx::raw_sql(sqlx::AssertSqlSafe(hook.clone()));
            Box::pin(async move { connection.execute(hook).await.map(drop) })
        });
        let pool = pool.connect_with(as_app).await.unwrap();
        let client = Client::new(pool.clone());
        client.migrate().await.unwrap();
        let worker = Worker::builder(&client).queue("default", 5).build().await.unwrap().start();
        assert_eq!(double::call(&client, 4).await.unwrap(), 8);
        assert_eq!(who_writes::call(&client).await.unwrap(), owner);
        worker.shutdown().await.unwrap();
        client.close().await;
        pool.close().await;
        db.drop_role(&app).await;
        db.drop_role(&owner).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connection_limit_of_a_role_is_named() {
    in_time(async {
        let db = TestDb::new(1).await;
        let (name, options) = role(&db, "login connection limit 1").await;
        let held = options.connect().await.unwrap();
        let pool =
            PgPoolOptions::new().acquire_timeout(Duration::from_millis(300)).connect_lazy_with(options);
        let client = Client::new(pool);
        let said = [
            Worker::builder(&client).queue("default", 5).build().await.unwrap_err().to_string(),
            format!("{:?}", double::handle(uuid::Uuid::new_v4()).status(&client).await.unwrap_err()),
        ];
        for said in said {
            assert!(said.contains(&format!("too many connections for role \"{name}\"")), "{said}");
        }
        drop(held);
        client.close().await;
        db.drop_role(&name).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn worker_sessions_ignore_other_schemas_and_raise_on_row_security() {
    in_time(async {
        let db = TestDb::new(1).await;
        db.run(
            "create table seen (path text, security text);
             create function see() returns trigger language plpgsql as $$ begin
                 insert into public.seen values (current_setting('search_path'), current_setting('row_security'));
                 return new;
             end $$;
             create trigger see after insert on pgjobq.finished for each row execute function see()",
        )
        .await;
        let worker = db.worker().build().await.unwrap().start();
        assert_eq!(double::call(&db.client, 4).await.unwrap(), 8);
        worker.shutdown().await.unwrap();
        assert_eq!(db.text("select path || ' ' || security from seen").await, "pg_catalog, pg_temp off");
    })
    .await;
}
