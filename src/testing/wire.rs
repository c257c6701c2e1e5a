//! The frames of PostgreSQL's protocol, as far as a network must know them to lose some.
//!
//! A frame has a letter, a length and a body. Of a client: `P` (parse a statement), `B` (bind one), `Q` (a plain query). Of the server:
//! `A` (a notification), and `Z` (ready), whose body says if a transaction is open.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt};

/// The calls whose reply may be lost outside of a transaction: those that commit an enqueue or the end of a job.
const CALLS: &[&str] = &[".enqueue", ".finish(", ".finish_growing(", ".complete_in("];

/// What the network is to lose.
#[derive(Debug, Default)]
pub(super) struct Wire {
    loses_reply: AtomicBool,
    drops_notifications: AtomicBool,
    dropped: AtomicUsize,
}

/// What one connection has sent.
#[derive(Debug, Default)]
pub(super) struct Sent {
    /// The prepared statements, by their names.
    statements: Mutex<HashMap<Vec<u8>, Statement>>,
    is_in_transaction: AtomicBool,
    /// True from the statement whose reply is lost.
    is_losing: AtomicBool,
}

/// A statement, as far as it matters here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Statement {
    /// It enqueues jobs, or records how they ended.
    calls: bool,
    /// It ends with a commit.
    commits: bool,
}

impl Wire {
    pub(super) fn lose_reply(&self) {
        self.loses_reply.store(true, Ordering::Release);
    }

    pub(super) fn is_reply_due(&self) -> bool {
        self.loses_reply.load(Ordering::Acquire)
    }

    pub(super) fn drop_notifications(&self) {
        self.drops_notifications.store(true, Ordering::Release);
    }

    pub(super) fn dropped(&self) -> usize {
        self.dropped.load(Ordering::Acquire)
    }

    /// Notes a frame of the client.
    pub(super) fn client_sends(&self, sent: &Sent, frame: &[u8]) {
        let mut statements = sent.statements.lock().unwrap_or_else(PoisonError::into_inner);
        let body = frame.get(5..).unwrap_or_default();
        let statement = match frame.first() {
            Some(b'P') => {
                let (name, rest) = text(body);
                statements.insert(name.to_vec(), Statement::of(text(rest).0));
                Statement::default() // It only prepares.
            }
            Some(b'B') => {
                let (_portal, rest) = text(body);
                statements.get(text(rest).0).copied().unwrap_or_default()
            }
            Some(b'Q') => Statement::of(text(body).0),
            _ => Statement::default(),
        };
        let is_alone = !sent.is_in_transaction.load(Ordering::Acquire);
        if (statement.commits || (statement.calls && is_alone))
            && self.loses_reply.swap(false, Ordering::AcqRel)
        {
            sent.is_losing.store(true, Ordering::Release);
        }
    }

    /// Returns the fate of a frame of the server.
    pub(super) fn server_sends(&self, sent: &Sent, frame: &[u8]) -> Fate {
        let is_losing = sent.is_losing.load(Ordering::Acquire);
        if frame.first() == Some(&b'Z') {
            let is_in_transaction = frame.get(5) != Some(&b'I');
            sent.is_in_transaction.store(is_in_transaction, Ordering::Release);
            if is_losing {
                return Fate::BreaksConnection;
            }
        }
        if frame.first() == Some(&b'A') && self.drops_notifications.load(Ordering::Acquire) {
            self.dropped.fetch_add(1, Ordering::AcqRel);
            return Fate::Lost;
        }
        if is_losing { Fate::Lost } else { Fate::Arrives }
    }
}

/// The fate of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Arrives,
    Lost,
    /// The statement is done. Its reply is lost, because the connection breaks.
    BreaksConnection,
}

impl Statement {
    fn of(sql: &[u8]) -> Self {
        let sql = String::from_utf8_lossy(sql).to_lowercase();
        let code: Vec<_> = sql.lines().map(|line| line.split("--").next().unwrap_or_default()).collect();
        let code = code.join(" ");
        let commits = code.split(';').any(|statement| statement.trim() == "commit");
        Self { calls: CALLS.iter().any(|call| code.contains(call)), commits }
    }
}

/// Splits a text that ends with a zero byte off.
fn text(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    (&bytes[..end], bytes.get(end + 1..).unwrap_or_default())
}

/// Reads the first frame of a client, which has no letter.
pub(super) async fn startup(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    read(from, 4).await
}

/// Reads a frame.
pub(super) async fn frame(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    read(from, 5).await
}

/// Reads a frame whose head has this many bytes. The last four of them are the length, which counts itself.
async fn read(from: &mut (impl AsyncRead + Unpin), head: usize) -> io::Result<Vec<u8>> {
    let mut frame = vec![0; head];
    from.read_exact(&mut frame).await?;
    let length = frame.last_chunk::<4>().map_or(0, |length| u32::from_be_bytes(*length));
    frame.resize(head + (length as usize).saturating_sub(4), 0);
    from.read_exact(&mut frame[head..]).await?;
    Ok(frame)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(letter: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).unwrap_or_default();
        [&[letter], &length.to_be_bytes()[..], body].concat()
    }

    #[test]
    fn statements_are_known_by_their_code() {
        let of = |sql: &str| Statement::of(sql.as_bytes());
        assert_eq!(of("-- See commit and pgjobq.finish(1).\nselect 1"), Statement::default());
        assert_eq!(of("begin isolation level read committed"), Statement::default());
        assert_eq!(of("COMMIT"), Statement { calls: false, commits: true });
        let message = of("begin; select * from \"x\".enqueue_one($1); commit;");
        assert_eq!(message, Statement { calls: true, commits: true });
    }

    #[test]
    fn reply_of_a_prepared_enqueue_is_lost_once() {
        let (wire, sent) = (Wire::default(), Sent::default());
        wire.lose_reply();
        wire.client_sends(&sent, &frame(b'P', b"s1\0select pgjobq.enqueue_one()\0"));
        assert_eq!(wire.server_sends(&sent, &frame(b'Z', b"I")), Fate::Arrives);
        wire.client_sends(&sent, &frame(b'B', b"\0s1\0"));
        assert_eq!(wire.server_sends(&sent, &frame(b'D', b"row")), Fate::Lost);
        assert_eq!(wire.server_sends(&sent, &frame(b'Z', b"I")), Fate::BreaksConnection);
        assert!(!wire.is_reply_due());
    }

    #[test]
    fn only_the_commit_of_a_transaction_loses_its_reply() {
        let (wire, sent) = (Wire::default(), Sent::default());
        wire.lose_reply();
        assert_eq!(wire.server_sends(&sent, &frame(b'Z', b"T")), Fate::Arrives);
        wire.client_sends(&sent, &frame(b'Q', b"select pgjobq.enqueue_one()\0"));
        assert_eq!(wire.server_sends(&sent, &frame(b'Z', b"T")), Fate::Arrives);
        wire.client_sends(&sent, &frame(b'Q', b"COMMIT\0"));
        assert_eq!(wire.server_sends(&sent, &frame(b'Z', b"I")), Fate::BreaksConnection);
    }
}
