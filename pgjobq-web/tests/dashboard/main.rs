//! Tests of the dashboard on a real PostgreSQL, without a browser.
#![allow(clippy::unwrap_used)]

// Helpers.
mod browser; // Asks for pages as a browser does.
mod jobs; // Jobs to look at.
mod stage; // A database for each test.

// Promises.
mod acting; // Each action does what it says, and is audited.
mod assets; // The style sheet, the script and the icon.
mod costs; // The dashboard does not hurt the database.
mod exact; // No digit of a number is lost.
mod example; // The example runs.
mod forged; // Other sites cannot act.
mod hostile; // Whatever is in the database is inert.
mod mounted; // It works wherever it is mounted, under any names.
mod permissions; // Nobody does what they may not.
mod read_only; // A read-only dashboard changes nothing.
mod screens; // Each screen shows what is there.
