//! `top` in a terminal: what it shows, and what its keys do.
#![cfg(feature = "top")]

use std::io::{Read as _, Write};
use std::num::NonZeroU16;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pgjobq::prelude::*;
use pgjobq::sqlx;
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use crate::stage::{Stage, cli_die, cli_double, pgjobq};

/// The time in which anything appears, on a machine that is far slower than usual.
const PATIENCE: Duration = Duration::from_secs(60);
const ROWS: NonZeroU16 = NonZeroU16::new(40).unwrap();
const COLUMNS: NonZeroU16 = NonZeroU16::new(140).unwrap();
const SIZE: PtySize = PtySize { rows: ROWS.get(), cols: COLUMNS.get(), pixel_width: 0, pixel_height: 0 };

#[job]
async fn cli_hold(ctx: JobContext) -> Result<()> {
    ctx.stop_requested().await;
    Err(JobError::cancel())
}

/// The command in a terminal.
struct Terminal {
    screen: Arc<Mutex<vt100::Parser>>,
    keys: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    _master: Box<dyn MasterPty + Send>,
}

impl Terminal {
    fn top(url: &str, arguments: &[&str]) -> Self {
        let pair = native_pty_system().openpty(SIZE).unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_pgjobq"));
        command.args(["--url", url, "top", "--interval", "250ms"]);
        command.args(arguments);
        command.env("TERM", "xterm-256color");
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let screen = Arc::new(Mutex::new(vt100::Parser::new(ROWS, COLUMNS, 0)));
        let (mut output, shown) = (pair.master.try_clone_reader().unwrap(), Arc::clone(&screen));
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(read @ 1..) = output.read(&mut bytes) {
                shown.lock().unwrap().process(&bytes[..read]);
            }
        });
        let keys = pair.master.take_writer().unwrap();
        Self { screen, keys, child, _master: pair.master }
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// Waits until the screen shows a text.
    async fn until(&self, text: &str) {
        let began = Instant::now();
        loop {
            let shown = self.screen.lock().unwrap().screen().contents();
            if shown.contains(text) {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "the screen never showed {text:?}:\n{shown}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits for the end of the command, which restores the terminal.
    async fn end(mut self) -> u32 {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                let restored = || !self.screen.lock().unwrap().screen().alternate_screen();
                while !restored() && began.elapsed() < PATIENCE {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                assert!(restored(), "the terminal was left as `top` had it");
                return status.exit_code();
            }
            assert!(began.elapsed() < PATIENCE, "`top` does not end");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn top_shows_everything_and_its_keys_act() {
    let stage = Stage::new().await;
    stage.client.queue("mail").save().await.unwrap();
    let worker = stage.worker().await;
    let dead = cli_die::enqueue(&stage.client, "no \u{1b}[31msuch account".to_owned()).await.unwrap();
    let _ = stage.end_of(&dead).await;
    let held = cli_hold::enqueue(&stage.client).await.unwrap();
    cli_double::job(1).queue("mail").enqueue(&stage.client).await.unwrap();
    let mut top = Terminal::top(&stage.url(), &[]);
    for text in [
        "1 Queues (2)",
        "mail",
        "2 Running (1)",
        "cli_hold",
        "3 Dead (1)",
        "no \\u{1b}[31msuch account",
        "4 Workers (1)",
    ] {
        top.until(text).await;
    }
    // The second queue is `mail`.
    top.press("jp");
    top.until("pause the queue `mail`? y confirms").await;
    top.press("n");
    top.until("tab panel").await;
    assert_eq!(stage.client.pauses().await.unwrap(), []);
    top.press("p");
    top.until("pause the queue `mail`? y confirms").await;
    top.press("y");
    top.until("· 1 pause ·").await;
    assert_eq!(stage.client.pauses().await.unwrap()[0].name, "mail");
    top.press("p");
    top.until("resume the queue `mail`? y confirms").await;
    top.press("y");
    top.until("the queue `mail` goes on").await;
    let record = &stage.json_of(&["audit", "--limit", "1"])["records"][0];
    assert_eq!((&record["action"], &record["reason"]), (&"resume".into(), &"pgjobq top".into()));
    top.press("\t");
    top.press("c");
    top.until(&format!("cancel the job {}? y confirms", held.id())).await;
    top.press("y");
    assert_eq!(stage.end_of(&held).await, Outcome::Cancelled);
    worker.shutdown().await.unwrap();
    top.press("3r");
    top.until(&format!("requeue the job {}? y confirms", dead.id())).await;
    top.press("y");
    top.until("is in line again").await;
    top.until("3 Dead (0)").await;
    top.press("?");
    top.until("Every change asks first").await;
    top.press("x ");
    top.until("held").await;
    top.press("q");
    assert_eq!(top.end().await, 0);
    stage.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn change_that_waits_for_a_lock_delays_no_key() {
    let stage = Stage::new().await;
    let mut held = stage.client.pool().acquire().await.unwrap();
    sqlx::query("select pg_advisory_lock(hashtext('pgjobq.pause'))").execute(&mut *held).await.unwrap();
    let mut top = Terminal::top(&stage.url(), &[]);
    top.until("1 Queues (1)").await;
    top.press("py");
    top.until("pause the queue `default`: under way").await;
    top.press("py");
    top.until("the change before is still under way").await;
    top.press("?");
    top.until("Every change asks first").await;
    top.press("xq");
    assert_eq!(top.end().await, 0);
    assert_eq!(stage.client.pauses().await.unwrap(), []);
    drop(held);
    stage.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn read_only_top_changes_nothing() {
    let stage = Stage::new().await;
    let mut top = Terminal::top(&stage.url(), &["--read-only"]);
    top.until("default").await;
    top.press("p");
    top.until("read-only: nothing was changed").await;
    top.press("\u{3}");
    assert_eq!(top.end().await, 0);
    assert_eq!(stage.client.pauses().await.unwrap(), []);
    stage.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_connection_is_shown_and_does_not_end_top() {
    let stage = Stage::new().await;
    let network = crate::proxy::Proxy::to(&stage.options).await;
    let url = pgjobq::sqlx::ConnectOptions::to_url_lossy(&network.options());
    let mut top = Terminal::top(url.as_str(), &["--connect-timeout", "10s"]);
    top.until("default").await;
    network.cut();
    top.until("could not be reached").await;
    network.mend();
    top.until("tab panel").await;
    top.press("q");
    assert_eq!(top.end().await, 0);
    drop(network);
    stage.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn top_without_a_terminal_is_refused() {
    let stage = Stage::new().await;
    let ran = pgjobq(&["--url", &stage.url(), "top"]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("`pgjobq stats --json` prints the same for programs"), "{}", ran.stderr);
    stage.drop().await;
}
