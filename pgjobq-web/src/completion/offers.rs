//! What can stand at a place of a filter.

use pgjobq::filter::{kind, queue, state};
use pgjobq::{JobState, Priority};

use super::names::Names;
use super::stage::Stage;

/// The names that are of the job itself.
const COLUMNS: [&str; 9] =
    ["kind", "queue", "state", "priority", "key", "id", "created_at", "attempts", "error"];
const STATES: [JobState; 10] = [
    JobState::Ready,
    JobState::Running,
    JobState::Scheduled,
    JobState::Limited,
    JobState::Blocked,
    JobState::Held,
    JobState::Dead,
    JobState::Completed,
    JobState::Cancelled,
    JobState::Expired,
];
const PRIORITIES: [Priority; 4] = [Priority::Low, Priority::Normal, Priority::High, Priority::Critical];

/// Returns what can stand there, as far as it is known.
pub(super) fn at(stage: &Stage<'_>, names: &Names<'_>) -> Vec<String> {
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    match stage {
        Stage::Test => tests(names),
        Stage::Operator(name) => texts(operators(name)),
        Stage::List(_) => texts(&["('"]),
        Stage::Value { name, .. } => values(name, names),
        Stage::AfterItem(_) => texts(&[", '", ")"]),
        Stage::Null => texts(&["null"]),
        Stage::Connective => texts(&["and ", "or "]),
    }
}

/// The names, and whole tests, with which most filters begin.
fn tests(names: &Names<'_>) -> Vec<String> {
    let columns = COLUMNS.map(|column| format!("{column} "));
    let states = STATES.map(|of| state(of).to_string());
    let queues = names.queues.iter().map(|name| queue(*name).to_string());
    let kinds = names.kinds.iter().map(|name| kind(*name).to_string());
    columns.into_iter().chain(states).chain(queues).chain(kinds).chain(["not ".to_owned()]).collect()
}

fn operators(name: &str) -> &'static [&'static str] {
    match column(name) {
        Some("kind" | "queue") => &["= '", "!= '", "in ('", "like '"],
        Some("key") => &["= '", "!= '", "in ('", "like '", "is null"],
        Some("state" | "id") => &["= '", "!= '", "in ('"],
        Some("priority") => &["= '", "!= '", "< '", "<= '", "> '", ">= '", "in ('"],
        Some("created_at") => &["< '", "<= '", "> '", ">= '"],
        Some("attempts") => &["= ", "!= ", "< ", "<= ", "> ", ">= "],
        Some(_) => &["contains '"],
        None => &["= ", "!= ", "< ", "<= ", "> ", ">= ", "in (", "like '", "is null", "exists"],
    }
}

fn values(name: &str, names: &Names<'_>) -> Vec<String> {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
    match column(name) {
        Some("state") => STATES.iter().map(|state| quoted(state.as_str())).collect(),
        Some("priority") => PRIORITIES.iter().map(|priority| quoted(priority.as_str())).collect(),
        Some("queue") => names.queues.iter().map(|name| quoted(name)).collect(),
        Some("kind") => names.kinds.iter().map(|name| quoted(name)).collect(),
        _ => Vec::new(),
    }
}

/// Returns the name if it is of the job itself. A quoted one is of an attribute.
fn column(name: &str) -> Option<&'static str> {
    COLUMNS.into_iter().find(|column| column.eq_ignore_ascii_case(name))
}
