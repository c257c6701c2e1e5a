//! Faults of the server, on servers that have them.

use std::time::Duration;

use pgjobq::dev::{Server, ServerOptions};
use serde_json::Value;

use crate::doctor::{examined, only};
use crate::stage::{PATIENCE, Stage};

#[tokio::test(flavor = "multi_thread")]
async fn prepared_transaction_is_found_and_ended_by_its_repair() {
    let options = ServerOptions::fast().set("max_prepared_transactions", "2");
    let server = Server::start(options).await.unwrap();
    let stage = Stage::on(&server.url("postgres")).await;
    stage.client.migrate().await.unwrap();
    stage.run_sql("begin; select txid_current(); prepare transaction 'ada''s import'").await;
    let (found, code) = examined(&stage, &["--transaction-age", "0s"]);
    let held = only(&found, "transactions");
    assert_eq!((code, &held["severity"], &held["repair"]["is_safe"]), (7, &"error".into(), &false.into()));
    assert!(
        held["sentence"]
            .as_str()
            .unwrap()
            .starts_with("the prepared transaction 'ada''s import' has been open for")
    );
    assert_eq!(examined(&stage, &[]).0, [Value::Null; 0], "it is not an hour old");
    let fixed = stage.pgjobq(&["doctor", "--fix", "--transaction-age", "0s"]);
    assert_eq!(fixed.code, 7, "nobody's transaction is ended unasked: {}", fixed.stdout);
    assert_eq!(stage.text("select count(*) from pg_prepared_xacts").await, "1");
    stage.run_sql(held["repair"]["sql"].as_str().unwrap()).await;
    assert_eq!(examined(&stage, &["--transaction-age", "0s"]).0, [Value::Null; 0]);
    stage.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn harmful_settings_of_the_server_are_found() {
    const HARMFUL: [&str; 5] =
        ["autovacuum", "fsync", "full_page_writes", "synchronous_commit", "track_counts"];
    let options = HARMFUL.iter().fold(ServerOptions::durable(), |options, name| options.set(*name, "off"));
    let server = Server::start(options).await.unwrap();
    let stage = Stage::on(&server.url("postgres")).await;
    stage.client.migrate().await.unwrap();
    let all = |stage: &Stage| -> Vec<Value> {
        let ran = stage.pgjobq(&["doctor", "--json"]);
        let json: Value = serde_json::from_str(&ran.stdout).unwrap();
        json["findings"].as_array().unwrap().clone()
    };
    let mut found = all(&stage);
    found.sort_by_key(|finding| finding["subject"].as_str().unwrap().to_owned());
    assert_eq!(found.iter().map(|finding| &finding["subject"]).collect::<Vec<_>>(), HARMFUL);
    for finding in found {
        let (name, sql) = (finding["subject"].as_str().unwrap(), finding["repair"]["sql"].as_str().unwrap());
        assert_eq!((&finding["check"], &finding["severity"]), (&"settings".into(), &"error".into()));
        assert_eq!(finding["repair"]["is_safe"], false);
        assert_eq!(sql, format!("alter system set {name} = 'on'; select pg_reload_conf()"));
        for statement in sql.split("; ") {
            stage.run_sql(statement).await;
        }
    }
    let repaired = async {
        while all(&stage) != [Value::Null; 0] {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, repaired).await.unwrap();
    stage.drop().await;
}
