//! The server that the tests of this process share.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use sqlx::postgres::PgConnectOptions;
use tokio::sync::Mutex;

use super::error::KitError;
use super::keeper::Keeper;
use crate::dev::{Database, database};

/// The server that the tests of this process share, kept running while a test uses it.
#[derive(Debug)]
pub(super) struct TestServer {
    // The order in which they are dropped: the keeper ends before the server does.
    pub(super) keeper: Keeper,
    /// The templates that a set-up of the tests' own has made, by its name.
    pub(super) templates: Mutex<HashMap<&'static str, String>>,
    pub(super) options: PgConnectOptions,
    _database: Database,
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
        let options: PgConnectOptions = database.url().parse()?;
        let keeper = Keeper::start(options.clone()).map_err(KitError::Thread)?;
        let started = Arc::new(Self { keeper, templates: Mutex::default(), options, _database: database });
        *shared = Arc::downgrade(&started);
        Ok(started)
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        let templates = std::mem::take(self.templates.get_mut());
        templates.into_values().for_each(|template| self.keeper.drop_database(template));
    }
}
