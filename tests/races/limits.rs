//! Limits: every two operations that take or free permits, each followed by the admission that it leads to, in the orders that `schedule` makes.

use sqlx::postgres::PgConnectOptions;

use crate::bench::Bench;
use crate::operation::Isolation;
use crate::operations::named;
use crate::pairs::{Checks, Findings, Pair, explore_all, stage};
use crate::pause;
use crate::server::Databases;
use crate::session::Ending;

/// The steps of functions that only these operations reach.
pub(crate) const STEPS: &[&str] = &["permits found"];

/// The steps at which these operations do not stop. Each stops when it has written, when it has committed, and in its admission.
const SKIPPED: &str = "action locked,batch found,ended job locked,job deleted,jobs taken,lane locked,lanes locked,lease locked,\
                       lease seen,leases held,no pause is made,pause recorded,pauses read,queues read,request committed,\
                       requests read,time read,worker locked";

/// Operations of the runner.
const OPERATIONS: &[&str] = &[
    "enqueue",
    "complete",
    "complete some",
    "complete in",
    "complete in and roll back",
    "bury",
    "retry later",
    "retry now",
    "release",
    "reap",
    "promote",
    "requeue",
    "cancel",
    "claim",
    "pause the queue",
];

/// The operations that are run beside every other one.
const BESIDE_ALL: &[&str] = &["admit", "enqueue", "complete", "lower the limit"];

/// Operations of these tests.
const CHANGES: &[(&str, &str)] = &[
    ("admit", "select 'null' as answer;"),
    (
        "raise the limit",
        "begin; select races.change_limit(3)::text as answer;\nselect races.pause('changed'); commit;",
    ),
    (
        "lower the limit",
        "begin; select races.change_limit(1)::text as answer;\nselect races.pause('changed'); commit;",
    ),
];

/// What follows from an operation: see [`COMMITTED`](crate::pairs::COMMITTED).
const ADMIT: &str = "\nselect races.pause('committed');\nbegin; select races.admit(); commit;";

/// A bug, planted into the shipped text by cuts, and the operations with which the runner must find it.
struct Planted {
    name: &'static str,
    cuts: &'static [(&'static str, &'static str)],
    among: (&'static str, &'static str),
    /// The limit of the stage, on which two jobs have permits.
    limit: usize,
}

const PLANTED: &[Planted] = &[
    Planted {
        name: "an admission locks no limit",
        cuts: &[(
            "perform pg_advisory_xact_lock(hashtext('pgjobq.limits'),",
            "perform hashint8(hashtext('pgjobq.limits') + ",
        )],
        among: ("complete", "enqueue"),
        limit: 2,
    },
    Planted {
        name: "the permits are read before the limit is locked",
        cuts: &[
            ("    v := pgjobq.next_for_kinds(p_shard, p_kind, p_key, p_most);\n", ""),
            (
                "    admitted := 0;\n    perform pgjobq.lock_limits(p_shard, 0,",
                "    admitted := 0;\n    v := pgjobq.next_for_kinds(p_shard, p_kind, p_key, p_most);\n    \
                 perform pgjobq.lock_limits(p_shard, 0,",
            ),
        ],
        among: ("complete", "complete some"),
        limit: 2,
    },
    Planted {
        name: "taken permits above a lowered limit do not count",
        cuts: &[("least(p_want, p_most - cardinality(p_taken))", "p_want")],
        among: ("complete some", "admit"),
        limit: 1,
    },
    Planted {
        name: "a permit is freed before the fence is checked",
        cuts: &[(
            "    -- step: leases held\n",
            "    update pgjobq.jobs set permit = null, ticket = null where id = any (p_id);\n    -- step: leases held\n",
        )],
        among: ("complete", "reap"),
        limit: 2,
    },
    Planted {
        name: "a promoted job gets a ticket without a permit",
        cuts: &[(
            "               set ticket = case when pgjobq.may_be_in_line(j.limits, j.permit, j.queue_permit)\n                                 then v_new[d.n] end,",
            "               set permit = 3, ticket = v_new[d.n],",
        )],
        among: ("promote", "claim"),
        limit: 2,
    },
    Planted {
        name: "a job that is retried at once loses its permit",
        cuts: &[(
            "permit = case when l.delay is null or j.limits & 32::smallint > 0 then j.permit end,",
            "permit = null,",
        )],
        among: ("retry now", "claim"),
        limit: 2,
    },
    Planted {
        name: "a counter says how many permits are taken, and not the rows",
        cuts: &[
            // Two are taken at first.
            (
                "    overrides jsonb,\n    recorded_at",
                "    overrides jsonb,\n    taken int not null default 2,\n    recorded_at",
            ),
            (
                "case when c.most is null or taken.permits <> '{}'\n                                   \
                 then pgjobq.free_permits(taken.permits, c.most, p_most) end as permits",
                "array_fill(0, array[greatest(0, c.most - (select l.taken from pgjobq.limits l where l.name = c.kind))]) \
                 as permits",
            ),
            (
                "      into admitted, queues, next from given;\n",
                "      into admitted, queues, next from given;\n    \
                 update pgjobq.limits set taken = taken + cardinality(p_id);\n",
            ),
            (
                "    v_done := v_done || v_back;\n    if v_places",
                "    update pgjobq.limits set taken = taken - cardinality(v_done);\n    \
                 v_done := v_done || v_back;\n    if v_places",
            ),
        ],
        among: ("complete", "reap"),
        limit: 2,
    },
    Planted {
        name: "an admission in the transaction of the enqueue",
        cuts: &[(
            "    if limited then limited := inserted > 0",
            "    perform pgjobq.admit(0::smallint, p_shape_kind, array[''], null);\n    \
             if limited then limited := inserted > 0",
        )],
        among: ("enqueue", "complete"),
        limit: 2,
    },
    Planted {
        name: "an admission in the transaction of the finish",
        cuts: &[(
            "    -- The order leaves the planner only the index by time: processes that no longer wait are not read.\n",
            "    perform pgjobq.admit(p_shard, '{kind}', '{\"\"}', null);\n",
        )],
        among: ("complete", "enqueue"),
        limit: 2,
    },
];

const CHECKS: Checks = Checks {
    queries: ["select unnest(races.limit_violations())", "select unnest(races.limits_stranded())"],
    failure,
};

/// Returns an operation as a script, with the admission that it leads to.
fn script(name: &str, side: usize) -> String {
    let script = match CHANGES.iter().find(|(change, _)| *change == name) {
        Some((_, script)) => format!("set races.skipped = ''; {script}"),
        None => named(name).script(side, Isolation::ReadCommitted),
    };
    let (before, rest) = script.split_once("set races.skipped = '").unwrap();
    let (_, rest) = rest.split_once('\'').unwrap();
    format!("{before}set races.skipped = '{SKIPPED}'{rest}{ADMIT}")
}

fn pair(first: &str, second: &str, limit: usize) -> Pair {
    Pair {
        name: format!("{first}, {second}"),
        scripts: [script(first, 1), script(second, 2)],
        are_alike: first == second,
        stage: stage(&format!("select races.reset_limits({limit})"), [first, second]),
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
    // A session stands in its admission for as long as the runner likes.
    databases.run(name, "alter function pgjobq.admit reset lock_timeout").await;
    databases.run(name, include_str!("limits.sql")).await;
    options
}

pub(crate) async fn every_interleaving_keeps_the_invariants() {
    let databases = Databases::start().await;
    set_up(&databases, "limits", &pause::shipped()).await;
    let all: Vec<&str> = OPERATIONS.iter().chain(CHANGES.iter().map(|(name, _)| name)).copied().collect();
    let mut pairs = Vec::new();
    for (place, first) in BESIDE_ALL.iter().enumerate() {
        let others = all.iter().filter(|second| !BESIDE_ALL[..place].contains(second));
        pairs.extend(others.map(|second| pair(first, second, 2)));
    }
    let found = explore_all(databases.lanes("limits").await, pairs, &CHECKS).await;
    found.are_none("limits", STEPS);
}

pub(crate) async fn every_planted_bug_is_found() {
    let databases = Databases::start().await;
    let mut missed = Vec::new();
    for (number, bug) in PLANTED.iter().enumerate() {
        let mut text = pause::shipped();
        for (cut, other) in bug.cuts {
            assert_eq!(text.matches(cut).count(), 1, "`{}`: the schema changed", bug.name);
            text = text.replace(cut, other);
        }
        let mut bench = Bench::open(&set_up(&databases, &format!("limits_{number}"), &text).await).await;
        let mut found = Findings::default();
        found.explore(&mut bench, &pair(bug.among.0, bug.among.1, bug.limit), &CHECKS).await;
        match found.violations.first() {
            Some(violation) => eprintln!("planted: {} -> {violation:.300}", bug.name),
            None => missed.push(format!("{} ({} interleavings)", bug.name, found.interleavings)),
        }
    }
    assert!(missed.is_empty(), "the runner misses: {}", missed.join(", "));
}
