//! The database roles and their grants.

use std::fmt;

use super::definitions::{GRANTS, text};
use crate::db::schema::{InvalidSchema, Schema};

/// Creates a role, and lets it use the schema.
const ROLE: &str = text!("roles");
/// The line at which the grants of a role begin.
const SECTION: &str = "-- role: ";

/// A database role that pgjobq prints the grants of: from [`grants_sql`]. Make your own roles members of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum SchemaRole {
    /// Enqueues, waits, looks and cancels: a web server.
    Producer,
    /// Claims and finishes jobs, and keeps house: a process with a worker.
    Worker,
    /// Sees everything, and changes nothing: a dashboard, or a person on call.
    Observer,
    /// Enqueues, cancels, requeues, deletes, pauses and changes settings, and runs no job: an operator.
    Administrator,
}

impl SchemaRole {
    /// All roles.
    pub const ALL: [Self; 4] = [Self::Producer, Self::Worker, Self::Observer, Self::Administrator];

    /// The name of the database role, such as `pgjobq_producer`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Producer => "pgjobq_producer",
            Self::Worker => "pgjobq_worker",
            Self::Observer => "pgjobq_observer",
            Self::Administrator => "pgjobq_administrator",
        }
    }

    /// The statements that grant its rights, to a role that exists.
    pub(super) fn grants(self) -> &'static str {
        let word = self.name().trim_start_matches("pgjobq_");
        let sections = GRANTS.split(SECTION).skip(1);
        let own = sections.filter_map(|section| section.split_once('\n')).find(|(role, _)| *role == word);
        own.map_or("", |(_, grants)| grants)
    }

    /// The statements that create it and grant its rights.
    fn script(self) -> String {
        format!("{}{}", ROLE.replace("{role}", self.name()), self.grants())
    }
}

impl fmt::Display for SchemaRole {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.name())
    }
}

/// The statements that create all roles and grant their rights, for the schema `pgjobq`.
pub(super) fn all_roles() -> String {
    let head = GRANTS.split(SECTION).next().unwrap_or_default();
    SchemaRole::ALL.iter().fold(head.to_owned(), |script, role| script + &role.script() + "\n")
}

/// Returns the SQL that creates a database role, unless it exists, and grants it what it needs in a schema. Run it as the owner of
/// the schema. [`schema_sql`](crate::schema_sql) ends with those of all roles.
///
/// ```
/// # use pgjobq_core as pgjobq;
/// use pgjobq::SchemaRole;
///
/// let grants = pgjobq::grants_sql("background", SchemaRole::Observer)?;
/// assert!(grants.contains("grant select on all tables in schema \"background\" to pgjobq_observer;"));
/// # Ok::<_, pgjobq::InvalidSchema>(())
/// ```
///
/// # Errors
///
/// If the name of the schema is invalid.
pub fn grants_sql(schema: &str, role: SchemaRole) -> Result<String, InvalidSchema> {
    Ok(Schema::new(schema)?.render_text(&role.script()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn each_section_grants_to_its_role_alone() {
        assert_eq!(GRANTS.matches(SECTION).count(), SchemaRole::ALL.len());
        for role in SchemaRole::ALL {
            let grants = role.grants();
            let statements = grants.split(';').filter(|statement| statement.contains("grant "));
            for statement in statements {
                assert!(statement.ends_with(&format!(" to {role}")), "{role}: {statement}");
            }
            assert!(grants.contains(role.name()), "{role}");
        }
    }
}
