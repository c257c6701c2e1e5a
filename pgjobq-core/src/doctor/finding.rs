//! A fault, and its repair.

use std::fmt;

use serde::Serialize;

use crate::DatabaseError;

/// A fault that hurts jobs, or will: from [`Client::doctor`](crate::Client::doctor). `Display` prints the sentence and the repair.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// The check that found it.
    pub check: Check,
    /// The gravity of it.
    pub severity: Severity,
    /// The thing that is wrong: a table, a session, a setting.
    pub subject: String,
    /// The sentence for people: what is wrong, and what follows from it.
    pub sentence: String,
    /// The repair; `None` if no statement repairs it, and the sentence says what does.
    pub repair: Option<Repair>,
}

impl Finding {
    /// The finding that a check failed itself.
    pub(super) fn failed(check: Check, error: &DatabaseError) -> Self {
        let sentence =
            format!("the check did not run: {error}; repair the faults above, and examine it again");
        let subject = check.as_str().to_owned();
        Self { check, severity: Severity::Error, subject, sentence, repair: None }
    }
}

/// The repair of a [`Finding`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Repair {
    /// The statements, for the owner of the schema, or a superuser where they concern the server. They run outside of a transaction.
    pub sql: String,
    /// True if they end no session, lose nothing, and lock no table for long, so that a program may run them unasked.
    pub is_safe: bool,
}

/// The gravity of a [`Finding`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Severity {
    /// It costs speed or space, or may be meant.
    Warning,
    /// Jobs are lost, do not run, or run ever more slowly.
    Error,
}

/// The checks of [`Client::doctor`](crate::Client::doctor).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Check {
    /// The schema is that of this program: migrations, functions, indexes.
    Schema,
    /// Each day to come has its partition of `finished`.
    Partitions,
    /// No transaction or replication slot keeps vacuum from its work, or WAL on the server.
    Transactions,
    /// Vacuum keeps up, may run, and leaves no table mostly empty.
    Tables,
    /// No setting of the server, the database or the role hurts jobs.
    Settings,
    /// Every worker is heard, and every waiting job has a worker that takes it.
    Workers,
    /// The clocks of this machine and of the database agree.
    Clock,
    /// The connection is direct, or through a pooler in session mode.
    Pooler,
    /// A notification arrives.
    Notifications,
}

impl Check {
    /// All checks, in the order in which they run.
    pub const ALL: [Self; 9] = [
        Self::Schema,
        Self::Partitions,
        Self::Transactions,
        Self::Tables,
        Self::Settings,
        Self::Workers,
        Self::Clock,
        Self::Pooler,
        Self::Notifications,
    ];

    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Schema => "schema",
            Self::Partitions => "partitions",
            Self::Transactions => "transactions",
            Self::Tables => "tables",
            Self::Settings => "settings",
            Self::Workers => "workers",
            Self::Clock => "clock",
            Self::Pooler => "pooler",
            Self::Notifications => "notifications",
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.as_str())
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(match self {
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}: {}", self.severity, self.check, self.sentence)?;
        match &self.repair {
            Some(Repair { sql, .. }) => write!(out, "\n    {};", sql.trim_end_matches(';')),
            None => Ok(()),
        }
    }
}
