-- The grants of the roles. Run this as the owner of the schema, and make your own roles members:
--   grant pgjobq_producer to web;   grant pgjobq_worker to jobs;   grant pgjobq_observer to ada;
-- Roles belong to the whole server, so that another database's may be there, or come in just now. An upgrade
-- runs the part of each role that may use the schema again, for functions and tables that are new.

-- role: producer
-- A producer enqueues, waits, and looks.
grant usage on sequence pgjobq.ticket to pgjobq_producer;
grant select on pgjobq.settings, pgjobq.migrations, pgjobq.queues, pgjobq.kinds, pgjobq.workers,
    pgjobq.leases, pgjobq.pauses, pgjobq.limits,
    pgjobq.finished, pgjobq.progress, pgjobq.rates, pgjobq.actions, pgjobq.audit, pgjobq.job_states,
    pgjobq.queue_overview, pgjobq.workers_overview, pgjobq.workflows_overview,
    pgjobq.queue_settings, pgjobq.limits_overview to pgjobq_producer;
grant select, insert on pgjobq.workflows, pgjobq.edges to pgjobq_producer;
-- No permit: admission alone gives those.
grant select, insert (shard, id, queue_id, priority, kind, args, meta, attributes, key, run_at, expires_at,
    retries, max_crashes, created_at, waits_for, limits, weight, unique_key, unique_slot, arrival, ticket)
    on pgjobq.jobs to pgjobq_producer;
grant select, insert (shard, workflow, n, job, kind, name, role, children, demands, inputs, readers, outside)
    on pgjobq.steps to pgjobq_producer;
grant insert (shard, workflow, n) on pgjobq.unsettled to pgjobq_producer;
grant select, insert, update on pgjobq.waiters, pgjobq.unique_until to pgjobq_producer;
grant select, insert, delete on pgjobq.unique_locks to pgjobq_producer;
grant select, insert (shard, id, holder, holder_created_at, lasts, answer, job) on pgjobq.unique_requests
    to pgjobq_producer;
grant select, insert, update, delete on pgjobq.room, pgjobq.room_waiters to pgjobq_producer;
-- Whoever has gauges may measure the fleet.
grant select, insert, update on pgjobq.fleet to pgjobq_producer;
grant select on sequence pgjobq.ticket to pgjobq_producer;

-- An application sets schedules for its users, and may enqueue their jobs anyway.
grant select, insert, update, delete on pgjobq.schedules to pgjobq_producer;
grant select, delete on pgjobq.ticks to pgjobq_producer;
grant select on pgjobq.schedule_declarations to pgjobq_producer;

-- Functions that cancel, count or tidy up run with their owner's rights, or call others of this list.
grant execute on function pgjobq.enqueue, pgjobq.enqueue_one, pgjobq.enqueue_many, pgjobq.new_rows,
    pgjobq.insert_batch, pgjobq.insert_large_batch, pgjobq.announce_jobs, pgjobq.announce_limited,
    pgjobq.insert_unique, pgjobq.ids_at, pgjobq.debounced, pgjobq.admit_unique, pgjobq.unique_jobs,
    pgjobq.unique_holders, pgjobq.jobs_with_unique_key, pgjobq.is_leased, pgjobq.jobs_not_held,
    pgjobq.lock_unique_keys, pgjobq.held_within_batch, pgjobq.take_unique_keys, pgjobq.announce_unique,
    pgjobq.settle_own_unique,
    pgjobq.limits_for, pgjobq.limits_of_shapes, pgjobq.own_answer, pgjobq.needs_permit,
    pgjobq.has_its_permits,
    pgjobq.any_needs_permit,
    pgjobq.with_room, pgjobq.mark_counted, pgjobq.admit_jobs,
    pgjobq.delays_of_blocked, pgjobq.new_edges,
    pgjobq.insert_edges, pgjobq.reject_parents,
    pgjobq.take_room, pgjobq.seat_job, pgjobq.hold_chunks, pgjobq.hold_old_chunks, pgjobq.give_room,
    pgjobq.add_places, pgjobq.chunk_id,
    pgjobq.chunk_size, pgjobq.free_places, pgjobq.has_room_line, pgjobq.await_room, pgjobq.leave_room_line,
    pgjobq.enqueue_bounded, pgjobq.take_batch_room, pgjobq.seat_jobs, pgjobq.live_jobs, pgjobq.give_surplus,
    pgjobq.without_room, pgjobq.describe_full, pgjobq.withdraw_workflow, pgjobq.slice, pgjobq.edges_of,
    pgjobq.drop_oldest, pgjobq.room, pgjobq.when_full_of,
    pgjobq.duplicates, pgjobq.check_kind, pgjobq.check_args, pgjobq.resolve_run_at, pgjobq.check_numbers,
        pgjobq.check_attributes, pgjobq.check_key, pgjobq.check_limits,
    pgjobq.recorded_kind, pgjobq.reject_answer, pgjobq.compute, pgjobq.computed_by, pgjobq.computed_text,
        pgjobq.computed_weight, pgjobq.computed_unique, pgjobq.unique_options, pgjobq.unique_time,
        pgjobq.reject_uncomputed,
        pgjobq.stored_unique_key, pgjobq.place_of,
        pgjobq.id_at, pgjobq.misplaced_jobs, pgjobq.misplaced_kinds, pgjobq.limit_settings,
        pgjobq.reject_program,
    pgjobq.new_id, pgjobq.job_row, pgjobq.shard_of, pgjobq.channel, pgjobq.cancel, pgjobq.ask_to_cancel,
        pgjobq.act_on_request, pgjobq.lookup,
    pgjobq.readable, pgjobq.shown_args, pgjobq.progress_of, pgjobq.ended_badly,
        pgjobq.show_ended, pgjobq.ended_as,
        pgjobq.printed,
    pgjobq.count_jobs, pgjobq.list_jobs, pgjobq.list_newest, pgjobq.job_details, pgjobq.dead_groups,
    pgjobq.error_pattern,
    pgjobq.export_jobs, pgjobq.exported, pgjobq.exported_json,
    pgjobq.utc,
    pgjobq.waiting_args, pgjobq.check_version, pgjobq.versioned_kind, pgjobq.versions_in, pgjobq.with_version,
    pgjobq.unread_version, pgjobq.explain_edit,
    pgjobq.queue_stats, pgjobq.queue_counts, pgjobq.scheduled_counts, pgjobq.dead_counts,
    pgjobq.ended_attempts,
    pgjobq.worker_counts, pgjobq.limit_counts, pgjobq.rates_left, pgjobq.rates_of, pgjobq.used_of,
    pgjobq.count_permits, pgjobq.count_waiting,
    pgjobq.concurrency_of, pgjobq.settings_of, pgjobq.full_policies, pgjobq.shown_setting,
    pgjobq.microseconds,
    pgjobq.shown_limit, pgjobq.shown_rate,
    pgjobq.default_keep, pgjobq.workers_of, pgjobq.unstarted, pgjobq.explain, pgjobq.obstacles,
    pgjobq.explain_pauses, pgjobq.explain_filters,
    pgjobq.live_workers, pgjobq.unaccepted, pgjobq.unserved, pgjobq.is_due,
    pgjobq.counted, pgjobq.listed, pgjobq.moment, pgjobq.micros, pgjobq.span,
    pgjobq.estimated_jobs,
    pgjobq.matches, pgjobq.filter_columns,
    pgjobq.ready_line, pgjobq.quarantine_line, pgjobq.leased_tickets, pgjobq.jobs_of_lease,
    pgjobq.enqueue_workflow, pgjobq.refused_parents, pgjobq.insert_steps, pgjobq.metas_of_steps,
    pgjobq.unknown_queues,
    pgjobq.fleet_state, pgjobq.fleet_now, pgjobq.measure_fleet, pgjobq.measure_queues, pgjobq.measure_queue,
    pgjobq.due_since, pgjobq.overdue, pgjobq.measure_database,
    pgjobq.upsert_schedule, pgjobq.changed_schedule, pgjobq.remove_schedule, pgjobq.pause_schedule,
    pgjobq.resume_schedule, pgjobq.announce_schedules, pgjobq.note_change, pgjobq.list_schedules,
    pgjobq.declared_schedules,
    pgjobq.run_schedule, pgjobq.enqueue_scheduled,
    pgjobq.cancel_workflow, pgjobq.workflow_status, pgjobq.workflow_steps, pgjobq.states_of_steps,
    pgjobq.blocked_state, pgjobq.workflow_of, pgjobq.number_of_step to pgjobq_producer;

-- role: worker
-- A worker runs the jobs, and may do all that the functions do. It forges no request to cancel, no pause, and
-- no setting of an operator.
grant select, usage on sequence pgjobq.ticket to pgjobq_worker;
grant select, insert, update on pgjobq.fleet to pgjobq_worker;
grant select, insert, update, delete on pgjobq.schedules to pgjobq_worker;
grant select, delete on pgjobq.queues to pgjobq_worker;
grant insert (name), update (deleted_at, keep_completed, keep_dead, keep_cancelled, keep_expired, slots,
        bound, when_full, is_bounded, capacity, ageing)
    on pgjobq.queues to pgjobq_worker;
grant select, insert, update, delete on pgjobq.kinds, pgjobq.lanes, pgjobq.jobs, pgjobq.leases,
    pgjobq.workers, pgjobq.failures, pgjobq.finished, pgjobq.progress, pgjobq.waiters, pgjobq.workflows,
    pgjobq.steps, pgjobq.unsettled, pgjobq.unreleased, pgjobq.edges, pgjobq.ended_parents, pgjobq.lost_ends,
    pgjobq.ageing, pgjobq.starts, pgjobq.room, pgjobq.room_waiters, pgjobq.ticks,
    pgjobq.schedule_declarations
    to pgjobq_worker;
grant select, delete on pgjobq.limits, pgjobq.cancels to pgjobq_worker;
grant insert (scope, name, per_key, concurrency, holds, on_conflict, rates, recorded_at),
    update (per_key, concurrency, holds, on_conflict, rates, recorded_at) on pgjobq.limits to pgjobq_worker;
grant update (changes) on pgjobq.settings to pgjobq_worker;
grant select on pgjobq.settings, pgjobq.migrations, pgjobq.finished_days, pgjobq.actions, pgjobq.audit,
    pgjobq.job_states,
    pgjobq.attribute_indexes, pgjobq.pauses,
    pgjobq.queue_overview, pgjobq.workers_overview, pgjobq.workflows_overview,
    pgjobq.queue_settings, pgjobq.limits_overview to pgjobq_worker;
grant select, insert, delete on pgjobq.rates to pgjobq_worker;
grant select, update, delete on pgjobq.finished_rest to pgjobq_worker;
grant select, insert, update, delete on pgjobq.unique_until, pgjobq.unique_locks to pgjobq_worker;
grant select, insert (shard, id, holder, holder_created_at, lasts, answer, job) on pgjobq.unique_requests
    to pgjobq_worker;
grant execute on all functions in schema pgjobq to pgjobq_worker;

-- role: observer
-- An observer sees everything, arguments and results as well, and changes nothing. Only the measured state of
-- the fleet is written when it looks.
grant select on all tables in schema pgjobq to pgjobq_observer;
grant insert, update on pgjobq.fleet to pgjobq_observer;
grant select on sequence pgjobq.ticket to pgjobq_observer;
grant execute on function pgjobq.explain, pgjobq.obstacles, pgjobq.explain_pauses, pgjobq.explain_filters,
    pgjobq.unstarted, pgjobq.counted, pgjobq.listed, pgjobq.moment, pgjobq.micros, pgjobq.span, pgjobq.is_due,
    pgjobq.live_workers, pgjobq.workers_of, pgjobq.unserved, pgjobq.unaccepted,
    pgjobq.count_jobs, pgjobq.list_jobs, pgjobq.list_newest, pgjobq.job_details, pgjobq.dead_groups,
    pgjobq.error_pattern,
    pgjobq.matches, pgjobq.filter_columns,
    pgjobq.lookup, pgjobq.job_row, pgjobq.shard_of, pgjobq.channel, pgjobq.progress_of, pgjobq.printed,
    pgjobq.ended_badly, pgjobq.show_ended, pgjobq.ended_as, pgjobq.readable, pgjobq.shown_args,
    pgjobq.versioned_kind, pgjobq.versions_in, pgjobq.unread_version, pgjobq.explain_edit,
    pgjobq.export_jobs, pgjobq.exported, pgjobq.exported_json, pgjobq.utc, pgjobq.waiting_args,
    pgjobq.list_schedules, pgjobq.declared_schedules,
    pgjobq.queue_stats, pgjobq.queue_counts, pgjobq.scheduled_counts, pgjobq.dead_counts,
    pgjobq.ended_attempts,
    pgjobq.worker_counts, pgjobq.limit_counts, pgjobq.count_permits, pgjobq.count_waiting,
    pgjobq.estimated_jobs, pgjobq.due_since, pgjobq.overdue, pgjobq.ready_line, pgjobq.quarantine_line,
    pgjobq.leased_tickets, pgjobq.jobs_of_lease, pgjobq.concurrency_of, pgjobq.rates_left, pgjobq.rates_of,
    pgjobq.used_of, pgjobq.room, pgjobq.free_places, pgjobq.when_full_of,
    pgjobq.settings_of, pgjobq.limit_settings, pgjobq.full_policies, pgjobq.default_keep,
    pgjobq.microseconds, pgjobq.shown_setting, pgjobq.shown_limit, pgjobq.shown_rate,
    pgjobq.fleet_state, pgjobq.fleet_now, pgjobq.measure_fleet, pgjobq.measure_queues, pgjobq.measure_queue,
    pgjobq.measure_database, pgjobq.missing_days, pgjobq.partition_days, pgjobq.keep_of,
    pgjobq.workflow_status, pgjobq.workflow_steps, pgjobq.states_of_steps, pgjobq.blocked_state,
    pgjobq.workflow_of, pgjobq.number_of_step to pgjobq_observer;

-- role: administrator
-- An administrator enqueues, cancels, requeues, deletes, pauses and changes settings. It runs no job: it may
-- write neither leases nor workers. It forges no request, no pause and no setting.
grant select on all tables in schema pgjobq to pgjobq_administrator;
grant select, usage on sequence pgjobq.ticket to pgjobq_administrator;
grant insert (name), update (deleted_at, keep_completed, keep_dead, keep_cancelled, keep_expired, slots,
        bound, when_full, is_bounded, capacity, ageing)
    on pgjobq.queues to pgjobq_administrator;
grant insert, update, delete on pgjobq.lanes, pgjobq.jobs, pgjobq.failures, pgjobq.finished,
    pgjobq.finished_rest, pgjobq.waiters, pgjobq.workflows, pgjobq.steps, pgjobq.unsettled, pgjobq.unreleased,
    pgjobq.edges, pgjobq.ended_parents, pgjobq.lost_ends, pgjobq.ageing, pgjobq.room, pgjobq.room_waiters,
    pgjobq.unique_until, pgjobq.unique_locks, pgjobq.fleet, pgjobq.schedules to pgjobq_administrator;
grant insert (shard, id, holder, holder_created_at, lasts, answer, job), delete on pgjobq.unique_requests
    to pgjobq_administrator;
grant delete on pgjobq.cancels, pgjobq.progress, pgjobq.ticks to pgjobq_administrator;
grant update (changes) on pgjobq.settings to pgjobq_administrator;
grant execute on all functions in schema pgjobq to pgjobq_administrator;
