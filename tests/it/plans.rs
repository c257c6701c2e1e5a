//! The plans of functions that search a growing table are pinned: see `migrations/plans.sql`.

use std::collections::{BTreeMap, BTreeSet};

use pgjobq::prelude::*;
use pgjobq_core::worker_api::STATEMENTS;
use sqlx::{AssertSqlSafe, PgConnection, Row};

use crate::harness::TestDb;

/// The tables that grow with the jobs.
const GROWING: &[&str] = &[
    "jobs",
    "leases",
    "failures",
    "finished",
    "cancels",
    "workflows",
    "steps",
    "unsettled",
    "unreleased",
    "edges",
    "ended_parents",
];

/// Functions that are called from SQL or by a view, and by no statement of ours.
const FOR_PEOPLE: &[&str] = &[
    "blocked_state",
    "cancel",
    "cancel_workflow",
    "enqueue",
    "queue_counts",
    "scheduled_counts",
    "dead_counts",
    "worker_counts",
];

/// Functions without pinned plans: this one reads all jobs, once per queue, because no index has a queue's scheduled jobs.
const UNPINNED: &[&str] = &["forget_queue"];

const SETTINGS: &[&str] = &[
    "enable_bitmapscan=off",
    "enable_hashjoin=off",
    "enable_memoize=off",
    "enable_mergejoin=off",
    "enable_seqscan=off",
    "enable_sort=off",
    "jit=off",
    "plan_cache_mode=force_generic_plan",
];

#[job]
async fn be_planned(number: u32) {
    let _ = number;
}

struct Function {
    source: String,
    settings: Vec<String>,
}

impl Function {
    fn is_pinned(&self) -> bool {
        self.settings.iter().any(|setting| setting == "enable_seqscan=off")
    }
}

async fn functions(db: &TestDb) -> BTreeMap<String, Function> {
    let read = "select proname::text, regexp_replace(prosrc, '--[^\n]*', '', 'g'), coalesce(proconfig, '{}')
                  from pg_proc where pronamespace = 'pgjobq'::regnamespace";
    let rows = sqlx::query(read).fetch_all(&db.pool).await.unwrap();
    rows.iter().map(|row| (row.get(0), Function { source: row.get(1), settings: row.get(2) })).collect()
}

/// Yields each name after `pgjobq.` in a text, and `true` if a call follows.
fn named(sql: &str) -> impl Iterator<Item = (&str, bool)> {
    sql.split("pgjobq.").skip(1).map(|rest| {
        let end = rest.find(|c: char| c != '_' && !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        (&rest[..end], rest[end..].starts_with('('))
    })
}

/// Returns the growing tables that a function reads, itself or through functions that are not pinned.
fn searches(name: &str, functions: &BTreeMap<String, Function>, seen: &mut BTreeSet<String>) -> Vec<String> {
    let function = &functions[name];
    if function.is_pinned() || !seen.insert(name.to_owned()) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (other, called) in named(&function.source) {
        if called && functions.contains_key(other) {
            found.extend(searches(other, functions, seen));
        } else if GROWING.contains(&other) && is_read(&function.source, other) {
            found.push(format!("{name} reads {other}"));
        }
    }
    found
}

/// Returns `true` if the table is read, not only inserted into or used as the type of a variable.
fn is_read(source: &str, table: &str) -> bool {
    let words: Vec<_> = source.split_whitespace().collect();
    let table = format!("pgjobq.{table}");
    words.windows(2).any(|pair| {
        ["from", "join", "update", "using"].contains(&pair[0].trim_start_matches('('))
            && pair[1].trim_end_matches([',', ';', ')']) == table
    })
}

#[tokio::test]
async fn functions_that_search_growing_tables_are_pinned() {
    let db = TestDb::new(1).await;
    let functions = functions(&db).await;
    let called: BTreeSet<_> = STATEMENTS
        .iter()
        .flat_map(|(_, sql)| named(sql))
        .filter(|(name, called)| *called && functions.contains_key(*name))
        .map(|(name, _)| name)
        .chain(FOR_PEOPLE.iter().copied())
        .collect();
    assert!(called.len() > 40, "{called:?}");
    let unpinned: Vec<_> = called
        .iter()
        .filter(|name| !UNPINNED.contains(name))
        .flat_map(|name| searches(name, &functions, &mut BTreeSet::new()))
        .collect();
    assert!(unpinned.is_empty(), "add these to migrations/plans.sql: {unpinned:#?}");
    let exceptions = UNPINNED.iter().all(|name| !searches(name, &functions, &mut BTreeSet::new()).is_empty());
    assert!(exceptions, "an exception that needs none");
}

#[tokio::test]
async fn pinned_functions_have_all_settings() {
    let db = TestDb::new(1).await;
    let functions = functions(&db).await;
    let pinned = functions.iter().filter(|(_, function)| function.is_pinned());
    let mut count = 0;
    for (name, function) in pinned {
        count += 1;
        let lacks = SETTINGS.iter().filter(|setting| !function.settings.iter().any(|has| has == *setting));
        assert_eq!(lacks.copied().collect::<Vec<_>>(), [""; 0], "{name}");
    }
    assert!(count > 25, "only {count} functions are pinned");
}

/// Returns the index scans, the sequential scans and the deleted rows of `jobs` in a finish of all jobs of lease 70.
async fn scans_of_finish(db: &TestDb, decision: &str) -> (i64, i64, i64) {
    let held = "select format('array_fill(%s::smallint, array[1]), array[%s::bigint], array[70::bigint], array[true],
                               array_fill(1, array[%s]), %L::uuid[], %L::bigint[], array_fill(%L::text, array[%s]),
                               null, null, null, null, null, %L::tid[]',
                       min(j.priority), max(j.ticket), count(*), array_agg(j.id order by j.id),
                       array_agg(j.ticket order by j.id), $1, count(*), array_agg(j.ctid order by j.id))
                  from pgjobq.jobs j, pgjobq.leases l where l.id = 70 and l.tickets @> j.ticket";
    let held: String = sqlx::query_scalar(held).bind(decision).fetch_one(&db.pool).await.unwrap();
    let mut transaction = db.pool.begin().await.unwrap();
    let before = scans(&mut transaction).await;
    let finish = format!("select pgjobq.finish(0::smallint, 7, 'plans', array[1], {held})");
    sqlx::raw_sql(AssertSqlSafe(finish)).execute(&mut *transaction).await.unwrap();
    let after = scans(&mut transaction).await;
    transaction.commit().await.unwrap();
    (after.0 - before.0, after.1 - before.1, after.2 - before.2)
}

/// Returns the index scans, sequential scans and deleted rows of the open transaction.
async fn scans(transaction: &mut PgConnection) -> (i64, i64, i64) {
    let counts = "select idx_scan, seq_scan, n_tup_del from pg_stat_xact_user_tables where relname = 'jobs'";
    sqlx::query_as(counts).fetch_one(transaction).await.unwrap()
}

#[tokio::test]
async fn finish_reads_no_index_of_jobs() {
    let db = TestDb::new(1).await;
    db.run("select pgjobq.register_worker(0::smallint, 7, 'plans')").await;
    // The statistics that have misled the planner: of an empty table, of one row, and of many.
    for jobs in [0, 1, 2000] {
        for decision in ["delete", "complete"] {
            db.client.enqueue_all((0..jobs).map(be_planned::job)).await.unwrap();
            db.run("analyze pgjobq.jobs; delete from pgjobq.jobs").await;
            db.client.enqueue_all((0..20).map(be_planned::job)).await.unwrap();
            let claim = "select pgjobq.claim(0::smallint, 1, 7, 70, true, '{be_planned}', 20, '{0,0,0,0}', null, null)";
            db.run(claim).await;
            let scans = scans_of_finish(&db, decision).await;
            assert_eq!(scans, (0, 0, 20), "{decision}, analysed with {jobs} jobs");
        }
    }
}
