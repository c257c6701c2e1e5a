//! One connection, and what happens to its messages.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufReader, BufWriter};
use tokio::net::{TcpStream, UnixStream};

use super::faults::{Faults, Moment, Verb};
use super::frames::Frame;

/// The time after which the server closes a silent connection, as its keepalive would.
const KEPT: Duration = Duration::from_secs(10);

/// The end of a connection.
enum End {
    /// One of its ends has closed it.
    Closed,
    /// The proxy broke it. The client receives a reset.
    Broken,
    /// The server has closed it. The client never learns of it.
    Lost,
}

/// Passes messages on, as far as the network lets them.
pub(super) async fn pass(mut client: TcpStream, mut server: UnixStream, faults: &Faults) {
    let number = faults.next_connection();
    let _ = client.set_nodelay(true);
    let end = {
        let ((from_client, to_client), (from_server, to_server)) = (client.split(), server.split());
        let passage = Passage { faults, number, swallows: AtomicBool::new(false) };
        tokio::select! {
            end = passage.requests(BufReader::new(from_client), BufWriter::new(to_server)) => end,
            end = passage.answers(BufReader::new(from_server), BufWriter::new(to_client)) => end,
            () = faults.reset(number) => {
                faults.counts.connections_reset.fetch_add(1, Ordering::SeqCst);
                Ok(End::Broken)
            }
            () = async { faults.lost(number).await; tokio::time::sleep(KEPT).await } => Ok(End::Lost),
        }
    };
    match end {
        Ok(End::Broken) => drop(client.set_zero_linger()),
        Ok(End::Lost) => {
            drop(server);
            let _ = tokio::io::copy(&mut client, &mut tokio::io::sink()).await;
        }
        Ok(End::Closed) | Err(_) => {}
    }
}

struct Passage<'f> {
    faults: &'f Faults,
    number: u64,
    /// True if the answer to the last statement must not arrive.
    swallows: AtomicBool,
}

impl Passage<'_> {
    async fn requests(
        &self,
        mut from: BufReader<impl AsyncRead + Unpin>,
        mut to: BufWriter<impl AsyncWrite + Unpin>,
    ) -> io::Result<End> {
        Frame::first(&mut from).await?.send(&mut to).await?;
        to.flush().await?;
        let mut statements = Statements::default();
        while let Some(frame) = or_end(Frame::next(&mut from).await)? {
            let sent = statements.note(&frame);
            if sent.is_some() {
                pause(self.faults.delay()).await;
            }
            pause(self.faults.passage(frame.body.len())).await;
            self.faults.may_pass(self.number, false).await;
            let cut = sent.and_then(|verb| self.faults.take_cut(verb));
            match cut {
                Some(Moment::Before) => {
                    self.faults.counts.cut_before.fetch_add(1, Ordering::SeqCst);
                    return Ok(End::Broken);
                }
                Some(Moment::After) => self.swallows.store(true, Ordering::SeqCst),
                None => {}
            }
            frame.send(&mut to).await?;
            if from.buffer().is_empty() {
                to.flush().await?;
            }
        }
        // The end of the client's stream must pass, too.
        self.faults.may_pass(self.number, false).await;
        Ok(End::Closed)
    }

    async fn answers(
        &self,
        mut from: BufReader<impl AsyncRead + Unpin>,
        mut to: BufWriter<impl AsyncWrite + Unpin>,
    ) -> io::Result<End> {
        while let Some(frame) = or_end(Frame::next(&mut from).await)? {
            let ready = frame.tag == Some(b'Z');
            if self.swallows.load(Ordering::SeqCst) {
                if ready {
                    // The statement is committed only now.
                    self.faults.counts.cut_after.fetch_add(1, Ordering::SeqCst);
                    return Ok(End::Broken);
                }
                continue;
            }
            if frame.tag == Some(b'A') && self.faults.drops_notifications() {
                self.faults.counts.notifications_dropped.fetch_add(1, Ordering::SeqCst);
                continue;
            }
            if ready {
                pause(self.faults.delay()).await;
            }
            pause(self.faults.passage(frame.body.len())).await;
            self.faults.note_answer(ready);
            self.faults.may_pass(self.number, true).await;
            frame.send(&mut to).await?;
            if from.buffer().is_empty() {
                to.flush().await?;
            }
        }
        Ok(End::Closed)
    }
}

/// Sleeps; unlike a sleep of no time, it costs nothing if the duration is zero.
async fn pause(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}

/// `None` when the other end has closed the connection.
fn or_end(frame: io::Result<Frame>) -> io::Result<Option<Frame>> {
    match frame {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        frame => frame.map(Some),
    }
}

/// The statements that a client has prepared, and the one that it is about to execute.
#[derive(Default)]
struct Statements {
    by_name: HashMap<String, Verb>,
    bound: Option<Verb>,
    executes: bool,
}

impl Statements {
    /// The statement that the server will execute and commit when it receives this message.
    fn note(&mut self, frame: &Frame) -> Option<Verb> {
        let mut texts = frame.texts();
        match frame.tag {
            Some(b'P') => {
                let name = texts.next()?.to_owned();
                self.by_name.insert(name, Verb::of(texts.next()?));
            }
            Some(b'B') => self.bound = texts.nth(1).and_then(|name| self.by_name.get(name).copied()),
            Some(b'E') => self.executes = true,
            Some(b'S') => return self.bound.filter(|_| std::mem::take(&mut self.executes)),
            Some(b'Q') => return texts.next().map(Verb::of),
            _ => {}
        }
        None
    }
}
