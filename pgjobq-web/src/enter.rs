//! The way into each screen and action: who asks, and may it change anything?

use std::sync::Arc;

use axum::extract::{OriginalUri, Request, State};
use axum::http::header::{LOCATION, SET_COOKIE};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::address::{host, is_https};
use crate::board::Board;
use crate::origin::is_same;
use crate::problem::Problem;
use crate::said::Said;
use crate::screen::answer_problem;
use crate::token::Secret;
use crate::visit::Visit;

/// Asks the hook who it is, and refuses a host that is not ours and what a read-only dashboard or another site may not do.
pub(crate) async fn enter(State(board): State<Arc<Board>>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let user = match board.auth.user(parts.clone()).await {
        Ok(user) => user,
        Err(refusal) => return refusal,
    };
    if let Some(to) = to_first_page(&parts) {
        return (StatusCode::TEMPORARY_REDIRECT, [(LOCATION, to)]).into_response();
    }
    let (secret, is_https) = (Secret::of(&parts), is_https(&parts));
    let token = secret.token(user.name());
    let (path, said) = (parts.uri.path().to_owned(), Said::of(&parts.headers));
    let (had_said, is_read) = (said.is_some(), is_read(&parts));
    let visit = Visit::new(Arc::clone(&board), user, token, path, said);
    let refusal = refusal(&board, &parts);
    let mut response = match refusal {
        Some(problem) => answer_problem(&visit, problem),
        None => {
            parts.extensions.insert(visit);
            next.run(Request::from_parts(parts, body)).await
        }
    };
    let said = match response.extensions_mut().remove::<Said>() {
        Some(said) => said.to_store(is_https),
        None if had_said && is_read => Said::to_forget(is_https),
        None => None,
    };
    for cookie in [secret.to_store(), said].into_iter().flatten() {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}

/// Returns why a request is refused before anything looks at it.
fn refusal(board: &Board, request: &Parts) -> Option<Problem> {
    // A request without a readable host is not of a browser.
    match host(request).filter(|host| !board.hosts.admit(host)) {
        Some(host) => Some(Problem::OtherHost(host.to_owned())),
        None if is_read(request) => None,
        None if board.read_only => Some(Problem::ReadOnly),
        None if !is_same(request, &board.origins) => Some(Problem::OtherOrigin),
        None => None,
    }
}

fn is_read(request: &Parts) -> bool {
    request.method == Method::GET || request.method == Method::HEAD
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
