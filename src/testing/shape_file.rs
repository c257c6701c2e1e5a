//! The file of accepted shapes, and how it is compared with the code.

use std::collections::BTreeMap;
use std::fmt::Write;

use pgjobq_core::worker_api::{ArgumentShape, JobDescriptor};

const HEAD: &str = "\
# The stored arguments of each job, as `pgjobq::testing::check_shapes` found them in the code.
# `BLESS=1 cargo test` rewrites this file. Read the difference: rows of the shape before may still wait.
";

/// The shape of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    version: u16,
    /// A line for each argument.
    arguments: Vec<String>,
}

/// The shapes of some kinds, by name.
pub(super) type Shapes = BTreeMap<String, Shape>;

/// Returns the shapes in the code of these jobs.
pub(super) fn of_code<'j>(jobs: impl Iterator<Item = &'j JobDescriptor>) -> Shapes {
    jobs.map(|job| (job.kind.to_owned(), Shape::of(job))).collect()
}

impl Shape {
    fn of(job: &JobDescriptor) -> Self {
        let argument = |shape: &ArgumentShape| {
            let ArgumentShape { name, ty, inside } = shape;
            // A `String` is a string, and an `i64` an i64.
            match inside.map(|inside| inside()).filter(|inside| !inside.eq_ignore_ascii_case(ty)) {
                Some(inside) => format!("{name}: {ty} = {inside}"),
                None => format!("{name}: {ty}"),
            }
        };
        let mut arguments: Vec<_> = job.handler.shape().iter().map(argument).collect();
        arguments.sort(); // Arguments are stored by name, so their order may change.
        Self { version: job.policy.version, arguments }
    }
}

/// Writes the file.
pub(super) fn write(shapes: &Shapes) -> String {
    let mut text = HEAD.to_owned();
    for (kind, Shape { version, arguments }) in shapes {
        let _ = writeln!(text, "\n{kind}, version {version}");
        for argument in arguments {
            let _ = writeln!(text, "    {argument}");
        }
    }
    text
}

/// Reads the file. Returns the number of the first line that is none of it.
pub(super) fn read(text: &str) -> Result<Shapes, usize> {
    let mut shapes = Shapes::new();
    let mut kind: Option<String> = None;
    for (at, line) in text.lines().enumerate() {
        let known = kind.as_ref().and_then(|kind| shapes.get_mut(kind));
        match (line.strip_prefix("    "), known) {
            _ if line.trim().is_empty() || line.starts_with('#') => {}
            (Some(argument), Some(shape)) => shape.arguments.push(argument.trim_end().to_owned()),
            (Some(_), None) => return Err(at + 1),
            (None, _) => {
                let (name, version) = line.split_once(", version ").ok_or(at + 1)?;
                let version = version.trim_end().parse().map_err(|_| at + 1)?;
                shapes.insert(name.to_owned(), Shape { version, arguments: Vec::new() });
                kind = Some(name.to_owned());
            }
        }
    }
    Ok(shapes)
}

/// Returns what differs between the accepted shapes and those of the code, for people: a paragraph for each kind.
pub(super) fn differences(accepted: &Shapes, code: &Shapes) -> Vec<String> {
    let mut differences = Vec::new();
    for (kind, new) in code {
        match accepted.get(kind) {
            Some(old) if old == new => {}
            Some(old) => differences.push(difference(kind, old, new)),
            None => differences.push(format!("`{kind}` is not in the file: accept it with BLESS=1")),
        }
    }
    for kind in accepted.keys().filter(|kind| !code.contains_key(*kind)) {
        differences.push(format!(
            "`{kind}` is in the file, and no job function has that kind: if it was renamed, give the new one \
             `aliases = [\"{kind}\"]`; then accept that with BLESS=1"
        ));
    }
    differences
}

fn difference(kind: &str, old: &Shape, new: &Shape) -> String {
    let next = old.version + 1;
    let what = if new.version > old.version {
        format!("`{kind}` has a new version, {}: accept it with BLESS=1", new.version)
    } else if new.version < old.version {
        format!(
            "`{kind}` went from version {} back to {}: rows of the newer version would not run any more",
            old.version, new.version
        )
    } else {
        format!(
            "the arguments of `{kind}` changed, and its version did not. Rows that wait are read by the new code, and rows of \
             the new code by workers that still run the old one. If both can be read, as with a new argument that is an `Option`, \
             accept it with BLESS=1. Otherwise keep the old arguments in a struct, and lift rows from it with \
             `#[job(version = {next}, upcast_from = …)]`"
        )
    };
    let lines = |sign: &str, these: &Shape, others: &Shape| -> String {
        let missing = these.arguments.iter().filter(|line| !others.arguments.contains(line));
        missing.map(|line| format!("\n  {sign} {line}")).collect()
    };
    what + &lines("-", old, new) + &lines("+", new, old)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn shapes(text: &str) -> Shapes {
        read(text).unwrap()
    }

    #[test]
    fn file_is_read_as_it_was_written() {
        let shapes = shapes(
            "send, version 2\n    body: Body = { html: string? }\n    to: String = string\ntick, version 1\n",
        );
        assert_eq!(shapes.len(), 2);
        assert_eq!(read(&write(&shapes)), Ok(shapes));
    }

    #[test]
    fn line_that_is_no_shape_is_named() {
        assert_eq!(read("# head\nsend version 2\n"), Err(2));
        assert_eq!(read("send, version two\n"), Err(1));
        assert_eq!(read("    to: String\n"), Err(1));
    }

    #[test]
    fn changed_shape_needs_a_new_version() {
        let old = shapes("send, version 1\n    to: String\n    user: i64\n");
        let new = shapes("send, version 1\n    to: Vec<String> = [string]\n    user: i64\n");
        let told = differences(&old, &new).join("\n");
        assert!(told.starts_with("the arguments of `send` changed, and its version did not."), "{told}");
        assert!(told.contains("version = 2"), "{told}");
        assert!(told.ends_with("\n  - to: String\n  + to: Vec<String> = [string]"), "{told}");
        assert!(differences(&new, &new).is_empty());
    }

    #[test]
    fn new_renamed_and_older_kinds_are_reported() {
        let old = shapes("a, version 2\nb, version 1\n");
        let new = shapes("a, version 1\nc, version 1\nd, version 1\n");
        let told = differences(&old, &new);
        assert_eq!(told.len(), 4, "{told:?}");
        assert!(told[0].starts_with("`a` went from version 2 back to 1"), "{told:?}");
        assert!(told[1].starts_with("`c` is not in the file"), "{told:?}");
        assert!(told[3].starts_with("`b` is in the file, and no job function has that kind"), "{told:?}");
    }
}
