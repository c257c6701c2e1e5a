//! The server of the measurements: durable, and with memory for its size.

use std::fs::read_to_string;
use std::path::Path;

use anyhow::{Context, Result};
use pgjobq::dev::{Server, ServerOptions};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

/// Everything else is PostgreSQL's default: in particular `fsync`, `synchronous_commit`, `full_page_writes` and
/// autovacuum are on. A checkpoint by time within a run would hit one peer and not the next.
pub(crate) const SETTINGS: &[(&str, &str)] =
    &[("shared_buffers", "2GB"), ("max_wal_size", "8GB"), ("checkpoint_timeout", "15min")];

/// Counts statements in the databases that ask for it, and costs others nothing.
const COUNTING: &[(&str, &str)] =
    &[("shared_preload_libraries", "pg_stat_statements"), ("pg_stat_statements.track", "none")];

pub(crate) struct Bench {
    server: Server,
    counts_statements: bool,
}

impl Bench {
    /// Starts it on a port of this machine: peers connect by TCP, as in production.
    pub(crate) async fn start() -> Result<Self> {
        let set = |options: ServerOptions, settings: &[(&str, &str)]| {
            settings.iter().fold(options, |options, (name, value)| options.set(*name, *value))
        };
        let plain = set(ServerOptions::durable().over_tcp(), SETTINGS);
        // The extension is missing on machines without PostgreSQL's contrib programs.
        let (server, counts_statements) = match Server::start(set(plain.clone(), COUNTING)).await {
            Ok(server) => (server, true),
            Err(_) => (Server::start(plain).await?, false),
        };
        let bench = Self { server, counts_statements };
        if counts_statements {
            bench.execute("create extension pg_stat_statements").await?;
        }
        Ok(bench)
    }

    /// Creates an empty database.
    pub(crate) async fn create(&self, name: &str) -> Result<()> {
        self.execute(&format!("create database {name}")).await
    }

    /// Counts the statements of a database from now on, if the server can.
    pub(crate) async fn count_statements(&self, name: &str) -> Result<()> {
        if self.counts_statements {
            self.execute(&format!("alter database {name} set pg_stat_statements.track = 'top'")).await?;
        }
        Ok(())
    }

    pub(crate) async fn drop(&self, name: &str) -> Result<()> {
        self.execute(&format!("drop database if exists {name} with (force)")).await
    }

    /// Leads to a database in which nothing is measured.
    pub(crate) fn outside(&self) -> String {
        self.server.url("postgres")
    }

    pub(crate) fn url(&self, database: &str) -> String {
        self.server.url(database)
    }

    pub(crate) fn postmaster(&self) -> Result<u32> {
        let file = self.data().join("postmaster.pid");
        let text = read_to_string(file)?;
        Ok(text.lines().next().context("postmaster.pid is empty")?.trim().parse()?)
    }

    /// The folder of its data.
    pub(crate) fn data(&self) -> &Path {
        self.server.data_dir()
    }

    pub(crate) async fn version(&self) -> Result<String> {
        let mut session = PgConnection::connect(&self.outside()).await?;
        let version = sqlx::query_scalar("show server_version").fetch_one(&mut session).await?;
        session.close().await?;
        Ok(version)
    }

    async fn execute(&self, statement: &str) -> Result<()> {
        let mut session = PgConnection::connect(&self.outside()).await?;
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut session).await?;
        Ok(session.close().await?)
    }
}
