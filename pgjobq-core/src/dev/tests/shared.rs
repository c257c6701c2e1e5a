//! The server that processes share.

use std::fs;
use std::path::PathBuf;

use super::super::Database;
use super::super::shared::Origin;
use super::guest::Guest;
use super::{Stage, ask, eventually, has_pid_file, kill, pid_of, run};

fn origin(database: &Database) -> Origin {
    database.share().unwrap().origin
}

async fn enter(stage: &Stage) -> Database {
    Database::find(stage.environment()).await.unwrap()
}

#[tokio::test]
async fn two_that_start_at_once_share_one_server() {
    let stage = Stage::new();
    let (one, two) = tokio::join!(enter(&stage), enter(&stage));
    assert_eq!(one.url(), two.url());
    let mut origins = [origin(&one), origin(&two)].map(|origin| format!("{origin:?}"));
    origins.sort();
    assert_eq!(origins, ["Found", "Started"]);
    drop(one);
    assert_eq!(ask(two.url(), "show fsync").await, "off");
    drop(two);
    assert!(!has_pid_file(&stage.data()));
}

#[tokio::test]
async fn last_process_of_a_shared_server_stops_it() {
    let stage = Stage::new();
    let database = enter(&stage).await;
    let (guest, inside) = Guest::enter(&stage, "shared");
    assert_eq!(inside, "inside Found");
    drop(database);
    assert!(has_pid_file(&stage.data()));
    guest.leave();
    assert!(!has_pid_file(&stage.data()));
}

#[tokio::test]
async fn what_a_killed_process_leaves_running_is_adopted_and_stopped() {
    let stage = Stage::new();
    let (guest, inside) = Guest::enter(&stage, "shared");
    assert_eq!(inside, "inside Started");
    drop(guest);
    assert!(has_pid_file(&stage.data()));
    let database = enter(&stage).await;
    assert_eq!(origin(&database), Origin::Found);
    drop(database);
    assert!(!has_pid_file(&stage.data()));
}

#[tokio::test]
async fn process_killed_during_initdb_does_no_harm() {
    let stage = Stage::new();
    let guest = Guest::begin(&stage, "shared");
    let unfinished = || {
        let Some(server) = stage.0.read_dir().unwrap().flatten().next() else { return false };
        let Some(server) = server.path().read_dir().unwrap().flatten().next() else { return false };
        let names = server.path().read_dir().unwrap().flatten().map(|entry| entry.path());
        names.into_iter().any(|path| path.join("PG_VERSION").exists())
    };
    eventually("initdb is at work", unfinished);
    drop(guest);
    let database = enter(&stage).await;
    assert_eq!(origin(&database), Origin::Started);
    assert_eq!(ask(database.url(), "select 'fine'").await, "fine");
}

#[tokio::test]
async fn killed_server_is_restarted_on_its_data() {
    let stage = Stage::new();
    let database = enter(&stage).await;
    run(database.url(), "create table note as select 'kept' as text").await;
    drop(database);

    let database = enter(&stage).await;
    assert_eq!(origin(&database), Origin::Started);
    run(database.url(), "checkpoint").await;
    kill(&pid_of(&stage.data()));
    let next = enter(&stage).await;
    assert_eq!(ask(next.url(), "select text from note").await, "kept");
    drop((database, next));
    assert!(!has_pid_file(&stage.data()));
}

#[tokio::test]
async fn a_pid_file_that_names_another_program_is_no_server() {
    let stage = Stage::new();
    let database = enter(&stage).await;
    let pid_file = stage.data().join("postmaster.pid");
    let stale = fs::read_to_string(&pid_file).unwrap().replacen(
        &pid_of(&stage.data()),
        &std::process::id().to_string(),
        1,
    );
    drop(database);
    fs::write(&pid_file, stale).unwrap();
    let database = enter(&stage).await;
    assert_eq!(origin(&database), Origin::Started);
}

#[tokio::test]
async fn data_that_do_not_start_are_set_aside() {
    let stage = Stage::new();
    drop(enter(&stage).await);
    fs::remove_dir_all(stage.data().join("global")).unwrap();
    let database = enter(&stage).await;
    assert_eq!(origin(&database), Origin::Renewed);
    assert_eq!(ask(database.url(), "select 'fine'").await, "fine");
    assert!(stage.server().join("broken").exists());
}

#[tokio::test]
async fn data_of_another_version_are_set_aside() {
    let stage = Stage::new();
    drop(enter(&stage).await);
    fs::write(stage.data().join("PG_VERSION"), "9.6\n").unwrap();
    let database = enter(&stage).await;
    assert_eq!(ask(database.url(), "select 'fine'").await, "fine");
    assert!(stage.server().join("broken").exists());
}

#[tokio::test]
async fn folder_with_too_long_a_socket_path_still_works() {
    let stage = Stage::new();
    let deep =
        Stage(stage.0.join("and a folder, with a \"quoted\" part, that makes it go on and on".repeat(3)));
    fs::create_dir(&deep.0).unwrap();
    let database = enter(&deep).await;
    let (_, socket) = database.url().split_once("?host=").unwrap();
    let socket = PathBuf::from(socket);
    assert!(!socket.starts_with(&stage.0) && socket.exists());
    assert_eq!(ask(database.url(), "select 'fine'").await, "fine");
    drop(database);
    assert!(!socket.exists());
}

#[tokio::test]
async fn a_folder_with_odd_characters_does() {
    let stage = Stage::new();
    let odd = Stage(stage.0.join("it's, a \"b\" $x `y` \\z"));
    fs::create_dir(&odd.0).unwrap();
    let database = enter(&odd).await;
    assert!(database.url().contains("/it%27s%2C%20a"), "{}", database.url());
    assert_eq!(ask(database.url(), "select 'fine'").await, "fine");
}
