//! An action: it is checked, recorded, done, and answered as a redirect or as JSON.

use std::future::Future;
use std::sync::Arc;

use axum::body::Bytes;
use axum::http::header::{CONTENT_TYPE, HeaderMap, LOCATION, SET_COOKIE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Extension, Router};
use serde::Serialize;

use crate::board::Board;
use crate::enter::SAID;
use crate::params::Params;
use crate::problem::Problem;
use crate::screen::{answer_json, answer_problem};
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

/// The longest outcome that a cookie carries to the next page, in bytes.
const MOST_SAID: usize = 1000;

impl Done {
    pub(crate) fn new(outcome: impl Into<String>, next: String) -> Self {
        Self { outcome: outcome.into(), next, action: None }
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
            if let Some(cookie) = said(&done.outcome) {
                response.headers_mut().append(SET_COOKIE, cookie);
            }
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

/// Checks the request, records it, and does it.
async fn checked<A: Act>(visit: &Visit, params: &Params) -> Result<Done, Problem> {
    if !is_same(params.maybe("token").unwrap_or_default(), visit.token()) {
        return Err(Problem::Forged);
    }
    let act = A::read(params)?;
    let permission = act.permission();
    if !visit.may(permission) {
        return Err(Problem::NotAllowed(permission));
    }
    let _turn = visit.board().turn().await?;
    let Record { action, subject, reason } = act.record();
    let mut audit = visit.board().client.audit(action, subject).by(visit.name());
    if let Some(reason) = reason {
        audit = audit.because(reason);
    }
    let noted = audit.note().await?;
    let done = act.run(visit).await;
    let outcome =
        done.as_ref().map_or_else(|problem| format!("failed: {problem}"), |done| done.outcome.clone());
    if let Err(error) = noted.end(&outcome).await {
        tracing::warn!(%error, user = visit.name(), outcome, "the outcome of an action is missing in its audit record");
    }
    done
}

/// Returns the cookie that carries the outcome to the next page.
fn said(outcome: &str) -> Option<HeaderValue> {
    let end = (0..=MOST_SAID.min(outcome.len())).rev().find(|end| outcome.is_char_boundary(*end))?;
    let escaped: String = form_urlencoded::byte_serialize(&outcome.as_bytes()[..end]).collect();
    let cookie = format!("{SAID}={escaped}; Path=/; Max-Age=60; HttpOnly; SameSite=Strict");
    HeaderValue::try_from(cookie).ok()
}
