//! The statements, each from a file of its own under `queries/`.
//!
//! They are rendered once per client for its schema. Two tests guard them: every file is used, and every statement
//! prepares on the migrated schema.

use std::sync::LazyLock;

use sqlx::SqlStr;

use crate::db::schema::Schema;
use crate::observe::telemetry::Telemetry;

macro_rules! statements {
    ($($name:ident),* $(,)?) => {
        /// The statements, rendered for one schema.
        #[derive(Debug)]
        pub(crate) struct Statements {
            pub(crate) schema: Schema,
            /// The observers, the hooks and the sampler.
            pub(crate) telemetry: Telemetry,
            $(pub(crate) $name: SqlStr,)*
        }

        impl Statements {
            pub(crate) fn new(schema: &Schema) -> Self {
                Self { schema: schema.clone(), telemetry: Telemetry::default(), $($name: schema.render(include_str!(concat!("../../queries/", stringify!($name), ".sql"))),)* }
            }

            /// Returns the name of one of these statements.
            pub(crate) fn name_of(&self, statement: &str) -> &'static str {
                $(if std::ptr::eq(self.$name.as_str(), statement) {
                    return stringify!($name);
                })*
                "other"
            }
        }

        /// Every statement with its name, for the tests that guard them.
        #[doc(hidden)]
        pub const STATEMENTS: &[(&str, &str)] =
            &[$((stringify!($name), include_str!(concat!("../../queries/", stringify!($name), ".sql"))),)*];
    };
}

statements! {
    about, which_server, own_settings, enqueue_one, enqueue_many, await_room, leave_room_line, drop_oldest, room, existing, enqueue_workflow, workflow_status, workflow_steps, cancel_workflow,
    retry_workflow, resume_step, lookup, is_requested, status, explain, unstarted, unstarted_steps, other_schemas, notify, wait_until,
    save_queue, delete_queue, deleted_queues, forget_queue, stray_queues, purge_queue, queue_stats, queue_ids, note_rates,
    queue_settings, change_settings, limit_settings, change_limits, pause, resume, pauses,
    record_kinds, make_partitions, drop_partition, tidy_rest, tidy_hints, tidy_failures,
    settle_unique, settle_own_unique, admit, admit_jobs, find_admissible, take_awaited, tidy_starts,
    follow_ups, tend_workflows, confirm_edges, settle_edges, claim, claim_observed, claim_quarantined, read_args, return_claim, peek, finish, finish_growing, reserve_steps, complete_in, say_progress,
    count_jobs, list_jobs, list_newest, export_jobs, waiting_args, scheduled_args, change_args, start_action, act, stop_action, actions,
    ask_to_cancel, act_on_request, act_on_cancels, expire, ended_badly, show_ended, ended_as, requeue_jobs,
    purge_ended, register_worker, heartbeat, set_idle, leave, return_lease, list_workers, check_queues, check_filter,
    set_slots, unaccepted, want_attribute_index, attribute_index_step, attribute_indexes, repair_tickets,
    give_up_workers, reap, find_due, promote, find_expiring, age_jobs, fleet_state, look_at_schedules, fire_schedule,
    record_schedules, upsert_schedule, pause_schedule, resume_schedule, remove_schedule, run_schedule, list_schedules,
    queue_overview, enqueue_by_kind, doctor_definitions, doctor_partitions, doctor_transactions, doctor_tables,
    doctor_settings, doctor_workers, doctor_now, fleet_now, job_details, dead_groups, throughput, workers,
    recorded_kinds, workflows, fleet_limits, note_audit, end_audit, audit,
}

/// The statements for the schema `pgjobq`, which bare connections write to.
pub(crate) static DEFAULT: LazyLock<std::sync::Arc<Statements>> =
    LazyLock::new(|| std::sync::Arc::new(Statements::new(&Schema::default())));
