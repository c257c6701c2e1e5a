//! The origins of arguments that are not known yet: outputs and results of other jobs.

use std::fmt::Write;

use crate::enqueue::edge::Parent;
use crate::workflow::identity::StepRef;

/// The job that an argument comes from.
#[derive(Clone, Debug)]
#[doc(hidden)]
pub enum Origin {
    /// A step of the same workflow.
    Step(StepRef),
    /// A job that was enqueued earlier.
    Job(Parent),
}

/// The origin of an argument that is not known yet.
#[derive(Clone, Debug)]
#[doc(hidden)]
pub enum Reference {
    /// The value that the job returned.
    Output(Origin),
    /// The same, or why the job did not complete.
    Result(Origin),
    /// A list of these.
    List(Vec<Self>),
}

impl Reference {
    /// Calls `visit` for every job. `true` stands for its output, which demands that it completes.
    pub(crate) fn each<'r>(&'r self, visit: &mut impl FnMut(&'r Origin, bool)) {
        match self {
            Self::Output(origin) => visit(origin, true),
            Self::Result(origin) => visit(origin, false),
            Self::List(parts) => parts.iter().for_each(|part| part.each(visit)),
        }
    }

    /// Returns whether a list in it is empty.
    pub(crate) fn lacks_parents(&self) -> bool {
        match self {
            Self::Output(_) | Self::Result(_) => false,
            Self::List(parts) => parts.is_empty() || parts.iter().any(Self::lacks_parents),
        }
    }

    /// Appends the reference as the database stores it: `{"output": 3}`, `{"result": 3}`, `{"list": […]}`, or, for a list of
    /// only outputs or only results of steps, which may be long, `{"outputs": [3, 4]}` or `{"results": [3, 4]}`.
    pub(crate) fn write(&self, out: &mut String) {
        match self {
            Self::Output(origin) => {
                out.push_str("{\"output\":");
                origin.write(out);
            }
            Self::Result(origin) => {
                out.push_str("{\"result\":");
                origin.write(out);
            }
            Self::List(parts) if parts.iter().all(|part| matches!(part, Self::Output(Origin::Step(_)))) => {
                out.push_str("{\"outputs\":");
                write_list(parts, out, Self::write_origin);
            }
            Self::List(parts) if parts.iter().all(|part| matches!(part, Self::Result(Origin::Step(_)))) => {
                out.push_str("{\"results\":");
                write_list(parts, out, Self::write_origin);
            }
            Self::List(parts) => {
                out.push_str("{\"list\":");
                write_list(parts, out, Self::write);
            }
        }
        out.push('}');
    }

    fn write_origin(&self, out: &mut String) {
        self.each(&mut |origin, _| origin.write(out));
    }
}

impl From<Origin> for Parent {
    fn from(origin: Origin) -> Self {
        match origin {
            Origin::Step(step) => Self { id: step.job(), unkept: step.added().unkept, kinds: Vec::new() },
            Origin::Job(parent) => parent,
        }
    }
}

impl Origin {
    /// Appends a step by its number, and a job by its id.
    fn write(&self, out: &mut String) {
        let written = match self {
            Self::Step(step) => write!(out, "{}", step.place().1),
            Self::Job(job) => write!(out, "\"{}\"", job.id),
        };
        debug_assert!(written.is_ok(), "a text takes everything");
    }
}

fn write_list(parts: &[Reference], out: &mut String, write: impl Fn(&Reference, &mut String)) {
    out.push('[');
    for (place, part) in parts.iter().enumerate() {
        out.push_str(if place == 0 { "" } else { "," });
        write(part, out);
    }
    out.push(']');
}
