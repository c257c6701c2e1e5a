//! No statement looks so expensive that PostgreSQL compiles it (JIT) in each call: that takes longer than all else that a statement does.
//!
//! It decides by the expected cost alone. Of a table that is never analysed PostgreSQL expects some thousand rows, and of a function
//! a thousand; joined with a large array, either is expensive. Inside of functions that search a growing table JIT is off.

use std::fmt::Write as _;

use pgjobq_core::worker_api::STATEMENTS;
use serde_json::Value;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::limits::at_most;
use crate::server::Db;
use crate::session::Session;
use crate::tables::KIND;

/// The default of `jit_above_cost`.
const COMPILED_ABOVE: f64 = 100_000.0;
/// The number of elements of arrays: jobs, queues or keys.
const BATCH: usize = 1_000;
/// The number of elements of an array that may be one of shards.
const SHARDS: usize = 64;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_statement_is_compiled_at_its_largest_batch() {
    let db = Db::new("compiled").await;
    let mut session = Session::new(&db).await;
    for (name, sql) in STATEMENTS {
        session.run(&format!("prepare {name} as {sql}")).await;
    }
    session.run("set enable_seqscan = on; set enable_bitmapscan = on; set enable_sort = on").await;
    // PostgreSQL makes the first five plans of a statement for its parameters.
    for state in ["empty tables", "many jobs", "many jobs, analysed"] {
        match state {
            "many jobs" => session.fill(50_000, KIND).await,
            "many jobs, analysed" => session.run("analyze").await,
            _ => {}
        }
        // A person asks the doctor, now and then.
        for (name, _) in STATEMENTS.iter().filter(|(name, _)| !name.starts_with("doctor_")) {
            let cost = expected_cost(&mut session, name).await;
            if cost > COMPILED_ABOVE / 100.0 {
                at_most(&format!("expected cost of {name}, with {state},"), cost, COMPILED_ABOVE / 2.0);
            }
        }
    }
}

/// Returns the expected cost of a statement that is prepared, with as many parameters as it gets at most.
async fn expected_cost(session: &mut Session, name: &str) -> f64 {
    let types = "select unnest(parameter_types)::text from pg_prepared_statements where name = $1";
    let types: Vec<String> =
        sqlx::query_scalar(types).bind(name).fetch_all(&mut session.stage).await.unwrap();
    let values: Vec<String> = types.iter().map(|kind| value(kind)).collect();
    let parameters = if values.is_empty() { String::new() } else { format!("({})", values.join(", ")) };
    let explain = format!("explain (format json) execute {name}{parameters}");
    let plan: Value = sqlx::query_scalar(AssertSqlSafe(explain))
        .persistent(false)
        .fetch_one(&mut session.stage)
        .await
        .unwrap();
    plan[0]["Plan"]["Total Cost"].as_f64().unwrap()
}

/// A value of this type, as SQL. Nothing is executed with it.
fn value(kind: &str) -> String {
    let Some(element) = kind.strip_suffix("[]") else {
        return match kind {
            "boolean" => "true".to_owned(),
            "uuid" => "gen_random_uuid()".to_owned(),
            "text" => "'1'".to_owned(), // Also a number, JSON, and a jsonpath.
            "smallint" => "0::smallint".to_owned(),
            "integer" | "bigint" => BATCH.to_string(),
            _ => format!("null::{kind}"),
        };
    };
    let count = if element == "smallint" { SHARDS } else { BATCH };
    let mut elements = String::new();
    for n in 0..count {
        let separator = if n == 0 { "" } else { "," };
        let one = match element {
            "uuid" => Uuid::now_v7().to_string(),
            "boolean" => "t".to_owned(),
            "tid" => format!("\"({n},1)\""),
            _ => n.to_string(),
        };
        let _ = write!(elements, "{separator}{one}");
    }
    format!("'{{{elements}}}'::{kind}")
}
