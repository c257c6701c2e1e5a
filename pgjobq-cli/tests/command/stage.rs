//! A database for one test, and runs of the command on it.

use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use pgjobq::prelude::*;
use pgjobq::sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use pgjobq::sqlx::{self, AssertSqlSafe, ConnectOptions as _, PgPool};
use serde_json::Value;

/// The time in which anything that a test waits for happens, on a machine that is far slower than usual.
pub(crate) const PATIENCE: Duration = Duration::from_secs(100);
pub(crate) const HOUR: Duration = Duration::from_secs(3600);

#[job]
pub(crate) async fn cli_double(number: u64) -> Result<u64> {
    Ok(number.saturating_mul(2))
}

#[job(retries = 0)]
pub(crate) async fn cli_die(message: String) -> Result<()> {
    Err(message.into())
}

/// A database of its own for one test.
pub(crate) struct Stage {
    _server: Option<pgjobq::dev::Database>,
    admin: PgPool,
    name: String,
    pub(crate) options: PgConnectOptions,
    pub(crate) client: Client,
}

/// What a run of the command has printed, and its exit code.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Stage {
    /// Creates a migrated database.
    pub(crate) async fn new() -> Self {
        let stage = Self::empty().await;
        stage.client.migrate().await.unwrap();
        stage
    }

    /// Creates a database without our schema.
    pub(crate) async fn empty() -> Self {
        let server = pgjobq::dev::database().await.unwrap();
        let stage = Self::on(server.url()).await;
        Self { _server: Some(server), ..stage }
    }

    /// Creates a database without our schema on the server at this URL.
    pub(crate) async fn on(url: &str) -> Self {
        let admin = PgPoolOptions::new().max_connections(1).connect(url).await.unwrap();
        let name = format!("pgjobq_cli_{}", JobId::new().as_uuid().simple());
        run_sql(&admin, &format!("create database {name}")).await;
        let options = admin.connect_options().as_ref().clone().database(&name);
        let pool = PgPoolOptions::new().max_connections(8).connect_with(options.clone()).await.unwrap();
        Self { _server: None, admin, name, options, client: Client::new(pool) }
    }

    pub(crate) async fn run_sql(&self, sql: &str) {
        run_sql(self.client.pool(), sql).await;
    }

    /// Drops a role, what it owns and its rights, once its sessions are over: a killed command leaves one that still runs.
    pub(crate) async fn drop_role(&self, role: &str) {
        self.run_sql(&format!(
            "select pg_terminate_backend(pid, 60000) from pg_stat_activity where usename = '{role}';
             drop owned by {role} cascade; drop role {role}"
        ))
        .await;
    }

    /// Returns the one value of an expression, as text.
    pub(crate) async fn text(&self, sql: &str) -> String {
        let sql = AssertSqlSafe(format!("select ({sql})::text"));
        sqlx::query_scalar(sql).fetch_one(self.client.pool()).await.unwrap()
    }

    /// Returns when the query returns true; panics at the timeout.
    pub(crate) async fn until(&self, sql: &str) {
        let looked = async {
            while self.text(sql).await != "true" {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, looked).await.unwrap_or_else(|_| panic!("never true: {sql}"));
    }

    /// Starts the command on this database, and does not wait for its end.
    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        let mut started = command(&[&["--url", &self.url()], arguments].concat());
        started.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Starts a worker of the queue `default`, and waits until it is registered.
    pub(crate) async fn worker(&self) -> pgjobq::RunningWorker {
        let worker =
            Worker::builder(&self.client).queue("default", 5).poll_interval(Duration::from_millis(200));
        let worker = worker.build().await.unwrap().start();
        self.until("exists (select from pgjobq.workers)").await;
        worker
    }

    /// Runs jobs until one has ended.
    pub(crate) async fn end_of<T: serde::de::DeserializeOwned>(&self, job: &JobHandle<T>) -> Outcome<T> {
        tokio::time::timeout(PATIENCE, job.wait(&self.client)).await.unwrap().unwrap()
    }

    pub(crate) fn url(&self) -> String {
        self.options.to_url_lossy().to_string()
    }

    /// Returns the URL of this database for another role.
    pub(crate) fn url_of(&self, role: &str) -> String {
        self.options.clone().username(role).to_url_lossy().to_string()
    }

    /// Runs the command on this database.
    pub(crate) fn pgjobq(&self, arguments: &[&str]) -> Ran {
        pgjobq(&[&["--url", &self.url()], arguments].concat())
    }

    /// Runs the command, which must succeed, and returns what it printed.
    #[track_caller]
    pub(crate) fn text_of(&self, arguments: &[&str]) -> String {
        let ran = self.pgjobq(arguments);
        assert_eq!(ran.code, 0, "{arguments:?}: {}{}", ran.stdout, ran.stderr);
        ran.stdout
    }

    /// Runs the command with `--json`, which must succeed, and returns its value.
    #[track_caller]
    pub(crate) fn json_of(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.text_of(&[arguments, &["--json"]].concat())).unwrap()
    }

    pub(crate) async fn drop(self) {
        self.client.close().await;
        self.client.pool().close().await;
        run_sql(&self.admin, &format!("drop database {} with (force)", self.name)).await;
    }
}

async fn run_sql(pool: &PgPool, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(pool).await.unwrap();
}

/// The command without a database of its environment.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pgjobq"));
    command.args(arguments).stdin(Stdio::null());
    for variable in ["DATABASE_URL", "PGJOBQ_SCHEMA", "PGJOBQ_PASSWORD"] {
        command.env_remove(variable);
    }
    command
}

/// Runs the command.
pub(crate) fn pgjobq(arguments: &[&str]) -> Ran {
    Ran::of(command(arguments).output().unwrap())
}

impl Ran {
    pub(crate) fn of(output: Output) -> Self {
        let Output { status, stdout, stderr } = output;
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: status.code().unwrap(), stdout: text(stdout), stderr: text(stderr) }
    }

    /// Sends a signal to a command that runs, and waits for its end.
    pub(crate) fn after_signal(child: Child, signal: &str) -> Self {
        let sent = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
        assert!(sent.success());
        Self::of(child.wait_with_output().unwrap())
    }
}
