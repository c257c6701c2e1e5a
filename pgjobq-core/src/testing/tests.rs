//! Databases of tests on a server of their own.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::error::KitError;
use super::keeper::Keeper;
use super::names::{Names, any_process};
use super::reach::failure;
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

/// Starts the keeper of another process.
fn start_keeper(server: PgConnectOptions) -> Keeper {
    Keeper::start(server, any_process()).unwrap()
}

/// The name of the template with the bare schema.
fn template(server: &Server) -> String {
    Names::new(any_process(), options(server).get_username()).template()
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
    let keeper = start_keeper(options(&server));
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
    let keeper = start_keeper(options(&server));
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
    let keeper = start_keeper(options(&server));
    let made = keeper.make(None).await.unwrap();
    for _ in 0..2 {
        let second = start_keeper(options(&server));
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
    let keeper = start_keeper(options(&server));
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
async fn template_that_another_process_names_at_once_is_shared() {
    let server = Server::start(ServerOptions::fast()).await.unwrap();
    let (first, template) = (start_keeper(options(&server)), template(&server));
    let made = first.make(None).await.unwrap();
    end(first, &server, 0).await;
    execute(&server, &format!("drop database {template}")).await;

    // Another process has renamed its own, and not committed yet.
    let mut other = options(&server).connect().await.unwrap();
    let rename = format!("begin; alter database {made} rename to {template}");
    sqlx::raw_sql(AssertSqlSafe(rename)).execute(&mut other).await.unwrap();
    let second = start_keeper(options(&server));
    let commit = async {
        let mut connection = options(&server).connect().await.unwrap();
        let waits = "select exists (select from pg_stat_activity
                                     where wait_event_type = 'Lock' and query like 'alter database % rename to %')";
        while !sqlx::query_scalar::<_, bool>(waits).fetch_one(&mut connection).await.unwrap() {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        sqlx::raw_sql("commit").execute(&mut other).await.unwrap();
    };
    let (copied, ()) = tokio::join!(second.make(None), commit);
    copied.unwrap();
    end(second, &server, 0).await;
}

#[tokio::test]
async fn template_that_vanishes_is_made_again() {
    let server = Server::start(ServerOptions::fast()).await.unwrap();
    let keeper = start_keeper(options(&server));
    keeper.make(None).await.unwrap();
    execute(&server, &format!("drop database {} with (force)", template(&server))).await;
    let mut made = BTreeSet::new();
    for _ in 0..5 {
        made.insert(keeper.make(None).await.unwrap()); // More than were copied before.
    }
    assert_eq!(made.len(), 5);
    end(keeper, &server, 0).await;
}

#[tokio::test]
async fn roles_of_one_server_have_their_own_templates() {
    let server = Server::start(ServerOptions::fast()).await.unwrap();
    for role in ["one", "other"] {
        execute(&server, &format!("create role {role} login createdb")).await;
        let keeper = start_keeper(options(&server).username(role));
        for _ in 0..4 {
            keeper.make(None).await.unwrap();
        }
        end(keeper, &server, 0).await;
    }
}

#[tokio::test]
async fn role_without_the_right_is_told_which() {
    let server = Server::start(ServerOptions::fast()).await.unwrap();
    execute(&server, "create role app login").await;
    let keeper = start_keeper(options(&server).username("app"));
    let error = KitError::from(keeper.make(None).await.unwrap_err()).to_string();
    let expected = "the role of DATABASE_URL may not make the databases of tests: `alter role … createdb` lets it; or unset \
                    DATABASE_URL, and the tests start a server of their own: ";
    assert!(error.starts_with(expected), "{error}");
    end(keeper, &server, 0).await;
}

/// A server that refuses each connection with the next of these SQLSTATEs, and then with the last one. Returns its address.
async fn refusing(codes: &'static [&'static str]) -> PgConnectOptions {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        for place in 0.. {
            let (mut stream, _) = listener.accept().await.unwrap();
            let length = stream.read_u32().await.unwrap();
            stream.read_exact(&mut vec![0; length as usize - 4]).await.unwrap(); // Else the close would be a reset.
            let code = codes.get(place).or(codes.last()).unwrap();
            let fields = format!("SFATAL\0VFATAL\0C{code}\0Mrefused with {code}\0\0");
            let length = u32::try_from(4 + fields.len()).unwrap().to_be_bytes();
            stream.write_all(&[b"E", &length[..], fields.as_bytes()].concat()).await.unwrap();
        }
    });
    let options = PgConnectOptions::new_without_pgpass().host("127.0.0.1").port(port);
    options.username("kit").password("s3cret").ssl_mode(PgSslMode::Disable)
}

#[tokio::test]
async fn starting_server_is_waited_for() {
    let starting = refusing(&["57P03", "57P03", "53300"]).await;
    assert_eq!(failure(&starting).await, None, "it has started, and its connections are in use");
    let reason = failure(&refusing(&["57P03"]).await).await.unwrap();
    assert_eq!(reason, "refused with 57P03 (SQLSTATE 57P03)");
}

#[tokio::test]
async fn refusal_is_not_tried_again() {
    let reason = failure(&refusing(&["28P01", "53300"]).await).await.unwrap();
    assert_eq!(reason, "refused with 28P01 (SQLSTATE 28P01)");
    let nobody: PgConnectOptions = "postgres://kit:s3cret@127.0.0.1:1/nowhere".parse().unwrap();
    assert!(failure(&nobody).await.unwrap().contains("refused"));
}

#[tokio::test]
async fn server_that_refuses_is_reported() {
    let unreachable: PgConnectOptions = "postgres://127.0.0.1:1/nowhere".parse().unwrap();
    let keeper = start_keeper(unreachable);
    let error = keeper.make(None).await.unwrap_err();
    assert!(matches!(error, sqlx::Error::Io(_)), "{error}");
    tokio::task::spawn_blocking(|| drop(keeper)).await.unwrap();
}
