//! A session that carries out one side's operation, as far as the gates are open.

use serde_json::Value;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};
use tokio::task::JoinHandle;

/// How many gates there are for each side: more pauses than any operation comes to.
pub(crate) const GATES: i32 = 8;

/// How an operation ended.
#[derive(Debug)]
pub(crate) enum Ending {
    Answered(Value),
    /// Its transaction was rolled back by an error.
    Failed {
        code: String,
        message: String,
    },
}

pub(crate) struct Session {
    pub(crate) side: usize,
    pub(crate) pid: i32,
    connection: Option<PgConnection>,
    running: Option<JoinHandle<(PgConnection, Ending)>>,
}

impl Session {
    pub(crate) async fn open(options: &PgConnectOptions, side: usize) -> Self {
        let side_text = side.to_string();
        let options = options.clone().options([("races.side", side_text.as_str())]);
        let mut connection = PgConnection::connect_with(&options).await.unwrap();
        let pid = sqlx::query_scalar("select pg_backend_pid()").fetch_one(&mut connection).await.unwrap();
        Self { side, pid, connection: Some(connection), running: None }
    }

    /// Starts a script, which stops at its gates.
    pub(crate) fn start(&mut self, script: &str) {
        self.spawn(script, 0);
    }

    /// Carries out a script without stopping.
    pub(crate) async fn carry_out(&mut self, script: &str) -> Ending {
        self.spawn(script, GATES);
        self.end().await
    }

    pub(crate) fn is_over(&self) -> bool {
        self.running.as_ref().is_some_and(JoinHandle::is_finished)
    }

    pub(crate) async fn end(&mut self) -> Ending {
        let (connection, ending) = self.running.take().unwrap().await.unwrap();
        self.connection = Some(connection);
        ending
    }

    /// The steps that the last script came to.
    pub(crate) async fn trace(&mut self) -> String {
        let connection = self.connection.as_mut().unwrap();
        sqlx::query_scalar("select current_setting('races.trace')").fetch_one(connection).await.unwrap()
    }

    fn spawn(&mut self, script: &str, passed: i32) {
        // A `set` takes no snapshot, so that the script may still choose its isolation.
        let script = format!("set races.passed = '{passed}'; set races.trace = 'begun';\n{script}");
        let mut connection = self.connection.take().unwrap();
        self.running = Some(tokio::spawn(async move {
            let ending = run(&mut connection, script).await;
            (connection, ending)
        }));
    }
}

async fn run(connection: &mut PgConnection, script: String) -> Ending {
    match sqlx::raw_sql(AssertSqlSafe(script)).fetch_all(&mut *connection).await {
        Ok(rows) => {
            let answer = rows.iter().find_map(|row| row.try_get::<String, _>("answer").ok()).unwrap();
            Ending::Answered(serde_json::from_str(&answer).unwrap())
        }
        Err(error) => {
            let error = error.as_database_error().expect("the server is there");
            let code = error.code().unwrap_or_default().into_owned();
            let ending = Ending::Failed { code, message: error.message().to_owned() };
            sqlx::raw_sql("rollback").execute(connection).await.unwrap();
            ending
        }
    }
}
