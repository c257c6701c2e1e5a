//! Who asks, and the token for actions through the JSON interface.

use axum::Extension;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;

use crate::screen::answer_json;
use crate::visit::Visit;

#[derive(Serialize)]
struct Session<'v> {
    user: &'v str,
    permissions: Vec<&'static str>,
    read_only: bool,
    /// The value of `token` in each POST, together with the cookie of this answer.
    token: &'v str,
}

pub(crate) async fn session(Extension(visit): Extension<Visit>) -> Response {
    let permissions = visit.user().permissions().map(|permission| permission.as_str()).collect();
    let (user, token, read_only) = (visit.name(), visit.token(), visit.read_only());
    answer_json(StatusCode::OK, &Session { user, permissions, read_only, token })
}
