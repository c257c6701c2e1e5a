//! Who has asked for what.

use askama::Template;
use pgjobq::{AuditId, AuditRecord};
use serde::Serialize;

use crate::params::Params;
use crate::problem::Problem;
use crate::screen::Screen;
use crate::show::link::link;
use crate::show::moment::Moment;
use crate::visit::Visit;

/// The number of records on a page.
const PAGE: u32 = 50;

#[derive(Template, Serialize)]
#[template(path = "audit.html")]
pub(crate) struct Audit {
    #[serde(skip)]
    visit: Visit,
    records: Vec<Record>,
    /// The last record of this page, for the parameter `before` of the next one.
    next: Option<String>,
}

#[derive(Serialize)]
struct Record {
    id: String,
    at: Moment,
    by: String,
    role: String,
    action: String,
    subject: String,
    reason: Option<String>,
    outcome: Option<String>,
}

impl Screen for Audit {
    async fn load(visit: Visit, params: Params) -> Result<Self, Problem> {
        let before = params.parsed("before")?.map(AuditId);
        let records = visit.board().client.audit_records(before, PAGE).await?;
        let next = records.last().filter(|_| records.len() == PAGE as usize).map(|last| last.id.to_string());
        Ok(Self { visit, records: records.into_iter().map(Record::new).collect(), next })
    }
}

impl Audit {
    fn next_link(&self) -> Option<String> {
        self.next.as_ref().map(|before| link("audit", &[("before", before)]))
    }
}

impl Record {
    fn new(record: AuditRecord) -> Self {
        Self {
            id: record.id.to_string(),
            at: Moment(record.at),
            by: record.by,
            role: record.role,
            action: record.action,
            subject: record.subject,
            reason: record.reason,
            outcome: record.outcome,
        }
    }
}
