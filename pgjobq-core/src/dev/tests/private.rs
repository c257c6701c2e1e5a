//! Servers of one's own.

use super::super::{Server, ServerOptions};
use super::guest::Guest;
use super::{Stage, ask, has_pid_file, run};

#[tokio::test]
async fn durable_server_survives_a_crash() {
    let stage = Stage::new();
    let options = ServerOptions::durable().set("max_connections", "7");
    let server = Server::start_in(stage.environment(), options).await.unwrap();
    let url = server.url("postgres");
    assert_eq!(ask(&url, "show fsync").await, "on");
    assert_eq!(ask(&url, "show synchronous_commit").await, "on");
    assert_eq!(ask(&url, "show max_connections").await, "7");
    assert_eq!(ask(&url, "show server_encoding").await, "UTF8");

    run(&url, "create table note as select 'kept' as text").await;
    server.stop_immediately().await.unwrap();
    assert!(sqlx::PgPool::connect(&url).await.is_err());
    server.start_again().await.unwrap();
    assert_eq!(ask(&url, "select text from note").await, "kept");

    run(&url, "create unlogged table lost as select 1").await;
    server.restart().await.unwrap();
    assert_eq!(ask(&url, "select count(*)::text from lost").await, "1", "a restart is not a crash");
}

#[tokio::test]
async fn a_fast_server_over_tcp_keeps_its_address() {
    let stage = Stage::new();
    let server = Server::start_in(stage.environment(), ServerOptions::fast().over_tcp()).await.unwrap();
    let url = server.url("postgres");
    assert!(url.starts_with("postgres://postgres@127.0.0.1:"));
    assert_eq!(ask(&url, "show fsync").await, "off");
    server.restart().await.unwrap();
    assert_eq!(ask(&url, "show synchronous_commit").await, "off");
}

#[tokio::test]
async fn a_panic_leaves_neither_server_nor_folder() {
    let stage = Stage::new();
    let server = Server::start_in(stage.environment(), ServerOptions::fast()).await.unwrap();
    let data = server.data_dir().to_owned();
    assert!(has_pid_file(&data));
    let panicked = std::thread::spawn(move || {
        let _server = server;
        panic!("as a failing test does");
    });
    assert!(panicked.join().is_err());
    assert_eq!(stage.0.read_dir().unwrap().count(), 0);
}

#[tokio::test]
async fn what_a_killed_process_leaves_is_swept_by_the_next() {
    let stage = Stage::new();
    let guest = Guest::enter(&stage, "private").0;
    let data = stage.0.read_dir().unwrap().next().unwrap().unwrap().path().join("data");
    let living = Server::start_in(stage.environment(), ServerOptions::fast()).await.unwrap();
    assert!(has_pid_file(&data), "its process lives");
    drop(guest);
    let next = Server::start_in(stage.environment(), ServerOptions::fast()).await.unwrap();
    assert!(!data.exists());
    assert_eq!(ask(&living.url("postgres"), "select 'fine'").await, "fine");
    assert_eq!(ask(&next.url("postgres"), "select 'fine'").await, "fine");
}

#[tokio::test]
async fn a_setting_that_the_server_refuses_is_in_the_error() {
    let stage = Stage::new();
    let options = ServerOptions::fast().set("wal_level", "it's \\ no level");
    let error = Server::start_in(stage.environment(), options).await.unwrap_err().to_string();
    assert!(error.contains("invalid value for parameter \"wal_level\": \"it's \\ no level\""), "{error}");
    assert_eq!(stage.0.read_dir().unwrap().count(), 0);
}
