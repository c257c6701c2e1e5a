//! A durable server with our schema and the ledger, the networks to it, and the workers at them.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use pgjobq::dev::{Server, ServerOptions};
use pgjobq::sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use pgjobq::sqlx::{self, PgPool};
use pgjobq::{Client, JobId, NewJob, Priority};

use crate::account::{Account, Ends, Expected};
use crate::clock::Clock;
use crate::fleet::Fleet;
use crate::packers::Answers;
use crate::proxy::Proxy;
use crate::{chosen, ledger, limited, operator};

/// The roles of the workers: they begin with the first, and each rotation switches to the other.
pub(crate) const ROLES: [&str; 2] = ["chaos_even", "chaos_odd"];

pub(crate) struct Stage {
    pub(crate) workers: usize,
    /// The number of keys of each tenant.
    pub(crate) keys: usize,
    /// The factor of all time limits.
    pub(crate) patience: u32,
    /// One for each worker, and the last one for the producers.
    pub(crate) networks: Vec<Proxy>,
    pub(crate) fleet: Fleet,
    pub(crate) account: Account,
    pub(crate) answers: Answers,
    /// A client and a pool that bypass all networks. No fault targets them; only a crash of the server hits them.
    pub(crate) client: Client,
    pub(crate) pool: PgPool,
    pub(crate) server: Server,
    pub(crate) clock: Clock,
    /// Networks through which nothing passes any more, while both ends take their connections for alive.
    pub(crate) silent: Mutex<Vec<Proxy>>,
}

impl Stage {
    pub(crate) async fn new(workers: usize, keys: usize, patience: u32) -> Self {
        let clock = Clock::new();
        let server = Server::start(clock.of(ServerOptions::durable())).await.unwrap();
        let url = server.url("postgres");
        let options: PgConnectOptions = url.parse().unwrap();
        let options = options.application_name("chaos");
        let pool = PgPoolOptions::new().max_connections(12).connect_with(options).await.unwrap();
        let client = Client::new(pool.clone());
        client.migrate().await.unwrap();
        client.queue(operator::QUEUE).save().await.unwrap();
        ledger::create(&pool).await;
        limited::set_up(&client).await;
        chosen::set_up(&client).await;
        for role in ROLES {
            let create = format!("create role {role} login superuser");
            sqlx::query(sqlx::AssertSqlSafe(create)).execute(&pool).await.unwrap();
        }
        let mut networks = Vec::new();
        for _ in 0..=workers {
            networks.push(Proxy::to(&url).await);
        }
        let fleet = Fleet::start(&networks[..workers], url);
        let silent = Mutex::default();
        Self {
            workers,
            keys,
            patience,
            networks,
            fleet,
            account: Account::default(),
            answers: Answers::default(),
            client,
            pool,
            server,
            clock,
            silent,
        }
    }

    /// One number, or nothing while the server is down.
    pub(crate) async fn try_number(&self, sql: &str) -> Option<i64> {
        let sql = sqlx::AssertSqlSafe(format!("select ({sql})::bigint"));
        match sqlx::query_scalar(sql).fetch_one(&self.pool).await {
            Ok(number) => Some(number),
            // The query itself must be right.
            Err(sqlx::Error::Database(error)) if error.code().is_some_and(|code| code.starts_with("42")) => {
                panic!("{error}")
            }
            Err(_) => None,
        }
    }

    /// One number, as soon as the server is there.
    pub(crate) async fn number(&self, sql: &str) -> i64 {
        loop {
            match self.try_number(sql).await {
                Some(number) => break number,
                None => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }

    /// Terminates this many connections of the workers, the producers, and the ledgers.
    pub(crate) async fn terminate_backends(&self, most: u32) {
        let terminate = format!(
            "select count(pg_terminate_backend(pid)) from (
               select pid from pg_stat_activity
                where backend_type = 'client backend' and application_name <> 'chaos' order by random() limit {most}) p"
        );
        self.number(&terminate).await;
    }

    /// Enqueues a job ahead of those that wait, as soon as the server is there.
    pub(crate) async fn bring<T>(&self, job: impl Fn() -> NewJob<T>, ends: Ends) -> JobId {
        let id = JobId::new();
        self.account.attempt(1);
        let begun = Instant::now();
        // If the row exists already, this is a duplicate.
        while let Err(error) = job().id(id).priority(Priority::High).enqueue(&self.client).await {
            assert!(begun.elapsed() < Duration::from_secs(60), "{error}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.account.acknowledge(&[id], Expected { ends, in_transaction: false });
        id
    }

    /// Switches the workers to the other role, and takes the right to log in from the old one.
    pub(crate) async fn rotate_credentials(&self) {
        let (old, new) = self.fleet.next_role();
        self.command(&format!("alter role {new} login")).await;
        self.fleet.take_next_role();
        self.command(&format!("alter role {old} nologin")).await;
        self.number(&format!(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity where usename = '{old}'"
        ))
        .await;
    }

    /// Steps the server's clock to this many seconds from the true time, and records the moments before and after that.
    pub(crate) async fn step_clock_to(&self, seconds: i64) {
        // No crash of the server strikes meanwhile, so each is executed once.
        self.command("insert into clock_steps default values").await;
        self.clock.step_to(seconds);
        self.command("insert into clock_steps default values").await;
    }

    /// Executes a statement, as soon as the server is there. It may be executed twice.
    pub(crate) async fn command(&self, sql: &str) {
        while let Err(error) = sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(&self.pool).await {
            assert!(
                !matches!(&error, sqlx::Error::Database(error) if error.code().is_some_and(|code| code.starts_with("42"))),
                "{error}"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Returns when the query returns true; panics if it does not in time.
    pub(crate) async fn until(&self, sql: &str, within: Duration) {
        let looked = async {
            while self.number(&format!("({sql})::int")).await == 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        if tokio::time::timeout(within, looked).await.is_err() {
            let (left, warned) = (self.left().await, self.fleet.overheard.summary());
            panic!(
                "not true after {within:?}: {sql}\nsome of what is left: {left:#?}\nthe workers warned:{warned}"
            );
        }
    }

    /// Some jobs, workflows and leases that are left, the last run of each worker, and what the server does.
    pub(crate) async fn left(&self) -> Vec<String> {
        let left = "(select j::text from pgjobq.jobs j limit 10) union all
                    (select w::text from pgjobq.workflows w where ended_at is null or outcome <> 'completed' limit 10) union all
                    (select s::text from pgjobq.steps s join pgjobq.workflows w on w.id = s.workflow
                      where w.ended_at is null order by s.workflow, s.n limit 30) union all
                    (select e::text from pgjobq.edges e limit 5) union all (select p::text from pgjobq.ended_parents p limit 5) union all
                    (select l::text from pgjobq.leases l limit 20) union all
                    (select concat('place ', place, ': last run began ', max(began), ', ended ', max(ended)) from runs group by place) union all
                    (select concat_ws(' ', application_name, state, wait_event_type, age(clock_timestamp(), state_change), left(query, 60))
                       from pg_stat_activity where backend_type = 'client backend')";
        sqlx::query_scalar(left).fetch_all(&self.pool).await.unwrap_or_default()
    }
}
