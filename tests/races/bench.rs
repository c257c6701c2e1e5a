//! A database with some sessions, and the gates through which each of them advances one step at a time.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use serde_json::Value;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::operation::{ASKED, Side, Stage};
use crate::schedule::Schedule;
use crate::session::{Ending, GATES, Session};

/// The time limit of a session for one step, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// The highest number of sides.
const SIDES: usize = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Neither at a gate nor waiting for another side.
    Running,
    /// Waiting for its next gate to open.
    Paused,
    /// Waiting for another side's transaction.
    Blocked,
    Over,
}

/// An event in a side's history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// It continued from its next step.
    Went(usize),
    Ended(usize),
}

/// A side that waited for the transaction of another one, while that was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Wait {
    pub(crate) waiter: usize,
    pub(crate) holder: usize,
    /// The number of steps that each had passed.
    passed: (usize, usize),
}

/// The course of one interleaving.
#[derive(Debug)]
pub(crate) struct Played {
    pub(crate) endings: Vec<Ending>,
    pub(crate) traces: Vec<Vec<String>>,
    history: Vec<Event>,
    waits: BTreeSet<Wait>,
}

/// The result of one interleaving.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) endings: Vec<Ending>,
    /// The steps that each side reached; only the first one if it failed.
    pub(crate) traces: Vec<Vec<String>>,
    pub(crate) history: Vec<Event>,
    pub(crate) waits: BTreeSet<Wait>,
    /// The state of the database afterwards.
    pub(crate) state: Value,
    /// The result of `races.drain()` from that state.
    pub(crate) drained: Value,
}

pub(crate) struct Bench {
    gates: PgConnection,
    /// A session that waits for the session of this number is at a gate.
    pid: i32,
    sessions: Vec<Session>,
    /// The results of `races.drain()` by state. They depend on the state alone.
    drained: HashMap<String, Value>,
    /// The number of runs since the last vacuum.
    untidy: usize,
}

impl Bench {
    pub(crate) async fn open(options: &PgConnectOptions) -> Self {
        let mut gates = PgConnection::connect_with(options).await.unwrap();
        let pid = sqlx::query_scalar("select pg_backend_pid()").fetch_one(&mut gates).await.unwrap();
        let mut sessions = Vec::new();
        for side in 1..=SIDES {
            sessions.push(Session::open(options, side).await);
        }
        Self { gates, pid, sessions, drained: HashMap::new(), untidy: 0 }
    }

    /// Runs some operations on a fresh stage in the order that the schedule gives.
    pub(crate) async fn run(&mut self, sides: &[Side], schedule: &mut Schedule) -> Run {
        self.reset(Stage::of(sides)).await;
        let scripts: Vec<_> = sides
            .iter()
            .enumerate()
            .map(|(side, (operation, level))| operation.script(side + 1, *level))
            .collect();
        let Played { endings, traces, history, waits } = self.play(&scripts, schedule).await;
        let (state, drained) = self.look().await;
        Run { endings, traces, history, waits, state, drained }
    }

    /// Runs a statement before an interleaving.
    pub(crate) async fn prepare(&mut self, sql: &str) {
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut self.gates).await.unwrap();
    }

    /// Returns a column of texts, or the error.
    pub(crate) async fn texts(&mut self, sql: &str) -> Vec<String> {
        let texts = sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_all(&mut self.gates).await;
        texts.unwrap_or_else(|error| vec![error.to_string()])
    }

    /// Runs some scripts on the stage as it is, in the order that the schedule gives.
    pub(crate) async fn play(&mut self, scripts: &[String], schedule: &mut Schedule) -> Played {
        self.untidy += 1;
        for (session, script) in self.sessions.iter_mut().zip(scripts) {
            session.start(script);
        }
        let sides = scripts;
        let mut states = vec![State::Over; sides.len()];
        let (mut history, mut waits) = (Vec::new(), BTreeSet::new());
        let mut ends: Vec<_> = sides.iter().map(|_| None).collect();
        let mut passed = vec![0; sides.len()];
        while states.iter().any(|state| *state != State::Paused) {
            self.go_on(None, &mut states, &passed, &mut waits).await;
        }
        while ends.iter().any(Option::is_none) {
            let can_go: Vec<_> = states.iter().map(|state| *state == State::Paused).collect();
            let mut gate = None;
            if can_go.contains(&true) {
                let side = schedule.choose(&can_go);
                history.push(Event::Went(side));
                passed[side] += 1;
                let alone = states.iter().enumerate().all(|(at, state)| at == side || *state == State::Over);
                gate = Some((side, passed[side], if alone { GATES } else { passed[side] }));
            }
            self.go_on(gate, &mut states, &passed, &mut waits).await;
            for side in 0..sides.len() {
                if states[side] == State::Over && ends[side].is_none() {
                    ends[side] = Some(self.sessions[side].end().await);
                    history.push(Event::Ended(side));
                }
            }
        }
        let (endings, traces) = ends.into_iter().flatten().unzip();
        Played { endings, traces, history, waits }
    }

    async fn reset(&mut self, stage: Stage) {
        let numbers = |there: bool, jobs: &[i64]| -> Vec<i32> {
            jobs.iter().filter(|_| there).map(|job| i32::try_from(*job).unwrap()).collect()
        };
        sqlx::query("select races.reset($1, $2, $3, $4)")
            .bind(stage.given_up)
            .bind(numbers(stage.asked, ASKED))
            .bind(numbers(stage.expiring, &[1, 3]))
            .bind(stage.marked)
            .execute(&mut self.gates)
            .await
            .unwrap();
    }

    /// Opens a gate of a side, and those up to the last one, if any. Returns when no side runs: each is at a gate, waits
    /// for another one, or is over.
    async fn go_on(
        &mut self,
        mut gate: Option<(usize, i32, i32)>,
        states: &mut [State],
        passed: &[i32],
        waits: &mut BTreeSet<Wait>,
    ) {
        let since = Instant::now();
        let sessions = &self.sessions[..states.len()];
        loop {
            let (side, first, last) =
                gate.take().map_or((1, 1, 0), |(side, first, last)| (side + 1, first, last));
            let looks: Vec<(bool, Vec<i32>)> =
                sqlx::query_as("select is_over, blockers from races.go($1, $2, $3, $4, $5)")
                    .bind(side as i32)
                    .bind(first)
                    .bind(last)
                    .bind(sessions.iter().map(|session| session.side as i32).collect::<Vec<_>>())
                    .bind(sessions.iter().map(|session| session.pid).collect::<Vec<_>>())
                    .fetch_all(&mut self.gates)
                    .await
                    .unwrap();
            for (state, (is_over, blockers)) in states.iter_mut().zip(&looks) {
                *state = match &blockers[..] {
                    _ if *is_over => State::Over,
                    [] => State::Running,
                    _ if blockers.contains(&self.pid) => State::Paused,
                    _ => State::Blocked,
                };
            }
            // In a deadlock, the server ends one of them shortly.
            let stuck = !states.contains(&State::Paused) && states.contains(&State::Blocked);
            if !stuck && !states.contains(&State::Running) {
                for (waiter, (_, blockers)) in looks.iter().enumerate() {
                    let held_by = |other: &usize| blockers.contains(&sessions[*other].pid);
                    waits.extend((0..states.len()).filter(held_by).map(|holder| {
                        let passed = (passed[waiter] as usize, passed[holder] as usize);
                        Wait { waiter, holder, passed }
                    }));
                }
                return;
            }
            assert!(since.elapsed() < PATIENCE, "a step did not end in time: {states:?}");
            tokio::task::yield_now().await;
        }
    }

    /// Returns the state of the database, and the result of draining it.
    async fn look(&mut self) -> (Value, Value) {
        let state: String =
            sqlx::query_scalar("select races.state()::text").fetch_one(&mut self.gates).await.unwrap();
        if !self.drained.contains_key(&state) {
            let drained: String =
                sqlx::query_scalar("select races.drain()::text").fetch_one(&mut self.gates).await.unwrap();
            self.drained.insert(state.clone(), serde_json::from_str(&drained).unwrap());
        }
        (serde_json::from_str(&state).unwrap(), self.drained[&state].clone())
    }

    /// Vacuums the dead rows of earlier runs from time to time. Afterwards every statement is planned anew.
    pub(crate) async fn tidy(&mut self) {
        if self.untidy < 200 {
            return;
        }
        self.untidy = 0;
        sqlx::raw_sql("vacuum").execute(&mut self.gates).await.unwrap();
    }
}

impl Played {
    /// Returns a wait of a side that had passed a step for one that had not.
    pub(crate) fn wait_after(&self, step: &str) -> Option<Wait> {
        let has_passed =
            |side: usize, passed: usize| self.traces[side].iter().take(passed).any(|at| at == step);
        let is_early =
            |wait: &&Wait| has_passed(wait.waiter, wait.passed.0) && !has_passed(wait.holder, wait.passed.1);
        self.waits.iter().find(is_early).copied()
    }
}

impl Run {
    /// Returns the place in the history at which a side continued from a step.
    pub(crate) fn passed(&self, side: usize, step: &str) -> Option<usize> {
        let number = self.traces[side].iter().position(|at| at == step)?;
        // The last remaining side runs on without a stop.
        self.went(side).nth(number).or_else(|| self.went(side).last())
    }

    /// Returns the place in the history at which a side reached a step.
    pub(crate) fn came_to(&self, side: usize, step: &str) -> Option<usize> {
        let number = self.traces[side].iter().position(|at| at == step)?;
        self.went(side).nth(number.checked_sub(1)?).or_else(|| self.went(side).last())
    }

    pub(crate) fn ended(&self, side: usize) -> usize {
        self.history.iter().position(|event| *event == Event::Ended(side)).unwrap()
    }

    fn went(&self, side: usize) -> impl Iterator<Item = usize> {
        let went = move |(_, event): &(usize, &Event)| **event == Event::Went(side);
        self.history.iter().enumerate().filter(went).map(|(at, _)| at)
    }
}
