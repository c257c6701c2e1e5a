//! Privileges of the roles of the printed grants, and of all other roles.

use std::collections::BTreeSet;
use std::time::Duration;

use pgjobq::CancelOutcome;
use pgjobq::prelude::*;
use pgjobq_core::worker_api::STATEMENTS;
use sqlx::{AssertSqlSafe, Row};

use crate::harness::{TestDb, in_time};
use crate::lifecycle::double;
use crate::role_defaults::everything_runs;
use crate::schema::{Role, printed};

/// Producers and workers.
const BOTH: &[&str] = &["pgjobq_producer", "pgjobq_worker"];
const WORKER: &[&str] = &["pgjobq_worker"];

/// The roles that may execute each function if PUBLIC may execute none. A new function needs a line here.
const FUNCTIONS: &[(&str, &[&str])] = &[
    ("announce_jobs", BOTH),
    ("attribute_index_name", WORKER),
    ("attribute_index_parts", WORKER),
    ("attribute_index_statement", WORKER),
    ("attribute_index_step", WORKER),
    ("list_attribute_indexes", WORKER),
    ("want_attribute_index", WORKER),
    ("check_args", BOTH),
    ("check_attributes", BOTH),
    ("check_key", BOTH),
    ("check_kind", BOTH),
    ("check_numbers", BOTH),
    ("duplicates", BOTH),
    ("estimated_jobs", BOTH),
    ("accepts", WORKER),
    ("filter_columns", BOTH),
    ("matches", BOTH),
    ("insert_edges", BOTH),
    ("insert_large_batch", BOTH),
    ("new_edges", BOTH),
    ("new_rows", BOTH),
    ("reject_parents", BOTH),
    ("reject_program", BOTH),
    ("resolve_run_at", BOTH),
    ("oldest_ready", BOTH),
    ("quarantine_line", BOTH),
    ("dead_counts", BOTH),
    ("queue_counts", BOTH),
    ("scheduled_counts", BOTH),
    ("workers_of", BOTH),
    ("unstarted", BOTH),
    ("explain", BOTH),
    ("obstacles", BOTH),
    ("explain_pauses", BOTH),
    ("explain_filters", BOTH),
    ("unserved", BOTH),
    ("live_workers", BOTH),
    ("unaccepted", BOTH),
    ("is_due", BOTH),
    ("counted", BOTH),
    ("listed", BOTH),
    ("moment", BOTH),
    ("micros", BOTH),
    ("span", BOTH),
    ("explain_attempt", WORKER),
    ("explain_cancel", WORKER),
    ("explain_death", WORKER),
    ("explain_end", WORKER),
    ("explain_line", WORKER),
    ("explain_parents", WORKER),
    ("explain_place", WORKER),
    ("explain_quarantine", WORKER),
    ("explain_schedule", WORKER),
    ("explain_wait", WORKER),
    ("parents_of", WORKER),
    ("has_many_edges", WORKER),
    ("holders_outside", WORKER),
    ("jobs_before", WORKER),
    ("estimated_before", WORKER),
    ("ended_per_second", WORKER),
    ("slots_for", WORKER),
    ("running_in", WORKER),
    ("ready_line", BOTH),
    ("worker_counts", BOTH),
    ("act_on_request", BOTH),
    ("ask_to_cancel", BOTH),
    ("cancel", BOTH),
    ("channel", BOTH),
    ("ended_badly", BOTH),
    ("enqueue", BOTH),
    ("enqueue_many", BOTH),
    ("enqueue_one", BOTH),
    ("job_row", BOTH),
    ("jobs_of_lease", BOTH),
    ("leased_tickets", BOTH),
    ("lookup", BOTH),
    ("new_id", BOTH),
    ("progress_of", BOTH),
    ("printed", BOTH),
    ("queue_stats", BOTH),
    ("readable", BOTH),
    ("shard_of", BOTH),
    ("show_ended", BOTH),
    ("shown_args", BOTH),
    ("count_jobs", BOTH),
    ("list_jobs", BOTH),
    ("act", WORKER),
    ("add_counts", WORKER),
    ("apply_action", WORKER),
    ("cancel_for", WORKER),
    ("change_for", WORKER),
    ("change_waiting", WORKER),
    ("delete_ended", WORKER),
    ("do_batch", WORKER),
    ("due_in", WORKER),
    ("ended_matches", WORKER),
    ("find_batch", WORKER),
    ("find_fitting", WORKER),
    ("live_matches", WORKER),
    ("live_state", WORKER),
    ("next_matches", WORKER),
    ("put_off", WORKER),
    ("queue_name", WORKER),
    ("requeue_for", WORKER),
    ("sampled_ended", WORKER),
    ("sampled_live", WORKER),
    ("shown_jobs", WORKER),
    ("start_action", WORKER),
    ("still_ended", WORKER),
    ("ended_ever", WORKER),
    ("still_live", WORKER),
    ("stop_action", WORKER),
    ("is_indexed", WORKER),
    ("walk_attribute", WORKER),
    ("walk_ended", WORKER),
    ("walk_ended_badly", WORKER),
    ("walk_live", WORKER),
    ("walk_named", WORKER),
    ("cancellation", WORKER),
    ("claim_within_bounds", WORKER),
    ("claimable_jobs", WORKER),
    ("confirm_edges", WORKER),
    ("decide_crashes", WORKER),
    ("delays_of_blocked", BOTH),
    ("delete_jobs", WORKER),
    ("describe_end", WORKER),
    ("end_jobs", WORKER),
    ("end_running", WORKER),
    ("end_of_walk", WORKER),
    ("locate_jobs", WORKER),
    ("lock_dead_lease", WORKER),
    ("outcome_of", WORKER),
    ("peek_quarantine", WORKER),
    ("put_back", WORKER),
    ("quarantined_batch", WORKER),
    ("quarantined_jobs", WORKER),
    ("ranges_of", WORKER),
    ("rows_to_walk", WORKER),
    ("with_queue", WORKER),
    ("ready_jobs", WORKER),
    ("stretches", WORKER),
    ("tickets_of", WORKER),
    ("walked_to", WORKER),
    ("act_on_cancels", WORKER),
    ("claim", WORKER),
    ("claim_quarantined", WORKER),
    ("complete_in", WORKER),
    ("crashes_left", WORKER),
    ("create_queue", WORKER),
    ("delete_queue", WORKER),
    ("deleted_queues", WORKER),
    ("draw_tickets", WORKER),
    ("drop_day", WORKER),
    ("drop_partition", WORKER),
    ("end_flagged", WORKER),
    ("end_of_quarantine_walk", WORKER),
    ("end_parents", WORKER),
    ("end_waiting", WORKER),
    ("end_of_quarantine_walk", WORKER),
    ("error_entry", WORKER),
    ("errors_of", WORKER),
    ("expire", WORKER),
    ("find_due", WORKER),
    ("find_expiring", WORKER),
    ("finish", WORKER),
    ("flagged", WORKER),
    ("follow_up", WORKER),
    ("forget_cancels", WORKER),
    ("forget_failures", WORKER),
    ("forget_progress", WORKER),
    ("forget_queue", WORKER),
    ("forgettable_queues", WORKER),
    ("give_up_workers", WORKER),
    ("outside_arg", WORKER),
    ("missing_parents", BOTH),
    ("grow_workflow", WORKER),
    ("heartbeat", WORKER),
    ("hold_leases", WORKER),
    ("keep_of", WORKER),
    ("leave", WORKER),
    ("leave_out_failures", WORKER),
    ("left_out_between", WORKER),
    ("lock_jobs_of_lease", WORKER),
    ("make_partitions", WORKER),
    ("missing_days", WORKER),
    ("note_rates", WORKER),
    ("open_lane", WORKER),
    ("pauses_of_queue", WORKER),
    ("unmark_lane", WORKER),
    ("pauses_seen", WORKER),
    ("kinds_without", WORKER),
    ("pause", WORKER),
    ("check_pause", WORKER),
    ("reject_many_pauses", WORKER),
    ("resume", WORKER),
    ("reject_open_transaction", WORKER),
    ("change_setting", WORKER),
    ("change_settings", WORKER),
    ("check_setting", WORKER),
    ("default_keep", BOTH),
    ("microseconds", BOTH),
    ("settings_of", BOTH),
    ("set_slots", WORKER),
    ("shown_setting", BOTH),
    ("partition_days", WORKER),
    ("peek", WORKER),
    ("promote", WORKER),
    ("read_args", WORKER),
    ("purge_ended", WORKER),
    ("purge_queue", WORKER),
    ("read_args", WORKER),
    ("reap", WORKER),
    ("record_kinds", WORKER),
    ("register_worker", WORKER),
    ("repair_tickets", WORKER),
    ("requeue_jobs", WORKER),
    ("return_claim", WORKER),
    ("return_lease", WORKER),
    ("return_claim", WORKER),
    ("save_queue", WORKER),
    ("say_progress", WORKER),
    ("scheduled_jobs", WORKER),
    ("set_idle", WORKER),
    ("children_of_ended", WORKER),
    ("settle_edges", WORKER),
    ("settle_outside", WORKER),
    ("stray_queues", WORKER),
    ("take_waiting", WORKER),
    ("tidy_failures", WORKER),
    ("tidy_hints", WORKER),
    ("tidy_rest", WORKER),
    ("missing_parents", BOTH),
    ("outside_arg", WORKER),
    ("blocked_state", BOTH),
    ("workflow_of", BOTH),
    ("number_of_step", BOTH),
    ("delay_of", WORKER),
    ("insert_again", WORKER),
    ("lock_live_steps", WORKER),
    ("lock_workflow", WORKER),
    ("reopen_workflow", WORKER),
    ("restore_failures", WORKER),
    ("resume_step", WORKER),
    ("retry_workflow", WORKER),
    ("wait_again", WORKER),
    ("waits_of_steps", WORKER),
    ("cancel_children", WORKER),
    ("cancel_late_workflow", WORKER),
    ("cancel_steps", WORKER),
    ("cancel_workflow", BOTH),
    ("close_workflow", WORKER),
    ("completed_step", WORKER),
    ("count_ended", WORKER),
    ("drop_workflow", WORKER),
    ("due_workflow", WORKER),
    ("edges_again", WORKER),
    ("edges_to", WORKER),
    ("end_steps", WORKER),
    ("end_workflow", WORKER),
    ("enqueue_workflow", BOTH),
    ("failure_of", WORKER),
    ("fill_args", WORKER),
    ("fill_steps", WORKER),
    ("forget_unfilled", WORKER),
    ("find_untended", WORKER),
    ("hold_steps", WORKER),
    ("insert_steps", BOTH),
    ("locate_steps", WORKER),
    ("lock_blocked", WORKER),
    ("metas_of_steps", BOTH),
    ("note_settled", WORKER),
    ("pass_cancel_on", WORKER),
    ("record_steps", WORKER),
    ("release_more", WORKER),
    ("release_outputs", WORKER),
    ("reserve_steps", WORKER),
    ("settle_children", WORKER),
    ("settle_ended", WORKER),
    ("states_of_steps", BOTH),
    ("step_arg", WORKER),
    ("given_args", WORKER),
    ("inputs_of", WORKER),
    ("tend_workflows", WORKER),
    ("unblock_jobs", WORKER),
    ("unblock_steps", WORKER),
    ("unknown_queues", BOTH),
    ("workflow_status", BOTH),
    ("workflow_steps", BOTH),
];

/// The functions that run with their owner's rights. PUBLIC may execute none of them, in any schema.
const DEFINERS: &[&str] = &[
    "act",
    "act_on_cancels",
    "act_on_request",
    "ask_to_cancel",
    "cancel_steps",
    "cancel_workflow",
    "change_settings",
    "count_jobs",
    "delete_queue",
    "drop_partition",
    "explain",
    "list_jobs",
    "make_partitions",
    "pass_cancel_on",
    "pause",
    "repair_tickets",
    "resume",
    "start_action",
    "stop_action",
];

/// Functions for both roles that only other functions call, and that use the search path of those.
const INSIDE: &[&str] = &[
    "announce_jobs",
    "duplicates",
    "filter_columns",
    "is_due",
    "live_workers",
    "insert_large_batch",
    "job_row",
    "jobs_of_lease",
    "leased_tickets",
    "matches",
    "new_rows",
    "quarantine_line",
    "ready_line",
    "shard_of",
    "states_of_steps",
    "workflow_of",
    "number_of_step",
];

/// Returns the names of the schema's functions for which `so` is true.
async fn functions(db: &TestDb, so: &str) -> BTreeSet<String> {
    let named =
        format!("select proname::text from pg_proc p where pronamespace = 'pgjobq'::regnamespace and {so}");
    sqlx::query_scalar(AssertSqlSafe(named)).fetch_all(&db.pool).await.unwrap().into_iter().collect()
}

fn named<'n>(names: impl IntoIterator<Item = &'n str>) -> BTreeSet<String> {
    names.into_iter().map(str::to_owned).collect()
}

#[tokio::test]
async fn each_function_is_executable_by_the_roles_listed_here() {
    let db = TestDb::empty().await;
    db.run("alter default privileges revoke execute on functions from public").await;
    db.client.migrate().await.unwrap();
    db.run(&printed("pgjobq", true)).await;
    assert_eq!(functions(&db, "true").await, named(FUNCTIONS.iter().map(|(name, _)| *name)));
    for role in ["pgjobq_producer", "pgjobq_worker"] {
        let may = functions(&db, &format!("has_function_privilege('{role}', oid, 'execute')")).await;
        let listed = FUNCTIONS.iter().filter(|(_, roles)| roles.contains(&role)).map(|(name, _)| *name);
        assert_eq!(may, named(listed), "{role}");
    }
    // A role with only `usage` on the schema has the rights of PUBLIC.
    let reader = Role::new(&db, "nologin").await;
    db.run(&format!("grant usage on schema pgjobq to {}", reader.name)).await;
    let may = functions(&db, &format!("has_function_privilege('{}', oid, 'execute')", reader.name)).await;
    assert_eq!(may, named([]));
    reader.drop().await;
}

#[tokio::test]
async fn functions_with_their_owners_rights_are_not_for_public() {
    let db = TestDb::new(1).await;
    assert_eq!(functions(&db, "prosecdef").await, named(DEFINERS.iter().copied()));
    let open = "prosecdef and (proacl is null or exists (select from aclexplode(proacl) where grantee = 0))";
    assert_eq!(functions(&db, open).await, named([]));
}

#[tokio::test]
async fn functions_that_callers_run_fix_their_search_path() {
    let db = TestDb::new(1).await;
    let fixed = functions(&db, "'search_path=pg_catalog, pg_temp' = any (proconfig)").await;
    let for_callers = FUNCTIONS.iter().filter(|(name, roles)| *roles == BOTH && !INSIDE.contains(name));
    let for_callers = named(for_callers.map(|(name, _)| *name).chain(DEFINERS.iter().copied()));
    assert!(for_callers.is_subset(&fixed), "{:?}", for_callers.difference(&fixed));
    // The sessions of a worker, and of a client's own statements, fix the search path.
    let settings = STATEMENTS.iter().find(|(name, _)| *name == "own_settings").unwrap().1;
    assert!(settings.contains("'search_path', 'pg_catalog, pg_temp'"), "{settings}");
}

/// Creates functions and operators in `public` that match better than PostgreSQL's own, which take any array or a wider type.
const TRAPS: &str = "do $do$
declare
    v_type text;
begin
    foreach v_type in array array['uuid', 'int', 'smallint', 'bigint', 'text', 'boolean', 'date', 'interval'] loop
        execute format('create function public.unnest(%1$s[]) returns setof %1$s language plpgsql as
            $$ begin raise exception ''trapped by unnest of %1$s''; end $$', v_type);
        execute format('create function public.cardinality(%1$s[]) returns int language plpgsql as
            $$ begin raise exception ''trapped by cardinality of %1$s''; end $$', v_type);
        execute format('create function public.array_to_string(%1$s[], text) returns text language plpgsql as
            $$ begin raise exception ''trapped by array_to_string of %1$s''; end $$', v_type);
    end loop;
    create function public.trap(bigint, interval) returns interval language plpgsql as
        $$ begin raise exception 'trapped by bigint * interval'; end $$;
    create operator public.* (leftarg = bigint, rightarg = interval, function = public.trap);
    create function public.trap(numeric, int) returns numeric language plpgsql as
        $$ begin raise exception 'trapped by numeric * int'; end $$;
    create operator public.* (leftarg = numeric, rightarg = int, function = public.trap);
    create function public.trap(int, smallint) returns smallint language plpgsql as
        $$ begin raise exception 'trapped by int %% smallint'; end $$;
    create operator public.% (leftarg = int, rightarg = smallint, function = public.trap);
    create function public.trap(jsonb, jsonb) returns text language plpgsql as
        $$ begin raise exception 'trapped by jsonb ->> jsonb'; end $$;
    create operator public.->> (leftarg = jsonb, rightarg = jsonb, function = public.trap);
end $do$";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_others_created_in_public_is_called() {
    in_time(async {
        let db = TestDb::empty().await;
        db.run(TRAPS).await;
        assert!(sqlx::query("select unnest(array[gen_random_uuid()])").execute(&db.pool).await.is_err());
        everything_runs(&db.pool).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancellation_names_the_role_that_asked() {
    let db = TestDb::new(1).await;
    db.run(&printed("pgjobq", true)).await;
    for member_of in ["pgjobq_producer", "pgjobq_worker"] {
        let role = Role::new(&db, "login").await;
        db.run(&format!("grant {member_of} to {}", role.name)).await;
        let client = Client::new(role.pool(1).await);
        let job = double::job(1).delay(Duration::from_secs(3600)).enqueue(&client).await.unwrap();
        assert_eq!(job.explain(&client).await.unwrap().reasons[0].code, "scheduled", "{member_of}");
        let answer = job.cancel(&client).by("the boss").because("so").await.unwrap();
        assert_eq!(answer, CancelOutcome::Cancelled, "{member_of}");
        let cancelled = job.status(&client).await.unwrap().unwrap().cancelled.unwrap();
        assert_eq!((&*cancelled.by, &*cancelled.role), ("the boss", &*role.name));
        let listed = client.cancelled_jobs().list(1).await.unwrap().pop().unwrap().cancelled.unwrap();
        assert_eq!(listed, cancelled);
        assert_eq!(job.explain(&client).await.unwrap().reasons[0].code, "cancelled", "{member_of}");
        // Neither role may insert into `cancels` itself, because that would forge the recorded role.
        let forged = "insert into pgjobq.cancels (shard, job, created_at, asked_by, role) values (0, gen_random_uuid(), now(), 'me', 'you')";
        let refused = sqlx::query(forged).execute(client.pool()).await.unwrap_err();
        assert!(refused.to_string().contains("permission denied for table cancels"), "{refused}");
        client.pool().close().await;
        role.drop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn worker_role_forges_no_pause_and_no_setting() {
    let db = TestDb::new(1).await;
    db.run(&printed("pgjobq", true)).await;
    let role = Role::new(&db, "login").await;
    db.run(&format!("grant pgjobq_worker to {}", role.name)).await;
    let client = Client::new(role.pool(1).await);
    let key = || client.key("tenant:1");
    key().pause().by("ada").await.unwrap();
    let made = "select paused_by || ', ' || role from pgjobq.pauses";
    assert_eq!(db.text(made).await, format!("ada, {}", role.name));
    assert!(key().resume().await.unwrap());
    let set = "select pgjobq.change_setting('default', 'limit', '7')";
    sqlx::raw_sql(set).execute(client.pool()).await.unwrap();
    let made = "select overrides->'limit'->>'role' from pgjobq.queues where name = 'default'";
    assert_eq!(db.text(made).await, role.name);
    for forged in [
        "insert into pgjobq.pauses (scope, name, paused_by, role) values ('key', 'k', 'me', 'you')",
        "update pgjobq.pauses set role = 'you'",
        "delete from pgjobq.pauses",
        "update pgjobq.queues set overrides = '{\"limit\": {\"value\": \"many\", \"role\": \"you\"}}'",
        "insert into pgjobq.queues (name, overrides) values ('mine', '{}')",
    ] {
        let refused = sqlx::query(forged).execute(client.pool()).await.unwrap_err();
        assert!(refused.to_string().contains("permission denied for table "), "{forged}: {refused}");
    }
    // All that a worker does with queues goes on.
    let hour = Duration::from_secs(3600);
    client.queue("forged").retain(pgjobq::EndedState::Dead, hour).save().await.unwrap();
    client.queue("forged").pause().await.unwrap();
    assert!(client.queue("forged").delete().await.unwrap());
    assert_eq!(db.number("select count(*) from pgjobq.pauses").await, 0);
    client.queue("forged").save().await.unwrap();
    client.pool().close().await;
    role.drop().await;
}

#[tokio::test]
async fn no_function_needs_md5_which_strict_servers_lack() {
    let db = TestDb::new(1).await;
    assert_eq!(functions(&db, "prosrc like '%md5(%'").await, named([]));
}

#[tokio::test]
async fn producer_inserts_no_step_that_has_ended() {
    let db = TestDb::new(1).await;
    db.run(&printed("pgjobq", true)).await;
    let role = Role::new(&db, "login").await;
    db.run(&format!("grant pgjobq_producer to {}", role.name)).await;
    let pool = role.pool(1).await;
    for (table, column, value) in
        [("steps", "outcome", "'dead'"), ("unsettled", "settled_to", "7"), ("unsettled", "is_ended", "true")]
    {
        let insert = format!("insert into pgjobq.{table} ({column}) values ({value})");
        let refused = sqlx::query(AssertSqlSafe(insert)).execute(&pool).await.unwrap_err();
        assert!(refused.to_string().contains("permission denied for table"), "{column}: {refused}");
    }
    pool.close().await;
    role.drop().await;
}

#[tokio::test]
async fn lane_is_not_locked_in_a_callers_transaction() {
    let db = TestDb::new(1).await;
    let job = double::job(1).delay(Duration::from_secs(3600)).enqueue(&db.client).await.unwrap();
    let mut tx = db.pool.begin().await.unwrap();
    let ask = "select pgjobq.cancel($1)";
    assert!(sqlx::query(ask).bind(job.id().as_uuid()).fetch_one(&mut *tx).await.unwrap().get::<bool, _>(0));
    let act = "select pgjobq.act_on_request(0::smallint, array[$1])";
    let refused = sqlx::query(act).bind(job.id().as_uuid()).execute(&mut *tx).await.unwrap_err();
    assert!(refused.to_string().contains("it must be called in a transaction of its own"), "{refused}");
    tx.rollback().await.unwrap();
}
