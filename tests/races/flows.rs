//! Workflows: every two operations on the same steps, in the orders that `schedule` makes.

use sqlx::postgres::PgConnectOptions;

use crate::bench::Bench;
use crate::pairs::{Checks, Findings, Pair, explore_all};
use crate::pause;
use crate::server::Databases;
use crate::session::Ending;

/// The steps of functions that only these operations reach.
pub(crate) const STEPS: &[&str] = &[
    "children locked",
    "children read",
    "ended parents locked",
    "end looked up",
    "ended steps locked",
    "held step locked",
    "live steps locked",
    "parent locked",
    "workflow locked",
];

/// The steps at which these operations do not stop, because others that have them do.
const SKIPPED: &str = "leases held,jobs written,jobs read,lanes locked,jobs locked,requests read,jobs taken,lease seen,\
                       job deleted,lease locked";

/// An operation: its transactions as one script, which answers with a row `answer`.
#[derive(Clone, Copy)]
struct Operation {
    name: &'static str,
    script: &'static str,
}

const fn operation(name: &'static str, script: &'static str) -> Operation {
    Operation { name, script }
}

/// A step completes and adds two others. The numbers of these are reserved before.
macro_rules! grow {
    ($step:literal) => {
        concat!(
            "begin; select set_config('races.first', coalesce(pgjobq.reserve_steps(0::smallint, flows.id(0), 2)::text, ''), false); commit;
             select races.pause('reserved');
             begin; select coalesce(to_jsonb(races.grow(", $step, ", nullif(current_setting('races.first'), '')::int))::text, 'null') as answer;
             select races.pause('grown'); commit;"
        )
    };
}

const COMPLETE_1: Operation = operation(
    "complete 1",
    "select coalesce(to_jsonb(races.finish('{1}', 'complete'))::text, 'null') as answer;",
);
const BURY_1: Operation =
    operation("bury 1", "select coalesce(to_jsonb(races.finish('{1}', 'bury'))::text, 'null') as answer;");
/// A person deletes the record of the end at once.
const BURY_AND_PURGE_1: Operation = operation(
    "bury 1 and delete its record",
    "select coalesce(to_jsonb(races.finish('{1}', 'bury'))::text, 'null') as answer;
     select races.pause('ended');
     begin; select pgjobq.purge_ended(0::smallint, array[flows.id(1)]); select races.pause('purged'); commit;",
);
const COMPLETE_2: Operation = operation(
    "complete 2",
    "select coalesce(to_jsonb(races.finish('{2}', 'delete'))::text, 'null') as answer;",
);
const BURY_2: Operation =
    operation("bury 2", "select coalesce(to_jsonb(races.finish('{2}', 'bury'))::text, 'null') as answer;");
const COMPLETE_BOTH: Operation = operation(
    "complete both",
    "select coalesce(to_jsonb(races.finish('{1,2}', 'complete'))::text, 'null') as answer;",
);
const COMPLETE_30: Operation = operation(
    "complete 30",
    "select coalesce(to_jsonb(races.finish('{30}', 'complete'))::text, 'null') as answer;",
);
const BURY_30: Operation =
    operation("bury 30", "select coalesce(to_jsonb(races.finish('{30}', 'bury'))::text, 'null') as answer;");
const COMPLETE_1_AND_41: Operation = operation(
    "complete 1 and 41",
    "select coalesce(to_jsonb(races.finish('{1,41}', 'complete'))::text, 'null') as answer;",
);
const COMPLETE_41: Operation = operation(
    "complete 41",
    "select coalesce(to_jsonb(races.finish('{41}', 'complete'))::text, 'null') as answer;",
);
/// The job that two workflows wait for ends, and a worker settles its edges.
const END_30: Operation = operation(
    "complete 30 and settle",
    "select coalesce(to_jsonb(races.finish('{30}', 'complete'))::text, 'null') as answer;
     select races.pause('ended');
     begin; select pgjobq.settle_edges(0::smallint, 100); select races.pause('settled'); commit;",
);
const COMPLETE_IN: Operation = operation(
    "complete 2 in a transaction",
    "begin; select coalesce(to_jsonb(races.complete_in(2))::text, 'null') as answer;\nselect races.pause('completed'); commit;",
);
const GROW_1: Operation = operation("grow 1", grow!(1));
const GROW_2: Operation = operation("grow 2", grow!(2));
const REAP: Operation = operation(
    "reap 2",
    "select races.claim_and_die(2);\nbegin; select coalesce(to_jsonb(pgjobq.reap(0::smallint, '{}'))::text, 'null') as answer; commit;",
);
const TEND: Operation = operation(
    "tend",
    "begin; select coalesce(to_jsonb(pgjobq.tend_workflows(0::smallint))::text, 'null') as answer; commit;
     select races.pause('tended once');
     begin; select pgjobq.tend_workflows(0::smallint); commit;",
);
const CANCEL: Operation = operation(
    "cancel the workflow",
    "begin; select coalesce(to_jsonb(pgjobq.cancel_workflow(flows.id(0)))::text, 'null') as answer; commit;
     select races.pause('requested');
     begin; select pgjobq.tend_workflows(0::smallint); commit;
     select races.pause('passed on');
     begin; select pgjobq.tend_workflows(0::smallint); commit;
     begin; select pgjobq.act_on_cancels(0::smallint, null, null, 100); commit;",
);
const PURGE: Operation = operation(
    "purge",
    "select coalesce(to_jsonb(pgjobq.purge_queue(0::smallint, 1, null, 0, 100, null))::text, 'null') as answer;",
);
const RETRY: Operation = operation(
    "retry",
    "begin; select coalesce(to_jsonb(pgjobq.retry_workflow(0::smallint, flows.id(0)))::text, 'null') as answer;
     select races.pause('retried'); commit;",
);
const RESUME: Operation = operation(
    "resume 7",
    "begin; select coalesce(to_jsonb(pgjobq.resume_step(0::smallint, flows.id(0), 7))::text, 'null') as answer;
     select races.pause('resumed'); commit;",
);

const ENQUEUE_CHILD: Operation = operation(
    "enqueue a job after 1",
    "begin; select to_jsonb(e)::text as answer
              from pgjobq.enqueue('step', id => flows.id(20), after => array[flows.id(1)]) e;
     select races.pause('enqueued'); commit;",
);
const CONFIRM: Operation = operation(
    "confirm edges",
    "begin; select coalesce(to_jsonb(pgjobq.confirm_edges(0::smallint, 100))::text, 'null') as answer;
     select races.pause('confirmed'); commit;",
);
const SETTLE: Operation = operation(
    "settle edges",
    "begin; select coalesce(to_jsonb(pgjobq.settle_edges(0::smallint, 100))::text, 'null') as answer;
     select races.pause('settled'); commit;",
);

/// The operations that are run together on each stage.
const STAGES: &[(&str, &[Operation])] = &[
    ("outside", &[COMPLETE_1, BURY_1, BURY_AND_PURGE_1, ENQUEUE_CHILD, CONFIRM, SETTLE]),
    ("child", &[COMPLETE_1, BURY_1, BURY_AND_PURGE_1, CONFIRM, SETTLE, PURGE]),
    ("shared", &[COMPLETE_30, BURY_30, END_30, COMPLETE_1, COMPLETE_41, COMPLETE_1_AND_41, SETTLE, PURGE]),
    (
        "running",
        &[
            COMPLETE_1,
            BURY_1,
            COMPLETE_2,
            BURY_2,
            COMPLETE_BOTH,
            COMPLETE_IN,
            GROW_1,
            REAP,
            TEND,
            CANCEL,
            PURGE,
        ],
    ),
    ("failed", &[COMPLETE_2, BURY_2, COMPLETE_IN, GROW_2, REAP, TEND, CANCEL, PURGE, RETRY, RESUME]),
    ("unsettled", &[COMPLETE_2, BURY_2, TEND, CANCEL, PURGE, RETRY, RESUME]),
];

/// A bug, planted into the shipped text by cuts: a text, and its replacement.
struct Planted {
    name: &'static str,
    cuts: &'static [(&'static str, &'static str)],
    /// The stage and the operations with which the runner must find it.
    among: (&'static str, [Operation; 2]),
}

const NO_LOCK: (&str, &str) =
    ("and waits_for + 0 > 0 for update offset 0) j;", "and waits_for + 0 > 0 offset 0) j;");

const PLANTED: &[Planted] = &[
    Planted {
        name: "an edge is confirmed before the commit",
        cuts: &[("p_shards), e.demand, false, e.parent,", "p_shards), e.demand, true, e.parent,")],
        among: ("outside", [ENQUEUE_CHILD, COMPLETE_1]),
    },
    Planted {
        name: "a parent whose bad end was deleted counts as completed",
        cuts: &[("then 'unknown' else 'completed' end", "then 'completed' else 'completed' end")],
        among: ("outside", [ENQUEUE_CHILD, BURY_AND_PURGE_1]),
    },
    Planted { name: "a child counts down without the lock of its row", cuts: &[NO_LOCK], among: ("running", [COMPLETE_1, COMPLETE_2]) },
    Planted {
        name: "children of two workflows count down the end of a shared parent without the locks of their rows",
        cuts: &[NO_LOCK],
        among: ("shared", [END_30, COMPLETE_1_AND_41]),
    },
    Planted {
        name: "steps that are added to a cancelled workflow run",
        cuts: &[("if v_cancelled is not null then", "if false then")],
        among: ("running", [GROW_1, CANCEL]),
    },
    Planted {
        name: "an end is counted from an older number than that with the added steps",
        cuts: &[(
            "set live = live - r.plain - case",
            "set live = (select w.live from pgjobq.workflows w where w.id = r.workflow) - r.plain - case",
        )],
        among: ("running", [GROW_1, COMPLETE_2]),
    },
    Planted {
        name: "a child asks whether each parent has ended",
        cuts: &[
            NO_LOCK,
            (
                "array(select w - c.met[i] from unnest(l.places, l.waits) p(i, w))",
                "array(select case when exists (select from pgjobq.steps s where s.children @> array[c.numbers[i]]
                                                and s.outcome is null) then w else 0 end
                         from unnest(l.places, l.waits) p(i, w))",
            ),
        ],
        among: ("running", [COMPLETE_1, COMPLETE_2]),
    },
    Planted {
        name: "a retry does not lock the live steps",
        cuts: &[("for update skip locked offset 0) s);", "offset 0) s);")],
        among: ("failed", [RETRY, COMPLETE_2]),
    },
    Planted {
        name: "a retry ignores edges that are not settled",
        cuts: &[(
            "or exists (select from pgjobq.unsettled where shard = p_shard and workflow = p_workflow)",
            "or false",
        )],
        among: ("unsettled", [RETRY, TEND]),
    },
    Planted {
        name: "a step that ended beside a finish is not left to others",
        cuts: &[("from unnest(v_now.later, v_now.left_out) u(workflow, n)", "from unnest(v_now.later, v_now.left_out) u(workflow, n) where p_settle")],
        among: ("running", [PURGE, PURGE]),
    },
];

const CHECKS: Checks = Checks {
    queries: ["select unnest(races.flow_violations())", "select unnest(races.drain_flow())"],
    failure,
};

/// Two operations on a stage.
fn pair(stage: &str, sides: [Operation; 2]) -> Pair {
    Pair {
        name: format!("{stage}: {}, {}", sides[0].name, sides[1].name),
        scripts: sides.map(|side| format!("set races.skipped = '{SKIPPED}';\n{}", side.script)),
        are_alike: sides[0].name == sides[1].name,
        stage: format!("select races.reset_flow('{stage}')"),
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

/// Returns the error of a session. Two are expected: two workers cannot hold one job, and no job waits for one that was deleted.
fn failure(ending: &Ending) -> Option<String> {
    match ending {
        Ending::Failed { message, .. } if message.contains("leases_pkey") => None,
        Ending::Failed { code, .. } if code == "42704" => None,
        Ending::Failed { code, message } => Some(format!("{code}: {message}")),
        Ending::Answered(_) => None,
    }
}

async fn set_up(databases: &Databases, name: &str, schema: &str) -> PgConnectOptions {
    let options = databases.create(name).await;
    databases.run(name, &pause::with_pauses(schema)).await;
    databases.run(name, include_str!("../it/flows.sql")).await;
    databases.run(name, include_str!("flows.sql")).await;
    options
}

pub(crate) async fn every_interleaving_keeps_the_invariants() {
    let databases = Databases::start().await;
    set_up(&databases, "flows", &pause::shipped()).await;
    let found = explore_all(databases.lanes("flows").await, pairs().collect(), &CHECKS).await;
    found.are_none("workflows", STEPS);
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
        let mut bench = Bench::open(&set_up(&databases, &format!("flows_{number}"), &text).await).await;
        let mut found = Findings::default();
        found.explore(&mut bench, &pair(bug.among.0, bug.among.1), &CHECKS).await;
        match found.violations.first() {
            Some(violation) => eprintln!("planted: {} -> {violation:.300}", bug.name),
            None => missed.push(format!("{} ({} interleavings)", bug.name, found.interleavings)),
        }
    }
    assert!(missed.is_empty(), "the runner misses: {}", missed.join(", "));
}
