//! Actions on many jobs, each beside every operation that shares its rows, in the orders that `schedule` makes.

use sqlx::postgres::PgConnectOptions;

use crate::bench::Bench;
use crate::operation::{Isolation, Operation};
use crate::operations::named;
use crate::pairs::{Checks, Findings, Pair, explore_all, stage};
use crate::pause;
use crate::server::Databases;
use crate::session::Ending;

/// The steps of functions that only these operations reach.
pub(crate) const STEPS: &[&str] = &["action locked", "batch found", "waiting jobs taken"];

/// The steps at which an action does not stop, because other operations that have them do.
const SKIPPED: &str = "requests read,jobs taken,jobs locked";

/// Actions, and the operations that are run beside each of them.
const GROUPS: [(&[&str], &[&str]); 3] = [
    (
        &["cancel", "retry_now", "set_priority", "move_to"],
        &[
            AGAIN,
            "claim",
            "claim quarantined jobs",
            "complete and keep",
            "retry now",
            "return the lease",
            "reap",
            "promote",
            "complete in and roll back",
            "cancel",
            "act on all requests",
            "purge the queue",
        ],
    ),
    (&["move_to"], &[DELETE_TARGET, "delete the queue"]),
    (&["requeue", "delete"], &[AGAIN, "requeue", "purge", "delete the queue"]),
];

/// The name of another session that does the same action.
const AGAIN: &str = "act";
/// The name of another session that deletes the queue to which the jobs move.
const DELETE_TARGET: &str = "delete the queue to which it moves";

/// A bug, planted into the shipped text by a cut, and the action and the operation with which the runner must find it.
struct Planted {
    name: &'static str,
    cut: (&'static str, &'static str),
    among: (&'static str, &'static str),
}

const PLANTED: &[Planted] = &[
    Planted {
        name: "two sessions do one batch",
        cut: ("order by next_at limit 1 for update skip locked;", "order by next_at limit 1;"),
        among: ("set_priority", AGAIN),
    },
    Planted {
        name: "an action changes a job that was claimed since it was found",
        cut: (
            "from pgjobq.take_waiting(p_shard, p_jobs) t;\n    -- step: waiting jobs taken",
            "from (select p_jobs as waiting, '{}'::uuid[] as running, '{}'::uuid[] as busy) t;\n    -- step: waiting jobs taken",
        ),
        among: ("set_priority", "claim"),
    },
];

fn act() -> String {
    format!(
        "set races.skipped = '{SKIPPED}'; begin;\nselect coalesce(races.act(), 'null')::text as answer;\ncommit;"
    )
}

const CHECKS: Checks = Checks {
    queries: ["select unnest(races.action_violations())", "select unnest(races.action_stranded())"],
    failure,
};

/// An action, and another operation beside it.
fn pair(action: &str, beside: &str) -> Pair {
    let other = match beside {
        AGAIN => act(),
        DELETE_TARGET => "begin; select to_jsonb(pgjobq.delete_queue('other'))::text as answer;
                          select races.pause('deleted'); commit;"
            .to_owned(),
        beside => script(named(beside)),
    };
    Pair {
        name: format!("{action}, {beside}"),
        scripts: [act(), other],
        are_alike: beside == AGAIN,
        stage: stage(&format!("select races.reset_action('{action}')"), [action, beside]),
    }
}

fn script(operation: &Operation) -> String {
    operation.script(2, Isolation::ReadCommitted)
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
    databases.run(name, include_str!("actions.sql")).await;
    options
}

pub(crate) async fn every_interleaving_keeps_the_invariants() {
    let databases = Databases::start().await;
    set_up(&databases, "actions", &pause::shipped()).await;
    let pairs = GROUPS.iter().flat_map(|(actions, beside)| {
        actions.iter().flat_map(|action| beside.iter().map(|beside| pair(action, beside)))
    });
    let found = explore_all(databases.lanes("actions").await, pairs.collect(), &CHECKS).await;
    found.are_none("actions", STEPS);
}

pub(crate) async fn every_planted_bug_is_found() {
    let databases = Databases::start().await;
    let mut missed = Vec::new();
    for (number, bug) in PLANTED.iter().enumerate() {
        let text = pause::shipped();
        assert_eq!(text.matches(bug.cut.0).count(), 1, "`{}`: the schema changed", bug.name);
        let text = text.replace(bug.cut.0, bug.cut.1);
        let mut bench = Bench::open(&set_up(&databases, &format!("actions_{number}"), &text).await).await;
        let mut found = Findings::default();
        found.explore(&mut bench, &pair(bug.among.0, bug.among.1), &CHECKS).await;
        match found.violations.first() {
            Some(violation) => eprintln!("planted: {} -> {violation:.300}", bug.name),
            None => missed.push(format!("{} ({} interleavings)", bug.name, found.interleavings)),
        }
    }
    assert!(missed.is_empty(), "the runner misses: {}", missed.join(", "));
}
