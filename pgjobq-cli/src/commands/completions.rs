//! `pgjobq completions`

use clap::{Args, Command};
use clap_complete::Shell;

use crate::failure::Failure;
use crate::output::Output;

/// Print the completions for a shell
#[derive(Args)]
#[command(after_help = "pgjobq completions bash > /etc/bash_completion.d/pgjobq")]
pub(crate) struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    /// Prints the completions of the whole command line.
    pub(crate) fn run(self, mut line: Command, out: Output) -> Result<(), Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut line, "pgjobq", &mut script);
        out.raw(&String::from_utf8_lossy(&script))
    }
}
