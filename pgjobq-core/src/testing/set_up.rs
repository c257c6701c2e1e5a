//! The templates that set-ups of the tests' own have made.

use std::collections::BTreeMap;

use sqlx::postgres::PgConnectOptions;
use tokio::sync::Mutex;

use super::error::{KitError, NO_DATABASE, has_code};
use super::server::TestServer;

/// The templates of this process, by the names of their set-ups. They outlive the server's use by one test, so that a set-up runs once
/// also if tests run one after the other. The next run drops them.
static TEMPLATES: Mutex<BTreeMap<&'static str, String>> = Mutex::const_new(BTreeMap::new());

/// Makes a copy of what the set-up has prepared. It runs if it has not run in this process; or again, if its template is gone.
pub(super) async fn copy<F: Future<Output = Result<(), String>>>(
    server: &TestServer,
    name: &'static str,
    set_up: impl Fn(PgConnectOptions) -> F,
) -> Result<String, KitError> {
    let template = template(server, name, &set_up, None).await?;
    match server.keeper.make(Some(template.clone())).await {
        Err(error) if has_code(&error, NO_DATABASE) => {}
        made => return Ok(made?),
    }
    let template = self::template(server, name, &set_up, Some(template)).await?;
    Ok(server.keeper.make(Some(template)).await?)
}

/// Returns the template of this set-up, or lets it make one now, also if there is only the one that is `gone`. Tests that come
/// meanwhile wait.
async fn template<F: Future<Output = Result<(), String>>>(
    server: &TestServer,
    name: &'static str,
    set_up: impl Fn(PgConnectOptions) -> F,
    gone: Option<String>,
) -> Result<String, KitError> {
    let mut templates = TEMPLATES.lock().await;
    if let Some(template) = templates.get(name).filter(|template| Some(*template) != gone.as_ref()) {
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
