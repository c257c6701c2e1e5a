//! Arguments are stored by name, and a stored job is found and run by its kind.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use pgjobq::prelude::*;
use pgjobq_core::worker_api::{Attempt, JobDescriptor, Registry, States, serde_json};

struct Greeting(&'static str);

#[job(queue = "mail", retries = 3, aliases = ["hello"], timeout = "90s")]
async fn greet(
    ctx: JobContext,
    name: String,
    times: Option<u8>,
    greeting: State<Greeting>,
) -> Result<String> {
    let times = times.unwrap_or(1).into();
    Ok(format!("{} {name} #{}", greeting.0, ctx.attempt()).repeat(times))
}

#[job]
async fn fails() -> Result<(), &'static str> {
    Err("no")
}

#[job]
async fn idle() {}

fn attempt() -> JobContext {
    let mut states = States::default();
    states.insert(Greeting("hello"));
    JobContext::new(Attempt { number: 2, states: Arc::new(states), ..Attempt::for_test() })
}

async fn run(job: &JobDescriptor, args: &str) -> Result<String, String> {
    let args: &serde_json::value::RawValue = serde_json::from_str(args).unwrap();
    let output = job.handler.run(attempt(), args).await;
    output.map(|output| output.get().to_owned()).map_err(|error| error.to_string())
}

#[tokio::test]
async fn stored_job_is_found_and_run_by_its_kind() {
    let (registry, duplicates) = Registry::linked();
    assert!(duplicates.is_empty());
    let is_here = |kind: &&str| registry.get(kind).unwrap().file.ends_with("stored.rs");
    assert_eq!(registry.kinds().filter(is_here).collect::<Vec<_>>(), ["fails", "greet", "hello", "idle"]);

    let job = registry.get("hello").unwrap();
    assert_eq!((job.kind, job.policy.queue, job.policy.retries), ("greet", "mail", 3));
    assert_eq!(job.policy.timeout.as_secs(), 90);
    assert!(job.file.ends_with("stored.rs"), "{}", job.file);
    assert_eq!(job.line, 11);
    assert!(job.states[0].name().ends_with("Greeting"));

    assert_eq!(run(job, r#"{"name": "Ada"}"#).await.unwrap(), r#""hello Ada #2""#);
    let twice = run(job, r#"{"times": 2, "name": "A", "unknown": 5}"#).await;
    assert_eq!(twice.unwrap(), r#""hello A #2hello A #2""#);
    let unfit = run(job, r#"{"name": 5}"#).await.unwrap_err();
    assert!(unfit.contains("do not fit") && unfit.contains("a string"), "{unfit}");
    assert_eq!(run(registry.get("idle").unwrap(), "{}").await.unwrap(), "null");
    assert_eq!(run(registry.get("fails").unwrap(), "{}").await.unwrap_err(), "no");

    let job = greet::job("Ada".to_owned(), None);
    assert_eq!(job.stored_args(), Some(r#"{"name":"Ada","times":null}"#));
    assert!(!format!("{job:?}").contains("Ada"), "arguments may be secret");
    assert_eq!(idle::job().stored_args(), Some("{}"));
}
