//! The command `pgjobq`: operates the jobs of pgjobq from a terminal or a script. Its README says what it can do.

mod bench;
mod command;
mod commands;
mod confirm;
mod connection;
mod failure;
mod json;
mod output;
mod schedule;
#[cfg(feature = "serve")]
mod serve;
mod session;
mod table;
mod text;
#[cfg(feature = "top")]
mod top;
mod values;

use std::process::ExitCode;

use clap::Parser as _;

use crate::command::Cli;

#[tokio::main]
async fn main() -> ExitCode {
    match Cli::try_parse() {
        Ok(cli) => cli.run().await,
        Err(error) => {
            // Help and the version go to standard output, mistakes to standard error.
            let code = u8::try_from(error.exit_code()).unwrap_or(2);
            let _ = error.print();
            ExitCode::from(code)
        }
    }
}
