//! Rates: claims of two lanes whose jobs are under one rate, and what reads or deletes its history meanwhile, in the orders that `schedule` makes.

use sqlx::postgres::PgConnectOptions;

use crate::bench::Bench;
use crate::pairs::{Checks, Findings, Pair, explore_all};
use crate::pause;
use crate::server::Databases;
use crate::session::Ending;

/// The steps of functions that only these operations reach.
pub(crate) const STEPS: &[&str] = &["histories made", "histories locked"];

const CLAIM: &str = "claim";
const CLAIM_OTHER: &str = "claim in the other lane";
const ADMIT: &str = "admit";
const TIDY: &str = "tidy";

/// An operation, and its call.
const OPERATIONS: &[(&str, &str)] = &[
    (CLAIM, "races.claim_rated('default', 21)"),
    (CLAIM_OTHER, "races.claim_rated('other', 22)"),
    (ADMIT, "pgjobq.admit(0::smallint, '{kind}', '{\"\"}', null)"),
    (TIDY, "pgjobq.tidy_starts(0::smallint, '{}', 10)"),
];

/// A bug, planted into the shipped text by a cut, and the operations with which the runner must find it.
struct Planted {
    name: &'static str,
    cut: (&'static str, &'static str),
    among: (&'static str, &'static str),
}

const PLANTED: &[Planted] = &[
    Planted {
        name: "a claim does not lock the history",
        cut: (
            "           for update of s skip locked);\n    -- step: histories locked",
            ");\n    -- step: histories locked",
        ),
        among: (CLAIM, CLAIM_OTHER),
    },
    Planted {
        name: "a claim does not count its starts",
        cut: ("        perform pgjobq.count_starts(p_shard, p_queue, p_rated, v_now);\n", ""),
        among: (CLAIM, CLAIM_OTHER),
    },
    Planted {
        name: "a history is deleted while its starts count",
        cut: ("coalesce(s.at[cardinality(s.at)] + limits.span, 0) <= v_now", "true"),
        among: (CLAIM, TIDY),
    },
];

const CHECKS: Checks = Checks {
    queries: ["select unnest(races.rate_violations())", "select unnest(races.rates_stranded())"],
    failure,
};

fn script(name: &str) -> String {
    let (_, call) = OPERATIONS.iter().find(|(operation, _)| *operation == name).unwrap();
    format!(
        "set races.skipped = 'worker locked,lane locked,pauses read,lease inserted,limits locked,permits found'; begin;\nselect to_jsonb({call})::text as answer;\n\
         select races.pause('written');\ncommit;"
    )
}

fn pair(one: &str, other: &str, has_history: bool) -> Pair {
    Pair {
        name: format!("{one}, {other}"),
        scripts: [script(one), script(other)],
        are_alike: one == other,
        stage: format!("select races.reset_rates({has_history})"),
    }
}

/// Returns the error of a session, which none may have, unless it waited for its lane for too long, on a busy machine.
fn failure(ending: &Ending) -> Option<String> {
    match ending {
        Ending::Failed { code, .. } if code == "55P03" => None,
        Ending::Failed { code, message } => Some(format!("{code}: {message}")),
        Ending::Answered(_) => None,
    }
}

async fn set_up(databases: &Databases, name: &str, schema: &str) -> PgConnectOptions {
    let options = databases.create(name).await;
    databases.run(name, &pause::with_pauses(schema)).await;
    // A session stands in its admission for as long as the runner likes.
    databases.run(name, "alter function pgjobq.admit reset lock_timeout").await;
    databases.run(name, include_str!("rates.sql")).await;
    options
}

pub(crate) async fn every_interleaving_keeps_the_invariants() {
    let databases = Databases::start().await;
    set_up(&databases, "rates", &pause::shipped()).await;
    let mut pairs = Vec::new();
    for (place, (one, _)) in OPERATIONS.iter().enumerate() {
        for (other, _) in &OPERATIONS[place..] {
            pairs.push(pair(one, other, true));
            if *one == CLAIM && *other == CLAIM_OTHER {
                pairs.push(pair(one, other, false));
            }
        }
    }
    let found = explore_all(databases.lanes("rates").await, pairs, &CHECKS).await;
    found.are_none("rates", STEPS);
}

pub(crate) async fn every_planted_bug_is_found() {
    let databases = Databases::start().await;
    for (number, Planted { name, cut, among }) in PLANTED.iter().enumerate() {
        let text = pause::shipped();
        assert_eq!(text.matches(cut.0).count(), 1, "`{name}`: the schema changed");
        let mut bench =
            Bench::open(&set_up(&databases, &format!("rates_{number}"), &text.replace(cut.0, cut.1)).await)
                .await;
        let mut found = Findings::default();
        found.explore(&mut bench, &pair(among.0, among.1, true), &CHECKS).await;
        assert!(!found.violations.is_empty(), "the runner misses: {name}");
        eprintln!("planted: {name} -> {:.300}", found.violations[0]);
    }
}
