//! The example `otel_trace` prints one trace of two processes.
#![allow(clippy::unwrap_used)]

mod common;

use std::process::Command;

use pgjobq::sqlx::ConnectOptions as _;

use self::common::Stage;

#[tokio::test]
async fn example_prints_one_trace_of_two_processes() {
    let stage = Stage::new("example").await;
    let url = stage.client.pool().connect_options().to_url_lossy();
    let mut example = Command::new(env!("CARGO"));
    // In the folder of the workspace, `cargo test` has built it; for this package alone, its dependencies have other features.
    example.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    example.args(["run", "--quiet", "--offline", "--example", "otel_trace"]);
    // A build script of `ring` runs again if this variable is another one, and then all that needs sqlx is compiled again.
    example.env_remove("CARGO_MANIFEST_DIR");
    let printed = example.env("DATABASE_URL", url.as_str()).output().unwrap();
    assert!(printed.status.success(), "{}", String::from_utf8_lossy(&printed.stderr));
    let printed = String::from_utf8(printed.stdout).unwrap();
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(
        lines,
        [
            "POST /orders (internal, in this process)",
            "  send shop (client, in this process)",
            "    process shop (consumer, in the worker)",
            "    process shop (consumer, in the worker)",
        ]
    );
    stage.drop().await;
}
