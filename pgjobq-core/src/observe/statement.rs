//! What hooks learn of our statements.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::delivery::Sink;

/// Something that wants to know of the statements that this process sends: see
/// [`ClientBuilder::telemetry_hook`](crate::ClientBuilder::telemetry_hook).
///
/// It is called like an [`Observer`](super::Observer): in a thread of its own, after the fact, and whatever it does delays nothing.
///
/// ```no_run
/// # use pgjobq_core as pgjobq;
/// # fn example(pool: sqlx::PgPool) -> Result<(), pgjobq::ClientError> {
/// use pgjobq::Client;
/// use pgjobq::observe::{Statement, TelemetryHook};
///
/// struct SlowStatements;
///
/// impl TelemetryHook for SlowStatements {
///     fn on_statement(&self, statement: &Statement) {
///         if statement.duration.as_millis() > 100 {
///             println!("{} took {:?}", statement.name, statement.duration);
///         }
///     }
/// }
///
/// let client = Client::builder(pool).telemetry_hook(SlowStatements).build()?;
/// # Ok(())
/// # }
/// ```
pub trait TelemetryHook: Send + Sync + 'static {
    /// Takes note of a statement that was answered, or that failed.
    fn on_statement(&self, statement: &Statement);

    /// Takes note of a plan that an [`ExplainSampler`](super::ExplainSampler) got.
    fn on_plan(&self, plan: &Plan) {
        let _ = plan;
    }

    /// Takes note that this hook was too slow, so that this many statements and plans were dropped.
    fn on_dropped(&self, count: u64) {
        let _ = count;
    }
}

/// A statement that was answered, or that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statement {
    /// Its name: `claim`, `finish`, `enqueue_one` …
    pub name: &'static str,
    /// The name of the worker that sent it; `None` if a client did.
    pub worker: Option<Arc<str>>,
    /// The time until the answer was complete.
    pub duration: Duration,
    /// The number of rows of the answer.
    pub rows: u64,
    /// The SQLSTATE of the error, if it failed. Without one it is `connection`, or `unanswered` if nobody waited for the answer any
    /// more.
    pub error: Option<Arc<str>>,
}

/// The plan of a statement, or of one inside a function.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Plan {
    /// The name of the statement that was sent.
    pub statement: &'static str,
    /// The name of the worker that sent it; `None` if a client did.
    pub worker: Option<Arc<str>>,
    /// True if it was executed, so that the plan has times, rows, buffers and WAL; false if it was only planned.
    pub analyzed: bool,
    /// True if it is the plan of a statement inside a function.
    pub inner: bool,
    /// The text of the statement that was planned.
    pub query: String,
    /// The plan as PostgreSQL prints it with `format json`: an object with the key `Plan`. It may contain values of the statement.
    pub json: Value,
}

/// An item for a hook.
#[derive(Debug)]
pub(crate) enum Seen {
    Statement(Statement),
    Plan(Box<Plan>),
}

impl Sink<Seen> for Box<dyn TelemetryHook> {
    fn deliver(&self, seen: &Seen) {
        match seen {
            Seen::Statement(statement) => self.on_statement(statement),
            Seen::Plan(plan) => self.on_plan(plan),
        }
    }

    /// A plan is counted by its bytes, because it may have a megabyte of them.
    fn size(seen: &Seen) -> usize {
        match seen {
            Seen::Statement(_) => 1,
            Seen::Plan(plan) => 1 + (plan.query.len() + bytes(&plan.json)) / 150,
        }
    }

    fn dropped(&self, count: u64) {
        self.on_dropped(count);
    }
}

/// The approximate memory of a value.
fn bytes(json: &Value) -> usize {
    let inner = match json {
        Value::Array(values) => values.iter().map(bytes).sum(),
        Value::Object(fields) => fields.iter().map(|(name, value)| 24 + name.len() + bytes(value)).sum(),
        Value::String(text) => text.len(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    };
    size_of::<Value>() + inner
}
