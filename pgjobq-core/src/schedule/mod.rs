//! Schedules: rules that enqueue jobs at given times. Rust computes the ticks, from texts and times alone. PostgreSQL decides what
//! is due, by its clock, and lets each tick be fired once (`migrations/functions/fire.sql`).

pub(crate) mod code;
pub(crate) mod declared;
mod defined_job;
mod definition;
pub(crate) mod due;
pub(crate) mod error;
pub(crate) mod invalid;
pub(crate) mod listed;
pub(crate) mod missed;
pub(crate) mod new_schedule;
pub(crate) mod overlap;
pub(crate) mod plan;
pub(crate) mod schedules;
mod text;
pub(crate) mod tick;
mod timetable;
mod timing;
