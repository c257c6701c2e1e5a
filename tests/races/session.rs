//! A session that executes one side's operation, as far as the gates are open.

use serde_json::Value;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};
use tokio::task::JoinHandle;

/// The number of gates of each side: more than the pauses of any operation.
pub(crate) const GATES: i32 = 9;

/// The end of an operation.
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
    running: Option<JoinHandle<(PgConnection, Ending, Vec<String>)>>,
}

impl Session {
    pub(crate) async fn open(options: &PgConnectOptions, side: usize) -> Self {
        let side_text = side.to_string();
        let options = options.clone().options([("races.side", side_text.as_str())]);
        let mut connection = PgConnection::connect_with(&options).await.unwrap();
        let pid = sqlx::query_scalar("select pg_backend_pid()").fetch_one(&mut connection).await.unwrap();
        Self { side, pid, connection: Some(connection), running: None }
    }

    /// Starts a script, which stops at its gates; the first one is before it begins.
    pub(crate) fn start(&mut self, script: &str) {
        self.spawn(script, 0);
    }

    /// Executes a script without stopping.
    pub(crate) async fn carry_out(&mut self, script: &str) -> Ending {
        self.spawn(script, GATES);
        self.end().await.0
    }

    /// Returns its end, and the steps that it reached.
    pub(crate) async fn end(&mut self) -> (Ending, Vec<String>) {
        let (connection, ending, trace) = self.running.take().unwrap().await.unwrap();
        self.connection = Some(connection);
        (ending, trace)
    }

    fn spawn(&mut self, script: &str, passed: i32) {
        let side = self.side;
        let script = format!(
            "set races.passed = '{passed}'; set races.trace = ''; set races.lag = '0'; set races.skipped = '';\n\
             begin; select pg_advisory_lock({side}, 0), races.pause('begun'); commit;\n{script}\n\
             select current_setting('races.trace') as trace, pg_advisory_unlock({side}, 0);"
        );
        let mut connection = self.connection.take().unwrap();
        self.running = Some(tokio::spawn(async move {
            let (ending, trace) = run(&mut connection, script).await;
            (connection, ending, trace)
        }));
    }
}

async fn run(connection: &mut PgConnection, script: String) -> (Ending, Vec<String>) {
    match sqlx::raw_sql(AssertSqlSafe(script)).fetch_all(&mut *connection).await {
        Ok(rows) => {
            let text = |name| rows.iter().find_map(|row| row.try_get::<String, _>(name).ok());
            let answer = serde_json::from_str(&text("answer").unwrap()).unwrap();
            (Ending::Answered(answer), steps(&text("trace").unwrap()))
        }
        Err(error) => {
            let error = error.as_database_error().expect("the server is there");
            let code = error.code().unwrap_or_default().into_owned();
            let ending = Ending::Failed { code, message: error.message().to_owned() };
            sqlx::raw_sql("rollback").execute(&mut *connection).await.unwrap();
            // The rollback has undone the settings of the transaction.
            let trace = "select current_setting('races.trace'), pg_advisory_unlock_all()::text";
            let (trace, _): (String, String) = sqlx::query_as(trace).fetch_one(connection).await.unwrap();
            (ending, steps(&trace))
        }
    }
}

/// Each step follows upon a comma.
fn steps(trace: &str) -> Vec<String> {
    trace.split(", ").skip(1).map(str::to_owned).collect()
}
