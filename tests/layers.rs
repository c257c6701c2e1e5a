//! The shape of the source: no import cycle between files, and no file or function that is too long to read.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const CRATES: [&str; 8] = [
    "src",
    "pgjobq-cli/src",
    "pgjobq-core/src",
    "pgjobq-worker/src",
    "pgjobq-macros/src",
    "pgjobq-otel/src",
    "pgjobq-web/src",
    "benchmarks/src",
];
const MAX_FILE_LINES: usize = 400;
const MAX_FUNCTION_LINES: usize = 50;

/// A path to a module, below the root of its crate: `["db", "query"]`.
type Module = Vec<String>;

/// The source of one module. A re-export does not count as an import: it leads from its users to the item.
struct Source {
    /// The imported paths, as they are written.
    imports: Vec<Module>,
    /// The path of each re-exported item, by name.
    exports: BTreeMap<String, Module>,
}

impl Source {
    fn read(file: &Path) -> Self {
        let text = without_comments_and_tests(&fs::read_to_string(file).unwrap());
        let (mut imports, mut exports, mut rest) = (Vec::new(), BTreeMap::new(), String::new());
        for statement in text.split_inclusive(';') {
            let Some(at) = use_at(statement) else {
                rest += statement;
                continue;
            };
            rest += &statement[..at];
            let (visibility, tree) = statement[at..].trim_end_matches(';').split_once("use ").unwrap();
            let paths = leaves(&tree.split_whitespace().collect::<Vec<_>>().join(" "));
            if !visibility.trim().is_empty() {
                for path in paths {
                    exports.entry(path.last().unwrap().clone()).or_insert(path);
                }
            } else {
                imports.extend(paths);
            }
        }
        let is_part = |c: char| c.is_alphanumeric() || "_:".contains(c);
        let inline = rest.match_indices("crate::").filter(|(at, _)| !rest[..*at].ends_with('$'));
        let inline = inline.map(|(at, _)| rest[at..].split(|c| !is_part(c)).next().unwrap());
        imports.extend(inline.map(|path| path.split("::").map(str::to_owned).collect::<Module>()));
        Self { imports, exports }
    }
}

/// Finds a `use` that begins a line.
fn use_at(statement: &str) -> Option<usize> {
    let mut starts = statement.match_indices('\n').map(|(at, _)| at + 1).chain([0]);
    let is_use = |line: &str| {
        let line = line.strip_prefix("pub").map_or(line, |rest| rest.trim_start_matches("(crate)"));
        line.trim_start().starts_with("use ")
    };
    starts.rfind(|at| is_use(statement[*at..].trim_start_matches(' ')))
}

/// Splits a tree, `a::{b, c::d}`, into its paths.
fn leaves(tree: &str) -> Vec<Module> {
    let tree = tree.trim();
    let Some((prefix, group)) = tree.split_once('{') else {
        let path = tree.split(" as ").next().unwrap();
        return vec![path.split("::").map(|part| part.trim().to_owned()).collect()];
    };
    let prefix: Module = prefix.split("::").map(str::to_owned).filter(|part| !part.is_empty()).collect();
    let group = group.strip_suffix('}').unwrap();
    let mut depth = 0;
    let parts = group.split(|c| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        c == ',' && depth == 0
    });
    let below = parts.filter(|part| !part.trim().is_empty()).flat_map(leaves);
    below.map(|path| [prefix.clone(), path].concat()).collect()
}

fn without_comments_and_tests(text: &str) -> String {
    let text = text.split("\n#[cfg(test)]\n").next().unwrap();
    text.lines().map(|line| line.split("//").next().unwrap().to_owned() + "\n").collect()
}

/// The modules of one crate.
struct Crate(BTreeMap<Module, Source>);

impl Crate {
    fn read(root: &Path) -> Self {
        let module = |file: &Path| {
            let path = file.strip_prefix(root).unwrap().with_extension("");
            let mut module: Module = path.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
            module.pop_if(|last| last == "mod" || last == "lib");
            module
        };
        let files = rust_files(root);
        let files = files.iter().filter(|file| !file.iter().any(|part| part == "tests"));
        Self(files.map(|file| (module(file), Source::read(file))).collect())
    }

    /// Finds the module that a path names, as written in `from`, through re-exports.
    fn resolve(&self, from: &Module, path: &[String]) -> Option<&Module> {
        let (first, rest) = path.split_first()?;
        let path = match first.as_str() {
            "crate" => rest.to_vec(),
            "super" => [&from[..from.len().saturating_sub(1)], rest].concat(),
            "self" => [from, rest].concat(),
            child if self.0.contains_key(&[&from[..], &[child.to_owned()]].concat()) => [from, path].concat(),
            _ => return None, // Another crate.
        };
        let end = (0..=path.len()).rev().find(|end| self.0.contains_key(&path[..*end]))?;
        let (module, source) = self.0.get_key_value(&path[..end])?;
        match path.get(end).and_then(|item| source.exports.get(item)) {
            Some(exported) => self.resolve(module, exported),
            None => Some(module),
        }
    }

    fn imports(&self, module: &Module) -> BTreeSet<&Module> {
        let found = self.0[module].imports.iter().filter_map(|path| self.resolve(module, path));
        found.filter(|import| *import != module).collect()
    }

    /// Finds modules that import each other in a circle, by a depth-first search.
    fn cycle(&self) -> Option<Vec<&Module>> {
        let mut done = BTreeSet::new();
        self.0.keys().find_map(|module| self.cycle_from(module, &mut Vec::new(), &mut done))
    }

    fn cycle_from<'c>(
        &'c self,
        module: &'c Module,
        way: &mut Vec<&'c Module>,
        done: &mut BTreeSet<&'c Module>,
    ) -> Option<Vec<&'c Module>> {
        if let Some(at) = way.iter().position(|before| *before == module) {
            return Some([&way[at..], &[module]].concat());
        }
        if done.contains(module) {
            return None;
        }
        way.push(module);
        let found = self.imports(module).into_iter().find_map(|import| self.cycle_from(import, way, done));
        way.pop();
        done.insert(module);
        found
    }
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.flat_map(|path| if path.is_dir() { rust_files(&path) } else { vec![path] });
    files.filter(|file| file.extension().is_some_and(|extension| extension == "rs")).collect()
}

fn source_files() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    CRATES.iter().flat_map(|source| rust_files(&root.join(source))).collect()
}

#[test]
fn files_do_not_import_each_other_in_circles() {
    for source in CRATES {
        let found = Crate::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join(source));
        if let Some(cycle) = found.cycle() {
            let names: Vec<String> = cycle.iter().map(|module| module.join("::")).collect();
            panic!("in {source} these import each other: {}", names.join(" -> "));
        }
    }
}

#[test]
fn planted_cycle_is_found_through_a_re_export() {
    let source = |imports: &[&str], exports: &[&str]| Source {
        imports: imports.iter().flat_map(|tree| leaves(tree)).collect(),
        exports: exports
            .iter()
            .flat_map(|tree| leaves(tree))
            .map(|path| (path.last().unwrap().clone(), path))
            .collect(),
    };
    let module =
        |path: &str| path.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect::<Module>();
    let mut planted = Crate(BTreeMap::from([
        (module(""), source(&[], &["job::Job", "db::{query::Query, pool::Pool}"])),
        (module("job"), source(&["crate::{Query, Pool}"], &[])),
        (module("db"), source(&[], &[])),
        (module("db::query"), source(&["super::pool::Pool"], &[])),
        (module("db::pool"), source(&[], &[])),
    ]));
    assert_eq!(planted.cycle(), None);
    planted.0.insert(module("db::pool"), source(&["crate::Job"], &[]));
    let cycle: Vec<String> = planted.cycle().unwrap().iter().map(|module| module.join("::")).collect();
    assert_eq!(cycle, ["db::pool", "job", "db::pool"]);
}

#[test]
fn files_are_short() {
    for file in source_files() {
        let lines = fs::read_to_string(&file).unwrap().lines().count();
        assert!(lines <= MAX_FILE_LINES, "{} has {lines} lines: split it by idea", file.display());
    }
}

#[test]
fn functions_fit_on_a_screen() {
    for file in source_files() {
        let text = fs::read_to_string(&file).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            let indent = line.len() - line.trim_start().len();
            let before_name = line.trim_start().split("fn ").next().unwrap();
            let is_function = line.contains("fn ")
                && before_name
                    .split_whitespace()
                    .all(|word| ["pub", "pub(crate)", "pub(super)", "async", "const"].contains(&word));
            if !is_function {
                continue;
            }
            let end = |line: &&str| {
                line.trim_start().starts_with('}') && line.len() - line.trim_start().len() == indent
            };
            let length = 1 + lines[at..]
                .iter()
                .take_while(|line| !line.ends_with(';') || line.starts_with(&" ".repeat(indent + 1)))
                .position(end)
                .unwrap_or(0);
            assert!(length <= MAX_FUNCTION_LINES, "{}:{} has {length} lines", file.display(), at + 1);
        }
    }
}
