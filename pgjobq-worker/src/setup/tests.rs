use std::time::Duration;

use pgjobq_core::worker_api::{
    ArgumentShape, Handler, JobDescriptor, StateType, StoredArgs, async_trait, serde_json,
};
use pgjobq_core::{JobContext, JobError, Policy};
use serde_json::value::RawValue;

use super::*;

struct Idle;

#[async_trait]
impl Handler for Idle {
    async fn run(&self, _: JobContext, _: &RawValue) -> Result<Box<RawValue>, JobError> {
        Err("never run".into())
    }

    fn check(&self, _: &StoredArgs<'_>) -> Result<(), JobError> {
        Ok(())
    }

    fn shape(&self) -> Vec<ArgumentShape> {
        Vec::new()
    }
}

struct Mailer;

const fn job(kind: &'static str, file: &'static str, line: u32) -> JobDescriptor {
    let (policy, handler) = (Policy::DEFAULT, &Idle);
    JobDescriptor {
        kind,
        aliases: &[],
        policy,
        scheduled: None,
        handler,
        batch: None,
        states: &[],
        module: "app",
        file,
        line,
    }
}

static FIRST: JobDescriptor = job("send", "src/mail.rs", 12);
static SECOND: JobDescriptor = job("send", "src/post.rs", 3);
static RENAMED: JobDescriptor = JobDescriptor { aliases: &["send"], ..job("deliver", "src/post.rs", 9) };
static WITH_STATE: JobDescriptor =
    JobDescriptor { states: &[StateType::of::<Mailer>()], ..job("send", "src/mail.rs", 12) };

/// Returns the message of `build()` about mistakes that it finds without the database.
fn said(
    jobs: &[&'static JobDescriptor],
    queues: &[(&str, usize)],
    states: &States,
    config: impl FnOnce(&mut Config),
) -> String {
    let (registry, duplicates) = Registry::of(jobs.iter().copied());
    let queues: Vec<_> =
        queues.iter().map(|(name, limit)| ((*name).to_owned(), QueueLimits::local(*limit))).collect();
    let mut settings = Config::new(true);
    config(&mut settings);
    let problems = check(&settings, &queues, &registry, duplicates, states);
    if problems.is_empty() { String::new() } else { BuildError { problems }.to_string() }
}

fn said_of_jobs(jobs: &[&'static JobDescriptor]) -> String {
    said(jobs, &[], &States::default(), |_| {})
}

fn said_of_times(config: impl FnOnce(&mut Config)) -> String {
    said(&[&FIRST], &[], &States::default(), config)
}

#[test]
fn valid_setup_has_no_problems() {
    assert_eq!(said_of_jobs(&[&FIRST]), "");
}

#[test]
fn duplicate_kind_error_names_both_places() {
    let twice = "the worker cannot start: two jobs are of kind `send`: at src/mail.rs:12 and at src/post.rs:3; give one of \
                 them another name, or `kind = \"…\"`";
    assert_eq!(said_of_jobs(&[&FIRST, &SECOND]), twice);
    assert_eq!(said_of_jobs(&[&SECOND, &FIRST]), twice, "whatever the order of linking");
    assert_eq!(
        said_of_jobs(&[&FIRST, &RENAMED]),
        "the worker cannot start: two jobs are of kind `send`: at src/mail.rs:12 and at src/post.rs:9; give one of them \
         another name, or `kind = \"…\"`"
    );
}

#[test]
fn one_kind_cannot_have_two_limits() {
    static LIMITED: JobDescriptor = JobDescriptor {
        policy: Policy::DEFAULT.concurrency(2),
        aliases: &["send"],
        ..job("deliver", "src/post.rs", 9)
    };
    assert_eq!(
        said_of_jobs(&[&FIRST, &LIMITED]),
        "the worker cannot start: two jobs are of kind `send`: at src/mail.rs:12 and at src/post.rs:9; give one of them \
         another name, or `kind = \"…\"`"
    );
}

#[test]
fn module_compiled_twice_is_explained() {
    static IN_LIBRARY: JobDescriptor =
        JobDescriptor { module: "my_crate::jobs", ..job("send", "src/jobs.rs", 2) };
    static IN_BINARY: JobDescriptor = JobDescriptor { module: "jobs", ..job("send", "src/jobs.rs", 2) };
    assert_eq!(
        said_of_jobs(&[&IN_LIBRARY, &IN_BINARY]),
        "the worker cannot start: the job `send` (src/jobs.rs:2) is compiled twice, as `jobs` and as `my_crate::jobs`: let the \
         binary use the library's module, and remove its own `mod`"
    );
}

#[test]
fn error_without_jobs_explains_linking() {
    assert_eq!(
        said_of_jobs(&[]),
        "the worker cannot start: no job is linked into this program: annotate one with `#[job]`, or, where the jobs are in \
         another crate, say `use my_jobs as _;` so that it is linked"
    );
}

/// Returns the message about a job that takes `State<Mailer>`, of the queue `default`.
fn said_of_states(queue: &str, add: impl FnOnce(&mut States)) -> String {
    let mut states = States::default();
    add(&mut states);
    said(&[&WITH_STATE], &[(queue, 1)], &states, |_| {})
}

#[test]
fn missing_state_error_names_the_job_and_similar_states() {
    let start = "the worker cannot start: the job `send` (src/mail.rs:12) of the queue `default` takes \
                 `State<pgjobq_worker::setup::tests::Mailer>`, and the worker has ";
    let none = format!("{start}none: give it one with `.state(…)`");
    assert_eq!(said_of_states("default", |_| {}), none);
    assert_eq!(said_of_states("default", |states| states.insert(7_u8)), none);
    let similar = |types: &str| {
        format!(
            "{start}{types}: give it the value itself with `.state(…)`, because `State` shares it, or write that type in the job \
             function"
        )
    };
    assert_eq!(
        said_of_states("default", |states| states.insert(std::sync::Arc::new(Mailer))),
        similar("`alloc::sync::Arc<pgjobq_worker::setup::tests::Mailer>`")
    );
    static MAILER: Mailer = Mailer;
    let two = |states: &mut States| {
        states.insert(Some(Mailer));
        states.insert(&MAILER);
    };
    assert_eq!(
        said_of_states("default", two),
        similar(
            "`&pgjobq_worker::setup::tests::Mailer`, `core::option::Option<pgjobq_worker::setup::tests::Mailer>`"
        )
    );
    assert_eq!(said_of_states("default", |states| states.insert(Mailer)), "");
    assert_eq!(said_of_states("reports", |_| {}), "", "the worker does not serve the job's queue");
}

#[test]
fn two_states_of_one_type_are_rejected() {
    let twice = |states: &mut States| {
        states.insert(Mailer);
        states.insert(Mailer);
    };
    assert_eq!(
        said_of_states("default", twice),
        "the worker cannot start: two states of the type `pgjobq_worker::setup::tests::Mailer` are given, and a job function can \
         take only one: give one, or wrap the other in a type of its own"
    );
}

#[test]
fn queue_errors_say_what_to_write() {
    assert_eq!(
        said(&[&FIRST], &[("a b", 1), ("mail", 0), ("post", 1), ("post", 2)], &States::default(), |_| {}),
        "the worker cannot start:
  - the name of a queue is 1 to 100 ASCII letters, digits and `_ - . : /`, but this one is \"a b\"
  - the queue `mail` has a limit of 0, so that nothing of it would ever run: give it at least 1, or leave it out
  - the queue `post` is given twice: name it once, with one limit"
    );
}

#[test]
fn invalid_intervals_are_rejected() {
    assert_eq!(
        said_of_times(|config| config.heartbeat = Duration::ZERO),
        "the worker cannot start: `heartbeat` is zero, and would never end: give it some milliseconds at least"
    );
    assert_eq!(
        said_of_times(|config| config.lease = Duration::from_secs(10)),
        "the worker cannot start: a lease of 10s is too short for a heartbeat every 5s: make it three times as long at least"
    );
    let year = Duration::from_secs(400 * 24 * 60 * 60);
    for (name, said) in [
        ("poll_interval", said_of_times(|config| config.poll_interval = year)),
        ("heartbeat", said_of_times(|config| config.heartbeat = year)),
        ("lease", said_of_times(|config| config.lease = year)),
        ("claim_timeout", said_of_times(|config| config.claim_timeout = year)),
        ("grace", said_of_times(|config| config.grace = year)),
    ] {
        let expected =
            format!("the worker cannot start: `{name}` is 34560000s, more than a year: a unit may be wrong");
        assert_eq!(said, expected);
    }
    let said = said_of_times(|config| {
        (config.heartbeat, config.lease) = (Duration::MAX, Duration::MAX);
    });
    assert!(said.contains("`heartbeat` is 18446744073709551615.999999999s, more than a year"), "{said}");
}

#[test]
fn too_few_connections_are_rejected() {
    assert_eq!(
        said_of_times(|config| config.connections = 1),
        "the worker cannot start: a worker needs at least 2 connections, one to claim and one to finish, and this one has 1"
    );
    assert_eq!(said_of_times(|config| config.connections = 2), "");
}
