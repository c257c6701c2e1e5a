//! A worker's connections.
//!
//! Not a pool of sqlx's: that one asks a connection whether it lives each time it is given back, a round trip for each
//! statement; and it waits for the answer without a limit, so that a connection which fell silent is missing for ever.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use sqlx::{Connection, Executor, PgConnection, PgPool};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use crate::DatabaseError;
use crate::db::open::{OPEN_WITHIN, open_like};
use crate::db::statements::Statements;
use crate::lock::lock;
use crate::store::stack::Stack;

/// How long a call waits for a connection that is free.
const FREE_WITHIN: Duration = Duration::from_secs(5);
/// How long the connections may take to close.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);
/// How long a connection is used, because a server's process only ever grows.
const USED_FOR: Duration = Duration::from_secs(30 * 60);

/// A number of connections, each opened when it is needed, and closed when it is not needed for long.
#[derive(Debug)]
pub(super) struct Connections {
    /// The application's pool, of which each connection that is opened takes the options of that moment, and the hooks.
    like: PgPool,
    sql: Arc<Statements>,
    free: Semaphore,
    idle: Mutex<Stack<Opened>>,
}

#[derive(Debug)]
struct Opened {
    connection: PgConnection,
    at: Instant,
}

/// A connection on loan. When the call that has it is dropped, or not answered in time, it is closed with this.
pub(super) struct Lent<'c> {
    from: &'c Connections,
    opened: Opened,
    _one: SemaphorePermit<'c>,
}

impl Connections {
    pub(super) fn new(like: PgPool, sql: Arc<Statements>, most: u32) -> Self {
        Self { like, sql, free: Semaphore::new(most as usize), idle: Mutex::default() }
    }

    /// As many others, to the same database.
    pub(super) fn elsewhere(&self, most: u32) -> Self {
        Self::new(self.like.clone(), Arc::clone(&self.sql), most)
    }

    /// Opens all of them, to see whether they can be had; none is ours yet.
    pub(super) async fn open(&self) -> Result<Vec<PgConnection>, DatabaseError> {
        let mut opened = Vec::new();
        for _ in 0..self.free.available_permits() {
            opened.push(self.open_one().await?);
        }
        Ok(opened)
    }

    /// Makes these ours, to be lent.
    pub(super) async fn keep(&self, opened: Vec<PgConnection>) -> Result<(), DatabaseError> {
        for connection in opened {
            let opened = self.set_up(connection).await?;
            self.idle().push(opened, Instant::now());
        }
        Ok(())
    }

    pub(super) async fn lend(&self) -> Result<Lent<'_>, DatabaseError> {
        let free = timeout(FREE_WITHIN, self.free.acquire()).await;
        let one = free.map_err(|_| self.error(sqlx::Error::PoolTimedOut))?;
        let one = one.map_err(|_| DatabaseError::PoolClosed)?;
        let (idle, unused) = {
            let mut stack = self.idle();
            (stack.pop(), stack.take_unused(Instant::now()))
        };
        drop(unused);
        let opened = match idle {
            Some(opened) => opened,
            None => self.set_up(self.open_one().await?).await?,
        };
        Ok(Lent { from: self, opened, _one: one })
    }

    /// Closes those that nobody has, and lends none any more.
    pub(super) async fn close(&self) {
        self.free.close();
        let idle = self.idle().take_all();
        let closed = async {
            for opened in idle {
                let _ = opened.connection.close().await;
            }
        };
        let _ = timeout(CLOSE_WITHIN, closed).await;
    }

    async fn open_one(&self) -> Result<PgConnection, DatabaseError> {
        open_like(&self.like, "pgjobq worker").await.map_err(|error| self.error(error))
    }

    async fn set_up(&self, mut connection: PgConnection) -> Result<Opened, DatabaseError> {
        let set = sqlx::raw_sql(self.sql.own_settings.clone());
        match timeout(OPEN_WITHIN, connection.execute(set)).await {
            Ok(set) => set.map_err(|error| self.error(error))?,
            Err(_) => return Err(DatabaseError::Unanswered { after: OPEN_WITHIN }),
        };
        Ok(Opened { connection, at: Instant::now() })
    }

    fn error(&self, error: sqlx::Error) -> DatabaseError {
        DatabaseError::new(error, self.sql.schema.as_str())
    }

    fn idle(&self) -> MutexGuard<'_, Stack<Opened>> {
        lock(&self.idle)
    }
}

impl Lent<'_> {
    pub(super) fn connection(&mut self) -> &mut PgConnection {
        &mut self.opened.connection
    }

    /// It has answered, and can be lent again.
    pub(super) fn give_back(self) {
        if self.opened.at.elapsed() < USED_FOR && !self.from.free.is_closed() {
            self.from.idle().push(self.opened, Instant::now());
        }
    }
}
