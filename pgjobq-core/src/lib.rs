//! Everything that a process needs to describe, enqueue, store and await jobs. Users depend on the `pgjobq` crate,
//! which re-exports the public part of this one.

mod admin;
mod attempt;
mod batch;
mod chain;
mod client;
mod db;
#[cfg(feature = "dev")]
pub mod dev;
mod doctor;
mod enqueue;
mod explain;
pub mod filter;
mod jitter;
mod job;
mod lock;
pub mod measure;
pub mod observe;
mod pump;
mod schedule;
#[allow(missing_docs)] // Not public API: the fields are named for what they hold.
mod store;
#[cfg(feature = "testing")]
#[allow(missing_docs)] // Not public API: as above.
#[doc(hidden)]
pub mod testing;
pub mod trace;
mod tuples;
mod wait;
mod workflow;

pub use admin::attribute_index::{AttributeIndex, AttributeIndexError, AttributeIndexState};
pub use admin::audit::{Audit, AuditId, AuditRecord, NotedAudit};
pub use admin::cancel::{Cancel, CancelOutcome};
pub use admin::change_limits::{ChangeLimits, LimitError};
pub use admin::check_waiting::check_waiting;
pub use admin::dead_group::DeadGroup;
pub use admin::details::JobDetails;
pub use admin::ended::{EndedJob, EndedJobs};
pub use admin::job::Job;
pub use admin::jobs::action::Action;
pub use admin::jobs::count::JobCount;
pub use admin::jobs::error::ActionError;
pub use admin::jobs::export::Export;
pub use admin::jobs::left_out::LeftOut;
pub use admin::jobs::list::{InvalidJobPlace, JobPage, JobPlace, ListedJob};
pub use admin::jobs::matching::Jobs;
pub use admin::jobs::preview::JobsPreview;
pub use admin::jobs::report::{ActionId, ActionReport, ActionState};
pub use admin::jobs::started::StartedAction;
pub use admin::limit_scope::LimitScope;
pub use admin::limit_state::LimitState;
pub use admin::limits::LimitSettings;
pub use admin::overview::QueueOverview;
pub use admin::pause::error::PauseError;
pub use admin::pause::paused::Pause;
pub use admin::pause::pausing::Pausing;
pub use admin::pause::scope::PauseScope;
pub use admin::pause::subject::{JobKey, JobKind};
pub use admin::queue::{EndedState, Queue, SaveQueue};
pub use admin::queue_error::QueueError;
pub use admin::recorded_kind::RecordedKind;
pub use admin::registered_worker::RegisteredWorker;
pub use admin::requeue::{RequeueError, RequeueOutcome};
pub use admin::set_args::{NewArgs, SetArgs, SetArgsError, SetArgsOutcome};
pub use admin::settings::{ChangeSettings, Override, QueueSettings, Setting};
pub use admin::stats::QueueStats;
pub use admin::throughput::Throughput;
pub use admin::waiting_report::{
    CheckedKind, CheckedSchedule, Readability, UnreadableArgs, UnreadableJob, WaitingReport,
};
pub use attempt::complete::CompleteError;
pub use attempt::context::JobContext;
pub use attempt::growth::{Growth, GrowthError};
pub use attempt::stop::StopReason;
pub use attempt::tx::Tx;
pub use batch::batch::{Batch, BatchResult, ItemOutcome};
pub use batch::item::BatchItem;
pub use client::{Client, ClientBuilder, ClientError};
pub use db::error::DatabaseError;
pub use db::migrate::{MigrateError, SchemaRole, grants_sql, schema_sql};
pub use db::schema::InvalidSchema;
pub use db::statement_timeout::with_statement_timeout;
pub use doctor::examine::Examination;
pub use doctor::finding::{Check, Finding, Repair, Severity};
pub use enqueue::attributes::InvalidAttribute;
pub use enqueue::bulk::{AnyJob, EnqueueAllError, Enqueued, enqueue_all};
pub use enqueue::by_kind::{EnqueueByKind, EnqueueByKindError, EnqueuedByKind};
pub use enqueue::each::{EnqueueEachError, enqueue_each};
pub use enqueue::error::EnqueueError;
pub use enqueue::full::WhenFull;
pub use enqueue::new_job::NewJob;
pub use enqueue::outcome::EnqueueOutcome;
pub use enqueue::parents::Parents;
pub use enqueue::target::Target;
pub use explain::cause::{Cause, ParentStanding, ScheduledBy};
pub use explain::explanation::{Explanation, Reason};
pub use job::app_state::State;
pub use job::attribute::AttributeValue;
pub use job::backoff::Backoff;
pub use job::error::JobError;
pub use job::handler::Handler;
pub use job::id::{InvalidJobId, JobId};
pub use job::job_return::JobReturn;
pub use job::limit::{OnConflict, OnRetry};
pub use job::name::InvalidName;
pub use job::other_kind::OtherKind;
pub use job::policy::Policy;
pub use job::priority::Priority;
pub use job::rate::{InvalidRate, Rate};
pub use job::unique::{OnDuplicate, UniqueWhile};
pub use schedule::error::ScheduleError;
pub use schedule::invalid::InvalidSchedule;
pub use schedule::listed::{MissedTick, Schedule, ScheduleSource, ScheduleState};
pub use schedule::missed::Missed;
pub use schedule::new_schedule::NewSchedule;
pub use schedule::overlap::Overlap;
pub use schedule::schedules::Schedules;
pub use schedule::tick::Tick;
pub use wait::call::CallError;
pub use wait::error::{HandleError, WaitError};
pub use wait::failure::{FailedAttempt, Failure, FailureReason};
pub use wait::handle::JobHandle;
pub use wait::outcome::{NotCompleted, Outcome};
pub use wait::status::{Cancellation, JobState, Progress, Status};
pub use workflow::builder::{Workflow, WorkflowPart};
pub use workflow::cancel::CancelWorkflow;
pub use workflow::error::{ResumeError, RetryError, WorkflowError};
pub use workflow::gather::{Gather, Gathered, Part, gather};
pub use workflow::graph::Graph;
pub use workflow::handle::WorkflowHandle;
pub use workflow::identity::WorkflowId;
pub use workflow::input::Input;
pub use workflow::listed::ListedWorkflow;
pub use workflow::new_step::NewStep;
pub use workflow::status::{WorkflowNotCompleted, WorkflowOutcome, WorkflowStatus};
pub use workflow::step::{Output, Step, StepResult};

/// The names that the output of `#[job]` uses. Not public API.
#[doc(hidden)]
pub mod __private {
    pub use crate::attempt::complete::finish_transactional;
    pub use crate::batch::call::{BatchHandler, RawItem, run_call};
    pub use crate::job::app_state::StateType;
    pub use crate::job::argument::{Argument, HandedIn};
    pub use crate::job::attribute::Attribute;
    pub use crate::job::computed::{ComputedFrom, Key, UniqueValue, Weight, unique_by, unique_by_all};
    pub use crate::job::descriptor::JobDescriptor;
    pub use crate::job::job_return::{JobReturn, NoResult, StoredResult, Unkept};
    pub use crate::job::shape::ArgumentShape;
    #[cfg(feature = "testing")]
    pub use crate::job::shape::trace;
    pub use crate::job::stored_args::StoredArgs;
    pub use crate::schedule::declared::DeclaredSchedule;
    pub use crate::shape_of;
    pub use crate::workflow::input::Given;
    pub use crate::{
        Backoff, Batch, CallError, Client, EnqueueError, Handler, Input, JobContext, JobError, JobHandle,
        JobId, Missed, NewJob, NewSchedule, NewStep, OnConflict, OnDuplicate, OnRetry, Overlap, Policy,
        Priority, Rate, State, Target, UniqueWhile,
    };
    pub use {async_trait::async_trait, inventory, serde, serde_json};
}

/// The names that the worker crate uses. Not public API.
#[doc(hidden)]
pub mod worker_api {
    pub use crate::attempt::complete::too_large as result_too_large;
    pub use crate::attempt::context::Attempt;
    pub use crate::attempt::current::{Current, QueueSlots, as_current};
    pub use crate::attempt::growth::{Grown, MOST_STEPS};
    pub use crate::attempt::held::Held;
    pub use crate::attempt::progress::Progress;
    pub use crate::attempt::recording::{Completion, Recording};
    pub use crate::attempt::stop::Stop;
    pub use crate::batch::call::{BatchHandler, RawItem};
    pub use crate::batch::settling::{ItemEnd, Settlement, Settler, Unsettled};
    pub use crate::chain::chain;
    pub use crate::db::answers::Answers;
    pub use crate::db::ids::{LeaseId, QueueId, Shard, Ticket, WorkerId};
    pub use crate::db::listen::{SCHEDULED, Signal};
    pub use crate::db::local_workers::{LocalWorker, NewJobs};
    pub use crate::db::notifier::Notifier;
    pub use crate::db::partitions::Partitions;
    pub use crate::db::row_address::RowAddress;
    pub use crate::db::statements::STATEMENTS;
    pub use crate::db::text::{storable, to_ascii};
    pub use crate::db::tx_pool::Places;
    pub use crate::filter::evaluate::Candidate;
    pub use crate::jitter::jittered;
    pub use crate::job::app_state::{StateType, States};
    pub use crate::job::descriptor::JobDescriptor;
    pub use crate::job::error::ErrorKind;
    pub use crate::job::job_return::encode_output;
    pub use crate::job::json::{Unstorable, holds_nul, printed_bytes};
    pub use crate::job::lineage::Meta;
    pub use crate::job::name::check as check_name;
    pub use crate::job::policy::LONGEST_DELAY;
    pub use crate::job::registry::{DuplicateKind, Registry};
    pub use crate::job::shape::ArgumentShape;
    pub use crate::job::stored_args::StoredArgs;
    pub use crate::lock::lock;
    pub use crate::measure::measures::SlotsOfQueue;
    pub use crate::observe::attempt::ObservedAttempt;
    pub use crate::observe::observer::Observers;
    pub use crate::schedule::code::{CodeSchedules, ScheduleMistake};
    pub use crate::schedule::due::{DueSchedule, UnknownSchedule};
    pub use crate::schedule::plan::{ON_TIME, TickPlan};
    pub use crate::store::*;
    pub use crate::trace::carry::follow;
    pub use crate::workflow::plan::Plan;
    pub use crate::{Handler, Policy};
    pub use {async_trait::async_trait, serde_json};
}
