//! The PostgreSQL schema of our tables and functions.

use std::fmt;

use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};

/// The PostgreSQL schema of our tables and functions. Its name is part of every statement, so it is checked once,
/// here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Schema(String);

/// A name that is not allowed for our schema.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a schema's name is 1 to 63 bytes of letters, digits, `_` and `-`, and does not start with `pg_`, but this one is {0:?}"
)]
pub struct InvalidSchema(pub String);

crate::debug_as_message!(InvalidSchema);

/// The longest identifier of PostgreSQL, which cuts longer ones.
const MAX_NAME_BYTES: usize = 63;

impl Schema {
    pub(crate) fn new(name: impl Into<String>) -> Result<Self, InvalidSchema> {
        let name = name.into();
        // No quote, no `%` and no `$`: the name also stands in strings, in formats, and between dollar quotes.
        let plain = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
        if (1..=MAX_NAME_BYTES).contains(&name.len()) && name.chars().all(plain) && !name.starts_with("pg_") {
            Ok(Self(name))
        } else {
            Err(InvalidSchema(name))
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the name in quotes, so that it may be a keyword or have capital letters.
    pub(crate) fn quoted(&self) -> String {
        format!("\"{}\"", self.0)
    }

    /// Renders one of our SQL texts for this schema. In the files, `pgjobq.` always stands for the schema, and every name of
    /// the schema is written so.
    pub(crate) fn render(&self, sql: &'static str) -> SqlStr {
        if self.0 == "pgjobq" {
            sql.into_sql_str()
        } else {
            AssertSqlSafe(self.render_text(sql)).into_sql_str()
        }
    }

    pub(crate) fn render_text(&self, sql: &str) -> String {
        if self.0 == "pgjobq" {
            return sql.to_owned();
        }
        let quoted = self.quoted();
        sql.replace("pgjobq.", &format!("{quoted}."))
            .replace("schema if not exists pgjobq;", &format!("schema if not exists {quoted};"))
            .replace("schema pgjobq to", &format!("schema {quoted} to"))
    }
}

impl Default for Schema {
    fn default() -> Self {
        Self("pgjobq".to_owned())
    }
}

impl fmt::Display for Schema {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}
