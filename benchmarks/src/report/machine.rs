//! The machine, as a table names it.

use std::fmt;
use std::fs::read_to_string;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::server::SETTINGS;

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Machine {
    processor: String,
    cores: usize,
    memory_gigabytes: f64,
    kernel: String,
    /// The kind of file system that holds the server's data. One in memory makes every figure of a commit worthless.
    file_system: String,
    postgresql: String,
    settings: String,
}

impl Machine {
    pub(crate) fn this(postgresql: String, data: &Path) -> Self {
        let settings: Vec<_> = SETTINGS.iter().map(|(name, value)| format!("{name} = {value}")).collect();
        let kilobytes = line("/proc/meminfo", "MemTotal:").trim_end_matches(" kB").parse::<f64>();
        Self {
            processor: line("/proc/cpuinfo", "model name"),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            memory_gigabytes: (kilobytes.unwrap_or_default() / f64::from(1 << 20)).round(),
            kernel: read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned(),
            file_system: file_system(&read_to_string("/proc/mounts").unwrap_or_default(), data),
            postgresql,
            settings: settings.join(", "),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { processor, cores, memory_gigabytes, kernel, file_system, postgresql, settings } = self;
        write!(f, "{cores} cores of {processor}, {memory_gigabytes} GiB, Linux {kernel}, {file_system}; ")?;
        write!(f, "PostgreSQL {postgresql} with {settings}, on the same machine, by TCP")
    }
}

/// The value of the first line of a file that starts so.
fn line(file: &str, start: &str) -> String {
    let text = read_to_string(file).unwrap_or_default();
    let value = text.lines().find_map(|line| line.strip_prefix(start));
    value.unwrap_or_default().trim_start_matches([' ', '\t', ':']).trim().to_owned()
}

/// The type of the innermost mounted file system that holds a folder.
fn file_system(mounts: &str, folder: &Path) -> String {
    let mounted = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        Some((fields.next()?, fields.next()?))
    });
    let holding = mounted.filter(|(point, _)| folder.starts_with(point));
    holding.max_by_key(|(point, _)| point.len()).map_or_else(String::new, |(_, kind)| kind.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn innermost_file_system_is_found() {
        let mounts = "/dev/vda / ext4 rw 0 0\ntmpfs /tmp tmpfs rw 0 0\ntmpfs /tmpfiles btrfs rw 0 0\n";
        assert_eq!(file_system(mounts, Path::new("/tmp/server/data")), "tmpfs");
        assert_eq!(file_system(mounts, Path::new("/var/tmp")), "ext4");
    }
}
