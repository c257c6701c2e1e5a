//! The settings of a function: as a migration gives them, and as the catalog shows them.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use super::definitions::PLANS;

/// The functions that `plans.sql` pins, and the settings that it gives each of them.
static PINNED: LazyLock<(BTreeSet<&str>, BTreeSet<String>)> = LazyLock::new(|| {
    let between = |start: &str, end: &str| PLANS.split_once(start).and_then(|(_, rest)| rest.split_once(end));
    let (names, _) = between("c_pinned constant text[] := '{", "}'").unwrap_or_default();
    let (literals, _) = between("execute format(", ", v_name)").unwrap_or_default();
    let statement: String = literals.split('\'').skip(1).step_by(2).collect();
    (names.split(',').map(str::trim).collect(), clauses(&statement))
});

/// Returns the settings that a function has after a migration, of its name and its text.
pub(super) fn settings_of(name: &str, text: &str) -> BTreeSet<String> {
    let head = text.split("$$").next().unwrap_or_default();
    let (_, options) = head.split_once("language ").unwrap_or_default();
    let mut settings = clauses(options);
    let (pinned, plans) = &*PINNED;
    if pinned.contains(name) {
        settings.extend(plans.iter().cloned());
    }
    settings
}

/// Returns the settings of the clauses `set name = value` of a statement.
fn clauses(statement: &str) -> BTreeSet<String> {
    let words: Vec<_> = statement.split_whitespace().filter(|word| *word != "as").collect();
    words.join(" ").split("set ").skip(1).map(normal).collect()
}

/// Returns a setting without spaces, quotes and upper case: the catalog writes `DateStyle=ISO, YMD` for `datestyle = 'ISO, YMD'`.
pub(crate) fn normal(setting: &str) -> String {
    let kept = setting.chars().filter(|letter| !letter.is_whitespace() && !matches!(letter, '\'' | '"'));
    kept.flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::migrate::definitions::{DEFINITIONS, Kind};

    fn settings(name: &str) -> Vec<String> {
        let functions = DEFINITIONS.iter().filter(|definition| definition.kind == Kind::Function);
        functions
            .filter(|function| function.name == name)
            .flat_map(|one| settings_of(name, one.text))
            .collect()
    }

    #[test]
    fn settings_are_those_of_text_and_plans() {
        let own = ["datestyle=iso,ymd", "lock_timeout=2s", "search_path=pg_catalog,pg_temp"];
        assert_eq!(settings("make_partitions"), own);
        let claim = settings("claim");
        for setting in
            ["enable_seqscan=off", "jit=off", "lock_timeout=1s", "plan_cache_mode=force_generic_plan"]
        {
            assert!(claim.iter().any(|one| one == setting), "{setting}: {claim:?}");
        }
    }

    #[test]
    fn every_pinned_function_exists() {
        let (pinned, plans) = &*PINNED;
        assert_eq!((pinned.len() > 80, plans.len()), (true, 8), "{plans:?}");
        for name in pinned {
            assert!(DEFINITIONS.iter().any(|definition| definition.name == *name), "{name}");
        }
    }
}
