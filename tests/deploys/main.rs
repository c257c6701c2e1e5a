//! Rolling deploys of an application whose job changes its arguments, there and back: real processes of two versions, which are killed.
//!
//! An order is stored in one transaction with its job, so the table of orders says which jobs there must be. Each run of a job adds
//! a row to the ledger.
#![allow(clippy::unwrap_used)]

use std::process::{Child, Command, Stdio};

#[macro_use]
#[allow(dead_code, unused_macros)]
#[path = "../it/harness.rs"]
mod harness;

use harness::{TestDb, in_time};

/// The orders that each version takes in each stage.
const ORDERS: i64 = 300;

/// Orders that are taken back: those with a number from 1 up to this one.
const REFUNDS: i64 = 11;

/// The leases of workers, in seconds: if they are killed, and if none may be taken for dead on a busy machine.
const SHORT_LEASE: u64 = 2;
const LONG_LEASE: u64 = 30;

/// The programs of the two versions.
struct Programs([String; 2]);

impl Programs {
    /// Builds them, as two deploys would.
    fn build() -> Self {
        let build = ["build", "--quiet", "--offline", "--example", "deploy_v1", "--example", "deploy_v2"];
        // A build script of `ring` runs again if this variable is another one, and then all that needs sqlx is compiled again.
        let mut cargo = Command::new(env!("CARGO"));
        assert!(cargo.args(build).env_remove("CARGO_MANIFEST_DIR").status().unwrap().success());
        // `target/debug/deps/deploys-…`, beside `target/debug/examples`.
        let tests = std::env::current_exe().unwrap();
        let folder = tests.parent().unwrap().parent().unwrap().join("examples");
        let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
        Self([path("deploy_v1"), path("deploy_v2")])
    }

    fn command(&self, db: &TestDb, version: usize, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.0[version - 1]);
        command.args(arguments).env("DATABASE_URL", db.url()).stdout(Stdio::null());
        command
    }

    /// Starts a worker of a version, with a lease of this many seconds.
    fn worker(&self, db: &TestDb, version: usize, lease: u64) -> Process {
        Process(
            self.command(db, version, &["work", &lease.to_string()]).stdin(Stdio::piped()).spawn().unwrap(),
        )
    }

    /// Lets a version take the orders of a stage.
    fn producer(&self, db: &TestDb, version: usize, from: i64) -> Process {
        let (from, to) = (from.to_string(), (from + ORDERS).to_string());
        Process(self.command(db, version, &["take", &from, &to]).stdin(Stdio::null()).spawn().unwrap())
    }

    /// Lets a version take back the first orders.
    async fn take_back(&self, db: &TestDb, version: usize) {
        let orders = REFUNDS.to_string();
        let mut command = self.command(db, version, &["back", "1", &orders]);
        Process(command.stdin(Stdio::null()).spawn().unwrap()).finish().await;
    }
}

/// A process of the application. Dropping it kills the process.
struct Process(Child);

impl Process {
    /// Waits until it has ended by itself.
    async fn finish(mut self) {
        drop(self.0.stdin.take());
        let status = tokio::task::spawn_blocking(move || self.0.wait().unwrap()).await.unwrap();
        assert!(status.success(), "{status}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until this many orders were charged.
async fn charged(db: &TestDb, orders: i64) {
    db.until(&format!("(select count(distinct number) from charged) >= {orders}")).await;
}

const BY_V2: &str = "select count(*) from pgjobq.jobs where meta ? 'version'";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deploys_and_rollbacks_lose_and_kill_nothing() {
    let programs = tokio::task::spawn_blocking(Programs::build).await.unwrap();
    in_time(async {
        let db = TestDb::new(1).await;
        db.run("create table orders (number bigint primary key);
                create table charged (number bigint not null, cents bigint not null, code smallint not null)")
            .await;
        let workers = |version| [(); 3].map(|()| programs.worker(&db, version, SHORT_LEASE));
        let mut started = 0;
        let mut take = |version| {
            started += ORDERS;
            programs.producer(&db, version, started - ORDERS)
        };

        // The first version alone, and then, one after the other, the second in place of it: killed, as a deploy may do.
        let [one, two, three] = workers(1);
        let (before, during) = (take(1), take(1));
        charged(&db, 50).await;
        let [a, b, c] = workers(2);
        let after = take(2);
        drop(one);
        charged(&db, 150).await;
        drop(two);
        charged(&db, 300).await;
        drop(three);
        for producer in [before, during, after] {
            producer.finish().await;
        }
        charged(&db, 3 * ORDERS).await;
        assert!(db.number("select count(*) from charged where code = 2").await >= ORDERS);

        // Back to the first version, while the second still takes orders. These wait.
        let (new, old) = (take(2), take(1));
        charged(&db, 3 * ORDERS + 50).await;
        let [one, two, three] = workers(1);
        drop(a);
        drop(b);
        drop(c);
        new.finish().await;
        old.finish().await;
        let last = take(2);
        last.finish().await;
        db.until(&format!(
            "(select count(*) from pgjobq.jobs where not coalesce(meta ? 'version', false)) = 0 and ({BY_V2}) >= {ORDERS}"
        ))
        .await;
        let waiting = db.number(BY_V2).await;
        // The killed workers count as live until their lease is over.
        db.until(
            "(select sentence like '%: 3 workers read 1. Newer code enqueued it: a worker of that code takes it.'
                from pgjobq.explain((select id from pgjobq.jobs where crashes = 0 order by ticket desc limit 1)) limit 1)",
        )
        .await;
        assert_eq!(db.number(BY_V2).await, waiting, "workers of the first version leave them");

        // The second version again.
        let [a, b, c] = workers(2);
        drop(one);
        charged(&db, started).await;
        db.until("not exists (select from pgjobq.jobs)").await;
        for worker in [two, three, a, b, c] {
            worker.finish().await;
        }
        verdict(&db, started).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deploy_keeps_retries_steps_schedules_and_unique_keys() {
    let programs = tokio::task::spawn_blocking(Programs::build).await.unwrap();
    in_time(async {
        let db = TestDb::new(1).await;
        db.run("create table desk (running int not null, most int not null);
                insert into desk values (0, 0);
                create table refunded (number bigint not null, cents bigint not null, code smallint not null);
                create table charged (like refunded)")
            .await;
        let orders = REFUNDS - 1;
        let old = programs.worker(&db, 1, LONG_LEASE);
        programs.take_back(&db, 1).await;
        // A job for each order, a step for each, and those of the schedule, which are of one order. Those in front fail again and again.
        db.until("(select count(*) from pgjobq.jobs where kind = 'refund' and failures > 0) > 1").await;
        let refunds = "select count(*) from pgjobq.jobs where kind = 'refund' and unique_key is not null";
        db.until(&format!("({refunds}) = {}", orders + 1)).await;

        // The second version enqueues the same orders, under another name; and so does SQL, as the first one did.
        programs.take_back(&db, 2).await;
        let again = "select count(*) from generate_series(1, 10) n,
                            pgjobq.enqueue('refund', jsonb_build_object('order', n, 'cents', n * 100)) e where e.outcome = 'duplicate'";
        assert_eq!(db.number(again).await, orders);
        assert_eq!(db.number(refunds).await, orders + 1, "they are duplicates");

        let new = programs.worker(&db, 2, LONG_LEASE);
        old.finish().await;
        db.until("exists (select from refunded where number = 0 and code = 2)").await;
        db.run("select pgjobq.remove_schedule('refunds')").await;
        db.until("not exists (select from pgjobq.jobs)").await;
        new.finish().await;
        let twice = "select count(*) from (select number from refunded where code = 2 and number > 0
                                            group by number having count(*) = 2) o";
        assert_eq!(db.number(twice).await, orders, "by a job and by a step");
        assert_eq!(db.number("select count(*) from refunded where cents <> number * 100").await, 0);
        let charged = "select count(*) from charged where cents = number * 100 and code = 2";
        assert_eq!(db.number(charged).await, orders, "with the amounts that the steps before returned");
        assert_eq!(db.number("select count(*) from pgjobq.finished where outcome <> 'completed'").await, 0);
        assert_eq!(db.number("select most from desk").await, 2, "two at a time, of both versions together");
    })
    .await;
}

/// Checks that every order was charged with its amount, and that nothing died or failed.
async fn verdict(db: &TestDb, orders: i64) {
    assert_eq!(db.number("select count(*) from orders").await, orders);
    let lost =
        "select count(*) from orders o where not exists (select from charged c where c.number = o.number)";
    assert_eq!(db.number(lost).await, 0, "orders that were never charged");
    assert_eq!(db.number("select count(*) from charged where cents <> number * 100").await, 0);
    let not_completed = "select count(*) from pgjobq.finished where outcome <> 'completed'";
    assert_eq!(db.number(not_completed).await, 0);
    assert_eq!(db.number("select count(*) from pgjobq.finished").await, orders);
    let failures =
        "select count(*) from pgjobq.finished, jsonb_array_elements(errors) e where e->>'reason' <> 'crash'";
    assert_eq!(db.number(failures).await, 0, "attempts that failed otherwise than by a kill");
    let runs = db.number("select count(*) from charged").await;
    let by_new = db.number("select count(*) from charged where code = 2").await;
    let lifted = "select count(*) from charged c where code = 2 and exists (select from pgjobq.finished f
                   where f.args->>'cents' is not null and (f.args->>'order')::bigint = c.number)";
    let lifted = db.number(lifted).await;
    assert!(lifted > 0, "the second version ran jobs of the first");
    println!("{orders} orders in {runs} runs, {by_new} by the second version, {lifted} of these lifted");
}
