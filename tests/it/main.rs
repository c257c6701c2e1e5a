//! Tests of pgjobq's guarantees on a real PostgreSQL. All are in one binary, so that it links once.
#![allow(clippy::unwrap_used)]

// Helpers.
mod gate;
#[macro_use]
mod harness;
mod error_text; // The text of errors.
mod multiplexer;
mod pgbouncer;
mod probe; // Observes and holds job functions.
mod proxy; // A network that a test can interrupt.

// Guarantees that always hold.
mod bystanders; // A job that runs costs the database nothing.
mod calendar; // Partitions on every day of four years.
mod callers; // Callers' transactions and ours.
mod catalog; // The schema as a person sees it in psql.
mod claim_times; // Claims stay fast with a ticket far ahead.
mod claims; // Claims are bounded, and one lane delays no other.
mod growth; // No table grows without bound.
mod invariants;
mod killed_process; // A killed process loses no job.
mod orphaned_leases; // Leases without an owner are returned.
mod shutdown_paths; // Every background task ends at a shutdown.
mod silent_clients; // A client that falls silent leaves no lock behind.
mod slots; // A worker claims at most its free slots.
mod unnotified; // Notifications are hints.

// Looking.
mod audit; // Who has asked for what.
mod looking; // What pages about jobs show.

// Telemetry.
mod observed; // Observers and hooks learn of everything, and hurt nobody.

// Workers.
mod after; // Jobs that wait for other jobs.
mod ageing; // Jobs that have waited for long move up.
mod batches; // Job functions that take several jobs in one call.
mod cancelled; // Jobs that are cancelled, waiting or running.
mod connections; // The options of new connections.
mod crashes; // Dead workers, and the reaping of their jobs.
mod drift; // A database that changes while a worker runs.
mod dropped_workers; // Workers that are dropped drain as well.
mod due; // Scheduled jobs and retries come due at their time.
mod fleet; // Several workers share a queue.
mod growing; // Steps that add steps to their workflow.
mod job_outcomes; // Jobs that choose their outcome.
mod judging; // Reaping of silent workers.
mod killed_calls; // Calls of a person that die in the middle.
mod killed_growth; // Connections that die while a step adds others.
mod local_wake_ups; // Workers that their own process wakes.
mod lost_leases; // Results of jobs whose lease seems lost.
mod panicking; // Application code that panics in unusual places.
mod pauses; // Pauses of queues, kinds and keys.
mod permits; // Limits of the fleet.
mod policies; // Limits and unique keys, as the code, SQL and operators state them.
mod poolers; // Poolers between a worker and the database.
mod prefetch; // Short jobs are claimed before a slot is free.
mod rates; // How many jobs start in any window of time.
mod recorded; // Results that cannot be recorded.
mod role_defaults; // Unusual defaults of the database role.
mod row_addresses; // Results of jobs whose rows have moved.
mod settings; // Settings that operators change.
mod shutdown; // A worker stops gracefully.
mod stop_reasons; // The request to stop an attempt, and its reason.
mod transactional; // Transactional jobs.
mod unique; // Unique jobs.

// Workflows.
mod flow_targets; // Workflows are enqueued whole, or not at all.
mod flows; // Workflows of typed steps, from the enqueue to the end.
mod steps; // Steps wait for each other, and get outputs.
mod workflow_ends; // How whole workflows end.

// Clients.
mod actions; // Counts, lists and actions on all jobs that match a filter.
mod any_job; // One job by its id.
mod attribute_indexes; // Indexes by attributes are built beside running jobs.
mod attributes; // Attributes and keys stay with their job.
mod bad_input; // Invalid jobs and their errors.
mod bounded; // Bounded queues.
mod bulk; // Many jobs in few statements.
mod by_hand; // Rows written into the table by hand.
mod coalesced; // Concurrent single enqueues share statements.
mod dead_jobs; // Dead jobs are listed, requeued and purged.
mod errors; // Errors of a wrong setup.
mod explain; // Why a job is not running.
mod exported; // Ended jobs as lines of JSON.
mod fidelity; // Values arrive as they were sent.
mod filters; // What filters match, and workers with filters.
mod from_sql; // Jobs enqueued with SQL.
mod handles; // Each handle receives its job's outcome.
mod job_context; // What `JobContext` offers.
mod kept_connection; // The connection that a client keeps between enqueues.
mod lifecycle; // From an enqueue to the outcome.
mod limits; // Time limits of enqueues and waits.
mod listening; // Notifications past a pooler.
mod migrate; // Upgrades of the schema.
mod operations_page; // The queries of the operations page.
mod plans; // Plans that do not depend on statistics.
mod privileges; // Privileges of roles.
mod queues; // Management of queues.
mod redacted; // Redacted arguments are shown nowhere.
mod schema; // Created under any name, for any role.
mod stalled_flights; // Shared enqueues that stall delay no other.
mod standby; // A server that only reads.
mod tools; // Lists for people, and enqueues by the name of a kind.
mod versions; // Arguments of older and newer code.
mod waiters; // A thousand waits at once.
