//! New connections like those of the application's pool: with its present options, and set up by its `after_connect`.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgConnection, PgPool};
use tokio::sync::Mutex;
use tokio::time::error::Elapsed;
use tokio::time::{sleep, timeout};

/// The time that a connection may take to open.
pub(crate) const OPEN_TIMEOUT: Duration = Duration::from_secs(5);
/// The time after which to look for the reason of a late connection. sqlx's pool retries until its time is over, and
/// then knows no reason.
const PROBE_AFTER: Duration = Duration::from_millis(500);
/// The SQLSTATE of a server whose connections are all in use.
const TOO_MANY_CONNECTIONS: &str = "53300";

/// Opens one connection as the pool would: the application may have set other credentials, or another host, since the last.
pub(crate) async fn open_like(pool: &PgPool, name: &str) -> Result<PgConnection, sqlx::Error> {
    let options = pool.connect_options().as_ref().clone().application_name(name);
    let one = like(pool).acquire_timeout(OPEN_TIMEOUT).max_connections(1).test_before_acquire(false);
    let one = one.max_lifetime(None).idle_timeout(None).connect_lazy_with(options.clone());
    let refusal = async {
        sleep(PROBE_AFTER).await;
        match refusal(&options).await {
            Some(error) => error,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        opened = one.acquire() => opened.map(PoolConnection::detach),
        error = refusal => Err(error),
    }
}

/// Returns the options and hooks of a pool, for another one that opens no connection before it needs one.
pub(crate) fn like(pool: &PgPool) -> PgPoolOptions {
    pool.options().clone().min_connections(0)
}

/// Makes a pool connect from now on like another one, if that one's options have changed since `known`.
pub(crate) fn follow(pool: &PgPool, leader: &PgPool, known: &mut Arc<PgConnectOptions>) {
    let now = leader.connect_options();
    if !Arc::ptr_eq(&now, known) {
        pool.set_connect_options(now.as_ref().clone());
        *known = now;
    }
}

/// Returns the reason why a pool had no connection in time, if the database reports one.
pub(crate) async fn reason(pool: &PgPool, error: sqlx::Error) -> sqlx::Error {
    let busy = pool.size() >= pool.options().get_max_connections();
    if busy || !matches!(error, sqlx::Error::PoolTimedOut) {
        return error;
    }
    refusal(&pool.connect_options()).await.unwrap_or(error)
}

/// Connects without the pool to read the error of the database. Returns `None` if it connects, or the database is
/// silent.
pub(crate) async fn refusal(options: &PgConnectOptions) -> Option<sqlx::Error> {
    probe(options, OPEN_TIMEOUT).await.ok()?.err()
}

/// Returns why the database cannot be reached, as soon as that is known. It never ends if the database can be reached: then the pool
/// waits for one of its own connections. Callers ask one after another, so that many who wait open one more connection, and not many.
pub(crate) async fn unreachable(pool: &PgPool, asking: &Mutex<()>) -> sqlx::Error {
    sleep(PROBE_AFTER).await;
    match away(pool, asking).await {
        Some(error) => error,
        None => std::future::pending().await,
    }
}

/// Returns why the database cannot be reached; `None` if it can be.
async fn away(pool: &PgPool, asking: &Mutex<()>) -> Option<sqlx::Error> {
    let _one = asking.lock().await;
    match probe(&pool.connect_options(), OPEN_TIMEOUT).await {
        Ok(answer) => answer.err().filter(|error| code(error).as_deref() != Some(TOO_MANY_CONNECTIONS)),
        Err(_) => {
            let silent = format!("it did not answer within {OPEN_TIMEOUT:?}");
            Some(sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, silent)))
        }
    }
}

fn code(error: &sqlx::Error) -> Option<String> {
    error.as_database_error()?.code().map(String::from)
}

/// Connects without the pool within this time, and disconnects.
async fn probe(options: &PgConnectOptions, within: Duration) -> Result<Result<(), sqlx::Error>, Elapsed> {
    let connection = match timeout(within, options.connect()).await? {
        Ok(connection) => connection,
        Err(error) => return Ok(Err(error)),
    };
    let _ = timeout(OPEN_TIMEOUT, connection.close()).await;
    Ok(Ok(()))
}
