//! The functions and indexes that a migrated schema has, for a comparison with what is there.

use super::definitions::{DEFINITIONS, Kind};
use super::script::MIGRATIONS;
use crate::db::schema::Schema;

/// A function or an index that a migrated schema has.
#[derive(Debug)]
pub(crate) struct Expected {
    pub(crate) name: String,
    /// The body of a function; empty for an index.
    pub(crate) body: String,
    /// The statements that make it.
    pub(crate) sql: String,
}

/// Returns the functions that a migrated schema has.
pub(crate) fn expected_functions(schema: &Schema) -> impl Iterator<Item = Expected> {
    let functions = DEFINITIONS.iter().filter(|definition| definition.kind == Kind::Function);
    functions.map(|definition| {
        let sql = schema.render_text(definition.text).replace('\r', "");
        let body = sql.split("$$").nth(1).unwrap_or_default().to_owned();
        Expected { name: definition.name.to_owned(), body, sql }
    })
}

/// Returns the indexes that the numbered files create. Those of primary keys and of partitions are left out.
pub(crate) fn expected_indexes(schema: &Schema) -> impl Iterator<Item = Expected> {
    let statements = MIGRATIONS.iter().flat_map(|migration| migration.sql.split(';'));
    statements.filter_map(|statement| {
        let start = ["create index ", "create unique index "].iter().find_map(|word| statement.find(word))?;
        let statement = &statement[start..];
        let name = statement.split("index ").nth(1)?.split_whitespace().next()?;
        Some(Expected { name: name.to_owned(), body: String::new(), sql: schema.render_text(statement) })
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn functions_and_indexes_are_found_in_their_files() {
        let schema = Schema::new("background").unwrap();
        let functions: Vec<_> = expected_functions(&schema).collect();
        assert!(functions.len() > 200 && functions.iter().all(|function| !function.body.is_empty()));
        let claim = functions.iter().find(|function| function.name == "claim").unwrap();
        assert!(claim.body.contains("\"background\".") && !claim.body.contains("pgjobq."));
        let indexes: Vec<_> = expected_indexes(&schema).collect();
        let line = indexes.iter().find(|index| index.name == "jobs_in_line").unwrap();
        assert!(line.sql.starts_with("create index jobs_in_line on \"background\".jobs"), "{}", line.sql);
        assert!(indexes.len() > 5, "{indexes:?}");
    }
}
