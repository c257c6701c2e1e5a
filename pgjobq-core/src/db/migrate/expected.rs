//! The functions, views and indexes that a migrated schema has, for a comparison with what is there.

use std::collections::BTreeSet;

use super::definitions::{DEFINITIONS, Definition, Kind};
use super::function_settings::settings_of;
use super::script::MIGRATIONS;
use crate::db::schema::Schema;

/// A function that a migrated schema has.
#[derive(Debug)]
pub(crate) struct ExpectedFunction {
    pub(crate) name: &'static str,
    pub(crate) body: String,
    /// Its settings, without spaces and quotes.
    pub(crate) settings: BTreeSet<String>,
    /// True if it runs with the rights of its owner.
    pub(crate) is_definer: bool,
}

/// An index that a migrated schema has.
#[derive(Debug)]
pub(crate) struct ExpectedIndex {
    pub(crate) name: String,
    /// The statement that makes it.
    pub(crate) sql: String,
}

/// Returns the functions that a migrated schema has.
pub(crate) fn expected_functions(schema: &Schema) -> impl Iterator<Item = ExpectedFunction> {
    definitions(Kind::Function).map(|function| {
        let text = schema.render_text(function.text).replace('\r', "");
        let mut parts = text.split("$$");
        let head = parts.next().unwrap_or_default();
        ExpectedFunction {
            name: function.name,
            is_definer: head.contains("security definer"),
            body: parts.next().unwrap_or_default().to_owned(),
            settings: settings_of(function.name, function.text),
        }
    })
}

/// Returns the names of the views that a migrated schema has.
pub(crate) fn expected_views() -> impl Iterator<Item = &'static str> {
    definitions(Kind::View).map(|view| view.name)
}

fn definitions(kind: Kind) -> impl Iterator<Item = &'static Definition> {
    DEFINITIONS.iter().filter(move |definition| definition.kind == kind)
}

/// Returns the indexes that the numbered files create. Those of primary keys and of partitions are left out.
pub(crate) fn expected_indexes(schema: &Schema) -> impl Iterator<Item = ExpectedIndex> {
    let statements = MIGRATIONS.iter().flat_map(|migration| migration.sql.split(';'));
    statements.filter_map(|statement| {
        let start = ["create index ", "create unique index "].iter().find_map(|word| statement.find(word))?;
        let statement = &statement[start..];
        let name = statement.split("index ").nth(1)?.split_whitespace().next()?;
        Some(ExpectedIndex { name: name.to_owned(), sql: schema.render_text(statement) })
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn definitions_and_indexes_are_found_in_their_files() {
        let schema = Schema::new("background").unwrap();
        let functions: Vec<_> = expected_functions(&schema).collect();
        assert!(functions.len() > 200 && functions.iter().all(|function| !function.body.is_empty()));
        let of = |name| functions.iter().find(|function| function.name == name).unwrap();
        let claim = of("claim");
        assert!(claim.body.contains("\"background\".") && !claim.body.contains("pgjobq."));
        assert!(of("make_partitions").is_definer && !claim.is_definer);
        assert!(expected_views().any(|view| view == "queue_overview"));
        let indexes: Vec<_> = expected_indexes(&schema).collect();
        let line = indexes.iter().find(|index| index.name == "jobs_in_line").unwrap();
        assert!(line.sql.starts_with("create index jobs_in_line on \"background\".jobs"), "{}", line.sql);
        assert!(indexes.len() > 5, "{indexes:?}");
    }
}
