//! The database's cost of a job: WAL, rows and buffers, each figure measured against its limit through `explain (analyze,
//! wal, buffers)` of the shipped statements. The tests are a binary of their own, on a server of their own, so that nothing
//! else writes, vacuums or analyses.
//!
//! With `--nocapture` it prints every figure.
#![allow(clippy::unwrap_used)]

mod calls; // The shipped statements, with real parameters.
mod limits; // Compares a figure with its limit.
mod rounds; // Every hot statement once.
mod server; // The server, and databases on it.
mod session; // One connection, and the cost of a statement in it.
mod tables; // Fills tables, and reads back what a claim took.

mod bounds; // Jobs in a bounded queue, and beside one.
mod compiled; // No statement is compiled.
mod due; // Due, expired and cancelled jobs beside many others.
mod filters; // A claim of a worker that accepts one job in a thousand.
mod growth; // A claim beside many jobs and many leases.
mod large_batch; // A large batch answers as a small one does.
mod pauses; // A claim beside pauses.
mod permits; // A look beside jobs that wait for a permit.
mod plain; // An enqueue of jobs without limits.
mod plans; // Every hot statement in every state of the statistics.
mod queues; // One queue beside a thousand.
mod rates; // A claim beside jobs that a rate holds back.
mod replans; // An enqueue is planned once in a session.
mod shards; // The rules that let the tables be distributed.
mod statements; // Each file a statement, each statement a file.
mod steps; // Steps of workflows, and jobs without one.
mod transactions; // Of a lone job, and of an idle worker.
mod wal; // WAL for each job, and how often its row is written.
