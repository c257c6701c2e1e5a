//! The command `pgjobq`, run as a process, on a real PostgreSQL.
#![allow(clippy::unwrap_used)]

mod deaf;
#[allow(dead_code)]
#[path = "../../../tests/it/multiplexer.rs"]
mod multiplexer;
#[allow(dead_code)]
#[path = "../../../tests/it/proxy.rs"]
mod proxy;
#[cfg(all(unix, feature = "serve"))]
mod served;
mod stage;

mod acts; // Commands that change something.
#[cfg(unix)]
mod bench; // A measurement leaves nothing behind.
mod changes; // Waiting jobs are changed, and ended ones deleted.
mod doctor; // Each planted fault is found, and repaired.
mod doctor_killed; // A death in the middle of a repair loses nothing.
mod doctor_server; // Faults of the server, on servers that have them.
mod errors; // What a person reads who made a mistake, and the exit codes.
mod help; // Completions, pages, and output that nobody reads.
mod lists; // Commands that only look.
mod records; // Who asked for what.
mod repairs; // What `doctor --fix` does, and what it leaves to a person.
mod schedules; // Schedules are listed, shown and changed.
mod schema; // Migrations, scripts and roles.
#[cfg(all(unix, feature = "serve"))]
mod serve; // The dashboard answers whom it should.
mod top; // `top` in a terminal.
mod verdicts; // The exit code and the JSON of what was not done, and values that stay exact.
