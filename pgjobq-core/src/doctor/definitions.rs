//! Compares the schema with the one that this program would install.

use std::collections::{BTreeSet, HashMap};

use sqlx::Row;
use sqlx::postgres::PgRow;

use super::finding::{Check, Finding, Repair, Severity};
use crate::client::Client;
use crate::db::migrate::{
    ExpectedFunction, ExpectedIndex, expected_functions, expected_indexes, expected_views, normal_setting,
    reinstall, whole_digest,
};
use crate::{DatabaseError, MigrateError};

/// The subject of a schema that is not up to date.
const MIGRATIONS: &str = "migrations";

/// The differences between the schema and the one that this program would install.
pub(super) struct Comparison {
    pub(super) findings: Vec<Finding>,
    /// True if the other checks find what they call.
    pub(super) is_usable: bool,
}

/// Compares the schema with the one that this program would install.
pub(super) async fn check(client: &Client) -> Result<Comparison, MigrateError> {
    if let Some(sql) = client.migration_sql().await? {
        let sentence = "the schema is not that of this program: run `client.migrate()`, or `pgjobq migrate`";
        let finding = error(MIGRATIONS, sentence.to_owned(), Some(Repair { sql, is_safe: true }));
        return Ok(Comparison { findings: vec![finding], is_usable: false });
    }
    if is_of_newer_program(client).await? {
        // Its functions differ from ours, and must stay.
        return Ok(Comparison { findings: Vec::new(), is_usable: true });
    }
    let rows = client.shared().read(&client.sql().doctor_definitions, &[]).await?;
    let found = rows.iter().map(Installed::read).collect::<Result<Vec<_>, _>>();
    let found = found.map_err(DatabaseError::Refused)?;
    let of = |sort: &str| -> HashMap<&str, &Installed> {
        found.iter().filter(|one| one.sort == sort).map(|one| (&*one.name, one)).collect()
    };
    let (functions, views, indexes) = (of("function"), of("view"), of("index"));
    let schema = &client.sql().schema;
    let functions = expected_functions(schema)
        .filter_map(|one| Some((one.name, other_function(&one, functions.get(one.name))?)));
    let views = expected_views().filter(|name| !views.contains_key(name));
    let views = views.map(|name| (name, format!("the view `{name}` is missing")));
    let wrong: Vec<_> = functions.chain(views).collect();
    let sql = reinstall(schema, &wrong.iter().map(|(name, _)| *name).collect::<BTreeSet<_>>());
    let is_usable = wrong.is_empty();
    let repaired = |(name, sentence)| error(name, sentence, Some(Repair { sql: sql.clone(), is_safe: true }));
    let mut findings: Vec<_> = wrong.into_iter().map(repaired).collect();
    findings.extend(
        expected_indexes(schema).filter_map(|expected| other_index(&expected, indexes.get(&*expected.name))),
    );
    Ok(Comparison { findings, is_usable })
}

async fn is_of_newer_program(client: &Client) -> Result<bool, DatabaseError> {
    let installed = client.shared().read(&client.sql().about, &[]).await?.pop();
    let digest = installed.map(|row| row.try_get::<i64, _>("digest")).transpose();
    Ok(digest.map_err(DatabaseError::Refused)? != Some(whole_digest()))
}

/// A function, a view or an index as the database has it.
struct Installed {
    name: String,
    sort: String,
    /// The body of a function; the quoted name of an index.
    text: String,
    /// False for an index that is not complete.
    valid: bool,
    /// True for a function that runs with the rights of its owner.
    definer: bool,
    /// The settings of a function.
    settings: Vec<String>,
}

impl Installed {
    fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            name: row.try_get("name")?,
            sort: row.try_get("sort")?,
            text: row.try_get("text")?,
            valid: row.try_get("valid")?,
            definer: row.try_get("definer")?,
            settings: row.try_get("settings")?,
        })
    }
}

/// Returns what is wrong with a function. Settings that an operator has added are no fault.
fn other_function(expected: &ExpectedFunction, found: Option<&&Installed>) -> Option<String> {
    let name = expected.name;
    let Some(found) = found else { return Some(format!("the function `{name}` is missing")) };
    if found.text.replace('\r', "") != expected.body || found.definer != expected.is_definer {
        return Some(format!("the function `{name}` was changed by hand"));
    }
    let settings: BTreeSet<_> = found.settings.iter().map(|setting| normal_setting(setting)).collect();
    let lacking: Vec<_> = expected.settings.difference(&settings).map(String::as_str).collect();
    let lacking = (!lacking.is_empty()).then(|| lacking.join(" "))?;
    Some(format!(
        "the function `{name}` lacks settings, without which it may read whole tables or wait for long: {lacking}"
    ))
}

fn other_index(expected: &ExpectedIndex, found: Option<&&Installed>) -> Option<Finding> {
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
