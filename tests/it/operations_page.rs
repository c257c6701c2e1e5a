//! The queries that the operations page tells people to run.

use std::fs;
use std::path::Path;

use sqlx::AssertSqlSafe;

use crate::harness::TestDb;

/// The blocks of this language in a document, without the indentation of lists.
fn blocks(document: &str, language: &str) -> Vec<String> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(document)).unwrap();
    let fence = format!("```{language}");
    let (mut blocks, mut block) = (Vec::new(), None);
    for line in text.lines().map(str::trim) {
        match &mut block {
            None if line == fence => block = Some(String::new()),
            None => {}
            Some(_) if line == "```" => blocks.extend(block.take()),
            Some(block) => block.extend([line, "\n"]),
        }
    }
    blocks
}

/// A kind whose limits the page changes.
#[pgjobq::job(kind = "sync")]
async fn synchronize() {}

#[tokio::test]
async fn queries_of_the_operations_page_run() {
    let db = TestDb::new(1).await;
    db.client.queue("mail").save().await.unwrap(); // The page pauses it, and changes its settings.
    let queries = blocks("docs/operations.md", "sql");
    assert!(queries.len() >= 10, "{} queries", queries.len());
    for query in queries {
        let ran = sqlx::raw_sql(AssertSqlSafe(query.clone())).execute(&db.pool).await;
        assert!(ran.is_ok(), "{ran:?} in:\n{query}");
    }
}
