//! Roles that may not explain statements, or not run them.

use std::sync::{Arc, Mutex};

use pgjobq::observe::ExplainSampler;
use pgjobq::prelude::*;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy};
use tokio::net::TcpListener;

use super::statements::{Hook, hooked};
use crate::harness::{self, TestDb};
use crate::proxy::{dial, through};

/// What the sampler sends, and what arrives instead: a statement of the same length, which needs a right to create tables.
const SENT: &[u8] = b"explain (format json)";
const ARRIVES: &[u8] = b"create table aaaaa as";

/// A new login role, which is dropped at the end.
struct Role(String);

impl Role {
    async fn new(db: &TestDb) -> Self {
        let name = format!("refused_{}", uuid::Uuid::new_v4().simple());
        let schema = pgjobq::schema_sql("pgjobq").unwrap();
        db.run(&schema[schema.find("-- The grants").unwrap()..]).await;
        db.run(&format!("create role {name} login")).await;
        Self(name)
    }

    async fn drop(self, db: &TestDb, pool: &PgPool) {
        pool.close().await;
        db.drop_role(&self.0).await;
    }
}

on_one_shard!(refused_statement_does_not_end_the_sampling);
async fn refused_statement_does_not_end_the_sampling(db: TestDb) {
    let role = Role::new(&db).await;
    let pool = PgPoolOptions::new().connect_with(db.options.clone().username(&role.0)).await.unwrap();
    let hook = Hook::default();
    let builder = Client::builder(pool.clone()).telemetry_hook(hook.clone());
    let client = builder.explain_sampler(ExplainSampler::one_in(1)).build().unwrap();
    // It may read what an enqueue looks up first, and not enqueue.
    db.run(&format!(
        "grant usage on schema pgjobq to {0}; grant select on all tables in schema pgjobq to {0}",
        role.0
    ))
    .await;
    let refused = hooked::enqueue(&client, 1).await.unwrap_err();
    assert!(refused.to_string().contains("permission denied"), "{refused}");
    db.run(&format!("grant pgjobq_producer to {}", role.0)).await;
    hooked::enqueue(&client, 1).await.unwrap();
    client.close().await;
    let plans = hook.plans.lock().unwrap().clone();
    assert!(plans.iter().any(|plan| plan.statement == "enqueue_one"), "{plans:?}");
    role.drop(&db, &pool).await;
}

/// On one thread, so that the subscriber of the thread sees all.
#[tokio::test]
async fn role_that_may_not_explain_is_warned_of_once() {
    let logged = Logged::default();
    let _listening = tracing::subscriber::set_default(
        tracing_subscriber::fmt().with_ansi(false).with_writer(logged.clone()).finish(),
    );
    harness::run(1, async |db| {
        let role = Role::new(&db).await;
        db.run(&format!("grant pgjobq_producer to {}", role.0)).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let options = through(listener.local_addr().unwrap(), &db.options).username(&role.0);
        let forbidding = tokio::spawn(forbid(listener, db.options.clone()));
        let pool = PgPoolOptions::new().connect_with(options).await.unwrap();
        let hook = Hook::default();
        let builder = Client::builder(pool.clone()).telemetry_hook(hook.clone());
        let client = builder.explain_sampler(ExplainSampler::one_in(1)).build().unwrap();
        for number in 0..10 {
            hooked::enqueue(&client, number).await.unwrap();
        }
        client.close().await;
        assert_eq!(db.number("select count(*) from pgjobq.jobs").await, 10);
        assert!(hook.plans.lock().unwrap().is_empty());
        role.drop(&db, &pool).await;
        forbidding.abort();
    })
    .await;
    let logged = String::from_utf8(logged.0.lock().unwrap().clone()).unwrap();
    let warnings = logged.matches("may not explain statements: none is sampled").count();
    assert_eq!(warnings, 1, "{logged}");
}

/// Passes all bytes on, and puts another statement in the place of each `EXPLAIN`.
async fn forbid(listener: TcpListener, to: sqlx::postgres::PgConnectOptions) {
    loop {
        let (client, _) = listener.accept().await.unwrap();
        let (mut from_server, mut to_server) = tokio::io::split(dial(&to).await.unwrap());
        tokio::spawn(async move {
            let (mut from_client, mut to_client) = client.into_split();
            let up = async {
                let mut bytes = vec![0; 64 << 10];
                while let Ok(read @ 1..) = from_client.read(&mut bytes).await {
                    let sent = &mut bytes[..read];
                    let at = sent.windows(SENT.len()).position(|window| window == SENT);
                    if let Some(at) = at {
                        sent[at..at + SENT.len()].copy_from_slice(ARRIVES);
                    }
                    if to_server.write_all(sent).await.is_err() {
                        break;
                    }
                }
            };
            tokio::select! {
                () = up => {}
                _ = copy(&mut from_server, &mut to_client) => {}
            }
        });
    }
}

/// What was logged.
#[derive(Clone, Default)]
struct Logged(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Logged {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl tracing_subscriber::fmt::MakeWriter<'_> for Logged {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}
