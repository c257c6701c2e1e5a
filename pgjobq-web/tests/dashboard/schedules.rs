//! Schedules, their ticks, and actions on them.

use std::time::{Duration, Instant};

use axum::http::StatusCode;
use pgjobq::ScheduleState;
use pgjobq_web::{Permission, User, router};

use crate::browser::Browser;
use crate::jobs::{SCHEDULE, seed};
use crate::stage::Stage;

fn as_ada(stage: &Stage) -> Browser {
    Browser::new(router(&stage.client).auth(async |_| Ok::<_, StatusCode>(User::administrator("ada"))))
}

#[tokio::test]
async fn schedules_show_their_ticks_and_policies() {
    Stage::run(async |stage| {
        let browser = as_ada(stage);
        assert!(browser.get("schedules").await.text().contains("There are no schedules."));
        seed(stage, "lorem").await;
        let list = browser.json("schedules").await;
        let [code, set] = &list["schedules"].as_array().unwrap()[..] else { panic!("{list}") };
        assert_eq!(
            (&code["name"], &code["missed"], &code["set"]),
            (&"new_year".into(), &"run_once".into(), &().into())
        );
        assert_eq!(
            (&set["name"], &set["queue"], &set["text"]),
            (&SCHEDULE.into(), &"default".into(), &"30 3 1 1 *".into())
        );
        assert_eq!((&set["timezone"], &set["state"]), (&"America/New_York".into(), &"active".into()));
        assert_eq!((&set["set"]["by"], &set["last_missed"]["why"]), (&"lorem".into(), &"lorem".into()));
        let one = browser.json("schedule?name=reports%2Fyearly").await;
        let runs: Vec<_> =
            one["next_runs"].as_array().unwrap().iter().map(|run| run.as_str().unwrap()).collect();
        assert!(
            runs.len() == 5 && runs.is_sorted() && runs.iter().all(|run| run.ends_with("-01-01T08:30:00Z")),
            "{runs:?}"
        );
        assert_eq!(
            (&one["next_at"], &one["args"], &one["removable"]),
            (&runs[0].into(), &serde_json::json!({"value": ["lorem"]}), &true.into())
        );
        let page = browser.get("schedule?name=reports%2Fyearly").await.text();
        for text in
            ["America/New_York", "last missed", "2026-01-01 08:30:00 UTC", "skip", "allow", "No worker runs"]
        {
            assert!(page.contains(text), "{text}: {page}");
        }
    })
    .await;
}

#[tokio::test]
async fn actions_on_schedules_are_done_and_audited() {
    Stage::run(async |stage| {
        seed(stage, "lorem").await;
        let browser = as_ada(stage);
        let act = async |action: &str| {
            let fields = [("name", SCHEDULE), ("action", action), ("reason", "why not")];
            let answer = browser.post("act-on-schedule", &fields).await;
            assert_eq!(answer.status, StatusCode::SEE_OTHER, "{action}: {}", answer.body);
            let next = answer.header("location").to_owned();
            (browser.get(&next).await.text(), next)
        };
        let state = async || stage.client.schedules().get(SCHEDULE).await.unwrap().state;

        let (page, next) = act("pause").await;
        assert!(page.contains("Its ticks pass without jobs") && page.contains("paused"), "{page}");
        assert_eq!(next, "schedule?name=reports%2Fyearly");
        assert!(matches!(state().await, ScheduleState::Paused(_)));
        let (page, next) = act("run_now").await;
        assert!(next.starts_with("job?id=") && page.contains("has enqueued this job now"), "{next}: {page}");
        let links = browser.get(&next).await.attributes("href");
        assert!(links.iter().any(|link| link == "schedule?name=reports%2Fyearly"), "{links:?}");
        let jobs = "select count(*) from pgjobq.jobs where meta ->> 'schedule' = 'reports/yearly'";
        assert_eq!(stage.text(jobs).await, "1");
        act("resume").await;
        assert_eq!(state().await, ScheduleState::Active);
        let (page, next) = act("remove").await;
        assert!(
            next == "schedules" && page.contains("reports/yearly") && page.contains("is removed."),
            "{page}"
        );
        assert!(stage.client.schedules().get(SCHEDULE).await.is_err());

        let records = stage.client.audit_records(None, 10).await.unwrap();
        let done: Vec<_> = records
            .iter()
            .rev()
            .map(|record| (&*record.by, &*record.action, record.outcome.is_some()))
            .collect();
        assert_eq!(done, ["pause", "run_now", "resume", "remove"].map(|action| ("ada", action, true)));
        assert!(records.iter().all(|record| record.subject == "schedule reports/yearly"
            && record.reason.as_deref() == Some("why not")));
    })
    .await;
}

#[tokio::test]
async fn schedule_in_the_code_says_why_it_stays() {
    Stage::run(async |stage| {
        seed(stage, "lorem").await;
        let worker = stage.worker().build().await.unwrap().start();
        stage.until("exists (select from pgjobq.workers)").await;
        let browser = as_ada(stage);
        let page = browser.get("schedule?name=new_year").await;
        assert!(page.text().contains("in the code of running programs") && !page.body.contains("value=\"remove\""));
        assert!(browser.get("schedule?name=reports%2Fyearly").await.body.contains("value=\"remove\""));
        let answer = browser.post("act-on-schedule", &[("name", "new_year"), ("action", "remove")]).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert!(answer.text().contains("is in the code of running workers, and cannot be removed"), "{}", answer.text());
        // A definition that was set above it is removed, and the code holds again.
        let set = "update pgjobq.schedules set stored = code || '{\"text\": \"@daily\"}', set_by = 'ada', set_at = now()
                    where name = 'new_year'";
        stage.execute(set).await;
        let answer = browser.post("act-on-schedule", &[("name", "new_year"), ("action", "remove")]).await;
        assert_eq!(answer.header("location"), "schedule?name=new_year");
        let page = browser.get("schedule?name=new_year").await.text();
        assert!(page.contains("follows the code again") && page.contains("0 0 1 1 *"), "{page}");
        // Its program is gone.
        worker.shutdown().await.unwrap();
        let page = browser.get("schedule?name=new_year").await;
        assert!(page.text().contains("The code of no running worker has it"), "{}", page.text());
        assert!(page.body.contains("value=\"remove\""));
        let answer = browser.post("act-on-schedule", &[("name", "new_year"), ("action", "remove")]).await;
        assert_eq!(answer.header("location"), "schedules");
    })
    .await;
}

#[tokio::test]
async fn arguments_of_schedules_need_their_permission() {
    Stage::run(async |stage| {
        seed(stage, "lorem").await;
        let secret = r#"update pgjobq.schedules set stored = jsonb_set(stored, '{job,args}', '["confidential"]')
                         where stored is not null"#;
        stage.execute(secret).await;
        for (user, sees) in [(User::viewer("bob"), false), (User::viewer("eve").allow(Permission::SeeArguments), true)] {
            let app = router(&stage.client).auth(move |_| std::future::ready(Ok::<_, StatusCode>(user.clone())));
            let browser = Browser::new(app);
            for path in ["schedules", "schedule?name=reports%2Fyearly", "api/schedules", "api/schedule?name=reports%2Fyearly"] {
                let page = browser.get(path).await;
                let expected = sees && path.contains("schedule?");
                assert_eq!((page.status, page.body.contains("confidential")), (StatusCode::OK, expected), "{path}");
            }
        }
    })
    .await;
}

/// Stores schedules with these texts, as no call of the library does.
async fn store(stage: &Stage, texts: &[&str]) {
    for (n, text) in texts.iter().enumerate() {
        let definition = serde_json::json!({
            "text": text, "timezone": "America/New_York", "missed": "run_all(1000)", "overlap": "allow",
            "starts": 0, "job": { "kind": "keeps", "args": {} },
        });
        let insert = "insert into pgjobq.schedules (name, kind, stored, set_by, set_at)
                      values (format('text-%s', lpad($1::text, 4, '0')), 'keeps', $2::jsonb, 'hand', now())";
        let insert = pgjobq::sqlx::query(insert).bind(i64::try_from(n).unwrap()).bind(definition.to_string());
        insert.execute(stage.client.pool()).await.unwrap();
    }
}

#[tokio::test]
async fn cron_text_cannot_exhaust_the_cpu() {
    Stage::run(async |stage| {
        let long = "1,".repeat(500_000);
        let hostile = [
            "0 0 1--100000000 * *",
            "*/1000000000 * * * *",
            "0-4294967295 * * * *",
            "0 0 30 2 *",
            "0 0 31W 4 *",
            "every 99999999999999999999d",
            "@reboot",
            "",
            &*long,
        ];
        // Rare ones, whose ticks the library searches for long.
        let rare = ["0 0 29 2 *", "0 0 29W 2 *", "0 0 * 2 MON#5", "59 59 23 L 2 FRIL", "* * * * * *"];
        let texts: Vec<_> = hostile.into_iter().chain(rare.into_iter().cycle().take(91)).collect();
        store(stage, &texts).await;
        let browser = as_ada(stage);
        let began = Instant::now();
        let list = browser.json("schedules").await;
        let mut broken = 0;
        for n in 0..hostile.len() + rare.len() {
            let listed = &list["schedules"][n];
            let page = browser.get(&format!("schedule?name=text-{n:04}")).await;
            assert_eq!(page.status, StatusCode::OK);
            assert!(page.body.len() < 20_000, "the page of `{n}` has {} bytes", page.body.len());
            let is_broken = page.text().contains("It can never fire");
            assert_eq!(
                (is_broken, listed["next_at"].is_null()),
                (n < hostile.len(), n < hostile.len()),
                "{listed}"
            );
            broken += usize::from(is_broken);
        }
        assert_eq!(broken, hostile.len());
        // No parameter is read as one either.
        let text: String = form_urlencoded::byte_serialize(hostile[0].as_bytes()).collect();
        for path in [format!("schedule?name={text}"), format!("schedules?after={text}")] {
            assert!(browser.get(&path).await.status.as_u16() <= 400, "{path}");
        }
        let took = began.elapsed();
        assert!(took < Duration::from_secs(20), "all pages took {took:?}");
    })
    .await;
}

#[tokio::test]
async fn pages_of_schedules_follow_each_other() {
    Stage::run(async |stage| {
        store(stage, &["@daily"; 230]).await;
        let browser = as_ada(stage);
        let (mut path, mut seen, mut pages) = ("schedules".to_owned(), Vec::new(), 0);
        loop {
            let links = browser.get(&path).await.attributes("href");
            seen.extend(links.iter().filter(|link| link.starts_with("schedule?name=")).cloned());
            pages += 1;
            match links.into_iter().find(|link| link.contains("after=")) {
                Some(next) => path = next,
                None => break,
            }
        }
        assert!(seen.len() == 230 && seen.is_sorted() && pages == 3, "{pages} pages: {seen:?}");
    })
    .await;
}
