//! Another process that uses a server, until the test ends or kills it.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::super::{Database, Server, ServerOptions};
use super::{Stage, environment_in};

const ROOT: &str = "PGJOBQ_TEST_ROOT";
const WHICH: &str = "PGJOBQ_TEST_SERVER";

/// Not a test of its own: what that process does.
#[tokio::test]
async fn guest() {
    let (Some(root), Ok(which)) = (std::env::var_os(ROOT), std::env::var(WHICH)) else { return };
    let environment = environment_in(Path::new(&root));
    if which == "shared" {
        let database = Database::find(environment).await.unwrap();
        stay(&format!("{:?}", database.share().unwrap().origin));
    } else {
        let _server = Server::start_in(environment, ServerOptions::fast()).await.unwrap();
        stay("a server of one's own");
    }
}

fn stay(found: &str) {
    println!("\ninside {found}");
    std::io::stdout().flush().unwrap();
    std::io::stdin().read_line(&mut String::new()).unwrap();
}

/// That process. Dropping it kills it.
pub(super) struct Guest(Child);

impl Guest {
    /// Waits until it is in, and returns what it found.
    pub(super) fn enter(stage: &Stage, which: &str) -> (Self, String) {
        let mut guest = Self::begin(stage, which);
        let output = BufReader::new(guest.0.stdout.take().unwrap());
        let inside = output.lines().map(Result::unwrap).find(|line| line.starts_with("inside"));
        (guest, inside.expect("the guest gets in"))
    }

    pub(super) fn begin(stage: &Stage, which: &str) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "dev::tests::guest::guest", "--nocapture"]);
        command.env(ROOT, &stage.0).env(WHICH, which);
        Self(command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap())
    }

    pub(super) fn leave(mut self) {
        drop(self.0.stdin.take());
        self.0.wait().unwrap();
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
