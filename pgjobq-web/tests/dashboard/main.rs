//! Tests of the dashboard on a real PostgreSQL, without a browser.
#![allow(clippy::unwrap_used)]

// Helpers.
mod browser; // Asks for pages as a browser does.
mod jobs; // Jobs to look at.
mod stage; // A database for each test.

// Promises.
mod acting; // Each action does what it says, and is audited.
mod assets; // The style sheet, the script and the icon.
mod away; // A database that is away is named, and soon.
mod closed; // A browser that closes the connection ends nothing that others wait for.
mod cookies; // Forms stay good, and other sites have no part in them.
mod costs; // The dashboard does not hurt the database.
mod dropped; // Actions whose browser or process goes away.
mod exact; // No digit of a number is lost.
mod example; // The example runs.
mod forged; // Other sites cannot act.
mod groups; // An action on a group of dead jobs says that its filter is wider.
mod hostile; // Whatever is in the database is inert.
mod hosts; // A name of another site shows nothing.
mod large; // A large workflow costs no more than a small one.
mod lists; // Lists are complete, also the long ones.
mod mounted; // It works wherever it is mounted, under any names.
mod permissions; // Nobody does what they may not.
mod read_only; // A read-only dashboard changes nothing.
mod refused; // What the database refuses is told to those whom it concerns.
mod roles; // The roles of observers and administrators suffice.
mod schedules; // Schedules, their ticks, and actions on them.
mod screens; // Each screen shows what is there.
mod slow; // What takes long keeps nobody else waiting.
mod streams; // Streams of events are bounded.
mod timeline; // The timeline of a job is true.
