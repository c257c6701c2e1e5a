//! Compares the schema with the one that this program would install.

use std::collections::HashMap;

use sqlx::Row;
use sqlx::postgres::PgRow;

use super::finding::{Check, Finding, Repair, Severity};
use crate::client::Client;
use crate::db::migrate::{Expected, expected_functions, expected_indexes};
use crate::{DatabaseError, MigrateError};

/// The subject of a schema that is not up to date.
const MIGRATIONS: &str = "migrations";

/// Compares the schema with the one that this program would install.
pub(super) async fn check(client: &Client) -> Result<Vec<Finding>, MigrateError> {
    if let Some(sql) = client.migration_sql().await? {
        let sentence = "the schema is not that of this program: run `client.migrate()`, or `pgjobq migrate`";
        return Ok(vec![error(MIGRATIONS, sentence.to_owned(), Some(Repair { sql, is_safe: true }))]);
    }
    let shared = client.shared();
    let rows = shared.read(&client.sql().doctor_definitions, &[]).await?;
    let found = rows.iter().map(Installed::read).collect::<Result<Vec<_>, _>>();
    let found = found.map_err(DatabaseError::Refused)?;
    let of = |sort: &str| -> HashMap<&str, &Installed> {
        found.iter().filter(|one| one.sort == sort).map(|one| (&*one.name, one)).collect()
    };
    let (functions, indexes) = (of("function"), of("index"));
    let schema = &client.sql().schema;
    let functions = expected_functions(schema)
        .filter_map(|expected| other_function(&expected, functions.get(&*expected.name)));
    let indexes =
        expected_indexes(schema).filter_map(|expected| other_index(&expected, indexes.get(&*expected.name)));
    Ok(functions.chain(indexes).collect())
}

/// A function or an index as the database has it.
struct Installed {
    name: String,
    /// The body of a function; the quoted name of an index.
    text: String,
    sort: String,
    /// False for an index that is not complete.
    valid: bool,
}

impl Installed {
    fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            name: row.try_get("name")?,
            text: row.try_get("text")?,
            sort: row.try_get("sort")?,
            valid: row.try_get("valid")?,
        })
    }
}

fn other_function(expected: &Expected, found: Option<&&Installed>) -> Option<Finding> {
    let name = &expected.name;
    let wrong = match found {
        None => "is missing",
        Some(found) if found.text.replace('\r', "") != expected.body => "was changed by hand",
        Some(_) => return None,
    };
    let repair = Repair { sql: expected.sql.clone(), is_safe: true };
    Some(error(name, format!("the function `{name}` {wrong}"), Some(repair)))
}

fn other_index(expected: &Expected, found: Option<&&Installed>) -> Option<Finding> {
    let name = &expected.name;
    let (wrong, sql) = match found {
        None => ("is missing", expected.sql.clone()),
        Some(found) if !found.valid => ("is not valid", format!("reindex index concurrently {}", found.text)),
        Some(_) => return None,
    };
    let sentence = format!("the index `{name}` {wrong}: statements that need it read the whole table");
    // To build it blocks whoever writes to the table.
    Some(error(name, sentence, Some(Repair { sql, is_safe: false })))
}

fn error(subject: &str, sentence: String, repair: Option<Repair>) -> Finding {
    Finding { check: Check::Schema, severity: Severity::Error, subject: subject.to_owned(), sentence, repair }
}
