//! Three applications with a dashboard, for a browser: one to look at, one to act on, and one with hostile texts. Each has a database of
//! its own on a throwaway server.
//!
//! With a command as arguments it runs the command beside them, which finds their addresses in `SHOP`, `LOTS` and `HOSTILE`, and ends
//! with it. Without one it serves them until Ctrl-C.
#![allow(missing_docs)] // No crate depends on an example.

mod app; // An application.
mod hostile; // Texts that run a script, close a tag or tear a page apart if they are not shown as texts.
mod jobs; // The jobs of a shop.
mod lots; // Jobs to act on, in lots that look alike.
mod shop; // Jobs to look at, in each state.

use std::process::ExitCode;

use pgjobq::shutdown_signal;
use pgjobq::sqlx::postgres::PgPoolOptions;

use self::app::{App, Fallible};

#[tokio::main]
async fn main() -> Fallible<ExitCode> {
    let server = pgjobq::dev::database().await?;
    let admin = PgPoolOptions::new().max_connections(3).connect(server.url()).await?;
    let (shop, lots, hostile) =
        tokio::try_join!(shop::open(&admin), lots::open(&admin), hostile::open(&admin))?;
    let apps = [("SHOP", shop), ("LOTS", lots), ("HOSTILE", hostile)];
    for (name, app) in &apps {
        println!("{name}={}", app.address);
    }
    let code = tokio::select! {
        code = run(&apps) => code?,
        () = shutdown_signal() => ExitCode::SUCCESS,
    };
    for (_, app) in apps {
        app.close(&admin).await?;
    }
    Ok(code)
}

/// Runs the command of the arguments, or nothing without an end.
async fn run(apps: &[(&str, App)]) -> Fallible<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    let Some(program) = arguments.next() else { return std::future::pending().await };
    let mut command = tokio::process::Command::new(program);
    command.args(arguments).kill_on_drop(true);
    command.envs(apps.iter().map(|(name, app)| (name, &app.address)));
    let status = command.status().await?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
