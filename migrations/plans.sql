-- Pins the plans of the functions that search a table which grows. It runs last whenever a function was
-- installed, because `create or replace function` resets the settings of a function.
--
-- Plans must not depend on statistics. A queue's table is mostly analysed when it is empty, or full of dead
-- rows, and then a planner that believes the statistics reads the whole table for each job. So only index
-- scans and nested loops are left to it, and the plan is made once. JIT is off as well: a plan with a
-- disabled node looks expensive enough to compile.
--
-- A probe is a look that must use one index, even if others would do. These forms leave no choice:
--   `offset 0`            conditions stay outside: a row is found by its key alone, and compared after
--   `order by a`          asks for an order that only the meant index has, even if at most one row matches
--   `a >= p and a <= p`   with `order by a`; after `a = p` the planner would drop the order
--   `a + 0 = p`           compares a column, and hides it where an index on it must not be used
--   `a is not distinct from b`   the same for a type without `+`
--   `ctid = b`            reads the row at an address, if all other conditions are hidden
-- Where the table was analysed with one row and then filled, a plain `=` read a whole shard for each job.
--
-- A comment that begins with `step:` names a place between two steps of a function. The tests in `races`
-- put a pause there, to try every order of the steps of two sessions. In production it is a comment.
do $$
declare
    c_pinned constant text[] := '{
        act, act_on_cancels, settle_unique, tidy_unique, unique_holders,
        age_jobs, admit, admit_jobs, ask_to_cancel, blocked_state, cancel_workflow,
        claim, claim_quarantined, change_args, complete_in, confirm_edges, count_jobs, count_permits,
        count_waiting, dead_counts, dead_groups, deleted_queues, drop_oldest, due_since, duplicates, ended_as,
        ended_badly, enqueue_workflow,
        expire, explain, export_jobs, find_admissible, find_due, find_expiring, find_untended, finish,
        fire_schedule,
        give_surplus, give_up_workers, grow_workflow, has_limited, heartbeat, insert_edges, job_details,
        list_jobs, list_newest, live_jobs, look_at_schedules, lookup,
        new_edges, note_lost_partition, overdue,
        peek, promote, purge_ended, purge_queue, queue_counts, queue_stats, rates_left, read_args,
        reap, repair_tickets, requeue_jobs, reserve_steps, resume_step, retry_workflow,
        return_claim, return_lease, say_progress, scheduled_counts, settle_edges, show_ended,
        stray_queues, take_awaited, tend_workflows, tidy_failures, tidy_hints, tidy_starts, unaccepted,
        unstarted, waiting_args, without_room, worker_counts, workflow_status, workflow_steps}';
    v_name text;
begin
    foreach v_name in array c_pinned loop
        execute format('alter function pgjobq.%I '
                       'set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off '
                       'set enable_mergejoin = off set enable_sort = off set enable_memoize = off set jit = '
                       'off '
                       'set plan_cache_mode = force_generic_plan', v_name);
    end loop;
end $$;
