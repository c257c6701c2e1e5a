//! Short pages for the tasks of every day. Each code block compiles, and the pages end where the reference begins.
//!
//! | page | answers |
//! |---|---|
//! | [getting_started] | How do I write a job, enqueue it, and run it? What else do I need in `Cargo.toml`? |
//! | [retries_and_failures] | What happens after an error? How does a job decide that itself? |
//! | [transactions] | How do a job and my data commit together? How does a job write exactly once? |
//! | [cancelling] | How do I stop a job, and how does a job notice? |
//! | [waiting_for_results] | How do I get what a job returned? Which error means what? |
//! | [workflows] | How does a job wait for others, and get what they returned? What happens when one fails? |
//! | [attributes] | How do I find jobs by tenant, region, or size? |
//! | [filters] | How does a worker take only some jobs of a queue? |
//! | [acting_on_many_jobs] | How do I find jobs, and cancel, requeue or move all that match? |
//! | [limits] | How do I run at most two jobs of a customer at a time? |
//! | [rates] | How do I start at most 100 jobs of a customer in a minute? |
//! | [evolving_jobs] | How do I change the arguments of a job while old ones wait? |
//! | [batches] | How does one call of a job function take many jobs? |
//! | [testing] | How do I test a job, and code that enqueues? |
//! | [bounded_queues] | How do I make fast producers wait for slow workers? |
//! | [unique_jobs] | How do I enqueue a job only if no other does the same? |
//! | [schedules] | How do I run a job each morning, or every ten minutes? |
//! | [pausing] | How do I stop the jobs of a queue, a kind or a customer for a while? |
//! | [settings] | How do I change limits and retentions while workers run? |
//! | [operating] | How many workers, slots and connections? |
//! | [observing] | How does my code see what happens, and which statements are sent? |
//! | [what_to_alert_on] | Which metrics should wake somebody? |
//! | [why_is_it_not_running] | My job does not run: what now? |
//!
//! The [README](crate) lists the guarantees; the reference of `#[job]` is at [`job`](macro@crate::job).

#[doc = include_str!("guide/getting_started.md")]
pub mod getting_started {}

#[doc = include_str!("guide/retries_and_failures.md")]
pub mod retries_and_failures {}

#[doc = include_str!("guide/transactions.md")]
pub mod transactions {}

#[doc = include_str!("guide/cancelling.md")]
pub mod cancelling {}

#[doc = include_str!("guide/waiting_for_results.md")]
pub mod waiting_for_results {}

#[doc = include_str!("guide/workflows.md")]
pub mod workflows {}

#[doc = include_str!("guide/attributes.md")]
pub mod attributes {}

#[doc = include_str!("guide/filters.md")]
pub mod filters {}

#[doc = include_str!("guide/acting_on_many_jobs.md")]
pub mod acting_on_many_jobs {}

#[doc = include_str!("guide/limits.md")]
pub mod limits {}

#[doc = include_str!("guide/rates.md")]
pub mod rates {}

#[doc = include_str!("guide/evolving_jobs.md")]
pub mod evolving_jobs {}

#[doc = include_str!("guide/batches.md")]
pub mod batches {}

#[doc = include_str!("guide/testing.md")]
pub mod testing {}

#[doc = include_str!("guide/unique_jobs.md")]
pub mod unique_jobs {}

#[doc = include_str!("guide/schedules.md")]
pub mod schedules {}

#[doc = include_str!("guide/pausing.md")]
pub mod pausing {}

#[doc = include_str!("guide/bounded_queues.md")]
pub mod bounded_queues {}

#[doc = include_str!("guide/settings.md")]
pub mod settings {}

#[doc = include_str!("guide/operating.md")]
pub mod operating {}

#[doc = include_str!("guide/observing.md")]
pub mod observing {}

#[doc = include_str!("guide/what_to_alert_on.md")]
pub mod what_to_alert_on {}

#[doc = include_str!("guide/why_is_it_not_running.md")]
pub mod why_is_it_not_running {}
