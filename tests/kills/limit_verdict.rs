//! The verdict on limits, from the books of `limits.sql`.
//!
//! A job *is running* from the commit of its claim until the commit that takes its ticket away or deletes its row: its end, or a reap.
//! At no moment are more jobs of a key running than its limit allowed when the last one got its permit. The tolerance is zero.
//!
//! A handler runs while its job is running. Only a process that was silent for its lease, and was given up, may run on: it was
//! killed, frozen, cut off or starved. Those handlers are beside the limit, and the verdict names their number.

use crate::Stage;

/// Statements that must return 0.
const NONE: [(&str, &str); 6] = [
    ("moments above a limit", "select count(*) from instants where there > most or most is null"),
    (
        "jobs that were running without a permit",
        "select count(*) from running r where not exists (
            select from permits p where p.job = r.job and p.given < r.began and p.freed >= r.until)",
    ),
    (
        "handlers that ran on in a process that was not given up",
        "select count(*) from strays where not was_given_up",
    ),
    (
        "jobs that were running before an earlier one of their key had ended",
        "select count(*) from running a join running b using (kind, key)
          where a.kind = 'keyed_1' and a.n < b.n and b.began < a.until",
    ),
    ("left permits", "select count(*) from pgjobq.jobs"),
    ("left leases", "select count(*) from pgjobq.leases"),
];

/// Panics unless all of it holds.
pub(crate) async fn check(stage: &Stage, jobs: i64) -> String {
    stage.run(include_str!("limit_verdict.sql")).await;
    let completed = "select count(*) from pgjobq.finished where outcome = 'completed'";
    assert_eq!(stage.number(completed).await, jobs, "each job completes once");
    for (what, count) in NONE {
        assert_eq!(stage.number(count).await, 0, "{what}");
    }
    let crashed = stage.number("select count(*) from pgjobq.finished where crashes > 0").await;
    assert!(crashed > 0, "no worker lost a running job, so this shows nothing");
    let text = "select concat(
        (select count(*) from running), ' attempts, ', (select sum(failures) from pgjobq.finished), ' failures and ',
        (select sum(crashes) from pgjobq.finished), ' crashes among them, at ', (select count(*) from instants),
        ' moments none above its limit, at most ', (select max(there) from instants where what = 'running'), ' running at a time; ',
        (select count(*) from given_up where silence >= '2s'), ' workers given up after their lease; handlers that ran on in them: ',
        coalesce((select string_agg(concat(count, ' ', trouble), ', ') from (
            select trouble, count(*) from strays group by trouble order by trouble) s), 'none'),
        '; attempts that began beside one of those above the limit: ',
        (select count(*) from (
            select r.most, (select count(*) from handlers o
                              where o.kind = r.kind and o.key = r.key and o.began <= r.began and o.ended > r.began) as there
              from (select *, most_at(kind, given) as most from running) r) x where there >= most))";
    let text = pgjobq::sqlx::query_scalar::<_, String>(text);
    text.fetch_one(&stage.pool).await.unwrap()
}
