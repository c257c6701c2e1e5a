//! The database answers exactly as the evaluation in memory does.

use pgjobq::filter::{Compiled, Filter, attribute, kind};
use pgjobq_core::worker_api::Candidate;

use super::drawn;
use crate::harness::TestDb;

const ROUNDS: usize = 40;
const FILTERS: usize = 60;
const JOBS: usize = 60;

/// Evaluates each filter for each job, in one statement.
async fn in_database(db: &TestDb, filters: &[Compiled], jobs: &[Candidate]) -> Vec<bool> {
    let statement = "
        select array_agg(pgjobq.matches(
                   j.attributes, f.path::jsonpath, case when f.needs_columns then j.columns else '{}' end) order by f.n, j.n)
          from unnest($1::text[], $2::boolean[]) with ordinality f(path, needs_columns, n),
               (select u.n, case when u.attributes <> '{}' then u.attributes end as attributes,
                       pgjobq.filter_columns(id, kind, queue, key, state, priority, attempts,
                                             'epoch'::timestamptz + created_at * interval '1 microsecond', errors) as columns
                  from unnest($3::jsonb[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[], $9::int[], $10::int[],
                              $11::bigint[], $12::jsonb[])
                       with ordinality u(attributes, id, kind, queue, key, state, priority, attempts, created_at, errors, n)
                offset 0) j";
    let error = |message: &String| serde_json::json!({"message": message, "attempt": 1});
    let errors = jobs.iter().map(|job| job.errors.iter().map(error).collect::<serde_json::Value>());
    let attributes = jobs.iter().map(|job| serde_json::value::to_raw_value(&job.attributes).unwrap());
    sqlx::query_scalar(statement)
        .bind(filters.iter().map(|filter| filter.path.clone()).collect::<Vec<_>>())
        .bind(filters.iter().map(|filter| filter.needs_columns).collect::<Vec<_>>())
        .bind(attributes.map(sqlx::types::Json).collect::<Vec<_>>())
        .bind(jobs.iter().map(|job| job.id.as_uuid()).collect::<Vec<_>>())
        .bind(jobs.iter().map(|job| job.kind.clone()).collect::<Vec<_>>())
        .bind(jobs.iter().map(|job| job.queue.clone()).collect::<Vec<_>>())
        .bind(jobs.iter().map(|job| job.key.clone()).collect::<Vec<_>>())
        .bind(jobs.iter().map(|job| job.state.as_str()).collect::<Vec<_>>())
        .bind(jobs.iter().map(|job| job.priority as i32).collect::<Vec<_>>())
        .bind(jobs.iter().map(|job| job.attempts).collect::<Vec<_>>())
        .bind(jobs.iter().map(|job| job.created_at).collect::<Vec<_>>())
        .bind(errors.map(sqlx::types::Json).collect::<Vec<_>>())
        .fetch_one(&db.pool)
        .await
        .unwrap()
}

/// Compares the answers, and returns how many were true.
async fn compare(db: &TestDb, filters: &[Filter], jobs: &[Candidate]) -> usize {
    let compiled: Vec<_> = filters.iter().map(|filter| filter.compile().unwrap()).collect();
    let mut answers = in_database(db, &compiled, jobs).await.into_iter();
    let mut matched = 0;
    for (filter, compiled) in filters.iter().zip(&compiled) {
        for job in jobs {
            let answer = answers.next().unwrap();
            let path = &compiled.path;
            assert_eq!(answer, job.is_matched_by(filter), "{filter}\n{path}\n{job:?}");
            let lacks = |wanted: bool| assert!(!answer || wanted, "{filter} is narrowed too far: {job:?}");
            lacks(compiled.narrow.states.as_ref().is_none_or(|states| states.contains(&job.state)));
            lacks(compiled.narrow.ids.as_ref().is_none_or(|ids| ids.contains(&job.id)));
            lacks(compiled.narrow.kinds.as_ref().is_none_or(|kinds| kinds.contains(&job.kind)));
            lacks(compiled.narrow.queues.as_ref().is_none_or(|queues| queues.contains(&job.queue)));
            for (name, value) in compiled.narrow.equals.iter().cloned() {
                lacks(job.is_matched_by(&attribute(name).eq(value)));
            }
            matched += usize::from(answer);
        }
    }
    matched
}

on_one_shard!(database_answers_as_the_evaluation_in_memory);
async fn database_answers_as_the_evaluation_in_memory(db: TestDb) {
    let mut matched = 0;
    for round in 0..ROUNDS {
        // The first rounds have single tests alone, whose answers no other test hides.
        let levels = if round < ROUNDS / 2 { 0 } else { 5 };
        let filters: Vec<_> = (0..FILTERS).map(|_| drawn::filter(levels)).collect();
        let jobs: Vec<_> = (0..JOBS).map(|_| drawn::job()).collect();
        matched += compare(&db, &filters, &jobs).await;
    }
    let all = ROUNDS * FILTERS * JOBS;
    assert!((all / 20..all * 19 / 20).contains(&matched), "{matched} of {all}: the test compares too little");
}

on_one_shard!(filter_and_its_negation_divide_all_jobs);
async fn filter_and_its_negation_divide_all_jobs(db: TestDb) {
    let filters: Vec<_> = (0..FILTERS).map(|_| drawn::filter(3)).collect();
    let negated: Vec<_> = filters.iter().map(|filter| filter.clone().not()).collect();
    let jobs: Vec<_> = (0..JOBS).map(|_| drawn::job()).collect();
    let both = compare(&db, &filters, &jobs).await + compare(&db, &negated, &jobs).await;
    assert_eq!(both, FILTERS * JOBS);
}

on_one_shard!(attributes_written_by_hand_never_fail_a_filter);
async fn attributes_written_by_hand_never_fail_a_filter(db: TestDb) {
    let paths: Vec<_> = (0..300).map(|_| drawn::filter(3).compile().unwrap().path).collect();
    let answers: Vec<Option<bool>> = sqlx::query_scalar(
        r#"select pgjobq.matches(a, p::jsonpath, pgjobq.filter_columns(null, null, null, null, null, null, null, null, '7'))
             from unnest($1::text[]) p,
                  unnest('{"null", "1", "[]", "[1, {\"tenant\": 1}]", "{\"tenant\": {\"a\": [1, \"x\"]}}"}'::jsonb[]) a"#,
    )
    .bind(paths)
    .fetch_all(&db.pool)
    .await
    .unwrap();
    assert!(answers.len() == 1500 && answers.iter().all(Option::is_some));
}

on_one_shard!(walk_with_a_pattern_reads_fewer_rows);
async fn walk_with_a_pattern_reads_fewer_rows(db: TestDb) {
    let rows = async |filter: Filter| {
        let walk = "select pgjobq.rows_to_walk(5000, row($1::jsonpath, false, null)::pgjobq.job_filter)";
        let path = filter.compile().unwrap().path;
        sqlx::query_scalar::<_, i32>(walk).bind(path).fetch_one(&db.pool).await.unwrap()
    };
    let pattern = |name: &str| attribute(name).like(format!("%a{}z%", "_".repeat(55)));
    assert_eq!(rows(attribute("t").eq("like_regex \" flag \"s\"")).await, 5000);
    let one = rows(pattern("t")).await;
    assert!(one < 5000 / 20, "{one}");
    let two = rows(pattern("t").or(pattern("u"))).await;
    assert!(two < one, "{one} and {two}");
}

on_one_shard!(largest_filters_are_answered);
async fn largest_filters_are_answered(db: TestDb) {
    let job = Candidate { attributes: [("a".to_owned(), 999.into())].into(), ..drawn::job() };
    let test = |n: i32| attribute("a").eq(n);
    let nested = |levels| (0..levels).fold(attribute("a").exists(), |filter, n| filter.and(test(n)).not());
    let texts = ["%a".repeat(500), "_".repeat(1000), "%_a".repeat(333), "%.".repeat(500)];
    let mut filters = vec![
        (0..1000).map(test).reduce(Filter::or).unwrap(),
        (0..1000).map(|n| test(n).not()).reduce(Filter::and).unwrap(),
        attribute("a").in_(0..1000),
        nested(31),
        (0..31).fold(kind("a"), |filter, n| filter.or(test(n)).and(test(n))),
    ];
    filters.extend(texts.iter().map(|pattern| attribute("t").like(pattern)));
    let long = ["ab".repeat(1000), "a".repeat(3000)];
    let texts =
        long.map(|text| Candidate { attributes: [("t".to_owned(), text.into())].into(), ..job.clone() });
    let jobs: Vec<_> = texts.into_iter().chain([job]).collect();
    assert!(compare(&db, &filters, &jobs).await > 0);
}
