//! A record of what people have asked for.

use std::fmt;
use std::time::SystemTime;

use sqlx::Row;
use sqlx::postgres::PgRow;

use crate::DatabaseError;
use crate::admin::asked::Asked;
use crate::client::Client;
use crate::db::literal::Literal;
use crate::db::text::to_ascii;
use crate::db::time::time;

/// A record to make of a person who asks for an action: from [`Client::audit`].
///
/// Note it before the action, and its outcome afterwards. So no action is missing if the process dies in between: then the record has no
/// outcome.
///
/// ```no_run
/// # use pgjobq_core as pgjobq;
/// # async fn example(client: pgjobq::Client, id: pgjobq::JobId) -> Result<(), Box<dyn std::error::Error>> {
/// let noted = client.audit("cancel", id.to_string()).by("ada").because("the customer has left").note().await?;
/// let outcome = client.job(id).cancel().by("ada").await?;
/// noted.end(&format!("{outcome:?}")).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "note it"]
pub struct Audit<'c> {
    client: &'c Client,
    action: String,
    subject: String,
    asked: Asked,
}

/// A record that was made, to which its outcome can be added: from [`Audit::note`].
#[derive(Clone, Debug)]
#[must_use = "add the outcome with `end()`"]
pub struct NotedAudit<'c> {
    client: &'c Client,
    id: AuditId,
}

/// The number of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AuditId(pub i64);

impl fmt::Display for AuditId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

/// A record of an action that a person has asked for: from [`Client::audit_records`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuditRecord {
    /// The number of the record.
    pub id: AuditId,
    /// The time of the request, by the database's clock.
    pub at: SystemTime,
    /// The person, in the words of the program, or else the database role.
    pub by: String,
    /// The database role of the session. The caller cannot choose it.
    pub role: String,
    /// The word for the action.
    pub action: String,
    /// The job, the queue, or the filter of many jobs.
    pub subject: String,
    /// The reason.
    pub reason: Option<String>,
    /// The outcome; `None` if the program died before it recorded one.
    pub outcome: Option<String>,
}

impl Client {
    /// Returns a record to make: somebody asks for this action (a word of at most 100 characters) on this subject. Sends nothing yet.
    pub fn audit(&self, action: impl Into<String>, subject: impl Into<String>) -> Audit<'_> {
        let (action, subject) = (action.into(), subject.into().replace('\0', ""));
        Audit { client: self, action, subject, asked: Asked::default() }
    }

    /// Returns the latest records, the latest first, at most `limit`; or those before another one. They are kept for at least 90
    /// days.
    ///
    /// # Errors
    ///
    /// If the database cannot be reached, or refuses the statement.
    pub async fn audit_records(
        &self,
        before: Option<AuditId>,
        limit: u32,
    ) -> Result<Vec<AuditRecord>, DatabaseError> {
        let shared = self.shared();
        let (before, most) = (before.map(|id| id.0), i32::try_from(limit).unwrap_or(i32::MAX));
        let values: [&dyn Literal; 2] = [&before, &most];
        let rows = shared.read(&shared.sql.audit, &values).await?;
        rows.iter().map(AuditRecord::read).collect::<Result<_, _>>().map_err(DatabaseError::Refused)
    }
}

impl<'c> Audit<'c> {
    /// Sets who asks. Of a long text the first 1000 characters are kept.
    pub fn by(mut self, who: impl Into<String>) -> Self {
        self.asked.set_by(who.into());
        self
    }

    /// Sets the reason. Of a long text the first 1000 characters are kept.
    pub fn because(mut self, reason: impl Into<String>) -> Self {
        self.asked.set_reason(reason.into());
        self
    }

    /// Makes the record.
    ///
    /// # Errors
    ///
    /// If the database cannot be reached, or refuses the statement.
    pub async fn note(mut self) -> Result<NotedAudit<'c>, DatabaseError> {
        let id = match self.write().await {
            Err(error) if error.is_untranslatable() && self.escape() => self.write().await?,
            written => written?,
        };
        Ok(NotedAudit { client: self.client, id: AuditId(id) })
    }

    /// Escapes the characters that the database's encoding may lack. Returns false if there are none.
    fn escape(&mut self) -> bool {
        let subject = to_ascii(&self.subject);
        let has_escaped = subject.is_some();
        self.subject = subject.unwrap_or_else(|| std::mem::take(&mut self.subject));
        self.asked.escape() || has_escaped
    }

    async fn write(&self) -> Result<i64, DatabaseError> {
        let (shared, asked) = (self.client.shared(), &self.asked);
        let (action, subject) = (self.action.as_str(), self.subject.as_str());
        let values: [&dyn Literal; 4] = [&asked.by(), &action, &subject, &asked.reason()];
        let row = shared.write(&shared.sql.note_audit, &values).await?;
        row.try_get("id").map_err(DatabaseError::Refused)
    }
}

impl NotedAudit<'_> {
    /// The number of the record.
    #[must_use]
    pub fn id(&self) -> AuditId {
        self.id
    }

    /// Adds the outcome to the record. Of a long text the first 1000 characters are kept.
    ///
    /// # Errors
    ///
    /// If the database cannot be reached, or refuses the statement.
    pub async fn end(self, outcome: &str) -> Result<(), DatabaseError> {
        let outcome = outcome.replace('\0', "");
        match (self.write(&outcome).await, to_ascii(&outcome)) {
            (Err(error), Some(escaped)) if error.is_untranslatable() => self.write(&escaped).await,
            (written, _) => written,
        }
    }

    async fn write(&self, outcome: &str) -> Result<(), DatabaseError> {
        let shared = self.client.shared();
        shared.write(&shared.sql.end_audit, &[&self.id.0, &outcome]).await.map(drop)
    }
}

impl AuditRecord {
    fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: AuditId(row.try_get("id")?),
            at: time(row.try_get("asked_at")?),
            by: row.try_get("asked_by")?,
            role: row.try_get("role")?,
            action: row.try_get("action")?,
            subject: row.try_get("subject")?,
            reason: row.try_get("reason")?,
            outcome: row.try_get("outcome")?,
        })
    }
}
