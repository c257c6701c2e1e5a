//! Bugs planted into the shipped text.

use crate::operation::Isolation;

pub(crate) struct Planted {
    pub(crate) name: &'static str,
    /// Each cut: a text, the number of its occurrences, and its replacement.
    pub(crate) cuts: &'static [(&'static str, usize, &'static str)],
    /// The operations among which the runner must find it.
    pub(crate) among: &'static [&'static str],
    pub(crate) claims_at: Isolation,
}

const fn planted(
    name: &'static str,
    cuts: &'static [(&'static str, usize, &'static str)],
    among: &'static [&'static str],
) -> Planted {
    Planted { name, cuts, among, claims_at: Isolation::ReadCommitted }
}

/// The lines of a finish that read the requests to cancel.
const FLAG_IS_READ: &str = "cancelled := pgjobq.end_flagged(p_shard, p_back);\n        \
                            perform pgjobq.forget_cancels(p_shard, p_done);";

pub(crate) const PLANTED: &[Planted] = &[
    planted(
        "the fence is removed",
        &[("held[i] := found;", 1, "held[i] := true;")],
        &["complete some", "complete the rest and close"],
    ),
    planted(
        "the lane lock is removed",
        &[
            (
                "from pgjobq.lanes\n         where shard = p_shard and queue_id = p_queue for update;",
                1,
                "from pgjobq.lanes\n         where shard = p_shard and queue_id = p_queue;",
            ),
            (
                "from pgjobq.lanes\n         where shard = p_shard and queue_id = p_queue for update skip locked;",
                1,
                "from pgjobq.lanes\n         where shard = p_shard and queue_id = p_queue;",
            ),
        ],
        &["claim", "claim found tickets"],
    ),
    planted(
        "the leases are read before the lane is locked",
        &[
            (
                "    v_lane := pgjobq.open_lane(p_shard, p_queue, p_worker, p_wait, p_kinds);\n",
                1,
                "    v_leased := pgjobq.leased_tickets(p_shard, p_queue, 3, 0);\n    \
                 v_lane := pgjobq.open_lane(p_shard, p_queue, p_worker, p_wait, p_kinds);\n",
            ),
            (
                "    v_summary pgjobq.claimed_job;\n",
                1,
                "    v_summary pgjobq.claimed_job;\n    v_leased int8multirange;\n",
            ),
            (
                "v_lane.kinds, v_lane.paused_keys, p_filter, p_bare) limit p_want),",
                1,
                "v_lane.kinds, v_lane.paused_keys, p_filter, p_bare) c\n         where (v_leased @> c.ticket) is not true limit p_want),",
            ),
            (
                "and l.priority = p.priority and l.max_ticket > s.above[1]",
                1,
                "and l.priority = p.priority and false",
            ),
        ],
        &["claim", "claim found tickets"],
    ),
    planted(
        "a claim reads the pauses before it locks the lane",
        &[
            (
                "    -- step: worker locked\n",
                1,
                "    v_pauses := pgjobq.pauses_of_queue(p_queue);\n    -- step: worker locked\n",
            ),
            ("        v_pauses := pgjobq.pauses_of_queue(p_queue);\n", 1, ""),
        ],
        &["claim", "pause the queue of a marked lane"],
    ),
    planted(
        "a pause marks no lane",
        &[(
            "set may_be_paused = true where shard = l.shard",
            1,
            "set may_be_paused = true where false and shard = l.shard",
        )],
        &["claim", "pause the queue"],
    ),
    planted(
        "the ticket is not compared in the statement that deletes or changes the job's row",
        &[
            (
                "where j.ctid = l.address\n           and j.shard + 0 = p_shard and j.id is not distinct from l.id and j.ticket = l.ticket",
                2,
                "where j.shard = p_shard and j.id = l.id",
            ),
            (
                "where j.ctid = l.address\n           and j.shard + 0 = p_shard and j.id is not distinct from l.id\n           and j.ticket is not distinct from l.ticket",
                1,
                "where j.shard = p_shard and j.id = l.id",
            ),
        ],
        &["retry some", "complete some"],
    ),
    planted(
        "a retried job keeps its ticket",
        &[(
            "case when l.delay is null then l.new_ticket end",
            1,
            "case when l.delay is null then j.ticket end",
        )],
        &["retry now", "complete"],
    ),
    Planted {
        claims_at: Isolation::RepeatableRead,
        ..planted(
            "a claim at repeatable read",
            &[(
                "    if current_setting('transaction_isolation') <> 'read committed' then\n        raise exception 'a claim",
                1,
                "    if false then\n        raise exception 'a claim",
            )],
            &["claim", "claim found tickets"],
        )
    },
    planted(
        "a quarantined job is claimed without a look at the leases",
        &[("v_leased := pgjobq.leased_tickets(p_shard, p_queue, n - 1, v_above);", 1, "v_leased := null;")],
        &["claim quarantined jobs"],
    ),
    planted(
        "a claim takes one more than was asked",
        &[(
            "v_lane.kinds, v_lane.paused_keys, p_filter, p_bare) limit p_want),",
            1,
            "v_lane.kinds, v_lane.paused_keys, p_filter, p_bare) limit p_want + 1),",
        )],
        &["claim one without waiting"],
    ),
    planted(
        "a stale result is not reported",
        &[("if cardinality(v_done) < cardinality(p_id) then", 1, "if false then")],
        &["complete"],
    ),
    planted(
        "a job that was taken back keeps its ticket",
        &[(
            "case when l.delay is null then l.new_ticket end",
            1,
            "case when l.decision = 'crash' then j.ticket when l.delay is null then l.new_ticket end",
        )],
        &["reap", "complete"],
    ),
    planted(
        "a lease is given back while its results are recorded",
        &[
            (
                "and id = p_id and worker = p_worker\n     order by max_ticket for update skip locked;",
                1,
                "and id = p_id and worker = p_worker\n     order by max_ticket;",
            ),
            ("elsif v_ticket = v_tickets[i] then", 1, "else"),
        ],
        &["return the lease", "retry now"],
    ),
    planted(
        "a worker is given up while its heartbeat is recorded",
        &[("order by w.id for update of w skip locked)", 1, "order by w.id)")],
        &["heartbeat", "give up workers"],
    ),
    planted(
        "a due job is put in line twice",
        &[
            ("order by run_at limit p_most for update skip locked)", 1, "order by run_at limit p_most)"),
            (
                "where j.ctid = d.place and j.shard + 0 = p_shard and j.id is not distinct from d.id\n            returning j.id, j.queue_id, j.ticket)",
                1,
                "where j.shard = p_shard and j.id = d.id\n            returning j.id, j.queue_id, j.ticket)",
            ),
        ],
        &["promote"],
    ),
    planted(
        "a finish that retries does not read the requests to cancel",
        &[(FLAG_IS_READ, 1, "perform pgjobq.forget_cancels(p_shard, p_done);")],
        &["ask to cancel", "retry now"],
    ),
    planted(
        "the requests to cancel are read before the jobs are locked",
        &[
            (
                "    -- step: leases held\n",
                1,
                "    cancelled := array(select job from pgjobq.cancels where shard = p_shard);\n    -- step: leases held\n",
            ),
            (
                "pgjobq.follow_up(p_shard, v_done, v_back, v_steps, p_settle)",
                1,
                "pgjobq.follow_up(p_shard, v_done, array(select unnest(v_back) intersect select unnest(cancelled)), v_steps, p_settle)",
            ),
        ],
        &["ask to cancel", "retry now"],
    ),
    planted(
        "a request to cancel is for whoever has the id now",
        &[(
            "c.shard = p_shard and c.job = j.id and c.created_at = j.created_at",
            1,
            "c.shard = p_shard and c.job = j.id",
        )],
        &["complete in and enqueue it again", "act on requests"],
    ),
    planted(
        "the reaper does not read the requests to cancel",
        &[(
            "cancelled := pgjobq.end_flagged(p_shard, v_back);\n    end if;\n    perform pgjobq.forget_progress(p_shard, v_jobs.ids);",
            1,
            "end if;\n    perform pgjobq.forget_progress(p_shard, v_jobs.ids);",
        )],
        &["cancel", "reap"],
    ),
    planted(
        "a returned lease does not read the requests to cancel",
        &[("cancelled := pgjobq.end_flagged(p_shard, v_jobs.ids);", 1, "")],
        &["ask to cancel", "return the lease"],
    ),
    planted(
        "who cancels does not look at the leases",
        &[("where j.ticket is null or v_leased is null or not v_leased @> j.ticket);", 1, ");")],
        &["act on all requests", "complete"],
    ),
    planted(
        "who cancels reads the leases before the lane is locked",
        &[
            (
                "    foreach v_queue in array v_queues loop\n",
                1,
                "    v_leased := pgjobq.leased_tickets(p_shard, v_queues[1], 3, 0);\n    foreach v_queue in array v_queues loop\n",
            ),
            (
                "v_leased := case when v_job.low is not null then\n            \
                 pgjobq.leased_tickets(p_shard, v_job.queue_id, v_job.priority, v_job.low - 1) end;",
                1,
                "",
            ),
        ],
        &["cancel", "claim"],
    ),
    planted(
        "who cancels waits for a locked job",
        &[(
            "and queue_id = any (v_queues)\n            for update skip locked;",
            1,
            "and queue_id = any (v_queues)\n            for update;",
        )],
        &["complete in", "act on requests"],
    ),
    planted(
        "a job that has been started expires",
        &[("where j.expires_at <= v_now);", 1, ");")],
        &["expire", "retry now"],
    ),
    planted(
        "a job is completed in a transaction without a look at its ticket",
        &[("array[p_ticket], '{delete}'", 1, "null, '{delete}'")],
        &["complete in", "retry now"],
    ),
    planted(
        "the reaper takes the lease of a locked job away",
        &[(
            "    if v_jobs.skipped is null then\n        delete from pgjobq.leases\n         where shard = p_shard and queue_id = queue",
            1,
            "    if true then\n        delete from pgjobq.leases\n         where shard = p_shard and queue_id = queue",
        )],
        &["complete in", "reap", "claim"],
    ),
    planted(
        "the reaper waits for a locked job",
        &[("and id = v_listed[i] for update skip locked;", 1, "and id = v_listed[i] for update;")],
        &["complete in", "reap"],
    ),
    planted(
        "arguments change without a look at the leases",
        &[(
            "select * into v_taken from pgjobq.take_waiting(v_shard, array[p_job]);",
            1,
            "select case when exists (select from pgjobq.job_row(v_shard, p_job)) then array[p_job] else '{}' end as waiting,
               '{}'::uuid[] as running, '{}'::uuid[] as busy into v_taken;",
        )],
        &["claim", "change arguments in line"],
    ),
    planted(
        "an ended job is put back in line without a lock",
        &[("order by finished_at desc limit 1 for update;", 1, "order by finished_at desc limit 1;")],
        &["requeue", "purge"],
    ),
    planted(
        "a job that is put back in line stays among the ended ones",
        &[(
            "        delete from pgjobq.finished where shard = p_shard and id = v_id and drop_on = v_job.drop_on\n           and finished_at = v_job.finished_at;\n",
            1,
            "",
        )],
        &["requeue"],
    ),
    planted(
        "requests for jobs that are gone are left",
        &[("    perform pgjobq.forget_cancels(p_shard, v_jobs); -- Requests for ended jobs.\n", 1, "")],
        &["ask to cancel", "complete in"],
    ),
    planted(
        "two forget requests in different orders",
        &[(
            "    for v_job in select distinct id from unnest(p_jobs) d(id) order by id loop\n        delete from pgjobq.cancels",
            1,
            "    foreach v_job in array coalesce(p_jobs, '{}') loop\n        \
             if v_job = p_jobs[cardinality(p_jobs)] then perform races.pause('last but ' || races.number(v_job)); end if;\n        delete from pgjobq.cancels",
        )],
        &["act on requests for what is gone", "act on all requests"],
    ),
    planted(
        "an enqueue does not expect a duplicate",
        &[("        on conflict do nothing\n        returning id)", 1, "        returning id)")],
        &["enqueue many"],
    ),
    planted(
        "an enqueue of one job does not expect a duplicate",
        &[(
            "    on conflict (shard, id) do nothing;\n    get diagnostics inserted",
            1,
            "    ;\n    get diagnostics inserted",
        )],
        &["enqueue"],
    ),
];
