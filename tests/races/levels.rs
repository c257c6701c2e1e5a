//! The isolation of our own transactions: READ COMMITTED, regardless of the default of a role or a database.

use std::time::Duration;

use pgjobq::prelude::*;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::operation::Isolation;
use crate::operations::named;
use crate::pause;
use crate::server::Databases;
use crate::session::{Ending, Session};

/// The time limit of a job on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

#[job(retries = 1, backoff = "1ms")]
async fn succeed_at_last(ctx: JobContext) -> Result<u32> {
    if ctx.failures() == 0 {
        return Err(JobError::from("once"));
    }
    Ok(ctx.attempt())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_own_connections_are_read_committed_whatever_the_roles_default() {
    let databases = Databases::start().await;
    for level in [Isolation::RepeatableRead, Isolation::Serializable] {
        let name = level.to_string().replace(' ', "_");
        let options = databases.create(&name).await.username(&name);
        let role = format!(
            "create role {name} superuser login; alter role {name} set default_transaction_isolation = '{level}'"
        );
        databases.run(&name, &role).await;
        a_job_runs(options, level).await;
    }
}

async fn a_job_runs(options: PgConnectOptions, level: Isolation) {
    let pool = PgPoolOptions::new().max_connections(4).connect_with(options).await.unwrap();
    let default: String = sqlx::query_scalar("show transaction_isolation").fetch_one(&pool).await.unwrap();
    assert_eq!(default, level.to_string(), "the application's connections are as they were");
    let client = Client::new(pool.clone());
    client.migrate().await.unwrap();
    let worker = Worker::builder(&client).queue("default", 4).build().await.unwrap().start();
    let handle = succeed_at_last::enqueue(&client).await.unwrap();
    match handle.wait_timeout(&client, PATIENCE).await {
        Ok(Outcome::Completed(attempt)) => assert_eq!(attempt, 2),
        other => panic!("at {level}: {other:?}, {:?}", handle.status(&client).await),
    }
    worker.shutdown().await.unwrap();
    pool.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claim_and_finish_refuse_another_isolation() {
    let databases = Databases::start().await;
    let options = databases.create("races").await;
    databases.run("races", &pause::with_pauses(&pause::shipped())).await;
    databases.run("races", "select races.reset(false, '{}', '{}')").await;
    let mut session = Session::open(&options, 1).await;
    let claim = "a claim needs READ COMMITTED: an older snapshot would not see the latest leases";
    let finish = "a finish needs READ COMMITTED: it must see the lease as it is";
    for (name, refusal) in [("claim", claim), ("claim quarantined jobs", claim), ("complete", finish)] {
        for level in [Isolation::RepeatableRead, Isolation::Serializable] {
            match session.carry_out(&named(name).script(1, level)).await {
                Ending::Failed { message, .. } => assert_eq!(message, refusal),
                Ending::Answered(answer) => panic!("`{name}` at {level} answered {answer}"),
            }
        }
        let allowed = session.carry_out(&named(name).script(1, Isolation::ReadCommitted)).await;
        assert!(matches!(allowed, Ending::Answered(_)), "`{name}`: {allowed:?}");
    }
}
