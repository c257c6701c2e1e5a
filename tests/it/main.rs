//! What pgjobq promises, each promise a test on a real PostgreSQL. One binary, so that it links once.
#![allow(clippy::unwrap_used)]

// The stage.
mod gate;
#[macro_use]
mod harness;
mod error_text;
mod multiplexer;
mod pgbouncer;
mod probe; // How a test sees into its job functions.
mod proxy; // What errors say.

// What always holds.
mod bystanders; // A job that runs costs the database nothing.
mod calendar; // What depends on the day.
mod callers; // Their transactions and ours.
mod catalog; // The schema as people meet it in psql.
mod claims; // Claims are bounded, and one lane delays no other.
mod growth; // No table grows for ever.
mod invariants;
mod killed_process; // The row, not memory, is the truth.
mod orphaned_leases; // Nothing is held by nobody.
mod shutdown_paths; // Everything that was started ends, whatever the database does.
mod silent_clients; // A client that falls silent leaves no lock behind.
mod slots; // A worker claims what it has slots for.
mod unnotified; // Notifications are hints.

// How a worker behaves.
mod cancelled; // Jobs that are cancelled, waiting or running.
mod connections; // How connections are opened.
mod crashes; // Workers that are gone, and what becomes of the jobs they had.
mod drift; // A database that changes under a worker.
mod dropped_workers; // Workers that nobody shuts down drain all the same.
mod due; // Scheduled jobs and retries come due at their time.
mod fleet; // Several workers share a queue.
mod job_outcomes; // Jobs that choose how they end.
mod judging; // Who gives up whom.
mod panicking; // What the application throws at it.
mod poolers; // What stands between it and the database.
mod recorded; // Results that cannot be recorded.
mod role_defaults; // The defaults of its role, set against us.
mod shutdown; // A worker stops gracefully.
mod stop_reasons; // The request that an attempt stop, and why.
mod transactional; // Jobs that complete in a transaction of their own.

// What can be asked of a client.
mod any_job; // One job by its id.
mod bad_input; // What nobody should enqueue, and what is said of it.
mod bulk; // Many jobs at once.
mod by_hand; // Rows that somebody wrote into the table.
mod coalesced; // Single enqueues that come together.
mod dead_jobs; // Jobs that ended badly, and what a person does with them.
mod errors; // What a stranger reads where something was set up wrongly.
mod fidelity; // Values arrive as they were sent.
mod from_sql; // Jobs enqueued with SQL.
mod handles; // Whoever has a job's handle gets its end.
mod job_context; // What a job does from inside.
mod lifecycle; // From an enqueue to the end, and what a handle sees of it.
mod limits; // How long an enqueue takes at most, and what it says then.
mod listening; // Where notifications are heard.
mod migrate; // The schema, and what becomes of one that is not ours.
mod plans; // Plans that do not depend on statistics.
mod privileges; // Who may do what.
mod queues; // What people do with a queue.
mod schema; // Made by anybody, under any name, for any role.
mod standby; // A server that only reads.
mod waiters; // A thousand who wait at once.
