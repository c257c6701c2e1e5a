//! The checks of limits at the end.

use std::collections::HashSet;
use std::sync::atomic::Ordering;

use pgjobq::sqlx;
use uuid::Uuid;

use crate::limited::RATES;
use crate::stage::Stage;

/// In microseconds.
const SECOND: i64 = 1_000_000;

/// The key and the segment of a start, when its claim began, when it was counted, and its weight.
type Start = (String, i64, i64, i64, i64);

/// Statements that must return 0.
const NONE: [(&str, &str); 2] = [
    (
        "instants at which more jobs ran under a live lease than their limit allowed",
        "select count(*) from under_limits where running > most",
    ),
    (
        "jobs with a unique key that came before the last one with it had ended",
        "select count(*) from (
            select u.at, lag(e.at) over (partition by u.kind, u.unique_key order by u.at) as ended
              from unique_jobs u join ends e using (job) where u.kind = 'only') u
          where at < ended",
    ),
];

/// Acknowledged jobs of which the last one of the same key had not ended when they began. (A job whose enqueue was not
/// answered may have come later than the next one.)
const OUT_OF_ORDER: &str = "select count(*) from (
    select h.began, lag(e.at) over (partition by f.key order by (f.args ->> 'number')::bigint) as ended
      from pgjobq.finished f
      join lateral (select min(at) as at from ends where job = f.id) e on true
      join lateral (select min(began) as began from held where job = f.id) h on true
     where f.kind = 'lined' and f.id = any ($1)) lined
  where began < ended or began is null";

/// Panics unless all of it holds.
pub(crate) async fn check(stage: &Stage) {
    for (what, sql) in NONE {
        assert_eq!(stage.number(sql).await, 0, "{what}");
    }
    let acknowledged: Vec<Uuid> = stage.account.books().acknowledged.keys().copied().collect();
    let out_of_order = sqlx::query_scalar::<_, i64>(OUT_OF_ORDER).bind(acknowledged);
    let out_of_order = out_of_order.fetch_one(&stage.pool).await.unwrap();
    let holders: HashSet<Uuid> = stage.account.books().holders.iter().copied().collect();
    let there = "select count(*) from pgjobq.finished where id = any ($1)";
    let there = sqlx::query_scalar::<_, i64>(there).bind(Vec::from_iter(holders.clone()));
    let there = there.fetch_one(&stage.pool).await.unwrap();
    assert_eq!(there, holders.len() as i64, "jobs that were named as holders of a unique key");
    for (rate, most) in RATES {
        assert!(
            highest_rate(stage, rate).await.most <= most,
            "starts in one second above the rate of {rate}"
        );
    }
    assert_eq!(out_of_order, 0, "jobs that began before the one ahead of them in their key had ended");
}

/// The seconds that were looked at, each from a start on, and the highest weight that started in one of them.
struct Seconds {
    count: usize,
    most: i64,
}

/// The highest weight of jobs under a rate, and of one key, that started within one second. Only seconds in which the clock did
/// not step are looked at. A start is in a second if the claim that counted it began and ended there.
async fn highest_rate(stage: &Stage, rate: &str) -> Seconds {
    let starts =
        "select key, segment, pgjobq.micros(began), pgjobq.micros(counted), weight::bigint from starts
                   where rate = $1 and segment % 2 = 0 order by key, segment, began";
    let starts: Vec<Start> = sqlx::query_as(starts).bind(rate).fetch_all(&stage.pool).await.unwrap();
    let within = |first: usize| {
        let (key, segment, began, ..) = &starts[first];
        let second = |start: &&Start| (&start.0, &start.1) == (key, segment) && start.2 < began + SECOND;
        let starts = starts[first..].iter().take_while(second);
        starts.filter(|start| start.3 < began + SECOND).map(|start| start.4).sum()
    };
    Seconds { count: starts.len(), most: (0..starts.len()).map(within).max().unwrap_or(0) }
}

/// A line about each limit: the highest number of running jobs, what it allowed, and how much was checked. The bound was looked at in
/// this many snapshots.
pub(crate) async fn figures(stage: &Stage, snapshots: usize) -> Vec<String> {
    let lines = "select concat(u.scope, ' ', u.name, ': at most ', max(u.running), ' at a time, where ',
                               min(s.least), case when min(s.least) < max(s.most) then '..' || max(s.most) end,
                               ' may; ', count(*), ' instants checked, at each of which one began; limit changed ',
                               min(s.changes), ' times')
                   from under_limits u,
                        lateral (select min(most) as least, max(most) as most, count(*) - 1 as changes
                                   from limits_set s where s.scope = u.scope and s.name = u.name) s
                  group by u.scope, u.name order by 1";
    let mut lines: Vec<String> = sqlx::query_scalar(lines).fetch_all(&stage.pool).await.unwrap();
    lines.push(format!(
        "bounded queue: {} jobs enqueued, {} times full; in none of {snapshots} snapshots above its bound",
        stage.answers.enqueued.load(Ordering::SeqCst),
        stage.answers.full.load(Ordering::SeqCst)
    ));
    for (rate, may) in RATES {
        let Seconds { count, most } = highest_rate(stage, rate).await;
        lines.push(format!(
            "{rate}: at most {most} starts in a second, by weight, where {may} may; {count} seconds checked, each from a start on"
        ));
    }
    let duplicates = stage.account.books().holders.len();
    lines.push(format!("unique jobs: {duplicates} duplicates, never two of a name at a time"));
    lines
}
