//! Ended jobs as lines of JSON.

use std::collections::BTreeSet;

use pgjobq::filter::{self, kind, state};
use pgjobq::prelude::*;
use serde_json::Value;

use crate::harness::TestDb;
use crate::lifecycle::double;
use crate::probe::end_of;

#[job(retries = 0, redact = secret)]
async fn export_divide(by: u32, secret: String) -> Result<u32> {
    let _ = secret;
    100_u32.checked_div(by).ok_or_else(|| "divided by zero".into())
}

async fn lines(mut export: pgjobq::Export<'_>) -> Vec<Value> {
    let mut lines = Vec::new();
    while let Some(line) = export.next().await.unwrap() {
        assert!(!line.contains('\n'), "{line}");
        lines.push(serde_json::from_str(&line).unwrap());
    }
    lines
}

fn ids(lines: &[Value]) -> BTreeSet<String> {
    lines.iter().map(|line| line["id"].as_str().unwrap().to_owned()).collect()
}

on_one_shard!(ended_job_is_exported_with_all_that_is_known);
async fn ended_job_is_exported_with_all_that_is_known(db: TestDb) {
    let worker = db.worker().build().await.unwrap().start();
    let job = export_divide::job(0, "hush".to_owned())
        .attribute("tenant", 42)
        .key("a")
        .enqueue(&db.client)
        .await
        .unwrap();
    assert!(matches!(end_of(&db.client, &job).await, Outcome::Dead(_)));
    assert_eq!(double::call(&db.client, 4).await.unwrap(), 8);
    let waits = double::job(1).delay(std::time::Duration::from_secs(900)).enqueue(&db.client).await.unwrap();
    worker.shutdown().await.unwrap();

    let all = lines(db.client.jobs(filter::all()).export()).await;
    assert_eq!(all.len(), 2, "no job that waits: {}", waits.id());
    let dead = lines(db.client.jobs(state(JobState::Dead)).export()).await;
    let [line] = &dead[..] else { panic!("{dead:?}") };
    assert_eq!(line["id"], job.id().to_string());
    for (name, expected) in [
        ("kind", "\"export_divide\""),
        ("version", "1"),
        ("queue", "\"default\""),
        ("state", "\"dead\""),
        ("key", "\"a\""),
        ("attributes", r#"{"tenant":42}"#),
        ("args", r#"{"by":0,"secret":"[redacted]"}"#),
        ("output", "null"),
        ("attempts", "1"),
        ("failures", "1"),
        ("edited", "null"),
        ("schedule", "null"),
        ("tick", "null"),
    ] {
        assert_eq!(line[name].to_string(), expected, "{name}");
    }
    assert_eq!(line["errors"][0]["message"], "divided by zero");
    let at = line["finished_at"].as_str().unwrap();
    assert!(at.len() == 27 && at.ends_with('Z') && at.contains('T'), "{at}");
    let completed = lines(db.client.jobs(kind("double")).export()).await;
    assert_eq!(completed[0]["output"], 8);
    assert!(all.iter().all(|line| line.as_object().unwrap().len() == 28), "the members are the same");
    assert_eq!(lines(db.client.jobs(state(JobState::Ready)).export()).await, [Value::Null; 0]);
}

on_one_shard!(exported_job_of_a_schedule_names_it_and_its_tick);
async fn exported_job_of_a_schedule_names_it_and_its_tick(db: TestDb) {
    let job = double::enqueue(&db.client, 1).await.unwrap();
    let tick = "extract(epoch from timestamptz '2026-01-31 12:00:00.5+00') * 1000000";
    db.run(&format!(
        "update pgjobq.jobs set meta = jsonb_build_object('schedule', 'nightly', 'tick', ({tick})::bigint)"
    ))
    .await;
    job.cancel(&db.client).await.unwrap();
    let lines = lines(db.client.jobs(filter::all()).export()).await;
    assert_eq!(
        (&lines[0]["schedule"], &lines[0]["tick"]),
        (&"nightly".into(), &"2026-01-31T12:00:00.500000Z".into())
    );
}

/// Ended jobs, as many as take several pages. Every third id ended twice.
async fn many(db: &TestDb) -> i64 {
    db.run(
        "insert into pgjobq.finished (shard, id, created_at, finished_at, queue_id, attempt, failures, crashes,
             drop_on, priority, retries, max_crashes, outcome, kind, args)
         select pgjobq.shard_of(j.id, s.shards), j.id, now() - interval '1 hour', now() - interval '1 minute' * (e + 1),
                1, 1, 0, 0, '9999-12-31', 1, 1, 1, 'completed', 'double', jsonb_build_object('number', n)
           from pgjobq.settings s, (select n, pgjobq.new_id() as id from generate_series(1, 2600) n offset 0) j,
                generate_series(0, case when n % 3 = 0 then 1 else 0 end) e",
    )
    .await;
    db.number("select count(*) from pgjobq.finished").await
}

on_one_and_eight_shards!(pages_are_joined_without_gap_or_repetition);
async fn pages_are_joined_without_gap_or_repetition(db: TestDb) {
    let count = many(&db).await;
    let all = lines(db.client.jobs(filter::all()).export()).await;
    assert_eq!((all.len() as i64, ids(&all).len()), (count, 2600));
}

on_one_and_eight_shards!(export_goes_on_after_each_place);
async fn export_goes_on_after_each_place(db: TestDb) {
    let count = many(&db).await;
    let jobs = db.client.jobs(filter::all());
    let (mut seen, mut ends) = (Vec::new(), BTreeSet::new());
    let mut place = None;
    // Each export is abandoned after 700 lines, and the next one goes on from the text of its place.
    for _ in 0..20 {
        let mut export = jobs.export();
        if let Some(place) = &place {
            export = export.after(place);
        }
        for _ in 0..700 {
            let Some(line) = export.next().await.unwrap() else { break };
            let line: Value = serde_json::from_str(&line).unwrap();
            seen.push(line["id"].to_string());
            ends.insert((line["id"].to_string(), line["finished_at"].to_string()));
        }
        place = Some(export.place().to_string().parse().unwrap());
    }
    assert_eq!((seen.len() as i64, ends.len() as i64), (count, count), "no line is lost or repeated");
}

on_one_shard!(id_that_ended_often_is_exported_page_by_page);
async fn id_that_ended_often_is_exported_page_by_page(db: TestDb) {
    let count = many(&db).await;
    let often = db.text("select max(id::text) from pgjobq.finished").await;
    db.run(&format!(
        "update pgjobq.finished f set id = '{often}', finished_at = timestamptz '2020-01-31' + interval '1 minute' * n
           from (select tableoid, ctid, row_number() over () as n from pgjobq.finished where id <> '{often}' limit 2500) o
          where (f.tableoid, f.ctid) = (o.tableoid, o.ctid)"
    ))
    .await;
    let page = "select count(*) from pgjobq.export_jobs(
        row('{ended}', '1 == 1', false, false, false, false, null, null, null, now())::pgjobq.selection, ";
    // The last row says where to go on. The third number bounds the lines, the fourth the rows that are read.
    let within = format!(r#"'(1,0,"2020-01-31 12:00:00+00",{often})'"#);
    assert_eq!(db.number(&format!("{page} {within}, 1000)")).await, 1001);
    assert_eq!(db.number(&format!("{page} {within}, 1000, 500)")).await, 501);

    let all = lines(db.client.jobs(filter::all()).export()).await;
    let ends: BTreeSet<_> =
        all.iter().map(|line| (line["id"].to_string(), line["finished_at"].to_string())).collect();
    assert_eq!((all.len() as i64, ends.len() as i64), (count, count));
}

on_one_and_eight_shards!(jobs_that_end_meanwhile_displace_no_others);
async fn jobs_that_end_meanwhile_displace_no_others(db: TestDb) {
    many(&db).await;
    let ends = |line: &Value| (line["id"].to_string(), line["finished_at"].to_string());
    let before: BTreeSet<_> = lines(db.client.jobs(filter::all()).export()).await.iter().map(ends).collect();
    let mut export = db.client.jobs(filter::all()).export();
    let mut exported = Vec::new();
    while let Some(line) = export.next().await.unwrap() {
        exported.push(ends(&serde_json::from_str(&line).unwrap()));
        if exported.len() % 500 == 0 {
            // New ids before and behind the place of the export, and jobs of before that end again.
            db.run(
                "insert into pgjobq.finished
                 select (jsonb_populate_record(null::pgjobq.finished,
                                               to_jsonb(f) || jsonb_build_object('finished_at', clock_timestamp(), 'id', d.id))).*
                   from (select * from pgjobq.finished limit 20) f,
                        lateral (values (f.id), (pgjobq.id_at(gen_random_uuid(), 0)), (pgjobq.id_at(pgjobq.new_id(), 0))) d(id)
                  where f.shard = pgjobq.shard_of(d.id, (select shards from pgjobq.settings))",
            )
            .await;
        }
    }
    let once: BTreeSet<_> = exported.iter().cloned().collect();
    assert_eq!(once.len(), exported.len(), "no line twice");
    assert!(before.is_subset(&once), "{} are missing", before.difference(&once).count());
}

on_one_shard!(unprintable_arguments_are_left_out);
async fn unprintable_arguments_are_left_out(db: TestDb) {
    many(&db).await;
    db.run("delete from pgjobq.finished where args <> '{\"number\": 1}'").await;
    db.run("update pgjobq.finished set args = jsonb_build_object('a', (select jsonb_agg(1e131071::numeric) from generate_series(1, 100)))")
        .await;
    let lines = lines(db.client.jobs(filter::all()).export()).await;
    assert_eq!(lines[0]["args"], "[left out: more than 8 MiB]");
}
