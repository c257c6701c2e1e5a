//! A statement of which a sampler wants the plan. It is executed once, and its result is the caller's.

use std::sync::Arc;

use sqlx::postgres::{PgArguments, PgRow};
use sqlx::{AssertSqlSafe, Executor as _, PgConnection, Row as _, SqlStr};

use crate::db::notices;
use crate::db::watch::Watch;
use crate::observe::sampler::{Mode, Sampling};
use crate::observe::statement::Plan;
use crate::observe::telemetry::Telemetry;

/// Begins the transaction of a sampled statement: our statements need READ COMMITTED.
const BEGIN: &str = "begin isolation level read committed";
/// A query: true if `auto_explain` is loaded, and the role may set it.
const CAN_ANALYZE: &str = "select current_setting('auto_explain.log_min_duration', true) is not null
            and bool_and(has_parameter_privilege('auto_explain.' || name, 'set'))
       from unnest('{log_min_duration,log_analyze,log_buffers,log_wal,log_timing,log_format,log_level,
                     log_nested_statements,sample_rate}'::text[]) name";
/// Has `auto_explain` send each plan as a notice, with everything but the parameters. A server that lacks a setting has another
/// version of it.
const ANALYZE: &str = "select set_config(name, value, true)
       from (values ('auto_explain.log_analyze', 'on'), ('auto_explain.log_buffers', 'on'),
                    ('auto_explain.log_wal', 'on'), ('auto_explain.log_timing', 'on'),
                    ('auto_explain.log_format', 'json'), ('auto_explain.log_level', 'notice'),
                    ('auto_explain.log_nested_statements', 'on'), ('auto_explain.sample_rate', '1'),
                    ('auto_explain.log_parameter_max_length', '0'), ('client_min_messages', 'notice'),
                    ('auto_explain.log_min_duration', '0')) s(name, value)
      where current_setting(name, true) is not null";

const NO_PERMISSION: &str = "42501";
/// sqlx has looked up the types of parameters meanwhile, with another statement without a name. It does that once.
const UNPREPARED: &str = "26000";

/// A statement of which the plan is wanted.
pub(super) struct Sample<'s> {
    pub(super) telemetry: &'s Telemetry,
    pub(super) sampling: &'s Sampling,
    pub(super) name: &'static str,
    pub(super) worker: Option<&'s Arc<str>>,
}

impl Sample<'_> {
    /// Executes the statement, and gets its plan in the best way that there is.
    pub(super) async fn run(
        self,
        connection: &mut PgConnection,
        sql: SqlStr,
        arguments: PgArguments,
        mut watch: Watch<'_>,
    ) -> Result<Vec<PgRow>, sqlx::Error> {
        if self.mode(connection).await? == Mode::Analyze && self.begin(connection).await? {
            watch.restart();
            return self.analyzed(connection, sql, arguments, watch).await;
        }
        let refused = self.explain(connection, sql.as_str(), arguments.clone()).await?;
        watch.restart();
        let answer = watch.stop(connection.fetch_all(sqlx::query_with(sql, arguments)).await);
        // A role that may not run the statement may not explain it either, but others.
        if let (Some(refused), Ok(_)) = (refused, &answer) {
            self.sampling.cannot(Mode::Off, &refused);
        }
        answer
    }

    /// Returns the way to get plans, which it finds out once.
    async fn mode(&self, connection: &mut PgConnection) -> Result<Mode, sqlx::Error> {
        if self.sampling.mode() == Mode::Unknown {
            let can: Option<bool> = connection.fetch_one(sqlx::raw_sql(CAN_ANALYZE)).await?.try_get(0)?;
            let can = can == Some(true);
            tracing::info!(auto_explain = can, "plans of statements are sampled");
            self.sampling.set_mode(if can { Mode::Analyze } else { Mode::Plan });
        }
        Ok(self.sampling.mode())
    }

    /// Begins a transaction in which `auto_explain` sends plans. Returns false, without a transaction, if it cannot be set.
    async fn begin(&self, connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
        let begin = format!("{BEGIN}; {ANALYZE}");
        match connection.execute(sqlx::raw_sql(AssertSqlSafe(begin))).await {
            Ok(_) => Ok(true),
            Err(error) if error.as_database_error().is_some() => {
                connection.execute("rollback").await?;
                self.sampling.cannot(Mode::Plan, &error);
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Executes the statement in the transaction that was begun, and ends that.
    async fn analyzed(
        self,
        connection: &mut PgConnection,
        sql: SqlStr,
        arguments: PgArguments,
        watch: Watch<'_>,
    ) -> Result<Vec<PgRow>, sqlx::Error> {
        let text = sql.as_str().to_owned();
        let run = connection.fetch_all(sqlx::query_with(sql, arguments));
        let (answer, notices) = notices::heard_during(run).await;
        let answer = watch.stop(answer);
        if answer.is_err() {
            connection.execute("rollback").await?;
            return answer;
        }
        connection.execute("commit").await?;
        self.telemetry.emit_plans(notices.iter().filter_map(|notice| self.read(notice, &text)).collect());
        answer
    }

    /// Reads a plan of `auto_explain`.
    fn read(&self, notice: &str, sent: &str) -> Option<Plan> {
        let (_, json) = notice.split_once("plan:\n")?;
        let json: serde_json::Value = serde_json::from_str(json).ok()?;
        let query = json.get("Query Text")?.as_str()?.to_owned();
        let inner = query != sent;
        Some(self.plan(true, inner, query, json))
    }

    fn plan(&self, analyzed: bool, inner: bool, query: String, json: serde_json::Value) -> Plan {
        Plan { statement: self.name, worker: self.worker.cloned(), analyzed, inner, query, json }
    }

    /// Plans the statement without executing it. An error of the server is reported, and nothing else. Returns the error if the role
    /// lacks a privilege.
    async fn explain(
        &self,
        connection: &mut PgConnection,
        sql: &str,
        arguments: PgArguments,
    ) -> Result<Option<sqlx::Error>, sqlx::Error> {
        let text = format!("explain (format json)\n{sql}");
        let mut planned = plan(connection, &text, arguments.clone()).await;
        if planned.as_ref().is_err_and(|error| code_of(error) == UNPREPARED) {
            planned = plan(connection, &text, arguments).await;
        }
        match planned {
            Ok(mut json) => {
                let json = json.get_mut(0).map(serde_json::Value::take).unwrap_or_default();
                self.telemetry.emit_plans(vec![self.plan(false, false, sql.to_owned(), json)]);
                Ok(None)
            }
            Err(error) if code_of(&error) == NO_PERMISSION => Ok(Some(error)),
            Err(error) if error.as_database_error().is_some() => {
                tracing::debug!(%error, statement = self.name, "a statement was not explained");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// Returns the plan of one statement. It is not kept among the prepared statements of the connection, of which the hot ones would
/// be lost.
async fn plan(
    connection: &mut PgConnection,
    explain: &str,
    arguments: PgArguments,
) -> Result<serde_json::Value, sqlx::Error> {
    let explain = sqlx::query_with(AssertSqlSafe(explain.to_owned()), arguments).persistent(false);
    connection.fetch_one(explain).await?.try_get(0)
}

fn code_of(error: &sqlx::Error) -> String {
    let code = error.as_database_error().and_then(|error| error.code());
    code.unwrap_or_default().into_owned()
}
