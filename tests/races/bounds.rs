//! Enqueues into a bounded queue, each beside every operation that takes or returns a place, in the orders that `schedule` makes.

use sqlx::postgres::PgConnectOptions;

use crate::bench::Bench;
use crate::operation::{Isolation, LEVELS};
use crate::operations::named;
use crate::pairs::{Checks, Findings, Pair, explore_all, stage};
use crate::pause;
use crate::server::Databases;
use crate::session::Ending;

/// The steps of functions that only these operations reach.
pub(crate) const STEPS: &[&str] = &["chunks held", "room taken"];

/// The steps at which other operations stop, and these do not.
const SKIPPED: &str = "queues read,lanes locked,jobs locked,requests read,jobs taken,time read";

const PRODUCERS: &[&str] = &["enqueue", "enqueue many", "enqueue and roll back", "enqueue a live job"];

/// The operations beside each of them.
const BESIDE: &[&str] = &[
    "enqueue",
    "enqueue many",
    "enqueue and roll back",
    "complete",
    "complete some",
    "bury",
    "retry now",
    "complete in",
    "complete in and roll back",
    "complete in and enqueue",
    "reap",
    "requeue",
    "cancel",
    "purge the queue",
    RAISE,
    LOWER,
    MOVE,
];

const RAISE: &str = "raise the bound";
const LOWER: &str = "lower the bound";
const MOVE: &str = "move a job";

/// A bug, planted into the shipped text by cuts, and the operations with which the runner must find it.
struct Planted {
    name: &'static str,
    cut: (&'static str, &'static str),
    among: (&'static str, &'static str),
}

const PLANTED: &[Planted] = &[
    Planted {
        name: "an enqueue counts the jobs instead of taking their places",
        cut: (
            "    v_held := pgjobq.hold_chunks(p_queue, p_want);\n",
            "    return case when (select count(*) from pgjobq.jobs where queue_id = p_queue) + p_want
                             <= (select capacity from pgjobq.queues where id = p_queue) then p_want else 0 end;\n",
        ),
        among: ("enqueue many", "enqueue"),
    },
    Planted {
        name: "two transactions take places of one chunk",
        cut: ("order by r.id limit v_few for update skip locked) c;", "order by r.id limit v_few) c;"),
        among: ("enqueue many", "complete in and enqueue"),
    },
    Planted {
        name: "a duplicate keeps its place",
        cut: ("if v_bounded then perform pgjobq.give_room(0::smallint, array[v_queue], false); end if;", ""),
        among: ("enqueue a live job", "complete"),
    },
    Planted {
        name: "places are returned before the fence is checked",
        cut: (
            "if v_places is not null then room := pgjobq.give_room(p_shard, v_places, false); end if;",
            "room := pgjobq.give_room(p_shard, array_fill(p_lease_queue[1], array[cardinality(p_id)]), false);",
        ),
        among: ("retry now", "complete"),
    },
    Planted {
        name: "a job that is put back in line takes no place",
        cut: ("if v_bounded and pgjobq.take_room(v_queue, 1, true) = 0 then", "if false then"),
        among: ("requeue", "enqueue"),
    },
];

const CHECKS: Checks = Checks {
    queries: ["select unnest(races.bound_violations())", "select unnest(races.bound_stranded())"],
    failure,
};

fn script(name: &str, side: usize, level: Isolation) -> String {
    let call = match name {
        RAISE => "races.set_bound(12)",
        LOWER => "races.set_bound(7)",
        MOVE => "races.move()",
        name => {
            return named(name).script(side, level).replacen(
                "set races.skipped = '",
                &format!("set races.skipped = '{SKIPPED},"),
                1,
            );
        }
    };
    format!(
        "set races.skipped = '{SKIPPED}'; begin;\nselect {call}::text as answer;\nselect races.pause('written');\ncommit;"
    )
}

fn pair(one: &str, other: &str, level: Isolation) -> Pair {
    Pair {
        name: format!("{one} at {level}, {other}"),
        scripts: [script(one, 1, level), script(other, 2, Isolation::ReadCommitted)],
        are_alike: one == other && level == Isolation::ReadCommitted,
        stage: stage("select races.reset_bounds()", [one, other]),
    }
}

/// Returns the error of a session, which none may have. The library and callers know of some.
fn failure(ending: &Ending) -> Option<String> {
    match ending {
        // A stale completion; a duplicate in an older snapshot; a bound below the number of jobs.
        Ending::Failed { code, .. } if ["RC001", "40001", "PJ004"].contains(&code.as_str()) => None,
        Ending::Failed { code, message } => Some(format!("{code}: {message}")),
        Ending::Answered(_) => None,
    }
}

async fn set_up(databases: &Databases, name: &str, schema: &str) -> PgConnectOptions {
    let options = databases.create(name).await;
    databases.run(name, &pause::with_pauses(schema)).await;
    databases.run(name, include_str!("bounds.sql")).await;
    options
}

pub(crate) async fn every_interleaving_keeps_the_invariants() {
    let databases = Databases::start().await;
    set_up(&databases, "bounds", &pause::shipped()).await;
    let mut pairs = Vec::new();
    for one in PRODUCERS.iter().chain(&[RAISE, LOWER, MOVE, "requeue"]) {
        pairs.extend(BESIDE.iter().map(|other| pair(one, other, Isolation::ReadCommitted)));
    }
    for level in LEVELS.into_iter().filter(|level| *level != Isolation::ReadCommitted) {
        pairs.extend(BESIDE.iter().map(|other| pair("enqueue many", other, level)));
    }
    let found = explore_all(databases.lanes("bounds").await, pairs, &CHECKS).await;
    found.are_none("bounds", STEPS);
}

pub(crate) async fn every_planted_bug_is_found() {
    let databases = Databases::start().await;
    let mut missed = Vec::new();
    for (number, bug) in PLANTED.iter().enumerate() {
        let text = pause::shipped();
        assert_eq!(text.matches(bug.cut.0).count(), 1, "`{}`: the schema changed", bug.name);
        let text = text.replace(bug.cut.0, bug.cut.1);
        let mut bench = Bench::open(&set_up(&databases, &format!("bounds_{number}"), &text).await).await;
        let mut found = Findings::default();
        found.explore(&mut bench, &pair(bug.among.0, bug.among.1, Isolation::ReadCommitted), &CHECKS).await;
        match found.violations.first() {
            Some(violation) => eprintln!("planted: {} -> {violation:.300}", bug.name),
            None => missed.push(format!("{} ({} interleavings)", bug.name, found.interleavings)),
        }
    }
    assert!(missed.is_empty(), "the runner misses: {}", missed.join(", "));
}
