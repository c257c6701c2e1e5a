//! The explanation of one job: its reasons, each a sentence for people and a cause for programs.

use std::fmt;

use serde::Serialize;
use serde_json::Value;
use sqlx::Row;
use sqlx::postgres::PgRow;

use crate::admin::job::Job;
use crate::client::Client;
use crate::explain::cause::Cause;
use crate::{DatabaseError, JobHandle, JobId};

/// The answer to "why is my job not running?": from [`Client::explain`]. `Display` prints the sentences, one in a line.
///
/// ```no_run
/// # use pgjobq_core as pgjobq;
/// # async fn example(client: pgjobq::Client, id: pgjobq::JobId) -> Result<(), Box<dyn std::error::Error>> {
/// use pgjobq::Cause;
///
/// let explanation = client.explain(id).await?;
/// println!("{explanation}"); // "No live worker takes its queue `mail`. Live workers take: `default`. …"
///
/// match &explanation.reasons[0].cause {
///     Cause::Running { attempt, worker, .. } => println!("attempt {attempt} runs in {worker}"),
///     Cause::InLine { behind, .. } => println!("{behind} jobs are before it"),
///     _ => println!("{}", serde_json::to_string(&explanation)?),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Explanation {
    /// The job.
    pub job: JobId,
    /// The reasons, the most important first. There is at least one.
    pub reasons: Vec<Reason>,
}

/// One reason why a job is not running; or that it runs, or how it ended. From [`Explanation::reasons`]. `Display` prints the
/// sentence.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Reason {
    /// The word for the cause, as in SQL: `no_worker`.
    pub code: String,
    /// The sentence for people.
    pub sentence: String,
    /// The details, as in SQL. Times are microseconds since 1970.
    pub details: Value,
    /// The same as code and details, typed.
    #[serde(skip)]
    pub cause: Cause,
}

impl Client {
    /// Explains why a job is not running: what it waits for, and what a person could change. Of a job that runs or has ended it says
    /// that. In SQL it is `select * from pgjobq.explain('<id>')`.
    ///
    /// The answer takes milliseconds, however many jobs wait.
    ///
    /// # Errors
    ///
    /// If the database cannot be reached, or refuses the statement.
    pub async fn explain(&self, job: impl Into<JobId>) -> Result<Explanation, DatabaseError> {
        let (shared, job) = (self.shared(), job.into());
        self.about().await?; // Says that the schema is missing or too old, where that is so.
        let rows = shared.read(&shared.sql.explain, &[&job.as_uuid()]).await?;
        let reasons = rows.iter().map(Reason::read).collect::<Result<_, _>>();
        Ok(Explanation { job, reasons: reasons.map_err(DatabaseError::Refused)? })
    }
}

impl Job<'_> {
    /// Explains why the job is not running: see [`Client::explain`].
    ///
    /// # Errors
    ///
    /// If the database cannot be reached, or refuses the statement.
    pub async fn explain(&self) -> Result<Explanation, DatabaseError> {
        self.client.explain(self.id).await
    }
}

impl<T> JobHandle<T> {
    /// Explains why the job is not running: see [`Client::explain`].
    ///
    /// # Errors
    ///
    /// If the database cannot be reached, or refuses the statement.
    pub async fn explain(&self, client: &Client) -> Result<Explanation, DatabaseError> {
        client.explain(self.id()).await
    }
}

impl Reason {
    fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        let details = row.try_get::<Option<&str>, _>("details")?.unwrap_or("null");
        let details = serde_json::from_str(details).map_err(|error| sqlx::Error::Decode(error.into()))?;
        Ok(Self::new(row.try_get("code")?, row.try_get("sentence")?, details))
    }

    fn new(code: String, sentence: String, details: Value) -> Self {
        let cause = Cause::read(&code, &details);
        Self { code, sentence, details, cause }
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, reason) in self.reasons.iter().enumerate() {
            write!(out, "{}{reason}", if n > 0 { "\n" } else { "" })?;
        }
        Ok(())
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.sentence)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn unknown_code_keeps_its_sentence() {
        let reason = Reason::new("eclipse".into(), "The moon is before it.".into(), json!({"until": 7}));
        assert_eq!((&reason.cause, &*reason.to_string()), (&Cause::Other, "The moon is before it."));
        let explanation = Explanation { job: uuid::Uuid::nil().into(), reasons: vec![reason] };
        let json = serde_json::to_value(&explanation).unwrap();
        assert_eq!(
            json["reasons"][0],
            json!({"code": "eclipse", "sentence": "The moon is before it.", "details": {"until": 7}})
        );
    }

    #[test]
    fn details_of_a_newer_version_are_no_error() {
        let details = json!({"workers": 2, "slots": 40, "since": 1_000_000, "rooms": 7});
        let since = crate::db::time::time(1_000_000);
        assert_eq!(Cause::read("busy", &details), Cause::Busy { workers: 2, slots: 40, since });
        assert_eq!(Cause::read("busy", &json!({"workers": "all"})), Cause::Other);
        assert_eq!(Cause::read("not_found", &json!(null)), Cause::NotFound);
    }
}
