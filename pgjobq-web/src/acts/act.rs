//! An action: it is checked, recorded, done, and answered as a redirect or as JSON.

use std::future::Future;
use std::sync::Arc;

use axum::body::Bytes;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderMap, LOCATION};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Extension, Router};
use pgjobq::ActionId;
use serde::Serialize;

use crate::board::Board;
use crate::params::Params;
use crate::problem::Problem;
use crate::said::Said;
use crate::screen::{answer_json, answer_problem};
use crate::show::link::link;
use crate::task::to_its_end;
use crate::token::is_same;
use crate::user::Permission;
use crate::visit::Visit;

/// Something that a user asks for.
pub(crate) trait Act: Sized + Send + 'static {
    /// Reads the request.
    fn read(params: &Params) -> Result<Self, Problem>;

    /// The permission that the user needs.
    fn permission(&self) -> Permission;

    /// The word for it, its subject, and the reason, for the audit trail.
    fn record(&self) -> Record;

    /// Does it.
    fn run(self, visit: &Visit) -> impl Future<Output = Result<Done, Problem>> + Send;
}

/// An entry of the audit trail.
pub(crate) struct Record {
    pub(crate) action: String,
    pub(crate) subject: String,
    pub(crate) reason: Option<String>,
}

/// The outcome of an action.
#[derive(Serialize)]
pub(crate) struct Done {
    /// The outcome, as a sentence.
    pub(crate) outcome: String,
    /// The page to see next: a relative link.
    #[serde(skip)]
    pub(crate) next: String,
    /// The number of an action on many jobs that was started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) action: Option<String>,
}

impl Done {
    pub(crate) fn new(outcome: impl Into<String>, next: String) -> Self {
        Self { outcome: outcome.into(), next, action: None }
    }

    /// The outcome that the workers go on with an action: the next page shows its progress.
    pub(super) fn goes_on(action: ActionId, outcome: &str) -> Self {
        let id = action.to_string();
        let next = link("action", &[("id", &id)]);
        Self { outcome: format!("Action {id} {outcome}"), next, action: Some(id) }
    }
}

/// Adds an action, for forms at this path and for JSON at the same path below `/api`.
pub(super) fn add<A: Act>(router: Router<Arc<Board>>, path: &str) -> Router<Arc<Board>> {
    router.route(path, post(from_form::<A>)).route(&format!("/api{path}"), post(from_json::<A>))
}

async fn from_form<A: Act>(Extension(visit): Extension<Visit>, body: Bytes) -> Response {
    let params = Params::of_form(&body);
    match checked::<A>(&visit, &params).await {
        Ok(done) => {
            let mut response = (StatusCode::SEE_OTHER, [(LOCATION, done.next)]).into_response();
            response.extensions_mut().insert(Said(done.outcome));
            response
        }
        Err(problem) => answer_problem(&visit, problem),
    }
}

async fn from_json<A: Act>(Extension(visit): Extension<Visit>, headers: HeaderMap, body: Bytes) -> Response {
    // A form of another site cannot have this type.
    let media_type = headers.get(CONTENT_TYPE).and_then(|media_type| media_type.to_str().ok());
    let is_json = media_type.is_some_and(|media_type| media_type.starts_with("application/json"));
    let wrong = || Problem::Invalid("the `Content-Type` is not `application/json`".to_owned());
    let params = if is_json { Params::of_json(&body) } else { Err(wrong()) };
    let done = match params {
        Ok(params) => checked::<A>(&visit, &params).await,
        Err(problem) => Err(problem),
    };
    match done {
        Ok(done) => answer_json(StatusCode::OK, &done),
        Err(problem) => answer_problem(&visit, problem),
    }
}

/// Checks the request, and does what it asks for.
async fn checked<A: Act>(visit: &Visit, params: &Params) -> Result<Done, Problem> {
    if !is_same(params.maybe("token").unwrap_or_default(), visit.token()) {
        return Err(Problem::Forged);
    }
    let act = A::read(params)?;
    let permission = act.permission();
    if !visit.may(permission) {
        return Err(Problem::NotAllowed(permission));
    }
    let turn = visit.board().turn_to_act(visit.name()).await?;
    let (limit, visit) = (visit.board().statement_timeout, visit.clone());
    to_its_end(turn, limit, async move { recorded(act, &visit).await }).await
}

/// Records an action, does it, and records its outcome.
async fn recorded<A: Act>(act: A, visit: &Visit) -> Result<Done, Problem> {
    let Record { action, subject, reason } = act.record();
    let mut audit = visit.board().client.audit(action, subject).by(visit.name());
    if let Some(reason) = reason {
        audit = audit.because(reason);
    }
    let noted = audit.note().await?;
    let done = act.run(visit).await;
    visit.board().lists.note_change();
    let outcome = done
        .as_ref()
        .map_or_else(|problem| format!("failed: {}", problem.without_details()), |done| done.outcome.clone());
    if let Err(error) = noted.end(&outcome).await {
        tracing::warn!(%error, user = visit.name(), outcome, "the outcome of an action is missing in its audit record");
    }
    done
}
