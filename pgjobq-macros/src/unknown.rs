//! Answers to keys that `#[job]` does not have: those of other job libraries, and mistyped ones.

use crate::key::KEYS;
use crate::names;

/// Keys of other job libraries, and the answer to each.
const FOREIGN: [(&[&str], &str); 23] = [
    (
        &["name", "job_name", "task", "id", "type"],
        "write `kind = \"…\"` for the name under which jobs are stored",
    ),
    (
        &["cron", "every", "interval", "periodic", "at"],
        "write `schedule = \"0 9 * * *\"` with a cron pattern, or `schedule = \"every 10m\"`",
    ),
    (&["tz", "time_zone", "zone"], "write `timezone = \"Europe/Berlin\"` beside `schedule`"),
    (
        &["catch_up", "catchup", "backfill", "misfire", "missed_fire_policy", "on_missed"],
        "write `missed = \"run_once\"` beside `schedule`",
    ),
    (
        &["retry", "max_attempts", "attempts", "tries", "max_tries", "max_failures"],
        "write `retries = 5` for five more tries after the first failure",
    ),
    (&["delay", "run_at", "run_in"], "each job has its own: write `name::job(…).delay(…).enqueue(&client)`"),
    (
        &["max_concurrency", "concurrency_limit", "limit", "max_running"],
        "write `concurrency = 10` for all workers together, or `.queue(\"name\", 50)` on the builder of each worker",
    ),
    (&["workers", "slots"], "write `.queue(\"name\", 50)` on the worker's builder"),
    (&["rate_limit", "rates", "throttle", "limiter"], "write `rate = \"100 per minute\"`"),
    (
        &["group", "partition", "partition_key", "concurrency_key", "singleton_key"],
        "write `key = tenant`, and `concurrency = 1` for one job of each key at a time",
    ),
    (
        &["unique_key", "unique_by", "dedup", "singleton"],
        "write `unique = args`, or `unique = (tenant, region)` for some of the arguments",
    ),
    (&["unique_for", "unique_period", "while"], "write `unique_while = \"1h\"`"),
    (&["ageing", "aging"], "a queue has it: write `client.queue(\"mail\").ageing(…).save()`"),
    (
        &["bounded", "bound", "max_size", "max_length"],
        "a queue has it: write `client.queue(\"mail\").bounded(100).save()`",
    ),
    (&["debounce", "replace"], "write `on_duplicate = \"debounce 5s\"`, or `\"replace\"`"),
    (
        &["transactional", "transaction"],
        "the argument `tx: &mut Tx` makes a job transactional, so remove the key",
    ),
    (
        &["tags", "labels", "metadata"],
        "write `attributes(tenant)`, and the value of the argument `tenant` finds the job",
    ),
    (&["topic", "channel", "lane"], "write `queue = \"mail\"`"),
    (
        &["deadline", "max_runtime", "time_limit", "ttl"],
        "write `timeout = \"5m\"` for the time of one attempt",
    ),
    (&["retry_delay", "retry_in", "backoff_secs", "retry_backoff"], "write `backoff = \"1s..6h\"`"),
    (&["batch_size", "max_batch", "chunk", "chunk_size"], "write `batch = 500`"),
    (&["batch_timeout", "max_wait", "linger", "flush_interval"], "write `batch = 500, within = \"200ms\"`"),
    (&["keep", "keep_for", "retention", "cleanup"], "write `retain = \"7d\"`"),
];

/// The message for an unknown key.
pub(crate) fn answer(key: &str) -> String {
    if let Some((_, answer)) = FOREIGN.iter().find(|(names, _)| names.contains(&key)) {
        return format!("there is no key `{key}`: {answer}");
    }
    let names = || KEYS.iter().map(|known| known.name);
    let all = names().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    match names::nearest(key, names()) {
        Some(nearest) => format!("there is no key `{key}`: did you mean `{nearest}`? The keys are {all}"),
        None => format!("there is no key `{key}`: the keys are {all}"),
    }
}
