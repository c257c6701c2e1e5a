//! The checks, at the end, of jobs that others may take the place of.

use pgjobq::sqlx;
use uuid::Uuid;

use crate::stage::Stage;

/// Finds the claim of a ticket.
const INDEX: &str = "create index if not exists claims_by_ticket on claims using gist (tickets)";

/// Statements that must return 0. `$1` and `$2` are the answered enqueues: the job, and the one that has taken its place, if any.
const NONE: [(&str, &str); 7] = [
    (
        // What was asked of a holder may meet another one when it is carried out: after the commit, or by a worker, because the
        // network of the client failed. Its run has the same content, or a newer one.
        "enqueues after which no run of their job, or of the one in its place, has seen what was written before them",
        "select count(*) from unnest($1, $2) a(job, holder) join asked k using (job)
          where k.kind in ('synced', 'replaced', 'debounced') and not exists (
            select from runs r join sights s using (run) join asked o on o.job = r.job
             where o.kind = k.kind and o.name = k.name and r.ended is not null and r.began > k.at
               and s.version >= k.version
               and (r.job in (a.job, a.holder) or k.in_transaction or k.kind <> 'synced'))",
    ),
    (
        "jobs that were enqueued while one with their key waited",
        "select count(*)
           from (select job, at, lag(job) over (partition by kind, unique_key order by at) as before
                   from unique_jobs where kind in ('synced', 'replaced', 'debounced')) u
          where before is not null
            and not exists (select from ends e where e.job = u.before and e.at < u.at)
            and not exists (
              select from (select ticket from runs where job = u.before
                           union select ticket from tickets_lost where job = u.before) t
                     join claims c on c.tickets @> t.ticket
               where c.at < u.at)",
    ),
    (
        // If the holder was claimed before the request was carried out, that has met another one, which ran later.
        "jobs that were debounced and started earlier than 300 ms after the enqueue",
        "select count(*)
           from unnest($1, $2) a(job, holder) join asked k using (job),
                lateral (select case when exists (select from pgjobq.finished where id = a.job)
                                     then a.job else a.holder end as job) t,
                lateral (select c.at, c.counted from runs r join claims c on c.lease = r.lease and c.tickets @> r.ticket
                          where r.job = t.job order by c.at desc limit 1) c,
                lateral (select count(*) as n from clock_steps s where s.at < k.at) segment
          where k.kind = 'debounced' and segment.n % 2 = 0
            and segment.n = (select count(*) from clock_steps s where s.at < c.at)
            and c.counted < k.clock + interval '300 ms'
            and (t.job = a.job or not exists (
              select from asked o join runs r on r.job = o.job
                     join claims later on later.lease = r.lease and later.tickets @> r.ticket
               where o.kind = k.kind and o.name = k.name and later.at > c.at))",
    ),
    (
        "jobs that are unique for two seconds and came earlier after the one before",
        "select count(*)
           from (select created_at, segment, is_exact, lag(created_at) over of_key as before,
                        lag(segment) over of_key as segment_before, lag(is_exact) over of_key as is_exact_before
                   from (select u.*, abs(extract(epoch from u.clock - u.created_at)) < 1 as is_exact,
                                (select count(*) from clock_steps s where s.at < u.at) as segment
                           from unique_jobs u where kind = 'spaced') u
                 window of_key as (partition by unique_key order by at)) u
          where segment % 2 = 0 and segment = segment_before and is_exact and is_exact_before
            and created_at - before < interval '2 s'",
    ),
    (
        "jobs that were dropped at their limit, or for a newer one, and yet had run",
        "select count(*) from pgjobq.finished f join runs r on r.job = f.id
          where f.kind in ('dropped', 'newest') and f.outcome = 'cancelled'",
    ),
    (
        "jobs that a full queue dropped although a worker had claimed them",
        "select count(*) from pgjobq.finished f join ends e on e.job = f.id join claims c on c.tickets @> e.ticket
          where f.kind = 'sifted' and f.outcome = 'cancelled'",
    ),
    (
        "newest jobs of their key that did not complete",
        "select count(*)
           from (select distinct on (kind, name) job from asked where kind in ('newest', 'latest')
                  order by kind, name, version desc) last
                join unnest($1, $2) a(job, holder) using (job) join pgjobq.finished f on f.id = last.job
          where f.outcome <> 'completed'",
    ),
];

/// Panics unless all of it holds.
pub(crate) async fn check(stage: &Stage) {
    stage.command(INDEX).await;
    stage.command("analyze claims").await;
    let (jobs, holders): (Vec<Uuid>, Vec<Uuid>) = stage.account.books().chosen.iter().copied().unzip();
    for (what, sql) in NONE {
        // The first condition gives the parameters their types in statements that need none.
        let sql = format!("select ({sql}) where $1::uuid[] is not null and $2::uuid[] is not null");
        let sql = sql.replacen("unnest($1, $2)", "unnest($1::uuid[], $2::uuid[])", 1);
        let found = sqlx::query_scalar::<_, i64>(sqlx::AssertSqlSafe(sql)).bind(&jobs).bind(&holders);
        assert_eq!(found.fetch_one(&stage.pool).await.unwrap(), 0, "{what}");
    }
}

/// A line about all kinds.
pub(crate) async fn figures(stage: &Stage) -> String {
    let kinds = "select string_agg(concat(kind, ' ', asked, '/', completed, '/', cancelled), ', ' order by kind)
                   from (select k.kind, count(*) as asked, count(*) filter (where f.outcome = 'completed') as completed,
                                count(*) filter (where f.outcome = 'cancelled') as cancelled
                           from asked k left join pgjobq.finished f on f.id = k.job group by k.kind) k";
    let kinds: Option<String> = sqlx::query_scalar(kinds).fetch_one(&stage.pool).await.unwrap();
    format!("chosen jobs, asked for, completed and cancelled: {}", kinds.unwrap_or_default())
}
