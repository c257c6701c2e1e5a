//! Schedules: a worker that fires a tick, beside another one and beside every change of the schedule, in every order.

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

/// The operations. A fire compares what the look before it has seen, in an earlier transaction.
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

/// The pairs, and if the schedule is stored and paused on their stage.
const PAIRS: &[(&str, &str, bool, bool)] = &[
    ("fire", "fire", true, false),
    ("fire", "fire", false, false),
    ("fire", "look", true, false),
    ("fire", "look", false, false),
    ("fire", "upsert", true, false),
    ("fire", "upsert", false, false),
    ("fire", "remove", true, false),
    ("fire", "pause", true, false),
    ("fire", "resume", true, true),
    ("look", "look", false, false),
    ("look", "upsert", false, false),
    ("look", "remove", true, false),
    ("look", "pause", false, false),
    ("look", "resume", false, true),
    ("upsert", "upsert", true, false),
    ("upsert", "remove", true, false),
    ("upsert", "pause", true, false),
    ("upsert", "resume", true, true),
    ("remove", "remove", true, false),
    ("remove", "resume", true, true),
    ("pause", "resume", true, true),
];

/// A bug, planted into the shipped text by cuts, and the pair with which the runner must find it.
struct Planted {
    name: &'static str,
    cuts: &'static [(&'static str, &'static str)],
    with: (&'static str, &'static str, bool, bool),
}

const NOT_THE_SAME: &str = "s.version <> p_version or pgjobq.micros(s.passed_to) <> p_passed_to";
const LOCK: &str = "select * into s from pgjobq.schedules where name = p_name for update skip locked;";
const UNLOCKED: &str = "select * into s from pgjobq.schedules where name = p_name;";

const PLANTED: &[Planted] = &[
    Planted {
        name: "a fire compares nothing, and no key keeps a tick from being fired twice",
        cuts: &[
            (NOT_THE_SAME, "false"),
            ("    is_new := found;\n    if not is_new then", "    is_new := true;\n    if not is_new then"),
        ],
        with: ("fire", "fire", true, false),
    },
    Planted {
        name: "a fire does not compare the version, beside a pause",
        cuts: &[
            (NOT_THE_SAME, "pgjobq.micros(s.passed_to) <> p_passed_to"),
            ("or s.paused_at is not null", ""),
        ],
        with: ("fire", "pause", true, false),
    },
    Planted {
        name: "a fire does not lock the schedule, beside an upsert",
        cuts: &[(LOCK, UNLOCKED)],
        with: ("fire", "upsert", true, false),
    },
    Planted {
        name: "a fire does not lock the schedule, beside a pause",
        cuts: &[(LOCK, UNLOCKED)],
        with: ("fire", "pause", true, false),
    },
    Planted {
        name: "a fire does not lock the schedule, beside a removal",
        cuts: &[(LOCK, UNLOCKED)],
        with: ("fire", "remove", true, false),
    },
    Planted {
        name: "a resume does not let the ticks of the pause pass",
        cuts: &[
            ("version = o.version + 1, passed_to = greatest(o.passed_to, v_now),", "version = o.version,"),
            ("or s.paused_at is not null", ""),
        ],
        with: ("fire", "resume", true, true),
    },
];

const CHECKS: Checks = Checks {
    queries: ["select unnest(races.schedule_violations())", "select unnest(races.schedule_stranded())"],
    failure,
};

fn script(name: &str) -> String {
    OPERATIONS.iter().find(|(known, _)| *known == name).unwrap().1.to_owned()
}

fn pair(&(first, second, stored, paused): &(&str, &str, bool, bool)) -> Pair {
    Pair {
        name: format!("{first}, {second} (stored: {stored})"),
        scripts: [script(first), script(second)],
        are_alike: first == second,
        stage: format!("select races.reset_schedules({stored}, {paused})"),
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
