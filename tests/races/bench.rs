//! A database with two sessions, and the gates that let them go on one step at a time.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde_json::Value;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};

use crate::operation::{Isolation, Operation};
use crate::schedule::Schedule;
use crate::session::{Ending, GATES, Session};

/// How long a session may take for one step, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Fresh,
    /// Neither at a gate nor waiting for the other side.
    Running,
    /// Waiting for this gate to open.
    Paused(i32),
    /// Waiting for the other side's transaction.
    Blocked,
    Over,
}

/// What one interleaving came to.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) endings: [Ending; 2],
    /// The sides in the order of their ends.
    pub(crate) ended: Vec<usize>,
    /// Whether a side had to wait for the other.
    pub(crate) blocked: bool,
    /// How many transactions were the victim of a deadlock or of a serialization failure, and were tried again.
    pub(crate) retried: usize,
    /// Everything that there was afterwards.
    pub(crate) state: Value,
    /// And whether it could be brought to an end.
    pub(crate) drained: Value,
}

pub(crate) struct Bench {
    gates: PgConnection,
    sessions: [Session; 2],
    /// What became of states that were brought to an end before. It depends on nothing else.
    drained: HashMap<String, Value>,
}

impl Bench {
    pub(crate) async fn open(options: &PgConnectOptions) -> Self {
        let gates = PgConnection::connect_with(options).await.unwrap();
        let sessions = [Session::open(options, 1).await, Session::open(options, 2).await];
        Self { gates, sessions, drained: HashMap::new() }
    }

    /// Runs two operations on a fresh stage in the order that the schedule says.
    pub(crate) async fn run(&mut self, pair: [(&Operation, Isolation); 2], schedule: &mut Schedule) -> Run {
        let given_up = pair.iter().any(|(operation, _)| operation.wants_worker_given_up());
        let reset = sqlx::query("select races.reset($1)").bind(given_up).execute(&mut self.gates).await;
        reset.unwrap();
        let scripts = [0, 1].map(|side| pair[side].0.script(side + 1, pair[side].1));
        let (mut states, mut ended, mut blocked) = ([State::Fresh; 2], Vec::new(), false);
        let mut endings = [None, None];
        while ended.len() < 2 {
            let can_go = states.map(|state| matches!(state, State::Fresh | State::Paused(_)));
            if can_go != [false; 2] {
                let side = schedule.choose(can_go);
                match states[side] {
                    State::Fresh => self.sessions[side].start(&scripts[side]),
                    State::Paused(gate) => self.open_gate(side, gate, states[1 - side] == State::Over).await,
                    _ => unreachable!("it can go"),
                }
                states[side] = State::Running;
            }
            self.settle(&mut states).await;
            blocked |= states.contains(&State::Blocked);
            for side in [0, 1] {
                if states[side] == State::Over && endings[side].is_none() {
                    endings[side] = Some(self.sessions[side].end().await);
                    ended.push(side);
                }
            }
        }
        let mut endings = endings.map(Option::unwrap);
        let mut retried = 0;
        for side in [0, 1] {
            // As a worker does; what a caller does is the caller's business.
            while is_passing(&endings[side]) && !pair[side].0.is_callers() {
                endings[side] = self.sessions[side].carry_out(&scripts[side]).await;
                ended.retain(|other| *other != side);
                ended.push(side);
                retried += 1;
            }
        }
        let (state, drained) = self.look().await;
        Run { endings, ended, blocked, retried, state, drained }
    }

    /// The steps that each side came to in the last run.
    pub(crate) async fn traces(&mut self) -> [String; 2] {
        let [first, second] = &mut self.sessions;
        [first.trace().await, second.trace().await]
    }

    /// Opens a gate; and all that follow, when the other side is over and there is nothing to choose any more.
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

    /// Returns when no side runs: each is at a gate, waits for the other, or is over.
    async fn settle(&mut self, states: &mut [State; 2]) {
        let since = Instant::now();
        loop {
            // What is over is looked at first: it has let go of its locks, so that the other is seen as it is then.
            for (state, session) in states.iter_mut().zip(&self.sessions) {
                if *state != State::Fresh && session.is_over() {
                    *state = State::Over;
                }
            }
            let open: Vec<_> =
                [0, 1].into_iter().filter(|s| !matches!(states[*s], State::Fresh | State::Over)).collect();
            if open.is_empty() {
                return;
            }
            let waits = self.waits().await;
            for side in &open {
                let pid = self.sessions[*side].pid;
                states[*side] =
                    waits.iter().find(|(of, _)| *of == pid).map_or(State::Running, |(_, state)| *state);
            }
            if *states == [State::Blocked; 2] {
                // A deadlock: the server ends one of them in a moment.
            } else if !states.contains(&State::Running) {
                return;
            }
            assert!(since.elapsed() < PATIENCE, "a step does not end: {states:?}");
            tokio::task::yield_now().await;
        }
    }

    /// What the sessions wait for.
    async fn waits(&mut self) -> Vec<(i32, State)> {
        let waits: Vec<(i32, Option<i32>)> = sqlx::query_as(
            "select pid, case locktype when 'advisory' then objid::int end from pg_locks
              where not granted and pid in ($1, $2) and locktype in ('advisory', 'transactionid', 'tuple')",
        )
        .bind(self.sessions[0].pid)
        .bind(self.sessions[1].pid)
        .fetch_all(&mut self.gates)
        .await
        .unwrap();
        waits.into_iter().map(|(pid, gate)| (pid, gate.map_or(State::Blocked, State::Paused))).collect()
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
        sqlx::raw_sql("vacuum pgjobq.jobs, pgjobq.leases, pgjobq.workers, pgjobq.failures")
            .execute(&mut self.gates)
            .await
            .unwrap();
    }
}

/// A deadlock, or a serialization failure.
pub(crate) fn is_passing(ending: &Ending) -> bool {
    matches!(ending, Ending::Failed { code, .. } if code == "40P01" || code == "40001")
}
