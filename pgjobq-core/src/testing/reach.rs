//! The first connection to the server of `DATABASE_URL`: a server that is not there fails each test at once.
//!
//! A pool tries again after any error until its time is over, and each test would wait for that.

use std::sync::OnceLock;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection};
use tokio::time::{Instant, sleep, timeout};

use super::error::{KitError, has_code};
use crate::chain::cause;
use crate::db::error::address;
use crate::db::open::OPEN_TIMEOUT;

/// The time that a server has to finish its start.
const START_TIMEOUT: Duration = Duration::from_secs(2);
/// The pause between two tries while it starts.
const START_PAUSE: Duration = Duration::from_millis(50);
/// The server starts or stops.
const STARTING: &str = "57P03";
/// The server has no connection left. The pool waits for one.
const FULL: &str = "53300";

/// Connects to the server once. Later calls of this process return the error of the first failure, without a try.
pub(super) async fn reach(options: &PgConnectOptions) -> Result<(), KitError> {
    static FAILURE: OnceLock<String> = OnceLock::new();
    let failure = match FAILURE.get() {
        Some(known) => Some(known.clone()),
        None => failure(options).await.map(|found| FAILURE.get_or_init(|| found).clone()),
    };
    let unreachable = |reason| KitError::Unreachable { at: address(options), reason };
    failure.map_or(Ok(()), |reason| Err(unreachable(reason)))
}

/// Returns the reason why the server takes no connection. Waits only for a server that starts.
pub(super) async fn failure(options: &PgConnectOptions) -> Option<String> {
    let started = Instant::now();
    loop {
        let error = match timeout(OPEN_TIMEOUT, options.connect()).await {
            Ok(Ok(connection)) => {
                let _ = timeout(OPEN_TIMEOUT, connection.close()).await;
                return None;
            }
            Ok(Err(error)) => error,
            Err(_) => return Some(format!("no answer within {OPEN_TIMEOUT:?}")),
        };
        if has_code(&error, FULL) {
            return None;
        }
        if !has_code(&error, STARTING) || started.elapsed() > START_TIMEOUT {
            return Some(cause(&error));
        }
        sleep(START_PAUSE).await;
    }
}
