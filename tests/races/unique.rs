//! Unique jobs: every two operations on one unique key, in the orders that `schedule` makes.

use sqlx::postgres::PgConnectOptions;

use crate::bench::Bench;
use crate::pairs::{Checks, Findings, Pair, explore_all};
use crate::pause;
use crate::server::Databases;
use crate::session::Ending;

/// The steps of functions that only these operations reach.
pub(crate) const STEPS: &[&str] =
    &["holders read", "unique keys locked", "unique requests locked", "holders taken"];

/// The steps at which these operations do not stop, because others that have them do.
const SKIPPED: &str = "queues read,worker locked,lane locked,leases held,jobs written,jobs read,requests read,jobs taken,jobs locked,\
                       lanes locked,ended job locked,lease locked";

/// An operation: its transactions as one script, which answers with a row `answer`.
#[derive(Clone, Copy)]
struct Operation {
    name: &'static str,
    script: &'static str,
}

const fn operation(name: &'static str, script: &'static str) -> Operation {
    Operation { name, script }
}

/// An enqueue in a caller's transaction, which also writes something that the job is to see.
macro_rules! enqueue {
    ($jobs:literal, $keys:literal, $lasts:literal, $isolation:literal, $end:literal) => {
        concat!(
            "begin isolation level ",
            $isolation,
            "; insert into races.data values (1);
             select coalesce(to_jsonb(races.enqueue_unique(races.own('",
            $jobs,
            "'), '",
            $keys,
            "', '",
            $lasts,
            "'))::text, 'null') as answer; ",
            $end,
            ";"
        )
    };
}

const LIVE: Operation = operation("enqueue", enqueue!("{1}", "{a}", "live", "read committed", "commit"));
const LIVE_ROLLED_BACK: Operation =
    operation("enqueue and roll back", enqueue!("{1}", "{a}", "live", "read committed", "rollback"));
const WAITING: Operation =
    operation("enqueue while waiting", enqueue!("{1}", "{a}", "waiting", "read committed", "commit"));
const WAITING_ROLLED_BACK: Operation = operation(
    "enqueue while waiting and roll back",
    enqueue!("{1}", "{a}", "waiting", "read committed", "rollback"),
);
const WAITING_OLD: Operation = operation(
    "enqueue while waiting at repeatable read",
    enqueue!("{1}", "{a}", "waiting", "repeatable read", "commit"),
);
const FOR_A_TIME: Operation =
    operation("enqueue for a time", enqueue!("{1}", "{a}", "time", "read committed", "commit"));
const MANY: Operation =
    operation("enqueue two", enqueue!("{1,2}", "{a,b}", "live", "read committed", "commit"));
const MANY_TURNED: Operation = operation(
    "enqueue two the other way round",
    enqueue!("{1,2}", "{b,a}", "live", "read committed", "commit"),
);
const TWICE: Operation =
    operation("enqueue one twice", enqueue!("{1,2}", "{a,a}", "waiting", "read committed", "commit"));
/// Through a client, which settles what it has asked for. The other enqueues stop at its first steps.
const REPLACE: Operation = operation(
    "replace",
    "set races.skipped = 'queues read,holders read,unique keys locked,jobs inserted,jobs locked,lanes locked';
     begin; select coalesce(to_jsonb(races.enqueue_unique(races.own('{1}'), '{a}', 'waiting', 'replace', false))::text, 'null') as answer; commit;
     select races.pause('asked');
     begin; select races.settle_unique(); select races.pause('settled'); commit;",
);
const SETTLE: Operation = operation(
    "settle",
    "begin; select coalesce(races.settle_unique()::text, 'null') as answer; select races.pause('settled'); commit;",
);
const CLAIM: Operation = operation(
    "claim",
    "begin; select coalesce(races.claim_unique()::text, 'null') as answer; select races.pause('claimed'); commit;
     select races.start_claimed();",
);
const COMPLETE: Operation = operation(
    "complete",
    "begin; select coalesce(races.finish_unique('delete')::text, 'null') as answer; select races.pause('finished'); commit;",
);
const RETRY: Operation = operation(
    "retry",
    "begin; select coalesce(races.finish_unique('retry')::text, 'null') as answer; select races.pause('finished'); commit;",
);
const REAP: Operation = operation(
    "reap",
    "begin; select coalesce(to_jsonb(pgjobq.reap(0::smallint, '{}'))::text, 'null') as answer; select races.pause('reaped'); commit;",
);
const CANCEL: Operation = operation(
    "cancel",
    "begin; select pgjobq.ask_to_cancel(0::smallint, array[races.id(1)], 'somebody', null); commit;
     select races.pause('requested');
     begin; select coalesce(to_jsonb(pgjobq.act_on_cancels(0::smallint, null, null, 100))::text, 'null') as answer; commit;",
);
const REQUEUE: Operation = operation(
    "requeue",
    "begin; select coalesce(to_jsonb(pgjobq.requeue_jobs(0::smallint, array[races.id(1)], null, null, null, null, null))::text, 'null') as answer;
     select races.pause('requeued'); commit;",
);

/// The operations that are run together on each stage.
const STAGES: &[(&str, &[Operation])] = &[
    (
        "none",
        &[
            LIVE,
            LIVE_ROLLED_BACK,
            WAITING,
            WAITING_ROLLED_BACK,
            WAITING_OLD,
            MANY,
            MANY_TURNED,
            TWICE,
            REPLACE,
        ],
    ),
    ("none", &[FOR_A_TIME]),
    ("waits", &[LIVE, WAITING, WAITING_OLD, MANY_TURNED, REPLACE, CLAIM, CANCEL]),
    ("runs", &[LIVE, WAITING, WAITING_OLD, REPLACE, COMPLETE, REAP]),
    ("runs", &[LIVE, WAITING, REPLACE, RETRY]),
    ("dead", &[LIVE, WAITING, REPLACE, REQUEUE]),
    ("asked", &[LIVE, WAITING, REPLACE, SETTLE, CLAIM, CANCEL]),
    ("orphaned", &[LIVE, WAITING, WAITING_OLD, REPLACE, SETTLE, REQUEUE]),
];

/// A bug, planted into the shipped text by cuts: a text, and its replacement.
struct Planted {
    name: &'static str,
    cuts: &'static [(&'static str, &'static str)],
    /// The stage and the operations with which the runner must find it.
    among: (&'static str, [Operation; 2]),
}

const PLANTED: &[Planted] = &[
    Planted {
        name: "no key is locked",
        cuts: &[("        perform pgjobq.lock_unique_keys(v_free);\n", "")],
        among: ("none", [WAITING, WAITING]),
    },
    Planted {
        name: "the holders are not read again once the keys are locked",
        cuts: &[("held := held || pgjobq.unique_holders(v_free);", "held := held;")],
        among: ("none", [WAITING, WAITING]),
    },
    Planted {
        name: "keys are locked in the order of the batch",
        cuts: &[
            ("order by u.shard, u.kind, u.unique_key, u.n);", "order by u.n);"),
            (
                "        insert into pgjobq.unique_locks (shard, kind, unique_key)\n        \
                 select distinct shard, kind, unique_key from unnest(p_jobs) order by shard, kind, unique_key\n        \
                 on conflict do nothing\n        returning ctid)",
                "        insert into pgjobq.unique_locks (shard, kind, unique_key)\n        \
                 select shard, kind, unique_key from unnest(p_jobs) where races.pause('key ' || unique_key) is not null\n        \
                 on conflict do nothing\n        returning ctid)",
            ),
        ],
        among: ("none", [MANY, MANY_TURNED]),
    },
    Planted {
        name: "a caller's duplicate does not ask for a job that starts after the commit",
        cuts: &[("(u.answer <> 'keep' or p_is_callers and u.lasts = 'waiting'));", "u.answer <> 'keep');")],
        among: ("waits", [WAITING, CLAIM]),
    },
    Planted {
        name: "an old snapshot decides which job is new",
        cuts: &[(
            "v_is_old boolean := current_setting('transaction_isolation') in ('repeatable read', 'serializable');",
            "v_is_old boolean := false;",
        )],
        among: ("none", [WAITING_OLD, WAITING]),
    },
    Planted {
        name: "a holder is changed without a look at the leases",
        cuts: &[(
            "      from pgjobq.take_waiting(p_shard, array(select u.holder from unnest(p_requests) u)) t;\n    -- step: holders taken",
            "      from (select array(select u.holder from unnest(p_requests) u) as waiting, '{}'::uuid[] as busy) t;\n    -- step: holders taken",
        )],
        among: ("asked", [SETTLE, CLAIM]),
    },
    Planted {
        name: "a job is enqueued after all without the lock of its key",
        cuts: &[("    perform pgjobq.lock_unique_keys(v_unique);\n", "")],
        among: ("orphaned", [SETTLE, WAITING]),
    },
];

const CHECKS: Checks = Checks {
    queries: ["select unnest(races.unique_violations())", "select unnest(races.unique_stranded())"],
    failure,
};

/// Two operations on a stage.
fn pair(stage: &str, sides: [Operation; 2]) -> Pair {
    Pair {
        name: format!("{stage}: {}, {}", sides[0].name, sides[1].name),
        scripts: sides.map(|side| format!("set races.skipped = '{SKIPPED}';\n{}", side.script)),
        are_alike: sides[0].name == sides[1].name,
        stage: format!("select races.reset_unique('{stage}')"),
    }
}

/// Every two operations of each stage.
fn pairs() -> impl Iterator<Item = Pair> {
    STAGES.iter().flat_map(|(stage, operations)| {
        operations.iter().enumerate().flat_map(move |(place, first)| {
            operations[place..].iter().map(move |second| pair(stage, [*first, *second]))
        })
    })
}

/// Returns the error of a session. Those that are expected: two workers cannot hold one job; and a caller at repeatable read may have to
/// try again.
fn failure(ending: &Ending) -> Option<String> {
    match ending {
        Ending::Failed { message, .. } if message.contains("leases_pkey") => None,
        Ending::Failed { code, .. } if code == "40001" => None,
        Ending::Failed { code, message } => Some(format!("{code}: {message}")),
        Ending::Answered(_) => None,
    }
}

async fn set_up(databases: &Databases, name: &str, schema: &str) -> PgConnectOptions {
    let options = databases.create(name).await;
    databases.run(name, &pause::with_pauses(schema)).await;
    databases.run(name, include_str!("unique.sql")).await;
    options
}

pub(crate) async fn every_interleaving_keeps_the_invariants() {
    let databases = Databases::start().await;
    set_up(&databases, "unique_jobs", &pause::shipped()).await;
    let found = explore_all(databases.lanes("unique_jobs").await, pairs().collect(), &CHECKS).await;
    found.are_none("unique jobs", STEPS);
}

pub(crate) async fn every_planted_bug_is_found() {
    let databases = Databases::start().await;
    let mut missed = Vec::new();
    for (number, bug) in PLANTED.iter().enumerate() {
        let mut text = pause::shipped();
        for (old, new) in bug.cuts {
            assert_eq!(text.matches(old).count(), 1, "`{}`: the schema changed: {old}", bug.name);
            text = text.replace(old, new);
        }
        let mut bench = Bench::open(&set_up(&databases, &format!("unique_{number}"), &text).await).await;
        let mut found = Findings::default();
        found.explore(&mut bench, &pair(bug.among.0, bug.among.1), &CHECKS).await;
        match found.violations.first() {
            Some(violation) => eprintln!("planted: {} -> {violation:.300}", bug.name),
            None => missed.push(format!("{} ({} interleavings)", bug.name, found.interleavings)),
        }
    }
    assert!(missed.is_empty(), "the runner misses: {}", missed.join(", "));
}
