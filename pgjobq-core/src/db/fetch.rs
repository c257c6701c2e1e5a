//! The one place that our statements pass on their way to the server, so that hooks see each of them.

use sqlx::postgres::{PgArguments, PgRow};
use sqlx::{Execute, Executor as _, PgConnection, Postgres, SqlStr};

use crate::db::explain_beside;
use crate::db::statements::Statements;
use crate::db::watch::{Sender, Watch};

impl Statements {
    /// Returns the rows of a statement.
    pub(crate) async fn rows<'q>(
        &self,
        connection: &mut PgConnection,
        mut query: impl Execute<'q, Postgres> + 'q,
        sender: Sender<'_>,
    ) -> Result<Vec<PgRow>, sqlx::Error> {
        if self.telemetry.is_off() {
            return connection.fetch_all(query).await;
        }
        let arguments = query.take_arguments().map_err(sqlx::Error::Encode)?;
        let sql = query.sql();
        let name = self.name_of(sql.as_str());
        Box::pin(self.seen(connection, name, sql, arguments, sender)).await
    }

    /// Returns the one row of a statement.
    pub(crate) async fn row<'q>(
        &self,
        connection: &mut PgConnection,
        query: impl Execute<'q, Postgres> + 'q,
        sender: Sender<'_>,
    ) -> Result<PgRow, sqlx::Error> {
        self.rows(connection, query, sender).await?.pop().ok_or(sqlx::Error::RowNotFound)
    }

    /// Returns the rows of a message with several statements, of which `name` is the one that matters.
    pub(crate) async fn rows_of_message(
        &self,
        connection: &mut PgConnection,
        name: &'static str,
        message: SqlStr,
    ) -> Result<Vec<PgRow>, sqlx::Error> {
        if self.telemetry.is_off() {
            return connection.fetch_all(sqlx::raw_sql(message)).await;
        }
        Box::pin(self.seen(connection, name, message, None, Sender::IN_TRANSACTION)).await
    }

    async fn seen(
        &self,
        connection: &mut PgConnection,
        name: &'static str,
        sql: SqlStr,
        arguments: Option<PgArguments>,
        sender: Sender<'_>,
    ) -> Result<Vec<PgRow>, sqlx::Error> {
        let telemetry = &self.telemetry;
        let Some(arguments) = arguments else {
            let watch = Watch::start(telemetry, name, sender);
            return watch.stop(connection.fetch_all(sqlx::raw_sql(sql)).await);
        };
        let wanted = telemetry.sampling.as_ref().filter(|sampling| sender.alone && sampling.wants(name));
        if let Some(sampling) = wanted {
            let sample = explain_beside::Sample { telemetry, sampling, name, worker: sender.worker };
            return sample.run(connection, sql, arguments, Watch::start(telemetry, name, sender)).await;
        }
        let watch = Watch::start(telemetry, name, sender);
        watch.stop(connection.fetch_all(sqlx::query_with(sql, arguments)).await)
    }
}
