//! The statements that insert a workflow: one for each thousand of its steps, all in one transaction.

use std::iter;
use std::ops::Range;

use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::types::Json;
use sqlx::{PgConnection, Postgres, Row as _};

use crate::db::columns::some_of;
use crate::db::ids::QueueId;
use crate::db::migrate::version::PROGRAM;
use crate::db::statements::Statements;
use crate::db::watch::Sender;
use crate::enqueue::edge::{self, Refused};
use crate::enqueue::full::Full;
use crate::enqueue::insert::{MAX_BYTES, MAX_ROWS, Transaction, bind_options, bind_rows, shapes};
use crate::enqueue::row::Row;
use crate::workflow::draft::Role;
use crate::workflow::plan::{Plan, PlannedStep};
use crate::{DatabaseError, EnqueueError};

/// The answer of the database.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// False if the workflow exists already. Then nothing was inserted.
    pub(crate) is_new: bool,
    /// The queues that do not exist. If there are any, the statement has inserted nothing.
    unknown: Vec<String>,
    /// The earlier jobs that cannot be waited for. If there are any, the statement has inserted nothing.
    refused: Refused,
    /// The kinds of steps that would not be on the shard of their limit. If there are any, the statement has inserted nothing.
    misplaced: Vec<String>,
    /// The queues without room for all steps. If there are any, the statement has inserted nothing.
    full: Vec<Full>,
    /// The queues in which an idle worker has to be notified; empty if the statement has notified it.
    pub(crate) wake: Vec<QueueId>,
}

/// Inserts a workflow. Without a transaction the statements would be committed one by one, so several of them need one.
pub(crate) async fn insert(
    plan: &Plan,
    connection: &mut PgConnection,
    sql: &Statements,
    transaction: Transaction,
) -> Result<Answer, EnqueueError> {
    let rows: Vec<&Row> = plan.steps.iter().map(|step| &*step.row).collect();
    let (shapes, shape_of_row) = shapes(&rows);
    let mut answer = Answer::default();
    for part in parts(&plan.steps) {
        let shaped = bind_rows(
            sqlx::query(sql.enqueue_workflow.clone()),
            &rows[part.clone()],
            &shapes, // Of the whole workflow, so that the first statement finds every unknown queue.
            shape_of_row[part.clone()].to_vec(),
        );
        let query = bind_steps(shaped, plan, part.clone(), transaction);
        let query = bind_options(query, &rows[part], &shapes);
        let row = sql.row(&mut *connection, query, Sender::IN_TRANSACTION).await;
        let row = row.map_err(|error| DatabaseError::new(error, sql.schema.as_str()))?;
        let next = Answer::read(&row).map_err(DatabaseError::Refused)?;
        if let Some(queue) = next.unknown.first() {
            return Err(EnqueueError::UnknownQueue { queue: queue.clone() });
        }
        if let Some(full) = next.full.first() {
            return Err(full.error());
        }
        for step in plan.steps.iter().filter(|_| !next.refused.is_empty()) {
            next.refused.check(step.row.kind, &step.row.edges)?;
        }
        if let Some(row) = rows.iter().find(|row| next.misplaced.iter().any(|kind| kind == row.kind)) {
            return Err(EnqueueError::Misplaced { kind: row.kind });
        }
        if !next.is_new {
            return Ok(next);
        }
        answer.is_new = true;
        answer.wake.extend(next.wake);
    }
    Ok(answer)
}

/// Returns whether one statement inserts all of it.
pub(crate) fn is_one_statement(plan: &Plan) -> bool {
    parts(&plan.steps).nth(1).is_none()
}

/// Returns the steps of each statement.
fn parts(steps: &[PlannedStep]) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    iter::from_fn(move || {
        let mut bytes = 0;
        let fits = |step: &&PlannedStep| {
            let fits = bytes < MAX_BYTES;
            bytes += step.bytes();
            fits
        };
        let count = steps[start..].iter().take(MAX_ROWS).take_while(fits).count();
        let part = start..start + count;
        start = part.end;
        (count > 0).then_some(part)
    })
}

/// Binds the other parameters.
fn bind_steps<'q>(
    query: Query<'q, Postgres, PgArguments>,
    plan: &'q Plan,
    part: Range<usize>,
    transaction: Transaction,
) -> Query<'q, Postgres, PgArguments> {
    let (first, roles) = ((plan.before as usize + part.start) as i32 + 1, plan.roles());
    // The first statement finds every unknown job.
    let later = if part.start == 0 { &plan.steps[part.end..] } else { &[] };
    let steps: Vec<&PlannedStep> = plan.steps[part].iter().collect();
    let (notify, patience) = match transaction {
        Transaction::Callers { notify } => (notify, None),
        Transaction::Ours { patience, .. } => (false, Some(patience.as_millis() as i32)),
    };
    query
        .bind(plan.id.as_uuid())
        .bind(plan.name.as_str())
        .bind(plan.steps.len() as i32 - roles)
        .bind(roles)
        .bind(plan.deadline)
        .bind((first..).take(steps.len()).collect::<Vec<i32>>())
        .bind(some_of(&steps, |step| step.name.as_deref()))
        .bind(some_of(&steps, |step| step.role.map(Role::word)))
        .bind(some_of(&steps, PlannedStep::children))
        .bind(steps.iter().map(|step| step.demands.as_str()).collect::<Vec<_>>())
        .bind(some_of(&steps, |step| step.inputs.as_deref()))
        .bind(steps.iter().map(|step| step.waits_for).collect::<Vec<_>>())
        .bind(notify)
        .bind(patience)
        .bind(PROGRAM)
        .bind(edge::to_json(
            steps.iter().map(|step| &*step.row.edges),
            later.iter().map(|step| &*step.row.edges),
        ))
}

/// Binds steps that are added to a running workflow.
pub(crate) fn bind_growth<'q>(
    query: Query<'q, Postgres, PgArguments>,
    plan: &'q Plan,
) -> Query<'q, Postgres, PgArguments> {
    let rows: Vec<&Row> = plan.steps.iter().map(|step| &*step.row).collect();
    let steps: Vec<&PlannedStep> = plan.steps.iter().collect();
    let (shapes, shape_of_row) = shapes(&rows);
    let first = plan.before as i32 + 1;
    let query = bind_rows(query, &rows, &shapes, shape_of_row)
        .bind(plan.id.as_uuid())
        .bind((first..).take(steps.len()).collect::<Vec<i32>>())
        .bind(some_of(&steps, |step| step.name.as_deref()))
        .bind(some_of(&steps, PlannedStep::children))
        .bind(steps.iter().map(|step| step.demands.as_str()).collect::<Vec<_>>())
        .bind(some_of(&steps, |step| step.inputs.as_deref()))
        .bind(steps.iter().map(|step| step.waits_for).collect::<Vec<_>>())
        .bind(edge::to_json(steps.iter().map(|step| &*step.row.edges), iter::empty()))
        .bind(PROGRAM);
    bind_options(query, &rows, &shapes)
}

impl Answer {
    fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            is_new: row.try_get("is_new")?,
            unknown: row.try_get::<Option<_>, _>("unknown")?.unwrap_or_default(),
            refused: row
                .try_get::<Option<Json<_>>, _>("refused")?
                .map(|Json(refused)| refused)
                .unwrap_or_default(),
            misplaced: row.try_get::<Option<_>, _>("misplaced")?.unwrap_or_default(),
            full: Full::read(row.try_get("full")?).map_err(|error| sqlx::Error::Decode(error.into()))?,
            wake: row.try_get::<Option<_>, _>("wake")?.unwrap_or_default(),
        })
    }
}

impl PlannedStep {
    /// The children as an array of PostgreSQL: `{2,3}`.
    fn children(&self) -> Option<String> {
        let numbers: Vec<String> = self.children.iter().map(u32::to_string).collect();
        (!numbers.is_empty()).then(|| format!("{{{}}}", numbers.join(",")))
    }
}
