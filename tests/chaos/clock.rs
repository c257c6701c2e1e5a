//! The clock of the database server, which can be made to step while the server runs.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::Command;

use pgjobq::dev::ServerOptions;

const SECOND: i64 = 1_000_000_000;

/// The clock of a server. The folder with its files is removed with this.
pub(crate) struct Clock {
    folder: PathBuf,
    /// The shift of the clock in nanoseconds; the server has mapped it into its memory.
    offset: File,
}

impl Clock {
    pub(crate) fn new() -> Self {
        // The server's user must be able to read this folder. It may not be able to read a checkout.
        let folder = std::env::temp_dir().join(format!("pgjobq-clock-{}", uuid::Uuid::new_v4().simple()));
        std::fs::create_dir_all(&folder).unwrap();
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clock/shift.c");
        let library = folder.join("shift.so");
        let compiled =
            Command::new("cc").args(["-shared", "-fPIC", "-O2", "-o"]).arg(&library).arg(source).status();
        assert!(compiled.unwrap().success(), "`cc` does not compile {source}");
        std::fs::write(folder.join("offset"), 0_i64.to_ne_bytes()).unwrap();
        let offset = File::options().write(true).open(folder.join("offset")).unwrap();
        Self { folder, offset }
    }

    /// Starts the server under this clock.
    pub(crate) fn of(&self, server: ServerOptions) -> ServerOptions {
        let server = server.variable("LD_PRELOAD", self.folder.join("shift.so"));
        server.variable("CLOCK_OFFSET_FILE", self.folder.join("offset"))
    }

    /// Sets the clock to this many seconds from the true time.
    pub(crate) fn step_to(&self, seconds: i64) {
        self.offset.write_all_at(&(seconds * SECOND).to_ne_bytes(), 0).unwrap();
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
