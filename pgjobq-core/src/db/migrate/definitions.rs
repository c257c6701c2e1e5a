//! The functions and views of the schema, read from `migrations/functions/`. Each has its current text once, in one file.

use std::sync::LazyLock;

macro_rules! text {
    ($name:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/", $name, ".sql"))
    };
}
pub(crate) use text;

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        /// The files, each with its name. Views come last, because they call functions.
        pub(crate) const FILES: &[(&str, &str)] =
            &[$(($name, include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/functions/", $name, ".sql")))),*];
    };
}

files! {
    "ids", "filter", "versions", "lines", "limits", "admission", "conflicts", "rate_window", "starts", "rate_admission", "enqueue", "enqueue_one", "unique", "unique_requests", "enqueue_bounded", "room", "room_line", "bound", "computed", "unique_options", "edges", "lost_ends", "grow", "checks", "channel", "claim", "lanes", "peek", "read_args", "quarantine", "finish", "end", "put_back",
    "failures", "tickets", "complete", "progress", "lookup", "heartbeat", "workers", "reap", "leases", "return", "promote", "cancel",
    "expire", "waiting", "dead", "requeue", "queues", "pauses", "settings", "kinds", "record_limits", "overwritten_limits", "change_limits", "purge", "serving", "stats", "overview", "fleet", "retention", "attribute_indexes", "partitions",
    "deleted_queues", "tidy", "workflow", "steps", "settle", "unblock", "step_args", "tend", "workflow_end", "workflow_retry",
    "workflow_status",
    "words", "explain", "explain_end", "explain_wait", "explain_parents", "explain_limit", "explain_rate", "explain_unique", "obstacles", "explain_line", "place",
    "schedules", "declared_schedules", "fire", "change_waiting", "stored_args", "ageing", "belongs", "selection", "listing", "newest", "export", "actions", "batch", "apply_action", "audit", "details", "dead_groups",
    "views",
}

/// Settings of the functions above. They follow whenever one of those was installed, which resets its settings.
pub(crate) const PLANS: &str = text!("plans");

/// The privileges of the roles, in a section for each.
pub(crate) const GRANTS: &str = text!("grants");

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Function,
    View,
    /// The statements that follow all definitions.
    Settings,
}

/// A function or view, with the statements that belong to it.
#[derive(Debug)]
pub(crate) struct Definition {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// Digest of its name, parameters and result. While it stays, `create or replace` keeps owner, grants and dependants.
    pub(crate) signature: i64,
    /// Digest of its whole text.
    pub(crate) digest: i64,
    pub(crate) text: &'static str,
}

const CREATE: &str = "create or replace ";

/// All definitions, in the order of the files.
pub(crate) static DEFINITIONS: LazyLock<Vec<Definition>> = LazyLock::new(|| {
    let settings =
        |name, text| Definition { name, kind: Kind::Settings, signature: 0, digest: digest(text), text };
    let settings = [settings("plans", PLANS), settings("grants", GRANTS)];
    FILES.iter().flat_map(|(_, text)| split(text)).chain(settings).collect()
});

/// Splits a file where a definition begins.
fn split(file: &'static str) -> impl Iterator<Item = Definition> {
    let starts: Vec<_> = file
        .match_indices(CREATE)
        .map(|(at, _)| at)
        .filter(|at| *at == 0 || file[..*at].ends_with('\n'))
        .collect();
    let ends: Vec<_> = starts.iter().skip(1).copied().chain([file.len()]).collect();
    starts.into_iter().zip(ends).map(|(start, end)| Definition::new(&file[start..end]))
}

impl Definition {
    fn new(text: &'static str) -> Self {
        let rest = &text[CREATE.len()..];
        let (kind, signature) = if rest.starts_with("view ") {
            (Kind::View, text)
        } else {
            (Kind::Function, text.split("language ").next().unwrap_or(text))
        };
        let name = rest.split_once("pgjobq.").map_or("", |(_, named)| named);
        let name = name.split(|c: char| c != '_' && !c.is_ascii_alphanumeric()).next().unwrap_or("");
        let signature: String = signature.split_whitespace().collect();
        Self { name, kind, signature: digest(&signature), digest: digest(text), text }
    }
}

/// FNV-1a of a text, without the carriage returns of a checkout on Windows.
pub(crate) fn digest(text: &str) -> i64 {
    let bytes = text.bytes().filter(|byte| *byte != b'\r');
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash as i64
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_function_file_is_listed() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/functions");
        let files = std::fs::read_dir(folder).unwrap();
        let files: BTreeSet<_> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        let listed: BTreeSet<_> = FILES.iter().map(|(name, _)| format!("{name}.sql")).collect();
        assert_eq!(files, listed);
    }

    #[test]
    fn definition_names_are_unique() {
        let names: BTreeSet<_> = DEFINITIONS.iter().map(|definition| definition.name).collect();
        assert_eq!(names.len(), DEFINITIONS.len(), "overloads and repeated names cannot be distinguished");
    }

    #[test]
    fn every_definition_in_a_file_is_found() {
        for (name, text) in FILES {
            // Also one that is indented, or lacks `or replace`.
            let created = text.lines().filter(|line| line.trim_start().starts_with("create ")).count();
            assert_eq!(split(text).count(), created, "{name}");
            assert!(split(text).all(|found| !found.name.is_empty()), "{name}");
        }
    }

    #[test]
    fn signature_ignores_body_and_layout() {
        let old = "create or replace function pgjobq.a(b int) returns int\nlanguage plpgsql as $$ 1 $$;";
        let new = "create or replace function pgjobq.a(\n  b int) returns int language plpgsql as $$ 2 $$;";
        let wider =
            "create or replace function pgjobq.a(b int, c int) returns int language plpgsql as $$ 2 $$;";
        let [old, new, wider] = [old, new, wider].map(Definition::new);
        assert_eq!((old.name, old.signature), ("a", new.signature));
        assert_ne!(old.digest, new.digest);
        assert_ne!(new.signature, wider.signature);
    }
}
