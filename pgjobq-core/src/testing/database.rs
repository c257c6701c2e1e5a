//! The database of one test.

use std::sync::Arc;

use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;

use super::error::KitError;
use super::server::TestServer;
use super::sweep::KEPT;

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
        set_up: Option<(&'static str, impl FnOnce(PgConnectOptions) -> F)>,
    ) -> Result<Self, KitError> {
        let server = TestServer::shared().await?;
        let template = match set_up {
            Some((name, set_up)) => Some(template(&server, name, set_up).await?),
            None => None,
        };
        let name = server.keeper.make(template).await?;
        let options = server.options.clone().database(&name);
        Ok(Self { name: Some(name), options, server })
    }

    /// The way to connect to it.
    #[must_use]
    pub fn options(&self) -> &PgConnectOptions {
        &self.options
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> String {
        self.options.to_url_lossy().into()
    }

    /// Keeps the database of a failed test, in place of the one that the same test left before. Returns its address.
    pub async fn keep(mut self, test: &str) -> String {
        if let Some(name) = self.name.take() {
            self.server.keeper.keep(name, format!("{KEPT}{test} failed")).await;
        }
        self.url()
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        if let Some(name) = self.name.take() {
            self.server.keeper.drop_database(name);
        }
    }
}

/// Returns the name of the template that this set-up has made, or lets it make one now. Tests that come meanwhile wait.
async fn template<F: Future<Output = Result<(), String>>>(
    server: &TestServer,
    name: &'static str,
    set_up: impl FnOnce(PgConnectOptions) -> F,
) -> Result<String, KitError> {
    let mut templates = server.templates.lock().await;
    if let Some(template) = templates.get(name) {
        return Ok(template.clone());
    }
    let template = server.keeper.make(None).await?;
    if let Err(problem) = set_up(server.options.clone().database(&template)).await {
        server.keeper.drop_database(template);
        return Err(KitError::SetUp { name, problem });
    }
    templates.insert(name, template.clone());
    Ok(template)
}
