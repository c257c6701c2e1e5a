//! `pgjobq jobs`

use clap::Args;
use pgjobq::{JobPlace, ListedJob};
use serde::Serialize;

use crate::failure::Failure;
use crate::json::JobJson;
use crate::session::Session;
use crate::table::Table;
use crate::text::{first_line, moment};
use crate::values::filter;

/// The characters of an error, or of the reason of a cancellation, that a line shows.
const CAUSE_WIDTH: usize = 60;

/// List or count the jobs that match a filter
#[derive(Args)]
#[command(
    after_long_help = "Filters:\n  state = 'dead' and kind = 'send_receipt'\n  queue in ('mail', 'sms') and created_at < '2027-01-31T12:00:00Z'\n  \
                       tenant = 42 and not region like 'eu-%'\n  error contains 'timeout' and attempts > 3\n\nNames that are none of kind, queue, key, id, \
                       state, priority, created_at, attempts and error are those of attributes."
)]
pub(crate) struct Jobs {
    /// The jobs: a filter, such as "state = 'dead' and tenant = 42"
    #[arg(default_value = "all")]
    filter: String,
    /// The most jobs to show
    #[arg(long, short, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000), value_name = "JOBS")]
    limit: u32,
    /// Go on after this place, which the page before has printed
    #[arg(long, value_name = "PLACE")]
    after: Option<JobPlace>,
    /// Only their number: exact up to ten thousand, and estimated beyond
    #[arg(long, conflicts_with_all = ["limit", "after"])]
    count: bool,
}

#[derive(Serialize)]
struct PageJson {
    jobs: Vec<JobJson>,
    next: Option<String>,
}

#[derive(Serialize)]
struct CountJson {
    jobs: u64,
    exact: bool,
}

impl Jobs {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let jobs = session.client.jobs(filter(&self.filter)?);
        if self.count {
            let count = jobs.count().await?;
            return session.out.print(&CountJson { jobs: count.jobs, exact: count.exact }, || count);
        }
        let (mut listed, mut next) = (Vec::new(), self.after.clone());
        loop {
            // A page that has read enough rows may be short, and yet not be the last.
            let left = self.limit - listed.len() as u32;
            let page = match &next {
                Some(place) => jobs.list_after(place, left).await?,
                None => jobs.list(left).await?,
            };
            listed.extend(page.jobs);
            next = page.next;
            if next.is_none() || listed.len() as u32 >= self.limit {
                break;
            }
        }
        let json = PageJson {
            jobs: listed.iter().map(JobJson::from).collect(),
            next: next.as_ref().map(ToString::to_string),
        };
        session.out.print(&json, || shown(&listed))?;
        if let Some(place) = next {
            session.out.note(&format!("there may be more: --after '{place}'"));
        }
        Ok(())
    }
}

fn shown(jobs: &[ListedJob]) -> Table {
    let cause = |text: Option<&String>| first_line(text.map_or("", String::as_str), CAUSE_WIDTH);
    let mut table =
        Table::new(&["ID", "STATE", "KIND", "QUEUE", ">ATTEMPTS", "CREATED", "LAST ERROR", "CANCELLED FOR"]);
    for job in jobs {
        table.row([
            job.id.to_string(),
            job.state.to_string(),
            job.kind.clone(),
            job.queue.clone().unwrap_or_else(|| "-".to_owned()),
            job.attempts.to_string(),
            moment(job.created_at),
            cause(job.error.as_ref()),
            cause(job.cancelled_for.as_ref()),
        ]);
    }
    table
}
