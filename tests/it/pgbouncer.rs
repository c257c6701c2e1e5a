//! PgBouncer before a test's database, if it is installed.

use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

use crate::proxy::through;

/// A running PgBouncer; dropping it stops the process.
pub(crate) struct PgBouncer {
    pub(crate) options: PgConnectOptions,
    folder: PathBuf,
    _running: Child,
}

impl PgBouncer {
    /// Starts PgBouncer in this mode. If it is not installed, prints that and returns `None`.
    pub(crate) async fn to(options: &PgConnectOptions, mode: &str) -> Option<Self> {
        let Some(program) = installed() else {
            // Not `eprintln!`, whose output appears only if the test fails.
            let _ = writeln!(std::io::stderr(), "PgBouncer is not installed: its test is skipped");
            return None;
        };
        let folder = std::env::temp_dir().join(format!("pgjobq-pgbouncer-{:016x}", fastrand::u64(..)));
        fs::create_dir(&folder).unwrap();
        let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let host =
            options.get_socket().map_or(options.get_host().to_owned(), |path| path.display().to_string());
        let (port, user, name) =
            (options.get_port(), options.get_username(), options.get_database().unwrap());
        let settings = format!(
            "[databases]\n{name} = host={host} port={port} user={user}\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {}\nunix_socket_dir =\nauth_type = any\n\
             pool_mode = {mode}\nignore_startup_parameters = extra_float_digits\n",
            address.port()
        );
        let file = folder.join("pgbouncer.ini");
        fs::write(&file, settings).unwrap();
        let mut command = Command::new(program);
        command
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        // PgBouncer does not run as root, and must be able to enter the folder of the server's socket.
        if fs::metadata(&folder).unwrap().uid() == 0 {
            let owner = options.get_socket().map(|path| fs::metadata(path).unwrap());
            command.uid(owner.as_ref().map_or(65534, MetadataExt::uid));
            command.gid(owner.as_ref().map_or(65534, MetadataExt::gid));
        }
        let running = command.spawn().unwrap();
        let started = async {
            while TcpStream::connect(address).await.is_err() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), started).await.expect("PgBouncer starts");
        Some(Self { options: through(address, options), folder, _running: running })
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Finds the program, also in Debian's `/usr/sbin`, which is not in every `PATH`.
fn installed() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([Path::new("/usr/sbin").to_owned()]);
    folders.map(|folder| folder.join("pgbouncer")).find(|program| program.is_file())
}
