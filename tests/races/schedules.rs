//! Schedules: a worker that fires a tick, beside another one and beside every change of the schedule, in the orders that `schedule` makes.

use sqlx::postgres::PgConnectOptions;

use crate::bench::Bench;
use crate::pairs::{Checks, Findings, Pair, explore_all};
use crate::pause;
use crate::server::Databases;
use crate::session::Ending;

/// The steps of functions that only these operations reach.
pub(crate) const STEPS: &[&str] = &[
    "schedule locked",
    "ticks fired",
    "code followed",
    "new schedules inserted",
    "changed schedules follow",
    "schedule to remove locked",
];

/// The operations. A fire compares what the look before it has seen, in an earlier transaction. A worker that registers looks then.
const OPERATIONS: &[(&str, &str)] = &[
    (
        "fire",
        "begin; select races.see_schedule(); commit;\nselect races.pause('seen');\n\
         begin; select races.fire_schedule()::text as answer;\nselect races.pause('written'); commit;",
    ),
    (
        "look",
        "begin; select to_jsonb(pgjobq.look_at_schedules(10))::text as answer;\nselect races.pause('written'); commit;",
    ),
    (
        "register",
        "begin; select races.declare_schedule();\nselect races.pause('written'); commit;\nselect races.pause('declared');\n\
         begin; select to_jsonb(pgjobq.look_at_schedules(10))::text as answer;\nselect races.pause('looked'); commit;",
    ),
    (
        "upsert",
        "begin; select pgjobq.upsert_schedule('s', races.definition('changed'))::text as answer;\n\
         select races.pause('written'); commit;",
    ),
    (
        "remove",
        "begin; select pgjobq.remove_schedule('s')::text as answer;\nselect races.pause('written'); commit;",
    ),
    (
        "pause",
        "begin; select pgjobq.pause_schedule('s')::text as answer;\nselect races.pause('written'); commit;",
    ),
    (
        "resume",
        "begin; select pgjobq.resume_schedule('s')::text as answer;\nselect races.pause('written'); commit;",
    ),
];

/// The pairs, and their stage: the schedule is `stored`, or in the `code` of live workers, and may be paused; or it has stopped
/// (`gone`), because the workers that know its kind do not declare it.
const PAIRS: &[(&str, &str, &str)] = &[
    ("fire", "fire", "stored"),
    ("fire", "fire", "code"),
    ("fire", "look", "stored"),
    ("fire", "look", "code"),
    ("fire", "upsert", "stored"),
    ("fire", "upsert", "code"),
    ("fire", "remove", "stored"),
    ("fire", "pause", "stored"),
    ("fire", "resume", "stored, paused"),
    ("look", "look", "code"),
    ("look", "upsert", "code"),
    ("look", "remove", "stored"),
    ("look", "pause", "code"),
    ("look", "resume", "code, paused"),
    ("upsert", "upsert", "stored"),
    ("upsert", "remove", "stored"),
    ("upsert", "pause", "stored"),
    ("upsert", "resume", "stored, paused"),
    ("remove", "remove", "stored"),
    ("remove", "resume", "stored, paused"),
    ("pause", "resume", "stored, paused"),
    ("register", "look", "declared"),
    ("register", "look", "gone"),
    ("register", "fire", "declared"),
    ("register", "pause", "gone"),
    ("register", "upsert", "gone"),
    ("register", "remove", "gone"),
    ("register", "register", "gone"),
];

/// A bug, planted into the shipped text by cuts, and the pair with which the runner must find it.
struct Planted {
    name: &'static str,
    cuts: &'static [(&'static str, &'static str)],
    with: (&'static str, &'static str, &'static str),
}

const SAME: &str = " and version = p_version and pgjobq.micros(passed_to) = p_passed_to";
const SAME_TIME: &str = " and pgjobq.micros(passed_to) = p_passed_to";
const GOES_ON: &str = "and paused_at is null and stopped_at is null\n";
const LOCK: &str = "       for update skip locked;\n    -- step: schedule locked";
const UNLOCKED: &str = ";\n    -- step: schedule locked";

const PLANTED: &[Planted] = &[
    Planted {
        name: "a fire compares nothing, and no key keeps a tick from being fired twice",
        cuts: &[
            (SAME, ""),
            ("    is_new := found;\n    if not is_new then", "    is_new := true;\n    if not is_new then"),
        ],
        with: ("fire", "fire", "stored"),
    },
    Planted {
        name: "a fire does not compare the version, beside a pause",
        cuts: &[(SAME, SAME_TIME), (GOES_ON, "\n")],
        with: ("fire", "pause", "stored"),
    },
    Planted {
        name: "a fire does not lock the schedule, beside an upsert",
        cuts: &[(LOCK, UNLOCKED)],
        with: ("fire", "upsert", "stored"),
    },
    Planted {
        name: "a fire does not lock the schedule, beside a pause",
        cuts: &[(LOCK, UNLOCKED)],
        with: ("fire", "pause", "stored"),
    },
    Planted {
        name: "a fire does not lock the schedule, beside a removal",
        cuts: &[(LOCK, UNLOCKED)],
        with: ("fire", "remove", "stored"),
    },
    Planted {
        name: "a resume does not let the ticks of the pause pass",
        cuts: &[
            ("version = o.version + 1, passed_to = greatest(o.passed_to, v_now),", "version = o.version,"),
            (GOES_ON, "\n"),
        ],
        with: ("fire", "resume", "stored, paused"),
    },
    Planted {
        name: "a look does not bring back a schedule that has stopped",
        cuts: &[(" or s.stopped_at is not null", "")],
        with: ("register", "look", "gone"),
    },
];

const CHECKS: Checks = Checks {
    queries: ["select unnest(races.schedule_violations())", "select unnest(races.schedule_stranded())"],
    failure,
};

fn script(name: &str) -> String {
    OPERATIONS.iter().find(|(known, _)| *known == name).unwrap().1.to_owned()
}

fn pair(&(first, second, stage): &(&str, &str, &str)) -> Pair {
    Pair {
        name: format!("{first}, {second} ({stage})"),
        scripts: [script(first), script(second)],
        are_alike: first == second,
        stage: format!("select races.reset_schedules('{stage}')"),
    }
}

/// Returns the error of a session, which none may have, except that the code still has the schedule to remove.
fn failure(ending: &Ending) -> Option<String> {
    match ending {
        Ending::Failed { code, .. } if code == "PJ021" => None,
        Ending::Failed { code, message } => Some(format!("{code}: {message}")),
        Ending::Answered(_) => None,
    }
}

async fn set_up(databases: &Databases, name: &str, schema: &str) -> PgConnectOptions {
    let options = databases.create(name).await;
    databases.run(name, &pause::with_pauses(schema)).await;
    // A session stands in its fire for as long as the runner likes.
    databases.run(name, "alter function pgjobq.fire_schedule reset lock_timeout").await;
    databases.run(name, include_str!("schedules.sql")).await;
    options
}

pub(crate) async fn every_interleaving_keeps_the_invariants() {
    let databases = Databases::start().await;
    set_up(&databases, "schedules", &pause::shipped()).await;
    let found =
        explore_all(databases.lanes("schedules").await, PAIRS.iter().map(pair).collect(), &CHECKS).await;
    found.are_none("schedules", STEPS);
}

pub(crate) async fn every_planted_bug_is_found() {
    let databases = Databases::start().await;
    for (number, Planted { name, cuts, with }) in PLANTED.iter().enumerate() {
        let mut text = pause::shipped();
        for (old, new) in *cuts {
            assert_eq!(text.matches(old).count(), 1, "`{name}`: the schema changed: {old}");
            text = text.replace(old, new);
        }
        let mut bench = Bench::open(&set_up(&databases, &format!("schedules_{number}"), &text).await).await;
        let mut found = Findings::default();
        found.explore(&mut bench, &pair(with), &CHECKS).await;
        assert!(!found.violations.is_empty(), "the runner misses: {name}");
        eprintln!("planted: {name} -> {:.300}", found.violations[0]);
    }
}
