//! The rules that let the tables be distributed. The shard is first in every key, and every statement that names a table
//! names its shard. No statement uses a feature that a distributed table refuses.

use sqlx::Row;

use crate::server::Db;
use crate::session::{Session, statement};
use pgjobq_core::worker_api::STATEMENTS;

/// The tables that grow with the jobs.
const HOT: [&str; 11] = [
    "jobs",
    "leases",
    "lanes",
    "workers",
    "failures",
    "finished",
    "cancels",
    "progress",
    "rates",
    "waiters",
    "job_states",
];

/// Functions that concern all shards at once: a queue has a lane in each, a day has its table, and a sample or the throughput is of
/// whole tables.
const ALL_SHARDS: [&str; 8] = [
    "attribute_index_parts",
    "create_queue",
    "ended_attempts",
    "forget_queue",
    "make_partitions",
    "pause",
    "sampled_ended",
    "sampled_live",
];

/// Statements that a person sends now and then, about all shards. So are those of the doctor.
const FOR_PEOPLE: [&str; 2] = ["recorded_kinds", "workers"];

/// Our functions: name, language, and text without comments, in one line.
async fn functions(session: &mut Session) -> Vec<(String, String, String)> {
    let rows = sqlx::query(
        "select p.proname::text, l.lanname::text,
                regexp_replace(regexp_replace(p.prosrc, '--[^\n]*', '', 'g'), '\\s+', ' ', 'g')
           from pg_proc p join pg_language l on l.oid = p.prolang
          where p.pronamespace = 'pgjobq'::regnamespace order by p.proname",
    )
    .fetch_all(&mut session.stage)
    .await
    .unwrap();
    assert!(rows.len() > 20, "the schema has more functions than {}", rows.len());
    rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()
}

/// The places at which a text names a hot table, each with the rest of that query.
fn uses(sql: &str) -> Vec<(&'static str, &str)> {
    let mut found = Vec::new();
    for table in HOT {
        for (at, name) in sql.match_indices(&format!("pgjobq.{table}")) {
            let rest = &sql[at + name.len()..];
            // `jobs` is not `jobs_of_lease`, and a type of a variable or of a cast is no query.
            let declared =
                [";", ":="].iter().any(|end| rest.trim_start().starts_with(end)) || sql[..at].ends_with("::");
            if !rest.starts_with(|next: char| next.is_alphanumeric() || next == '_') && !declared {
                found.push((table, rest.split(';').next().unwrap_or_default()));
            }
        }
    }
    found
}

#[track_caller]
fn check_shard(name: &str, sql: &str) {
    for (table, rest) in uses(sql) {
        let named = rest.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "shard");
        assert!(named, "{name} names {table} and no shard: {rest}");
    }
}

#[tokio::test]
async fn statements_and_functions_name_the_shard_of_hot_tables() {
    let db = Db::new("shard_lint").await;
    let mut session = Session::new(&db).await;
    let is_for_people = |name: &str| name.starts_with("doctor_") || FOR_PEOPLE.contains(&name);
    for (name, _) in STATEMENTS.iter().filter(|(name, _)| !is_for_people(name)) {
        let lines = statement(name).lines().filter(|line| !line.starts_with("--"));
        let sql = lines.collect::<Vec<_>>().join(" ");
        check_shard(name, &sql);
    }
    for (name, _, source) in functions(&mut session).await {
        if !ALL_SHARDS.contains(&name.as_str()) {
            check_shard(&name, &source);
        }
    }
}

#[tokio::test]
async fn indexes_of_hot_tables_begin_with_the_shard() {
    let db = Db::new("shard_keys").await;
    let mut session = Session::new(&db).await;
    let indexes: Vec<(String, String, bool)> = sqlx::query_as(
        "select c.relname::text, pg_get_indexdef(i.indexrelid, 1, true), i.indisunique
           from pg_index i join pg_class c on c.oid = i.indrelid
          where c.relnamespace = 'pgjobq'::regnamespace and c.relname = any ($1)",
    )
    .bind(HOT)
    .fetch_all(&mut session.stage)
    .await
    .unwrap();
    assert!(indexes.iter().filter(|(_, _, unique)| *unique).count() >= 6, "{indexes:?}");
    for (table, first, _) in indexes {
        assert_eq!(first, "shard", "the first column of an index of {table}");
    }
}

#[tokio::test]
async fn nothing_is_used_that_a_distributed_table_refuses() {
    let db = Db::new("shard_forbidden").await;
    let mut session = Session::new(&db).await;
    let triggers = session.number("select count(*) from pg_trigger where not tgisinternal").await;
    assert_eq!(triggers, 0, "triggers");
    let keys = session.number(
        "select count(*) from pg_constraint where contype = 'f' and connamespace = 'pgjobq'::regnamespace",
    );
    assert_eq!(keys.await, 0, "foreign keys");
    for (name, language, source) in functions(&mut session).await {
        // A function in SQL is put in place of its call, so that a distributed table meets a plain query.
        assert!(["plpgsql", "sql"].contains(&language.as_str()), "the language of {name} is {language}");
        for (table, rest) in uses(&source) {
            let Some((_, set)) = rest.split_once(" set ") else { continue };
            // The part before the next clause of the statement.
            let set =
                set.split(" from ").next().unwrap_or_default().split("where").next().unwrap_or_default();
            for volatile in ["nextval", "clock_timestamp", "random", "draw_tickets", "new_id"] {
                assert!(!set.contains(volatile), "{name} calls {volatile} in an update of {table}: {set}");
            }
        }
    }
}
