//! One queue: its jobs, its pause and its settings.

use std::time::Duration;

use askama::Template;
use pgjobq::{JobState, PauseScope, QueueSettings, Setting};
use serde::Serialize;

use super::queue_row::StateCount;
use crate::params::Params;
use crate::problem::Problem;
use crate::screen::Screen;
use crate::show::count::Count;
use crate::show::link::link;
use crate::show::moment::Moment;
use crate::show::span::Span;
use crate::visit::Visit;

#[derive(Template, Serialize)]
#[template(path = "queue.html")]
pub(crate) struct Queue {
    #[serde(skip)]
    visit: Visit,
    name: String,
    states: Vec<StateCount>,
    oldest: Option<Span>,
    workers: u64,
    unaccepted: u64,
    completed_per_minute: f64,
    failed_per_minute: f64,
    pause: Option<Paused>,
    settings: Vec<Shown>,
}

/// A pause.
#[derive(Serialize)]
pub(crate) struct Paused {
    pub(crate) by: String,
    pub(crate) reason: Option<String>,
    pub(crate) since: Moment,
    pub(crate) until: Option<Moment>,
}

/// A setting: what the code says, and what an operator has set instead.
#[derive(Serialize)]
struct Shown {
    name: &'static str,
    by_code: Option<String>,
    by_operator: Option<String>,
    set_by: Option<String>,
}

impl Screen for Queue {
    async fn load(visit: Visit, params: Params) -> Result<Self, Problem> {
        let name = params.exact("name")?.to_owned();
        let client = &visit.board().client;
        let queue = client.queue(&*name);
        let missing = || Problem::NotFound(format!("there is no queue `{name}`"));
        let stats = queue.stats().await?.ok_or_else(missing)?;
        let settings = queue.settings().await?.ok_or_else(missing)?;
        let pauses = client.pauses().await?;
        let count = |state: JobState, jobs: u64| {
            StateCount::new(&name, state, Count::new(jobs, stats.exact || jobs < 10_000))
        };
        let states = vec![
            count(JobState::Ready, stats.ready),
            count(JobState::Running, stats.running),
            count(JobState::Scheduled, stats.scheduled),
            count(JobState::Limited, stats.limited),
            count(JobState::Blocked, stats.blocked),
        ];
        Ok(Self {
            pause: paused(&pauses, PauseScope::Queue, &name),
            states,
            oldest: stats.oldest.map(Span),
            workers: stats.workers,
            unaccepted: stats.unaccepted,
            completed_per_minute: stats.completed_per_minute,
            failed_per_minute: stats.failed_per_minute,
            settings: shown(&settings),
            name,
            visit,
        })
    }
}

impl Queue {
    fn jobs_link(&self) -> String {
        link("jobs", &[("filter", &pgjobq::filter::queue(&*self.name).to_string())])
    }
}

/// Returns the pause of a queue, a kind or a key.
pub(crate) fn paused(pauses: &[pgjobq::Pause], scope: PauseScope, name: &str) -> Option<Paused> {
    let pause = pauses.iter().find(|pause| pause.scope == scope && pause.name == name)?;
    Some(Paused {
        by: pause.by.clone(),
        reason: pause.reason.clone(),
        since: Moment(pause.since),
        until: pause.until.map(Moment),
    })
}

fn shown(settings: &QueueSettings) -> Vec<Shown> {
    fn row<T>(name: &'static str, setting: &Setting<T>, text: impl Fn(&T) -> String) -> Shown {
        let by_operator = setting.by_operator.as_ref();
        Shown {
            name,
            by_code: setting.by_code.as_ref().map(&text),
            by_operator: by_operator.map(|set| text(&set.value)),
            set_by: by_operator.map(|set| set.by.clone()),
        }
    }
    let number = |number: &usize| number.to_string();
    let time = |time: &Duration| Span(*time).to_string();
    vec![
        row("slots in each worker", &settings.limit, number),
        row("highest number of live jobs", &settings.bound, number),
        row("a waiting job moves up after", &settings.ageing, |after| match after.is_zero() {
            true => "never".to_owned(),
            false => time(after),
        }),
        row("completed jobs are kept for", &settings.keep_completed, time),
        row("dead jobs are kept for", &settings.keep_dead, time),
        row("cancelled jobs are kept for", &settings.keep_cancelled, time),
        row("expired jobs are kept for", &settings.keep_expired, time),
    ]
}
