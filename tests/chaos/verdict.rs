//! The conditions that must hold when everything is healed and no work is left.

use std::collections::HashMap;

use pgjobq::sqlx::{self, Row};
use uuid::Uuid;

use crate::account::{Books, Ends, Expected};
use crate::producers::Awaited;
use crate::stage::Stage;

/// The end of a job, as the library reports it.
struct Ended {
    /// False for a receipt, and for a step of a workflow.
    is_by_producers: bool,
    outcome: String,
    crashes: i32,
    max_crashes: i16,
    /// The number of the run whose result was taken.
    run: Option<Uuid>,
}

/// Statements that must return 0.
const NONE: [(&str, &str); 14] = [
    ("jobs that ended twice", "select count(*) - count(distinct id) from pgjobq.finished"),
    ("leases left behind", "select count(*) from pgjobq.leases"),
    ("failures left behind", "select count(*) from pgjobq.failures"),
    ("workers left behind", "select count(*) from pgjobq.workers"),
    ("requests to cancel left behind", "select count(*) from pgjobq.cancels"),
    ("edges left behind", "select count(*) from pgjobq.edges"),
    ("ends of parents left behind", "select count(*) from pgjobq.ended_parents"),
    (
        "runs of a child that began before its parent had ended",
        "select count(*) from chains c join runs r on r.job = c.child join ends e on e.job = c.parent
          where r.began < e.at",
    ),
    (
        "stale results accepted: of a run whose lease no longer covered the job, or never did",
        "select count(*) from pgjobq.finished f
          where outcome = 'completed' and not exists (
            select from runs r join ends e on e.job = f.id and e.lease = r.lease
             where r.run::text = left(f.output #>> '{}', 36) and r.job = f.id and r.worker = r.holder
               and r.ended < e.at)",
    ),
    (
        "effects in the completing transaction that are doubled, or of another run than the one that completed",
        "select count(*) from (
            select from effects e left join pgjobq.finished f on f.id = e.job and left(f.output #>> '{}', 36) = e.run::text
             where f.id is null
            union all select from effects group by job having count(*) > 1) wrong",
    ),
    (
        "effects in the completing transaction that are missing",
        "select count(*) from pgjobq.finished f
          where kind = 'pay' and outcome = 'completed' and not exists (select from effects e where e.job = f.id)",
    ),
    (
        "payments with another number of receipts than one, and receipts without a payment",
        "select count(*) from (select id from pgjobq.finished where kind = 'pay' and outcome = 'completed') p
           full join (select (args ->> 'payment')::uuid as payment, count(*) as receipts
                        from pgjobq.finished where kind = 'receipt' and outcome = 'completed' group by 1) r on r.payment = p.id
          where p.id is null or receipts is distinct from 1",
    ),
    (
        "orders whose job was never enqueued",
        "select count(*) from orders o where not exists (select from pgjobq.finished f where f.id = o.job)",
    ),
    (
        "runs that began without a lease and yet completed their job",
        "select count(*) from runs r join pgjobq.finished f on f.id = r.job and left(f.output #>> '{}', 36) = r.run::text
          where r.lease is null",
    ),
];

/// Panics unless all of it holds.
pub(crate) async fn check(stage: &Stage, awaited: &[Awaited]) {
    for (what, sql) in NONE {
        assert_eq!(stage.number(sql).await, 0, "{what}");
    }
    let ended = ended(stage).await;
    let orders: Vec<Uuid> =
        sqlx::query_scalar("select job from orders").fetch_all(&stage.pool).await.unwrap();
    let books = stage.account.books();
    for (id, expected) in &books.acknowledged {
        check_end(*id, *expected, ended.get(id));
    }
    check_unacknowledged(&books, &ended);
    let orders: std::collections::HashSet<Uuid> = orders.into_iter().collect();
    let missing = books.acknowledged.iter().filter(|(id, how)| how.in_transaction && !orders.contains(id));
    assert_eq!(missing.count(), 0, "jobs without what was written in the transaction that enqueued them");
    for (id, run) in awaited {
        assert_eq!(*run, ended[&id.as_uuid()].run, "a handle gave another result than the job's");
    }
    assert_eq!(stage.fleet.overheard.errors(), Vec::<String>::new(), "errors of the workers");
    assert_eq!(stage.fleet.odd_ends(), Vec::<String>::new(), "workers that ended by themselves");
}

fn check_end(id: Uuid, expected: Expected, ended: Option<&Ended>) {
    let ended = ended.unwrap_or_else(|| panic!("the acknowledged job {id} is lost"));
    let outcome = ended.outcome.as_str();
    match expected.ends {
        Ends::Completed => assert_eq!(outcome, "completed", "{id}"),
        Ends::Cancelled => assert_eq!(outcome, "cancelled", "{id}"),
        Ends::CompletedOrCancelled => assert!(matches!(outcome, "completed" | "cancelled"), "{id} {outcome}"),
        Ends::CompletedOrExpired => assert!(matches!(outcome, "completed" | "expired"), "{id} {outcome}"),
        Ends::Dead => {
            assert_eq!(outcome, "dead", "{id} kills its workers");
            assert_eq!(ended.crashes, i32::from(ended.max_crashes) + 1, "{id} kills its workers");
        }
    }
}

fn check_unacknowledged(books: &Books, ended: &HashMap<Uuid, Ended>) {
    let rolled_back = books.rolled_back.iter().filter(|id| ended.contains_key(id)).count();
    assert_eq!(rolled_back, 0, "jobs of transactions that were rolled back");
    let there = books.unknown.iter().filter(|id| ended.contains_key(id)).count();
    let ended = ended.values().filter(|ended| ended.is_by_producers).count();
    assert_eq!(ended, books.acknowledged.len() + there, "jobs without an attempted enqueue");
}

async fn ended(stage: &Stage) -> HashMap<Uuid, Ended> {
    let rows = "select id, outcome, crashes, max_crashes,
                       case when outcome = 'completed' then left(output #>> '{}', 36)::uuid end as run,
                       kind <> 'receipt' and meta ->> 'workflow' is null as is_by_producers
                  from pgjobq.finished";
    let rows = sqlx::query(rows).fetch_all(&stage.pool).await.unwrap();
    let ended = |row: &sqlx::postgres::PgRow| Ended {
        is_by_producers: row.get("is_by_producers"),
        outcome: row.get("outcome"),
        crashes: row.get("crashes"),
        max_crashes: row.get("max_crashes"),
        run: row.get("run"),
    };
    rows.iter().map(|row| (row.get("id"), ended(row))).collect()
}
