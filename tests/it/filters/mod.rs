//! Filters: what they match, and workers that accept only some jobs.

mod accepting; // Workers claim only jobs that they accept.
mod compared; // The database answers as the evaluation in memory does.
mod drawn; // Random filters and jobs, of hostile names and values.
mod texts; // The text form.
