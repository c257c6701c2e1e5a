//! A database with some sessions, and the gates that let them go on one step at a time.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use serde_json::Value;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};

use crate::operation::{ASKED, Side, Stage};
use crate::schedule::Schedule;
use crate::session::{Ending, GATES, Session};

/// How long a session may take for one step, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// How many sides there are at most.
const SIDES: usize = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Fresh,
    /// Neither at a gate nor waiting for another side.
    Running,
    /// Waiting for its next gate to open.
    Paused,
    /// Waiting for another side's transaction.
    Blocked,
    Over,
}

/// What happened to a side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// It went on from its next step.
    Went(usize),
    Ended(usize),
}

/// What one interleaving came to.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) endings: Vec<Ending>,
    /// The steps that each side came to; only the first, when it failed.
    pub(crate) traces: Vec<Vec<String>>,
    pub(crate) history: Vec<Event>,
    /// Which side waited for the transaction of which other one, while that one was stopped.
    pub(crate) waits: BTreeSet<(usize, usize)>,
    /// Everything that there was afterwards.
    pub(crate) state: Value,
    /// And whether it could be brought to an end.
    pub(crate) drained: Value,
}

pub(crate) struct Bench {
    gates: PgConnection,
    /// Whoever waits for the session of this number is at a gate.
    pid: i32,
    sessions: Vec<Session>,
    /// What became of states that were brought to an end before. It depends on nothing else.
    drained: HashMap<String, Value>,
}

impl Bench {
    pub(crate) async fn open(options: &PgConnectOptions) -> Self {
        let mut gates = PgConnection::connect_with(options).await.unwrap();
        let pid = sqlx::query_scalar("select pg_backend_pid()").fetch_one(&mut gates).await.unwrap();
        let mut sessions = Vec::new();
        for side in 1..=SIDES {
            sessions.push(Session::open(options, side).await);
        }
        Self { gates, pid, sessions, drained: HashMap::new() }
    }

    /// Runs some operations on a fresh stage in the order that the schedule says.
    pub(crate) async fn run(&mut self, sides: &[Side], schedule: &mut Schedule) -> Run {
        self.reset(Stage::of(sides)).await;
        let scripts: Vec<_> = sides
            .iter()
            .enumerate()
            .map(|(side, (operation, level))| operation.script(side + 1, *level))
            .collect();
        let mut states = vec![State::Fresh; sides.len()];
        // Each starts without a gate.
        let mut passed = vec![-1; sides.len()];
        let (mut history, mut waits) = (Vec::new(), BTreeSet::new());
        let mut ends: Vec<_> = sides.iter().map(|_| None).collect();
        while ends.iter().any(Option::is_none) {
            let can_go: Vec<_> =
                states.iter().map(|state| matches!(state, State::Fresh | State::Paused)).collect();
            if can_go.contains(&true) {
                let side = schedule.choose(&can_go);
                history.push(Event::Went(side));
                passed[side] += 1;
                let alone = states.iter().enumerate().all(|(at, state)| at == side || *state == State::Over);
                match states[side] {
                    State::Fresh => self.sessions[side].start(&scripts[side]),
                    State::Paused => self.open_gate(side, passed[side], alone).await,
                    _ => unreachable!("it can go"),
                }
                states[side] = State::Running;
            }
            self.settle(&mut states, &mut waits).await;
            for side in 0..sides.len() {
                if states[side] == State::Over && ends[side].is_none() {
                    ends[side] = Some(self.sessions[side].end().await);
                    history.push(Event::Ended(side));
                }
            }
        }
        let (endings, traces) = ends.into_iter().flatten().unzip();
        let (state, drained) = self.look().await;
        Run { endings, traces, history, waits, state, drained }
    }

    async fn reset(&mut self, stage: Stage) {
        let numbers = |there: bool, jobs: &[i64]| -> Vec<i32> {
            jobs.iter().filter(|_| there).map(|job| i32::try_from(*job).unwrap()).collect()
        };
        sqlx::query("select races.reset($1, $2, $3)")
            .bind(stage.given_up)
            .bind(numbers(stage.asked, ASKED))
            .bind(numbers(stage.expiring, &[1, 3]))
            .execute(&mut self.gates)
            .await
            .unwrap();
    }

    /// Opens a gate; and all that follow, when the other sides are over and there is nothing to choose any more.
    async fn open_gate(&mut self, side: usize, gate: i32, all: bool) {
        let last = if all { GATES } else { gate };
        sqlx::query("select pg_advisory_unlock($1, gate) from generate_series($2, $3) gate")
            .bind(self.sessions[side].side as i32)
            .bind(gate)
            .bind(last)
            .execute(&mut self.gates)
            .await
            .unwrap();
    }

    /// Returns when no side runs: each is at a gate, waits for another, or is over.
    async fn settle(&mut self, states: &mut [State], waits: &mut BTreeSet<(usize, usize)>) {
        let since = Instant::now();
        loop {
            // What is over is looked at first: it has let go of its locks, so that the others are seen as they are then.
            for (state, session) in states.iter_mut().zip(&self.sessions) {
                if *state != State::Fresh && session.is_over() {
                    *state = State::Over;
                }
            }
            let open: Vec<_> = (0..states.len())
                .filter(|side| !matches!(states[*side], State::Fresh | State::Over))
                .collect();
            if open.is_empty() {
                return;
            }
            let blockers = self.blockers(&open).await;
            for (side, blockers) in open.iter().zip(&blockers) {
                states[*side] = self.state(blockers);
            }
            let deadlock = open.len() > 1 && open.iter().all(|side| states[*side] == State::Blocked);
            if deadlock && !states.contains(&State::Fresh) {
                // The server ends one of them in a moment.
            } else if !states.contains(&State::Running) {
                for (side, blockers) in open.iter().zip(&blockers) {
                    let held_by = |other: &usize| blockers.contains(&self.sessions[*other].pid);
                    waits.extend((0..states.len()).filter(held_by).map(|other| (*side, other)));
                }
                return;
            }
            assert!(since.elapsed() < PATIENCE, "a step does not end: {states:?}");
            tokio::task::yield_now().await;
        }
    }

    /// The sessions for which each of these sides waits.
    async fn blockers(&mut self, sides: &[usize]) -> Vec<Vec<i32>> {
        let pids: Vec<_> = sides.iter().map(|side| self.sessions[*side].pid).collect();
        let look = sqlx::query_scalar("select blockers from races.look($1)").bind(pids);
        look.fetch_all(&mut self.gates).await.unwrap()
    }

    fn state(&self, blockers: &[i32]) -> State {
        match blockers {
            [] => State::Running,
            _ if blockers.contains(&self.pid) => State::Paused,
            _ => State::Blocked,
        }
    }

    /// Everything that there is, and what comes of it.
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

    /// Forgets the dead rows of earlier runs.
    pub(crate) async fn tidy(&mut self) {
        sqlx::raw_sql(
            "vacuum pgjobq.jobs, pgjobq.leases, pgjobq.workers, pgjobq.failures, pgjobq.finished, pgjobq.cancels",
        )
        .execute(&mut self.gates)
        .await
        .unwrap();
    }
}

impl Run {
    /// When a side went on from a step, as a place in the history.
    pub(crate) fn passed(&self, side: usize, step: &str) -> Option<usize> {
        let number = self.traces[side].iter().position(|at| at == step)?;
        // When it was the last side, it went on without a stop.
        self.went(side).nth(number).or_else(|| self.went(side).last())
    }

    /// When a side came to a step.
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
