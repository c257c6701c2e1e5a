//! CPU time and memory from `/proc`. Linux only.

use std::fs::{read_dir, read_to_string};

use anyhow::{Context, Result};

/// The unit of CPU times in `/proc`. It is 100 on every system that Linux supports today.
const TICKS_PER_SECOND: f64 = 100.0;
/// The number of times that the list of a server's processes is read, because one of them may end meanwhile.
const TRIES: usize = 20;

/// The CPU times of one process, in ticks.
struct Times {
    parent: u32,
    own: u64,
    /// The ticks of children that have ended.
    of_ended: u64,
}

/// CPU seconds of one process.
pub(super) fn alone(pid: u32) -> Result<f64> {
    Ok(times(pid)?.own as f64 / TICKS_PER_SECOND)
}

/// CPU seconds of a process and its children, with those that have ended. No child is missed or counted twice: if one
/// ended while they were summed up, they are summed up again.
pub(super) fn with_children(pid: u32) -> Result<f64> {
    let mut sum = 0;
    for _ in 0..TRIES {
        let before = times(pid)?;
        let living: u64 = children(pid).map(|child| child.own).sum();
        let after = times(pid)?;
        sum = after.own + after.of_ended + living;
        if after.of_ended == before.of_ended {
            break;
        }
    }
    Ok(sum as f64 / TICKS_PER_SECOND)
}

/// CPU seconds that all programs, the kernel, and other guests of the host have used.
pub(crate) fn machine() -> Result<f64> {
    let stat = read_to_string("/proc/stat")?;
    let line = stat.lines().next().context("/proc/stat is empty")?;
    // user nice system idle iowait irq softirq steal
    let ticks: Vec<u64> =
        line.split_whitespace().skip(1).take(8).map(str::parse).collect::<Result<_, _>>()?;
    let idle: u64 = ticks.iter().skip(3).take(2).sum();
    Ok((ticks.iter().sum::<u64>() - idle) as f64 / TICKS_PER_SECOND)
}

/// The peak of a process's memory; zero if it has ended.
pub(super) fn peak_megabytes(pid: u32) -> f64 {
    let status = read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = peak.and_then(|peak| peak.trim().trim_end_matches(" kB").parse::<f64>().ok());
    kilobytes.unwrap_or_default() / 1024.0
}

fn children(parent: u32) -> impl Iterator<Item = Times> {
    let folders = read_dir("/proc").into_iter().flatten().flatten();
    let pids = folders.filter_map(|folder| folder.file_name().to_str()?.parse::<u32>().ok());
    pids.filter_map(|pid| times(pid).ok()).filter(move |times| times.parent == parent)
}

fn times(pid: u32) -> Result<Times> {
    let stat = read_to_string(format!("/proc/{pid}/stat"))?;
    parse(&stat).with_context(|| format!("/proc/{pid}/stat is not understood"))
}

/// The fields after the program's name, which may contain spaces and parentheses.
fn parse(stat: &str) -> Option<Times> {
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let field = |number: usize| fields.get(number)?.parse::<u64>().ok();
    Some(Times {
        parent: fields.get(1)?.parse().ok()?,
        own: field(11)? + field(12)?,
        of_ended: field(13)? + field(14)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_after_a_name_with_parentheses() {
        let stat = "71 (a (b) c) S 5 71 71 0 -1 4194560 1 2 3 4 100 20 30 4 20 0 1 0 99";
        let times = parse(stat).unwrap();
        assert_eq!((times.parent, times.own, times.of_ended), (5, 120, 34));
    }
}
