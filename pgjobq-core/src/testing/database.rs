//! The database of one test.

use std::sync::Arc;

use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;

use super::error::KitError;
use super::server::TestServer;
use super::set_up;
use super::sweep::KEPT;

/// A database that was kept.
#[derive(Clone, Debug)]
pub struct Kept {
    /// Its address.
    pub url: String,
    /// True if the next program that uses the server stops it.
    pub is_on_throwaway_server: bool,
}

/// A database with the schema `pgjobq`, of one test. Dropping it drops the database, unless it is [kept](Self::keep).
#[derive(Debug)]
pub struct TestDatabase {
    name: Option<String>,
    options: PgConnectOptions,
    server: Arc<TestServer>,
}

impl TestDatabase {
    /// Makes one: a copy of a template, from which `set_up` has made a template first if this process has none yet. `set_up`
    /// returns an error as text.
    pub async fn make<F: Future<Output = Result<(), String>>>(
        set_up: Option<(&'static str, impl Fn(PgConnectOptions) -> F)>,
    ) -> Result<Self, KitError> {
        let server = TestServer::shared().await?;
        let name = match set_up {
            Some((name, set_up)) => set_up::copy(&server, name, set_up).await?,
            None => server.keeper.make(None).await?,
        };
        let options = server.options.clone().database(&name);
        Ok(Self { name: Some(name), options, server })
    }

    /// The way to connect to it.
    #[must_use]
    pub fn options(&self) -> &PgConnectOptions {
        &self.options
    }

    /// Its address, for libpq as well: without what only sqlx understands.
    #[must_use]
    pub fn url(&self) -> String {
        let mut url = self.options.to_url_lossy();
        let of_sqlx = |name: &str| name == "statement-cache-capacity";
        let pairs = url.query_pairs().filter(|(name, _)| !of_sqlx(name));
        let kept: Vec<_> = pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
        url.query_pairs_mut().clear().extend_pairs(kept);
        url.into()
    }

    /// Keeps the database of a failed test, in place of the one that the same test left before, and its server.
    pub async fn keep(mut self, test: &str) -> Kept {
        if let Some(name) = self.name.take() {
            self.server.keeper.keep(name, format!("{KEPT}{test} failed")).await;
        }
        self.server.outlive_process();
        Kept { url: self.url(), is_on_throwaway_server: self.server.database.is_throwaway() }
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        if let Some(name) = self.name.take() {
            self.server.keeper.drop_database(name);
        }
    }
}
