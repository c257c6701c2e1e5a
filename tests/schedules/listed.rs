//! Schedules as they are listed.

use pgjobq::{NewSchedule, Overlap};

use crate::harness::TestDb;
use crate::jobs::note;

on_one_shard!(schedules_are_listed_page_by_page);
async fn schedules_are_listed_page_by_page(db: TestDb) {
    let schedules = db.client.schedules();
    let names = ["a", "a/b", "c-1", "c-2", "z.z"];
    for name in names {
        schedules.upsert(name, note::schedule("@daily", 1)).await.unwrap();
    }
    let all: Vec<_> = schedules.list().await.unwrap().into_iter().map(|schedule| schedule.name).collect();
    assert_eq!(all.len(), names.len(), "{all:?}");
    let (mut paged, mut after) = (Vec::new(), String::new());
    loop {
        let page = schedules.list_after(&after, 2).await.unwrap();
        let Some(last) = page.last() else { break };
        after.clone_from(&last.name);
        paged.extend(page.into_iter().map(|schedule| schedule.name));
    }
    assert_eq!(paged, all);
}

on_one_shard!(arguments_too_long_to_print_hide_no_schedule);
async fn arguments_too_long_to_print_hide_no_schedule(db: TestDb) {
    let schedules = db.client.schedules();
    for name in ["long", "short"] {
        schedules.upsert(name, note::schedule("@daily", 1)).await.unwrap();
    }
    // A short number in the row, and a text of more than 8 MiB.
    db.run(
        "update pgjobq.schedules
            set stored = jsonb_set(stored, '{job,args,n}', (select jsonb_agg(1e131071::numeric) from generate_series(1, 100)))
          where name = 'long'",
    )
    .await;
    let args: Vec<_> = schedules.list().await.unwrap().into_iter().map(|schedule| schedule.args).collect();
    assert_eq!(args, ["", r#"{"n": 1}"#]);
}

on_one_shard!(look_reads_no_arguments);
async fn look_reads_no_arguments(db: TestDb) {
    db.client.schedules().upsert("s", note::schedule("@daily", 1)).await.unwrap();
    let due = db.text("(select due #>> '{0,definition}' from pgjobq.look_at_schedules(100))").await;
    assert!(due.contains("@daily") && !due.contains("note"), "{due}");
}

on_one_shard!(schedule_has_the_queue_of_its_jobs);
async fn schedule_has_the_queue_of_its_jobs(db: TestDb) {
    db.client.queue("reports").save().await.unwrap();
    let schedules = db.client.schedules();
    schedules.upsert("own", NewSchedule::new("@daily", note::job(1).queue("reports"))).await.unwrap();
    schedules.upsert("usual", note::schedule("@daily", 1).overlap(Overlap::CancelRunning)).await.unwrap();
    assert_eq!(schedules.get("own").await.unwrap().queue, "reports");
    let usual = schedules.get("usual").await.unwrap();
    assert_eq!((&*usual.queue, &*usual.overlap.to_string()), ("default", "cancel_running"));
}

on_one_shard!(bad_definition_is_shown_and_hides_no_other);
async fn bad_definition_is_shown_and_hides_no_other(db: TestDb) {
    let schedules = db.client.schedules();
    for name in ["good", "later", "never"] {
        schedules.upsert(name, note::schedule("@daily", 1)).await.unwrap();
    }
    db.run("update pgjobq.schedules set stored = stored - 'timezone' where name = 'later'").await;
    let slow = r#"update pgjobq.schedules set stored = stored || '{"text": "0 0 1--100000000 * *"}'"#;
    db.run(&format!("{slow} where name = 'never'")).await;
    let all = schedules.list().await.unwrap();
    let [good, later, never] = &all[..] else { panic!("{all:?}") };
    assert!(good.problem.is_none() && good.next_at.is_some() && good.next_runs(5).len() == 5);
    assert!(later.next_at.is_none() && later.next_runs(5).is_empty());
    let problem = later.problem.as_deref().unwrap();
    assert!(problem.starts_with("its definition cannot be read: missing field `timezone`"), "{problem}");
    assert_eq!((&*never.text, never.next_at), ("0 0 1--100000000 * *", None));
    assert!(never.to_string().contains("cannot fire: `0 0 1--100000000 * *`, at character 5"), "{never}");
}
