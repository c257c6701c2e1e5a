//! Ageing: a lane whose waiting jobs move up, beside every operation that claims, ends or moves jobs there, in the orders that `schedule` makes.

use sqlx::postgres::PgConnectOptions;

use crate::bench::Bench;
use crate::operation::Isolation;
use crate::operations::named;
use crate::pairs::{Checks, Findings, Pair, explore_all, stage};
use crate::pause;
use crate::server::Databases;
use crate::session::Ending;

/// The steps of functions that only these operations reach.
pub(crate) const STEPS: &[&str] = &["marks locked", "lane of the old locked"];

/// The name of another session that ages the lane.
const AGE: &str = "age";

/// The operations beside an ageing.
const BESIDE: &[&str] = &[
    AGE,
    "enqueue",
    "claim",
    "claim quarantined jobs",
    "complete",
    "retry now",
    "return",
    "return the lease",
    "reap",
    "promote",
    "complete in",
    "cancel",
    "purge the queue",
    "requeue",
    "pause the queue",
];

/// A bug, planted into the shipped text by cuts, and the operation beside which the runner must find it.
struct Planted {
    name: &'static str,
    cuts: &'static [(&'static str, &'static str)],
    beside: &'static str,
}

const LANE_LOCK: &str =
    "    perform from pgjobq.lanes where shard = p_shard and queue_id = p_queue for update;\n";

const PLANTED: &[Planted] = &[
    Planted {
        name: "a job that was claimed since it was found moves up",
        cuts: &[("(v_leased is null or not v_leased @> l.ticket)", "true")],
        beside: "claim",
    },
    Planted { name: "the lane is not locked", cuts: &[(LANE_LOCK, "")], beside: "claim" },
    Planted {
        name: "two sessions age one lane",
        cuts: &[(
            "where shard = p_shard and queue_id = p_queue for update skip locked;\n    -- A time",
            "where shard = p_shard and queue_id = p_queue;\n    -- A time",
        )],
        beside: AGE,
    },
];

const CHECKS: Checks = Checks {
    queries: ["select unnest(races.ageing_violations())", "select unnest(races.ageing_stranded())"],
    failure,
};

/// Returns an operation as a script, on jobs at the priority of this stage.
fn script(name: &str, side: usize) -> String {
    match name {
        AGE => {
            "begin;\nselect races.age()::text as answer;\nselect races.pause('written');\ncommit;".to_owned()
        }
        name => {
            let script = named(name).script(side, Isolation::ReadCommitted);
            script
                .replace("3::smallint", "1::smallint")
                .replace("array[3]::smallint[]", "array[1]::smallint[]")
        }
    }
}

fn pair(beside: &str) -> Pair {
    Pair {
        name: format!("{AGE}, {beside}"),
        scripts: [script(AGE, 1), script(beside, 2)],
        are_alike: beside == AGE,
        stage: stage("select races.reset_ageing()", [AGE, beside]),
    }
}

/// Returns the error of a session, which none may have: of a caller whose job was changed meanwhile, the library knows.
fn failure(ending: &Ending) -> Option<String> {
    match ending {
        Ending::Failed { code, .. } if code == "RC001" => None,
        Ending::Failed { code, message } => Some(format!("{code}: {message}")),
        Ending::Answered(_) => None,
    }
}

async fn set_up(databases: &Databases, name: &str, schema: &str) -> PgConnectOptions {
    let options = databases.create(name).await;
    databases.run(name, &pause::with_pauses(schema)).await;
    // A session stands in its ageing for as long as the runner likes.
    databases.run(name, "alter function pgjobq.age_jobs reset lock_timeout").await;
    databases.run(name, include_str!("ageing.sql")).await;
    options
}

pub(crate) async fn every_interleaving_keeps_the_invariants() {
    let databases = Databases::start().await;
    set_up(&databases, "ageing", &pause::shipped()).await;
    let pairs = BESIDE.iter().map(|beside| pair(beside)).collect();
    let found = explore_all(databases.lanes("ageing").await, pairs, &CHECKS).await;
    found.are_none("ageing", STEPS);
}

pub(crate) async fn every_planted_bug_is_found() {
    let databases = Databases::start().await;
    for (number, Planted { name, cuts, beside }) in PLANTED.iter().enumerate() {
        let mut text = pause::shipped();
        for (old, new) in *cuts {
            assert_eq!(text.matches(old).count(), 1, "`{name}`: the schema changed: {old}");
            text = text.replace(old, new);
        }
        let mut bench = Bench::open(&set_up(&databases, &format!("ageing_{number}"), &text).await).await;
        let mut found = Findings::default();
        found.explore(&mut bench, &pair(beside), &CHECKS).await;
        assert!(!found.violations.is_empty(), "the runner misses: {name}");
        eprintln!("planted: {name} -> {:.300}", found.violations[0]);
    }
}
