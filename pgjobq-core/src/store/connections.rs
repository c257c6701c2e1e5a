//! A worker's connections.
//!
//! Not a pool of sqlx's, which checks each returned connection with a round trip, for each statement; and which waits
//! for that answer without a limit, so that a connection that fell silent is lost forever.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use sqlx::{Connection, Executor, PgConnection, PgPool};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use crate::DatabaseError;
use crate::db::open::{OPEN_TIMEOUT, open_like};
use crate::db::statements::Statements;
use crate::lock::lock;
use crate::store::stack::Stack;

/// The time that a call waits for a free connection.
const FREE_TIMEOUT: Duration = Duration::from_secs(5);
/// The time that the connections have to close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// The lifetime of a connection, because a server's process only ever grows.
const MAX_LIFETIME: Duration = Duration::from_secs(30 * 60);

/// A fixed number of connections. Each is opened when it is needed, and closed when it has not been needed for long.
#[derive(Debug)]
pub(super) struct Connections {
    /// The application's pool. Each new connection takes its present options and its hooks.
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

/// A connection on loan. If the call that has it is dropped, or not answered in time, the connection is closed.
pub(super) struct Lent<'c> {
    from: &'c Connections,
    opened: Opened,
    _one: SemaphorePermit<'c>,
}

impl Connections {
    pub(super) fn new(like: PgPool, sql: Arc<Statements>, most: u32) -> Self {
        Self { like, sql, free: Semaphore::new(most as usize), idle: Mutex::default() }
    }

    /// Returns the same for another runtime, with `most` connections.
    pub(super) fn elsewhere(&self, most: u32) -> Self {
        Self::new(self.like.clone(), Arc::clone(&self.sql), most)
    }

    /// Opens all of them, to find out whether the server allows as many; none is kept yet.
    pub(super) async fn open(&self) -> Result<Vec<PgConnection>, DatabaseError> {
        let mut opened = Vec::new();
        for _ in 0..self.free.available_permits() {
            opened.push(self.open_one().await?);
        }
        Ok(opened)
    }

    /// Keeps these, to be lent.
    pub(super) async fn keep(&self, opened: Vec<PgConnection>) -> Result<(), DatabaseError> {
        for connection in opened {
            let opened = self.set_up(connection).await?;
            self.idle().push(opened, Instant::now());
        }
        Ok(())
    }

    pub(super) async fn lend(&self) -> Result<Lent<'_>, DatabaseError> {
        let free = timeout(FREE_TIMEOUT, self.free.acquire()).await;
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

    /// Closes the idle connections, and lends none any more.
    pub(super) async fn close(&self) {
        self.free.close();
        let idle = self.idle().take_all();
        let closed = async {
            for opened in idle {
                let _ = opened.connection.close().await;
            }
        };
        let _ = timeout(CLOSE_TIMEOUT, closed).await;
    }

    async fn open_one(&self) -> Result<PgConnection, DatabaseError> {
        open_like(&self.like, "pgjobq worker").await.map_err(|error| self.error(error))
    }

    async fn set_up(&self, mut connection: PgConnection) -> Result<Opened, DatabaseError> {
        let set = sqlx::raw_sql(self.sql.own_settings.clone());
        match timeout(OPEN_TIMEOUT, connection.execute(set)).await {
            Ok(set) => set.map_err(|error| self.error(error))?,
            Err(_) => return Err(DatabaseError::Unanswered { after: OPEN_TIMEOUT }),
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
    pub(super) fn opened_at(&self) -> Instant {
        self.opened.at
    }

    pub(super) fn connection(&mut self) -> &mut PgConnection {
        &mut self.opened.connection
    }

    /// Returns a connection that has answered, so that it can be lent again.
    pub(super) fn give_back(self) {
        if self.opened.at.elapsed() < MAX_LIFETIME && !self.from.free.is_closed() {
            self.from.idle().push(self.opened, Instant::now());
        }
    }
}
