//! `pgjobq man`

use std::fs;
use std::path::PathBuf;

use clap::{Args, Command};

use crate::failure::Failure;
use crate::output::Output;

/// Print the manual page, or write those of all commands into a folder
#[derive(Args)]
pub(crate) struct Man {
    /// The folder, which is created
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
}

impl Man {
    /// Renders the pages of the whole command line.
    pub(crate) fn run(self, line: Command, out: Output) -> Result<(), Failure> {
        let Some(folder) = self.dir else {
            let mut page = Vec::new();
            let rendered = clap_mangen::Man::new(line).render(&mut page);
            rendered.map_err(|error| Failure::Refused(error.to_string()))?;
            return out.raw(&String::from_utf8_lossy(&page));
        };
        let written = fs::create_dir_all(&folder).and_then(|()| clap_mangen::generate_to(line, &folder));
        written.map_err(|error| Failure::Refused(format!("{}: {error}", folder.display())))?;
        out.note(&format!("wrote the pages into {}", folder.display()));
        Ok(())
    }
}
