//! The runner must find each planted bug. A runner that finds nothing proves nothing.

use std::time::Instant;

use crate::explore::{self, Group, Until};
use crate::operations::named;
use crate::pause;
use crate::planted_bugs::{PLANTED, Planted};
use crate::server::Databases;

impl Planted {
    fn text(&self) -> String {
        let mut text = pause::shipped();
        for (old, times, new) in self.cuts {
            let found = text.matches(old).count();
            assert_eq!(
                found, *times,
                "`{}`: the schema changed, and has this {found} times: {old}",
                self.name
            );
            text = text.replace(old, new);
        }
        text
    }

    /// Returns all pairs of its operations, or all three at once. Most bugs need no strict level, so these come last.
    fn groups(&self) -> Vec<Group> {
        let mut groups = match self.among {
            [_, _, _] => explore::together(self.among),
            _ => explore::pairs(&self.among.iter().map(|name| named(name)).collect::<Vec<_>>()),
        };
        for (operation, isolation) in groups.iter_mut().flatten() {
            if operation.name.starts_with("claim") {
                *isolation = self.claims_at;
            }
        }
        groups.sort_by_key(explore::is_strict);
        groups
    }
}

pub(crate) async fn every_planted_bug_is_found(databases: &Databases) {
    let since = Instant::now();
    let mut missed = Vec::new();
    for (number, bug) in PLANTED.iter().enumerate() {
        let database = databases.create(&format!("planted_{number}")).await;
        databases.run(&format!("planted_{number}"), &pause::with_pauses(&bug.text())).await;
        let report = explore::explore_all(vec![database], bug.groups(), Until::Found).await;
        match report.violations.first() {
            Some(violation) => {
                eprintln!("planted: {} -> {}", bug.name, violation.lines().next().unwrap_or_default());
            }
            None => missed.push(format!("{} ({} interleavings)", bug.name, report.interleavings)),
        }
    }
    eprintln!(
        "planted: {} bugs, {} missed, {:.0} s",
        PLANTED.len(),
        missed.len(),
        since.elapsed().as_secs_f64()
    );
    assert!(missed.is_empty(), "the runner misses: {}", missed.join(", "));
}
