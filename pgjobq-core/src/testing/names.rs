//! The names of the databases of tests, which say who may drop them.
//!
//! | name | is |
//! |---|---|
//! | `pgjobq_template_<schema>` | the bare schema, to be copied |
//! | `pgjobq_spare_<schema>_<any>` | an unused copy, for any process to take by renaming it |
//! | `pgjobq_kit_<process>_<n>` | a database of one process: of a test, or a template of its own |
//!
//! `<schema>` is a digest of the schema and of the role that owns the databases: only their owner may copy or drop them.
//!
//! Each connection of a process that makes databases is named `pgjobq_kit_<process>_<schema>`. While the server lists it, what the
//! process owns or copies stays.

use crate::db::migrate::{digest, whole_digest};

/// The names that one process gives.
#[derive(Clone, Debug)]
pub(super) struct Names {
    process: String,
    /// The digest of the schema and of the role.
    schema: String,
}

/// Returns a name for a process, made at random.
pub(super) fn any_process() -> String {
    format!("{:08x}", fastrand::u32(..))
}

/// The owner of a database, by its name.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Owner<'n> {
    /// Only this process uses it.
    Process(&'n str),
    /// All processes use it that have this schema and role.
    Schema(&'n str),
}

impl Names {
    /// The names that this process gives as this role.
    pub(super) fn new(process: String, role: &str) -> Self {
        Self { process, schema: format!("{:016x}", whole_digest() ^ digest(role)) }
    }

    /// The template with the bare schema.
    pub(super) fn template(&self) -> String {
        format!("pgjobq_template_{}", self.schema)
    }

    /// A new name for a database of this process.
    pub(super) fn own(&self) -> String {
        format!("pgjobq_kit_{}_{:08x}", self.process, fastrand::u32(..))
    }

    /// A new name for an unused copy of the template.
    pub(super) fn spare(&self) -> String {
        format!("{}{:08x}", self.spares(), fastrand::u32(..))
    }

    /// The beginning of the names of unused copies.
    pub(super) fn spares(&self) -> String {
        format!("pgjobq_spare_{}_", self.schema)
    }

    /// The name of this process's connections.
    pub(super) fn connection(&self) -> String {
        format!("pgjobq_kit_{}_{}", self.process, self.schema)
    }
}

impl<'n> Owner<'n> {
    /// Returns the owner of the database of this name; `None` if no test kit has made it.
    pub(super) fn of(database: &'n str) -> Option<Self> {
        let (kind, rest) = database.strip_prefix("pgjobq_")?.split_once('_')?;
        match (kind, rest.split_once('_')) {
            ("kit", Some((process, _))) => Some(Self::Process(process)),
            ("template", None) => Some(Self::Schema(rest)),
            ("spare", Some((schema, _))) => Some(Self::Schema(schema)),
            _ => None,
        }
    }

    /// Returns whether a process with one of these connections owns it.
    pub(super) fn lives(&self, connections: &[String]) -> bool {
        let mut living = connections.iter().filter_map(|name| parts(name));
        match self {
            Self::Process(own) => living.any(|(process, _)| process == *own),
            Self::Schema(own) => living.any(|(_, schema)| schema == *own),
        }
    }
}

/// Returns the process and the schema that the name of a connection has.
fn parts(connection: &str) -> Option<(&str, &str)> {
    connection.strip_prefix("pgjobq_kit_")?.split_once('_')
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn names() -> Names {
        Names::new(any_process(), "postgres")
    }

    #[test]
    fn names_tell_their_owner() {
        let names = names();
        assert_eq!(Owner::of(&names.template()), Some(Owner::Schema(&names.schema)));
        assert_eq!(Owner::of(&names.spare()), Some(Owner::Schema(&names.schema)));
        assert_eq!(Owner::of(&names.own()), Some(Owner::Process(&names.process)));
        for foreign in
            ["postgres", "pgjobq", "pgjobq_prod", "pgjobq_test_0a1b", "app_kit_1_2", "pgjobq_kit_1"]
        {
            assert_eq!(Owner::of(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn owner_lives_while_a_connection_has_its_name() {
        let (names, other) = (names(), Names { process: "other".into(), schema: "another".into() });
        let connections = [names.connection(), "psql".to_owned()];
        for (database, lives) in
            [(names.own(), true), (names.template(), true), (other.own(), false), (other.spare(), false)]
        {
            assert_eq!(Owner::of(&database).unwrap().lives(&connections), lives, "{database}");
        }
    }
}
