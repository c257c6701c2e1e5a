//! The PostgreSQL schema that everything of ours lives in.

use std::fmt;

use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};

/// The PostgreSQL schema that everything of ours lives in. Its name is part of every statement, so it is checked once, here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Schema(String);

/// A name that no schema of ours can have.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a schema's name is 1 to 40 lower-case letters, digits and `_`, not starting with a digit, but this one is {0:?}"
)]
pub struct InvalidSchema(pub String);

impl Schema {
    pub(crate) fn new(name: impl Into<String>) -> Result<Self, InvalidSchema> {
        let name = name.into();
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if (1..=40).contains(&name.len())
            && name.chars().all(plain)
            && !name.starts_with(|c: char| c.is_ascii_digit())
        {
            Ok(Self(name))
        } else {
            Err(InvalidSchema(name))
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// A text of ours for this schema. Our files say `pgjobq.` wherever the schema is meant, and nowhere else.
    pub(crate) fn render(&self, sql: &'static str) -> SqlStr {
        if self.0 == "pgjobq" {
            sql.into_sql_str()
        } else {
            AssertSqlSafe(self.render_text(sql)).into_sql_str()
        }
    }

    pub(crate) fn render_text(&self, sql: &str) -> String {
        sql.replace("pgjobq.", &format!("{self}."))
            .replace("schema if not exists pgjobq;", &format!("schema if not exists {self};"))
            .replace("on schema pgjobq to", &format!("on schema {self} to"))
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
