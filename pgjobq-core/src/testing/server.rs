//! The server that the tests of this process share.

use std::sync::{Arc, LazyLock, Weak};

use sqlx::postgres::PgConnectOptions;
use tokio::sync::Mutex;

use super::error::KitError;
use super::keeper::Keeper;
use super::names::any_process;
use super::reach::reach;
use crate::chain::cause;
use crate::client::parse_address;
use crate::dev::{Database, database};

/// The name of this process. It stays while tests run one after the other, and a server for each.
static PROCESS: LazyLock<String> = LazyLock::new(any_process);

/// The server that the tests of this process share, kept running while a test uses it.
#[derive(Debug)]
pub(super) struct TestServer {
    // The order in which they are dropped: the keeper ends before the server does.
    pub(super) keeper: Keeper,
    pub(super) options: PgConnectOptions,
    pub(super) database: Database,
}

impl TestServer {
    /// Joins the running server, or starts one.
    pub(super) async fn shared() -> Result<Arc<Self>, KitError> {
        static SHARED: Mutex<Weak<TestServer>> = Mutex::const_new(Weak::new());
        let mut shared = SHARED.lock().await;
        if let Some(running) = shared.upgrade() {
            return Ok(running);
        }
        let database = database().await?;
        let options = parse_address(database.url()).map_err(|error| KitError::Address(cause(&error)))?;
        if !database.is_throwaway() {
            reach(&options).await?;
        }
        let keeper = Keeper::start(options.clone(), PROCESS.clone()).map_err(KitError::Thread)?;
        let started = Arc::new(Self { keeper, options, database });
        *shared = Arc::downgrade(&started);
        Ok(started)
    }

    /// Leaves the server running when this process ends, as if it were killed. The next program that uses the server stops it.
    pub(super) fn outlive_process(self: &Arc<Self>) {
        std::mem::forget(Arc::clone(self));
    }
}
