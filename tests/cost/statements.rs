//! The files of statements and the statements of the library are the same, and each is a statement of the schema.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use pgjobq_core::worker_api::STATEMENTS;
use sqlx::{AssertSqlSafe, Executor, SqlSafeStr};

use crate::server::Db;
use crate::session::Session;

#[test]
fn every_file_is_a_statement_and_every_statement_a_file() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("pgjobq-core/queries");
    let files: BTreeSet<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        // Grants are a folder: no client runs them.
        .filter(|entry| entry.file_type().unwrap().is_file())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    let statements: BTreeSet<String> = STATEMENTS.iter().map(|(name, _)| format!("{name}.sql")).collect();
    assert_eq!(files, statements);
}

#[tokio::test]
async fn every_statement_prepares_on_the_migrated_schema() {
    let db = Db::new("prepares").await;
    let mut session = Session::new(&db).await;
    for (name, sql) in STATEMENTS {
        let prepared = (&mut session.measured).prepare(AssertSqlSafe(*sql).into_sql_str()).await;
        assert!(prepared.is_ok(), "{name}: {}", prepared.unwrap_err());
    }
}
