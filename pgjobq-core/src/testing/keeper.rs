//! The thread that makes and drops the databases of this process's tests.
//!
//! Each test has a runtime of its own, and a connection belongs to the runtime in which it was opened. So one thread with one
//! runtime has the connections to the server, and tests send it commands. It also makes copies before they are wanted.

use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection, PgPool};
use tokio::sync::{OnceCell, mpsc, oneshot};
use tokio::task::JoinSet;

use super::error::{NO_DATABASE, SAME_NAME, SAME_NAME_AT_ONCE, has_code};
use super::names::Names;
use super::sweep;
use crate::db::migrate::without_roles;
use crate::db::open::reason;
use crate::db::schema::Schema;

/// The number of unused copies to have ready.
const SPARES: usize = 2;
/// The number of statements at a time. Copying a database is work for a disk.
const CONNECTIONS: u32 = 3;

/// The time in which the server must take a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The thread, and the way to it. Dropping this waits until all that was commanded is done.
#[derive(Debug)]
pub(super) struct Keeper {
    commands: Option<mpsc::UnboundedSender<Command>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
enum Command {
    /// Copy this template, or the one with the bare schema.
    Make(Option<String>, oneshot::Sender<Result<String, sqlx::Error>>),
    Drop(String),
    /// Keep the database, with this comment.
    Keep(String, String, oneshot::Sender<()>),
}

impl Keeper {
    /// Starts the thread for the server of this address, under the name of a process.
    pub(super) fn start(server: PgConnectOptions, process: String) -> std::io::Result<Self> {
        let (commands, received) = mpsc::unbounded_channel();
        let io = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::Builder::new()
            .name("pgjobq-test-databases".into())
            .spawn(move || io.block_on(obey(server, process, received)))?;
        Ok(Self { commands: Some(commands), thread: Some(thread) })
    }

    /// Makes a database with the schema, or a copy of this template, and returns its name.
    pub(super) async fn make(&self, template: Option<String>) -> Result<String, sqlx::Error> {
        let (reply, made) = oneshot::channel();
        self.command(Command::Make(template, reply));
        made.await.unwrap_or(Err(sqlx::Error::WorkerCrashed))
    }

    /// Drops a database, sooner or later.
    pub(super) fn drop_database(&self, name: String) {
        self.command(Command::Drop(name));
    }

    /// Keeps a database after this process, in place of an earlier one with the same comment.
    pub(super) async fn keep(&self, name: String, comment: String) {
        let (reply, kept) = oneshot::channel();
        self.command(Command::Keep(name, comment, reply));
        let _ = kept.await;
    }

    fn command(&self, command: Command) {
        // The thread ends only when the sender is dropped, or by a panic, which `join` shows.
        let _ = self.commands.as_ref().map(|commands| commands.send(command));
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.commands.take();
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::warn!("the thread of the tests' databases panicked; the next run drops what it left");
        }
    }
}

/// What the tasks of the thread share.
struct Workshop {
    names: Names,
    /// To the server, and no database of a test.
    pool: PgPool,
    server: PgConnectOptions,
    template: OnceCell<()>,
    spares: std::sync::Mutex<Vec<String>>,
    /// Held by the task that makes copies before they are wanted.
    making_spares: tokio::sync::Mutex<()>,
}

async fn obey(server: PgConnectOptions, process: String, mut commands: mpsc::UnboundedReceiver<Command>) {
    let names = Names::new(process, server.get_username());
    let server = server.application_name(&names.connection());
    let pool = PgPoolOptions::new().max_connections(CONNECTIONS).acquire_timeout(CONNECT_TIMEOUT);
    // Connections stay. Without any, others would take this process for dead, and drop its databases.
    let pool = pool.idle_timeout(None).max_lifetime(None);
    let pool = pool.connect_lazy_with(server.clone());
    let workshop = Arc::new(Workshop {
        names,
        pool,
        server,
        template: OnceCell::new(),
        spares: std::sync::Mutex::default(),
        making_spares: tokio::sync::Mutex::default(),
    });
    let mut tasks = JoinSet::new();
    let mut is_first = true;
    while let Some(command) = commands.recv().await {
        tasks.spawn(Arc::clone(&workshop).obey(command));
        if std::mem::take(&mut is_first) {
            let workshop = Arc::clone(&workshop);
            tasks.spawn(async move { sweep::sweep(&workshop.pool, &workshop.names).await });
        }
        while tasks.try_join_next().is_some() {}
    }
    while tasks.join_next().await.is_some() {}
    workshop.leave_spares().await;
    workshop.pool.close().await;
}

impl Workshop {
    async fn obey(self: Arc<Self>, command: Command) {
        match command {
            Command::Make(Some(template), reply) => drop(reply.send(self.copy(&template).await)),
            Command::Make(None, reply) => {
                let _ = reply.send(self.take().await);
                self.make_spares().await;
            }
            Command::Drop(name) => {
                let dropped = self.run(format!("drop database if exists {name} with (force)")).await;
                warn(dropped, "a test's database could not be dropped; the next run tries again");
            }
            Command::Keep(name, comment, reply) => {
                let replaced = sweep::drop_kept(&self.pool, &comment).await;
                warn(replaced, "the database of an earlier failure could not be dropped");
                let comment = comment.replace('\'', "''");
                warn(self.run(format!("comment on database {name} is '{comment}'")).await, "cannot be kept");
                let _ = reply.send(());
            }
        }
    }

    /// Returns an unused copy of the template, or makes one.
    async fn take(&self) -> Result<String, sqlx::Error> {
        self.template.get_or_try_init(|| self.prepare()).await?;
        let spare = self.spares().pop();
        match spare {
            Some(spare) => Ok(spare),
            None => self.copy_schema().await,
        }
    }

    /// Copies the template, and makes it anew if it is gone: a process that ended may have been the last that was seen to use it.
    async fn copy_schema(&self) -> Result<String, sqlx::Error> {
        let template = self.names.template();
        match self.copy(&template).await {
            Err(error) if has_code(&error, NO_DATABASE) => {
                self.prepare().await?;
                self.copy(&template).await
            }
            copied => copied,
        }
    }

    async fn make_spares(&self) {
        let Ok(_alone) = self.making_spares.try_lock() else { return };
        while self.template.initialized() && self.spares().len() < SPARES {
            match self.copy_schema().await {
                Ok(spare) => self.spares().push(spare),
                Err(_) => return, // A test that needs one reports the error.
            }
        }
    }

    /// Makes the template unless it is there, and takes over copies that other processes have left.
    async fn prepare(&self) -> Result<(), sqlx::Error> {
        let template = self.names.template();
        let exists = "select exists (select from pg_database where datname = $1)";
        let exists = sqlx::query_scalar(exists).bind(&template).fetch_one(&self.pool).await;
        let exists: bool = match exists {
            Ok(exists) => exists,
            Err(error) => return Err(reason(&self.pool, error).await),
        };
        if !exists {
            self.make_template(&template).await?;
        }
        for spare in sweep::spares(&self.pool, &self.names).await?.into_iter().take(SPARES) {
            let own = self.names.own();
            // Another process may be quicker.
            if self.run(format!("alter database {spare} rename to {own}")).await.is_ok() {
                self.spares().push(own);
            }
        }
        Ok(())
    }

    /// Makes the template under another name, so that nobody copies half of it.
    async fn make_template(&self, template: &str) -> Result<(), sqlx::Error> {
        let own = self.names.own();
        self.run(format!("create database {own}")).await?;
        let mut connection = sqlx::PgConnection::connect_with(&self.server.clone().database(&own)).await?;
        sqlx::raw_sql(AssertSqlSafe(without_roles(&Schema::default()))).execute(&mut connection).await?;
        connection.close().await?;
        // A connection to the template, such as autovacuum's, would delay the copies.
        self.run(format!("alter database {own} allow_connections false")).await?;
        match self.run(format!("alter database {own} rename to {template}")).await {
            // Another process was quicker: it has renamed its own before, or in the same moment.
            Err(error) if has_code(&error, SAME_NAME) || has_code(&error, SAME_NAME_AT_ONCE) => {
                self.run(format!("drop database {own}")).await
            }
            renamed => renamed,
        }
    }

    async fn copy(&self, template: &str) -> Result<String, sqlx::Error> {
        let own = self.names.own();
        self.run(format!("create database {own} template {template}")).await?;
        Ok(own)
    }

    /// Leaves unused copies to the next process.
    async fn leave_spares(&self) {
        let spares = std::mem::take(&mut *self.spares());
        for own in spares {
            let spare = self.names.spare();
            warn(
                self.run(format!("alter database {own} rename to {spare}")).await,
                "a copy is not left to others",
            );
        }
    }

    async fn run(&self, statement: String) -> Result<(), sqlx::Error> {
        let done = sqlx::raw_sql(AssertSqlSafe(statement)).execute(&self.pool).await;
        match done {
            Ok(_) => Ok(()),
            Err(error) => Err(reason(&self.pool, error).await),
        }
    }

    fn spares(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.spares.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn warn(done: Result<(), sqlx::Error>, problem: &'static str) {
    if let Err(error) = done {
        tracing::warn!(%error, "{problem}");
    }
}
