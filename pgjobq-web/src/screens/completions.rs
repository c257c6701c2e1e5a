//! What the text of a filter may go on with, for the field for filters.

use axum::Extension;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use serde::Serialize;

use crate::completion;
use crate::completion::names::Names;
use crate::params::Params;
use crate::problem::Problem;
use crate::screen::{answer_json, answer_problem};
use crate::task::to_its_end;
use crate::visit::Visit;

#[derive(Serialize)]
struct Completions {
    completions: Vec<String>,
}

pub(crate) async fn completions(Extension(visit): Extension<Visit>, uri: Uri) -> Response {
    let params = Params::of_form(uri.query().unwrap_or_default().as_bytes());
    match of(&visit, params.exact("filter").unwrap_or_default()).await {
        Ok(completions) => answer_json(StatusCode::OK, &Completions { completions }),
        Err(problem) => answer_problem(&visit, problem),
    }
}

async fn of(visit: &Visit, text: &str) -> Result<Vec<String>, Problem> {
    let snapshot = match visit.board().statistics.at_hand() {
        Some(snapshot) => snapshot,
        None => {
            let turn = visit.board().turn(visit.name()).await?;
            let (limit, visit) = (visit.board().statement_timeout, visit.clone());
            to_its_end(turn, limit, async move { visit.board().statistics.current().await }).await?
        }
    };
    Ok(completion::completions(text, &Names::of(Some(&snapshot.answer))))
}
