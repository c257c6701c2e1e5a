//! The way into each screen and action: who asks, and may it change anything?

use std::sync::Arc;

use axum::extract::{OriginalUri, Request, State};
use axum::http::header::{LOCATION, SET_COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::board::Board;
use crate::origin::{cookie, is_same};
use crate::problem::Problem;
use crate::screen::answer_problem;
use crate::token::Secret;
use crate::visit::Visit;

/// The cookie with the outcome of an action, for the next page.
pub(crate) const SAID: &str = "pgjobq_said";

/// Asks the hook who it is, refuses what a read-only dashboard or another site may not do, and limits what the request may cost the
/// database.
pub(crate) async fn enter(State(board): State<Arc<Board>>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let user = match board.auth.user(parts.clone()).await {
        Ok(user) => user,
        Err(refusal) => return refusal,
    };
    if let Some(to) = to_first_page(&parts) {
        return (StatusCode::TEMPORARY_REDIRECT, [(LOCATION, to)]).into_response();
    }
    let secret = Secret::of(&parts.headers);
    let token = secret.token(user.name());
    let (path, said) = (parts.uri.path().to_owned(), said(&parts));
    let (had_said, is_read) = (said.is_some(), parts.method == Method::GET || parts.method == Method::HEAD);
    let visit = Visit::new(Arc::clone(&board), user, token, path, said);
    let refusal = match is_read {
        true => None,
        false if board.read_only => Some(Problem::ReadOnly),
        false if !is_same(&parts, &board.origins) => Some(Problem::OtherOrigin),
        false => None,
    };
    let mut response = match refusal {
        Some(problem) => answer_problem(&visit, problem),
        None => {
            parts.extensions.insert(visit);
            let answer = next.run(Request::from_parts(parts, body));
            pgjobq::with_statement_timeout(board.statement_timeout, answer).await
        }
    };
    let gone = HeaderValue::from_static("pgjobq_said=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict");
    let cookies = [secret.to_store(), Some(gone).filter(|_| had_said && is_read)];
    for cookie in cookies.into_iter().flatten() {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}

/// All links are relative. So the first page is not the bare address, which may end with or without a slash: returns the way from there
/// to the first page, relative as well.
fn to_first_page(parts: &Parts) -> Option<String> {
    if !matches!(parts.uri.path(), "/" | "") {
        return None;
    }
    let outside = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |uri| &uri.0).path();
    let last = outside.rsplit('/').next().filter(|last| !last.is_empty());
    Some(last.map_or_else(|| "./overview".to_owned(), |last| format!("./{last}/overview")))
}

/// Reads the outcome of the action before. Its characters are escaped as in a query.
fn said(parts: &Parts) -> Option<String> {
    let said = cookie(&parts.headers, SAID, |value| !value.is_empty())?;
    form_urlencoded::parse(said.as_bytes()).next().map(|(said, _)| said.into_owned())
}
