//! Databases of tests on a server of their own.

#![allow(clippy::unwrap_used)]

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};

use super::keeper::Keeper;
use crate::dev::{Server, ServerOptions};

/// Returns the names of all databases of test kits.
async fn databases(server: &Server) -> Vec<String> {
    let mut connection = options(server).connect().await.unwrap();
    let names = "select datname from pg_database where datname like 'pgjobq%' order by oid";
    let names = sqlx::query_scalar(names).fetch_all(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    names
}

async fn execute(server: &Server, statement: &str) {
    let mut connection = options(server).connect().await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

fn options(server: &Server) -> PgConnectOptions {
    server.url("postgres").parse().unwrap()
}

/// Ends a keeper where its thread may be waited for, and waits until the server has noticed.
async fn end(keeper: Keeper, server: &Server, others: i64) {
    tokio::task::spawn_blocking(|| drop(keeper)).await.unwrap();
    let mut connection = options(server).connect().await.unwrap();
    let keepers = "select count(distinct application_name) from pg_stat_activity
         where application_name like 'pgjobq\\_kit\\_%'";
    while sqlx::query_scalar::<_, i64>(keepers).fetch_one(&mut connection).await.unwrap() > others {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    connection.close().await.unwrap();
}

#[tokio::test]
async fn next_run_takes_spares_and_drops_what_is_left() {
    let server = Server::start(ServerOptions::fast()).await.unwrap();
    let keeper = Keeper::start(options(&server)).unwrap();
    let (one, other) = (keeper.make(None).await.unwrap(), keeper.make(None).await.unwrap());
    let copy = keeper.make(Some(one.clone())).await.unwrap();
    keeper.keep(other.clone(), "kept by pgjobq: a test failed".to_owned()).await;
    keeper.drop_database(copy.clone());
    end(keeper, &server, 0).await;
    let left = databases(&server).await;
    let count = |prefix: &str| left.iter().filter(|name| name.starts_with(prefix)).count();
    assert_eq!((count("pgjobq_template_"), count("pgjobq_spare_")), (1, 2), "{left:?}");
    assert!(left.contains(&one) && left.contains(&other) && !left.contains(&copy), "{left:?}");

    // `one` was never dropped, as if its process had been killed. Other databases are nobody's but their owner's.
    for foreign in ["pgjobq", "pgjobq_production", "pgjobq_kit"] {
        execute(&server, &format!("create database {foreign}")).await;
    }
    execute(&server, "create database pgjobq_template_0123456789abcdef").await;
    execute(&server, "create database pgjobq_spare_0123456789abcdef_1").await;
    let keeper = Keeper::start(options(&server)).unwrap();
    let taken = keeper.make(None).await.unwrap();
    end(keeper, &server, 0).await;
    let left = databases(&server).await;
    assert!(!left.contains(&one), "what a dead process has left is dropped: {left:?}");
    assert!(left.contains(&other), "a failed test's is kept: {left:?}");
    assert!(left.contains(&taken), "{left:?}");
    assert!(!left.iter().any(|name| name.contains("0123456789abcdef")), "nobody has that schema: {left:?}");
    for foreign in ["pgjobq", "pgjobq_production", "pgjobq_kit"] {
        assert!(left.iter().any(|name| name == foreign), "{foreign} is not ours: {left:?}");
    }
}

#[tokio::test]
async fn living_process_keeps_its_databases() {
    let server = Server::start(ServerOptions::fast()).await.unwrap();
    let keeper = Keeper::start(options(&server)).unwrap();
    let made = keeper.make(None).await.unwrap();
    for _ in 0..2 {
        let second = Keeper::start(options(&server)).unwrap();
        let other = second.make(None).await.unwrap();
        second.drop_database(other);
        end(second, &server, 1).await;
        assert!(databases(&server).await.contains(&made));
    }
    end(keeper, &server, 0).await;
}

#[tokio::test]
async fn kept_database_is_replaced_by_the_next_failure() {
    let server = Server::start(ServerOptions::fast()).await.unwrap();
    let keeper = Keeper::start(options(&server)).unwrap();
    let mut kept = Vec::new();
    for test in ["it's a test", "it's a test", "another"] {
        let name = keeper.make(None).await.unwrap();
        keeper.keep(name.clone(), format!("kept by pgjobq: {test} failed")).await;
        kept.push(name);
    }
    end(keeper, &server, 0).await;
    let left = databases(&server).await;
    assert_eq!(
        kept.iter().map(|name| left.contains(name)).collect::<Vec<_>>(),
        [false, true, true],
        "{left:?}"
    );
}

#[tokio::test]
async fn server_that_refuses_is_reported() {
    let unreachable: PgConnectOptions = "postgres://127.0.0.1:1/nowhere".parse().unwrap();
    let keeper = Keeper::start(unreachable).unwrap();
    let error = keeper.make(None).await.unwrap_err();
    assert!(matches!(error, sqlx::Error::Io(_)), "{error}");
    tokio::task::spawn_blocking(|| drop(keeper)).await.unwrap();
}
