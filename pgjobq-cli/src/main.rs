//! The command `pgjobq`: operates the jobs of pgjobq from a terminal or a script. Its README says what it can do.

mod bench;
mod command;
mod commands;
mod confirm;
mod connection;
mod explanation;
mod failure;
mod json;
mod output;
mod record;
mod repair;
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
use crate::failure::Failure;
use crate::output::Output;

#[tokio::main]
async fn main() -> ExitCode {
    match Cli::try_parse() {
        Ok(cli) => cli.run().await,
        // Help and the version go to standard output, mistakes to standard error.
        Err(error) if error.use_stderr() && asks_for_json() => {
            let failure =
                Failure::Usage(error.to_string().trim_start_matches("error: ").trim_end().to_owned());
            Output::new(true).error(&failure);
            failure.exit_code()
        }
        Err(error) => {
            let code = u8::try_from(error.exit_code()).unwrap_or(2);
            let _ = error.print();
            ExitCode::from(code)
        }
    }
}

/// Returns whether `--json` is among the arguments, which could not be parsed.
fn asks_for_json() -> bool {
    std::env::args_os().skip(1).take_while(|argument| argument != "--").any(|argument| argument == "--json")
}
