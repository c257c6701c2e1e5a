//! A screen: what it shows is loaded once, and answered as a page or as JSON.

use std::future::Future;
use std::sync::Arc;

use askama::Template;
use axum::http::header::CONTENT_TYPE;
use axum::http::{StatusCode, Uri};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use serde::Serialize;

use crate::board::Board;
use crate::params::Params;
use crate::problem::Problem;
use crate::task::to_its_end;
use crate::visit::Visit;

/// A screen of the dashboard.
pub(crate) trait Screen: Template + Serialize + Sized + Send + 'static {
    /// Loads what it shows.
    fn load(visit: Visit, params: Params) -> impl Future<Output = Result<Self, Problem>> + Send;

    /// Returns it if all that it shows is at hand, so that it need not wait for a turn at the database.
    fn at_hand(_: &Visit) -> Option<Self> {
        None
    }
}

/// Adds a screen: as a page at this path, and as JSON at the same path below `/api`.
pub(crate) fn add<S: Screen>(router: Router<Arc<Board>>, path: &str) -> Router<Arc<Board>> {
    router.route(path, get(page::<S>)).route(&format!("/api{path}"), get(json::<S>))
}

/// Answers with a page.
pub(crate) async fn page<S: Screen>(Extension(visit): Extension<Visit>, uri: Uri) -> Response {
    match load::<S>(&visit, &uri).await {
        Ok(screen) => rendered(&visit, StatusCode::OK, &screen),
        Err(problem) => answer_problem(&visit, problem),
    }
}

async fn json<S: Screen>(Extension(visit): Extension<Visit>, uri: Uri) -> Response {
    match load::<S>(&visit, &uri).await {
        Ok(screen) => answer_json(StatusCode::OK, &screen),
        Err(problem) => answer_problem(&visit, problem),
    }
}

async fn load<S: Screen>(visit: &Visit, uri: &Uri) -> Result<S, Problem> {
    if let Some(screen) = S::at_hand(visit) {
        return Ok(screen);
    }
    let params = Params::of_form(uri.query().unwrap_or_default().as_bytes());
    let turn = visit.board().turn(visit.name()).await?;
    to_its_end(turn, visit.board().statement_timeout, S::load(visit.clone(), params)).await
}

fn rendered(visit: &Visit, status: StatusCode, page: &impl Template) -> Response {
    match page.render() {
        Ok(html) => (status, Html(html)).into_response(),
        Err(error) => {
            tracing::error!(%error, user = visit.name(), "a page of the dashboard could not be rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// Answers with JSON.
pub(crate) fn answer_json(status: StatusCode, value: &impl Serialize) -> Response {
    match serde_json::to_string(value) {
        Ok(json) => (status, [(CONTENT_TYPE, "application/json")], json).into_response(),
        Err(error) => {
            tracing::error!(%error, "an answer of the dashboard could not be written as JSON");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// The page of a problem.
#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage {
    visit: Visit,
    problem: String,
    is_missing: bool,
}

#[derive(Serialize)]
struct ProblemJson {
    error: String,
}

/// Answers with a problem, as a page or as JSON.
pub(crate) fn answer_problem(visit: &Visit, problem: Problem) -> Response {
    if let Problem::Database(error) | Problem::Unreachable(error) = &problem {
        tracing::warn!(%error, "the database failed a request of the dashboard");
    }
    let status = problem.status();
    let text = visit.told(&problem);
    if visit.is_json() {
        return answer_json(status, &ProblemJson { error: text });
    }
    let is_missing = status == StatusCode::NOT_FOUND;
    rendered(visit, status, &ProblemPage { visit: visit.clone(), problem: text, is_missing })
}
