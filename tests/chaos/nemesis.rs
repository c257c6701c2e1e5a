//! Carries out a plan: lets a fault strike, heals it, and waits until work flows again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pgjobq::{JobId, NewJob};
use tokio::time::sleep;

use crate::account::Ends;
use crate::plan::{Fault, Plan, Step};
use crate::proxy::{Cut, Faults, Link, Moment};
use crate::stage::Stage;
use crate::{jobs, operator};

/// Work that does not flow again by then has stopped for good.
const RECOVER_WITHIN: Duration = Duration::from_secs(60);
/// A misbehaving job that has not ended by then never will. It runs alone after two crashes, in turns with others, and a
/// job that blocks its worker ends only on a worker with a long lease: three quarters of a minute were seen on a quiet machine.
const END_WITHIN: Duration = Duration::from_secs(180);
/// The time limit for ordered cuts to happen.
const CUT_WITHIN: Duration = Duration::from_secs(3);
const LOOK: Duration = Duration::from_millis(20);
/// The size in bytes of a large job's argument and of its result; and the number of such jobs.
const LOAD: usize = 1_000_000;
const LOADS: usize = 6;
/// Seconds.
const HOUR: i64 = 3600;

/// A fault that has struck and was healed, and how long after that it took until work flowed again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Struck {
    pub(crate) fault: Fault,
    pub(crate) recovered_after: Duration,
}

/// The observation that proves a fault healed.
enum Sign {
    /// Each of these workers ends a run that began after it.
    Works(Vec<usize>),
    /// A producer's enqueue that began after it is acknowledged.
    Enqueues,
    /// This job has ended.
    Ended(JobId),
}

/// Lets the faults of one line strike until the time is over.
pub(crate) async fn rage(stage: Arc<Stage>, plan: Plan, until: Instant) -> Vec<Struck> {
    let mut struck = Vec::new();
    for step in plan {
        sleep(step.pause).await;
        if Instant::now() >= until {
            break;
        }
        let sign = strike(&stage, step).await;
        let healed = (Instant::now(), stage.number("select nextval('moments')").await);
        let limit = if matches!(sign, Sign::Ended(_)) { END_WITHIN } else { RECOVER_WITHIN } * stage.patience;
        let seen = tokio::time::timeout(limit, seen(&stage, &sign, healed.0, healed.1)).await;
        if seen.is_err() {
            let (left, warned) = (stage.left().await, stage.fleet.overheard.summary());
            panic!(
                "nothing flows {limit:?} after {step:?}; some of what is left: {left:#?}\nthe workers warned:{warned}"
            );
        }
        struck.push(Struck { fault: step.fault, recovered_after: healed.0.elapsed() });
    }
    struck
}

/// Applies the fault, keeps it for its duration, and heals it.
async fn strike(stage: &Arc<Stage>, step: Step) -> Sign {
    let fleet = &stage.fleet;
    let network = stage.networks[step.place].faults();
    let there = if step.place == stage.workers { Sign::Enqueues } else { Sign::Works(vec![step.place]) };
    match step.fault {
        Fault::Kill => fleet.kill(step.place),
        Fault::Freeze => {
            let process = fleet.freeze(step.place);
            sleep(step.hold).await;
            fleet.thaw(process);
        }
        Fault::Replace => fleet.replace(step.place),
        Fault::Crash => {
            stage.server.stop_immediately().await.unwrap();
            sleep(step.hold).await;
            stage.server.start_again().await.unwrap();
            return Sign::Works((0..stage.workers).collect());
        }
        Fault::Terminate => {
            stage.terminate_backends(step.strength * 2).await;
            return Sign::Works((0..stage.workers).collect());
        }
        Fault::Rotate => {
            stage.rotate_credentials().await;
            return Sign::Works((0..stage.workers).collect());
        }
        Fault::Clock => {
            step_clock(stage, step).await;
            return Sign::Works((0..stage.workers).collect());
        }
        Fault::Delay => {
            network.set_delay(Duration::from_millis(15) * step.strength);
            sleep(step.hold).await;
            network.set_delay(Duration::ZERO);
        }
        Fault::Stall => pass_only(network, Link::Nothing, step.hold).await,
        Fault::Mute => pass_only(network, Link::Requests, step.hold).await,
        Fault::Blackhole => {
            network.set_link(Link::Nothing);
            sleep(step.hold).await;
            network.lose_connections();
            network.set_link(Link::Everything);
        }
        Fault::Reset => network.reset_connections(),
        Fault::CutBefore => cut(network, Moment::Before, step).await,
        Fault::CutAfter => cut(network, Moment::After, step).await,
        Fault::Unnotified => {
            stage.networks.iter().for_each(|network| network.faults().drop_notifications(true));
            sleep(step.hold).await;
            stage.networks.iter().for_each(|network| network.faults().drop_notifications(false));
        }
        Fault::Slow => {
            carry(stage).await;
            return Sign::Works((0..stage.workers).collect());
        }
        Fault::Silence => return Sign::Ended(operator::fall_silent(stage, step.strength).await),
        Fault::Panic => return bring(stage, jobs::panics::job, Ends::Completed).await,
        Fault::Block => return bring(stage, jobs::blocks::job, Ends::Completed).await,
        Fault::Ignore => return bring(stage, jobs::ignores::job, Ends::Completed).await,
        Fault::Abort => return bring(stage, jobs::aborts::job, Ends::Dead).await,
        Fault::Overflow => return bring(stage, jobs::overflows::job, Ends::Dead).await,
    }
    there
}

async fn pass_only(network: &Faults, link: Link, hold: Duration) {
    network.set_link(link);
    sleep(hold).await;
    network.set_link(Link::Everything);
}

async fn cut(network: &Faults, moment: Moment, step: Step) {
    network.set_cut(Some(Cut { moment, verb: step.verb, times: step.strength }));
    let ordered = Instant::now();
    while network.cuts_left() > 0 && ordered.elapsed() < CUT_WITHIN {
        sleep(LOOK).await;
    }
    network.set_cut(None);
}

/// A job that misbehaves.
async fn bring(stage: &Stage, job: fn() -> NewJob<uuid::Uuid>, ends: Ends) -> Sign {
    Sign::Ended(stage.bring(job, ends).await)
}

/// Enqueues large jobs over links that carry the load of one per second, and returns when they have ended.
async fn carry(stage: &Stage) {
    let links = &stage.networks[..stage.workers];
    links.iter().for_each(|link| link.faults().set_bytes_per_second(LOAD as u64));
    let mut loads = Vec::new();
    for _ in 0..LOADS {
        loads.push(stage.bring(|| jobs::carry::job("x".repeat(LOAD)), Ends::Completed).await);
    }
    let within = RECOVER_WITHIN * stage.patience;
    let late = sleep(within);
    tokio::pin!(late);
    for job in loads {
        let sign = Sign::Ended(job);
        let ended = tokio::select! {
            () = seen(stage, &sign, Instant::now(), 0) => true,
            () = &mut late => false,
        };
        assert!(
            ended,
            "the large job {job} did not come through {within:?}; the workers warned:{}",
            stage.fleet.overheard.summary()
        );
    }
    links.iter().for_each(|link| link.faults().set_bytes_per_second(0));
}

/// Steps the server's clock, and steps it back.
async fn step_clock(stage: &Stage, step: Step) {
    stage.step_clock_to(if step.strength.is_multiple_of(2) { HOUR } else { -HOUR }).await;
    sleep(step.hold).await;
    stage.step_clock_to(0).await;
    // A job that was delayed meanwhile is due an hour from now.
    let early = "update pgjobq.jobs set run_at = clock_timestamp() where run_at > clock_timestamp() + interval '1 minute'";
    stage.command(early).await;
}

async fn seen(stage: &Stage, sign: &Sign, healed: Instant, moment: i64) {
    loop {
        let seen = match sign {
            Sign::Works(places) => {
                let places: Vec<String> = places.iter().map(ToString::to_string).collect();
                let works = format!(
                    "select count(distinct place) from runs where began > {moment} and ended is not null and place in ({})",
                    places.join(", ")
                );
                stage.number(&works).await == places.len() as i64
            }
            Sign::Enqueues => stage.account.acknowledged_since(healed),
            Sign::Ended(id) => {
                let ended = format!("select count(*) from pgjobq.finished where shard = 0 and id = '{id}'");
                stage.number(&ended).await > 0
            }
        };
        if seen {
            return;
        }
        sleep(LOOK).await;
    }
}
