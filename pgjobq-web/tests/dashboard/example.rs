//! The example serves the dashboard.

use std::path::Path;
use std::process::{Command, Stdio};

use pgjobq::sqlx::ConnectOptions as _;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use crate::stage::Stage;

#[tokio::test]
async fn example_serves_the_dashboard() {
    Stage::run(async |stage| {
        // In the folder of the workspace, `cargo test` has built it; for this package alone, its dependencies have other features.
        let mut build = Command::new(env!("CARGO"));
        build.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).args(["build", "--quiet", "--offline"]);
        // A build script of `ring` runs again if this variable is another one, and then all that needs sqlx is compiled again.
        build.env_remove("CARGO_MANIFEST_DIR");
        assert!(build.args(["--example", "dashboard"]).status().unwrap().success());
        let deps = std::env::current_exe().unwrap();
        let program = deps.parent().and_then(Path::parent).unwrap().join("examples/dashboard");
        let mut example = tokio::process::Command::new(program)
            .env("DATABASE_URL", stage.options.to_url_lossy().as_str())
            .env("PORT", "0")
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(example.stdout.take().unwrap()).lines();
        let url = lines.next_line().await.unwrap().unwrap();
        let host = url.strip_prefix("http://").and_then(|url| url.strip_suffix("/admin/jobs/")).unwrap();
        let mut connection = TcpStream::connect(host).await.unwrap();
        let request =
            format!("GET /admin/jobs/overview HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        connection.write_all(request.as_bytes()).await.unwrap();
        let mut page = String::new();
        connection.read_to_string(&mut page).await.unwrap();
        assert!(page.starts_with("HTTP/1.1 200 OK") && page.contains("My shop"), "{page}");
        example.kill().await.unwrap();
    })
    .await;
}
