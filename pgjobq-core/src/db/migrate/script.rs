//! The SQL that makes the schema, or brings it up to date.

use std::collections::BTreeSet;

use super::definitions::{DEFINITIONS, Definition, FILES, Kind, PLANS, digest, text};
use super::recorded::Recorded;
use super::roles::{SchemaRole, all_roles};
use super::version::{OLDEST_PROGRAM, PROGRAM};
use crate::db::schema::{InvalidSchema, Schema};

/// A numbered file. It makes tables and is run once.
pub(crate) struct Migration {
    pub(crate) name: &'static str,
    pub(crate) sql: &'static str,
}

macro_rules! migrations {
    ($($name:literal),* $(,)?) => { &[$(Migration { name: $name, sql: text!($name) }),*] };
}

pub(crate) const MIGRATIONS: &[Migration] = migrations![
    "0001_jobs",
    "0002_workers",
    "0003_workflows",
    "0004_operations",
    "0005_limits",
    "0006_telemetry",
    "0007_schedules"
];

const DROP: &str = text!("upgrade/drop");
const RESTORE: &str = text!("upgrade/restore");

/// The digest of everything that a program installs.
pub(crate) fn whole_digest() -> i64 {
    let tables = MIGRATIONS.iter().map(|migration| digest(migration.sql));
    tables.chain(DEFINITIONS.iter().map(|definition| definition.digest)).fold(0, |all, one| all ^ one)
}

/// Makes the schema in an empty database.
pub(crate) fn fresh(schema: &Schema, shards: i16) -> String {
    let mut script = String::from("create schema if not exists pgjobq;\n");
    script += &pending_migrations(0);
    for (name, text) in FILES {
        script += &format!("\n-- functions/{name}\n{text}");
    }
    script += &format!("\n-- plans\n{PLANS}");
    // A row in another shard, written by hand, would be where no worker looks. Each enqueue reads the text of the constraint.
    let exists =
        if shards == 1 { "shard = 0".to_owned() } else { format!("shard >= 0 and shard < {shards}") };
    script += &format!(
        "\ninsert into pgjobq.settings (shards, program, oldest_program, digest) values ({shards}, 0, 0, 0);\n\
         alter table pgjobq.jobs add constraint shard_exists check ({exists});\n"
    );
    script += &record();
    schema.render_text(&script)
}

/// Runs the numbered files that are missing, and installs the definitions that differ from the recorded ones.
pub(crate) fn upgrade(schema: &Schema, migrated: usize, recorded: &Recorded) -> String {
    let plan = Plan::new(migrated < MIGRATIONS.len(), recorded);
    let mut script = String::new();
    script += &DROP
        .replace("{dropped}", &literal(plan.gone.iter().copied().chain(plan.recreated.iter().copied())))
        .replace("{recreated}", &literal(plan.recreated.iter().copied()));
    script += &pending_migrations(migrated);
    for definition in plan.installed {
        script += &format!("\n{}", definition.text);
    }
    script += &format!("\n{PLANS}");
    script += &granted_again();
    script += &RESTORE.replace("{new}", &literal(plan.new.iter().copied()));
    script += &record();
    schema.render_text(&script)
}

/// Installs these functions and views anew, as an upgrade does that adds them: with their settings and grants, and for the owner of
/// the tables. One script has all of them, because the settings and the grants name every function. It is a transaction.
pub(crate) fn reinstall(schema: &Schema, names: &BTreeSet<&str>) -> String {
    let others = DEFINITIONS.iter().filter(|definition| !names.contains(definition.name));
    let others = others.map(|one| (one.name.to_owned(), (one.signature, one.digest))).collect();
    format!("begin;\n{}\ncommit;\n", upgrade(schema, MIGRATIONS.len(), &others))
}

/// The definitions that an upgrade drops and installs.
struct Plan<'a> {
    /// Recorded, and no longer there.
    gone: Vec<&'a str>,
    /// Never recorded before.
    new: Vec<&'a str>,
    /// With another signature than recorded: dropped first.
    recreated: Vec<&'a str>,
    /// Everything whose text has to be run.
    installed: Vec<&'a Definition>,
}

impl<'a> Plan<'a> {
    fn new(tables_change: bool, recorded: &'a Recorded) -> Self {
        let ours = || DEFINITIONS.iter().filter(|definition| definition.kind != Kind::Settings);
        let gone: Vec<_> = recorded
            .keys()
            .map(String::as_str)
            .filter(|name| DEFINITIONS.iter().all(|definition| definition.name != *name))
            .collect();
        let other_signature = |definition: &&Definition| {
            recorded.get(definition.name).is_some_and(|(signature, _)| *signature != definition.signature)
        };
        // A view depends on the columns and functions that it names, which cannot be changed while it is there.
        let views_go = tables_change || !gone.is_empty() || ours().any(|one| other_signature(&one));
        let is_recreated = |definition: &&Definition| {
            let known = recorded.contains_key(definition.name);
            other_signature(definition) || known && views_go && definition.kind == Kind::View
        };
        let differs = |definition: &&Definition| {
            recorded.get(definition.name).is_none_or(|(_, digest)| *digest != definition.digest)
        };
        Self {
            new: ours().map(|one| one.name).filter(|name| !recorded.contains_key(*name)).collect(),
            recreated: ours().filter(is_recreated).map(|one| one.name).collect(),
            installed: ours().filter(|one| differs(one) || is_recreated(one)).collect(),
            gone,
        }
    }
}

/// Grants what is new to each role that was granted the use of this very schema.
fn granted_again() -> String {
    let again = |role: SchemaRole| {
        format!(
            "do $upgrade$ begin
    if exists (select from pg_namespace n, aclexplode(n.nspacl) g join pg_roles r on r.oid = g.grantee
                where n.oid = (select relnamespace from pg_class where oid = 'pgjobq.settings'::regclass)
                  and g.privilege_type = 'USAGE' and r.rolname = '{role}')
    then
{}    end if;
end $upgrade$;\n",
            role.grants()
        )
    };
    SchemaRole::ALL.into_iter().map(again).collect()
}

/// The numbered files after the first `done`.
fn pending_migrations(done: usize) -> String {
    let mut script = String::new();
    for (number, migration) in MIGRATIONS.iter().enumerate().skip(done) {
        let Migration { name, sql } = migration;
        let (version, digest) = (number + 1, digest(sql));
        script += &format!(
            "\n-- {name}\n{sql}\n\
             insert into pgjobq.migrations (version, name, digest) values ({version}, '{name}', {digest});\n"
        );
    }
    script
}

/// Records what is installed now.
fn record() -> String {
    let rows: Vec<_> = DEFINITIONS
        .iter()
        .map(|Definition { name, signature, digest, .. }| format!("    ('{name}', {signature}, {digest})"))
        .collect();
    format!(
        "\ndelete from pgjobq.definitions;\n\
         insert into pgjobq.definitions (name, signature, digest) values\n{};\n\
         update pgjobq.settings set program = {PROGRAM}, oldest_program = {OLDEST_PROGRAM}, digest = {};\n",
        rows.join(",\n"),
        whole_digest()
    )
}

/// Names as the text of an array, between quotes.
fn literal<'a>(names: impl Iterator<Item = &'a str>) -> String {
    format!("{{{}}}", names.collect::<Vec<_>>().join(", "))
}

/// Everything that [`Client::migrate`](crate::Client::migrate) would run on an empty database, as SQL, for people who run their
/// own migrations; and, after it, the [roles](crate::SchemaRole) and their grants.
///
/// ```
/// # use pgjobq_core as pgjobq;
/// let script = pgjobq::schema_sql("background")?;
/// assert!(script.contains("create table \"background\".jobs"));
/// # Ok::<_, pgjobq::InvalidSchema>(())
/// ```
///
/// # Errors
///
/// If the name of the schema is invalid.
pub fn schema_sql(schema: &str) -> Result<String, InvalidSchema> {
    let schema = Schema::new(schema)?;
    Ok(without_roles(&schema) + "\n" + &schema.render_text(&all_roles()))
}

/// Returns the same without the roles. Their owner needs no right to create roles, which all databases of a server share.
pub(crate) fn without_roles(schema: &Schema) -> String {
    let start = "select pgjobq.create_queue('default');\nselect pgjobq.make_partitions(0);\n";
    fresh(schema, 1) + &schema.render_text(start)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// A database that is not in UTF-8 refuses a character that its encoding lacks, also in a comment.
    #[test]
    fn installed_text_is_ascii() {
        let script = schema_sql("pgjobq").unwrap();
        let odd: Vec<_> = script.lines().filter(|line| !line.is_ascii()).collect();
        assert_eq!(odd, [""; 0]);
    }

    #[test]
    fn every_numbered_file_is_listed_in_order() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations");
        let mut files: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.starts_with(|c: char| c.is_ascii_digit()))
            .collect();
        files.sort();
        let names: Vec<_> = MIGRATIONS.iter().map(|migration| format!("{}.sql", migration.name)).collect();
        assert_eq!(files, names);
    }
}
