//! Waiting until jobs are done, and the jobs of each second.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::handled;

const POLL: Duration = Duration::from_millis(2);
/// A worker that handles nothing for this long is stuck.
const STUCK: Duration = Duration::from_secs(60);

/// Counts the jobs of each second.
pub(crate) struct Seconds {
    begun: Instant,
    counted: u64,
    pub(crate) counts: Vec<u64>,
}

impl Seconds {
    pub(crate) fn start() -> Self {
        Self { begun: Instant::now(), counted: handled::count(), counts: Vec::new() }
    }

    /// Is called often with the number of all jobs so far.
    pub(crate) fn look(&mut self, handled: u64) {
        while self.begun.elapsed().as_secs() > self.counts.len() as u64 {
            self.counts.push(handled - self.counted);
            self.counted = handled;
        }
    }
}

/// Waits until `count` has reached `jobs`, and returns the jobs of each second.
pub(crate) async fn wait_for(jobs: u64, count: impl Fn() -> u64) -> Result<Vec<u64>> {
    let mut seconds = Seconds::start();
    let (mut last, mut since) = (count(), Instant::now());
    while last < jobs {
        tokio::time::sleep(POLL).await;
        let now = count();
        if now != last {
            (last, since) = (now, Instant::now());
        }
        ensure!(since.elapsed() < STUCK, "{last} of {jobs} jobs were handled, and none for {STUCK:?}");
        seconds.look(now);
    }
    Ok(seconds.counts)
}
