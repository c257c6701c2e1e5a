//! Tests that the files and log lines that the documents name exist.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Every `.md` file below this folder, without what is built or fetched, and without `.git`.
fn documents(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let is_ours = !["target", "node_modules", ".git"].contains(&name);
        if path.is_dir() && !path.is_symlink() && is_ours {
            found.extend(documents(&path));
        } else if name.ends_with(".md") {
            found.push(path);
        }
    }
    found
}

#[test]
fn relative_links_lead_to_files() {
    let documents = documents(Path::new(env!("CARGO_MANIFEST_DIR")));
    assert!(documents.len() > 30, "{documents:?}");
    let mut broken = Vec::new();
    for document in documents {
        let text = fs::read_to_string(&document).unwrap();
        let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for link in links {
            let path = link.split('#').next().unwrap();
            // Not a web address, and not a link of rustdoc's to an item.
            let relative = !path.is_empty() && !path.contains(':');
            if relative && !document.parent().unwrap().join(path).exists() {
                broken.push(format!("{}: {link}", document.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn each_chapter_of_the_guide_is_listed_everywhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |file: &str| fs::read_to_string(root.join(file)).unwrap();
    let (readme, front, guide) = (read("README.md"), read("src/lib.rs"), read("src/guide.rs"));
    let chapters = documents(&root.join("src/guide"));
    assert!(chapters.len() > 20, "{chapters:?}");
    for chapter in chapters {
        let name = chapter.file_stem().unwrap().to_str().unwrap();
        for (file, text, link) in [
            ("README.md", &readme, format!("](src/guide/{name}.md)")),
            ("src/lib.rs", &front, format!("](guide::{name})")),
            ("src/guide.rs", &guide, format!("//! | [{name}] |")),
            ("src/guide.rs", &guide, format!("pub mod {name} {{}}")),
        ] {
            assert!(text.contains(&link), "{file} does not list the chapter {name}: {link}");
        }
    }
}

/// The text of all Rust files below this folder.
fn sources(folder: &Path) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            text += &sources(&path);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text += &fs::read_to_string(&path).unwrap();
        }
    }
    text
}

/// The names in a text that end with `Error`.
fn errors(text: &str) -> BTreeSet<&str> {
    let names = text.split(|c: char| !c.is_alphanumeric());
    names.filter(|name| name.ends_with("Error") && !["Error", "JobError"].contains(name)).collect()
}

#[test]
fn table_of_errors_has_all_of_them() {
    let read = |path| fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
    let (facade, kit, any, guide) = (
        read("src/lib.rs"),
        read("src/testing/mod.rs"),
        read("src/error.rs"),
        read("src/guide/waiting_for_results.md"),
    );
    let exports = [&facade, &kit].into_iter().flat_map(|file| file.split("\npub use ").skip(1));
    let exported: BTreeSet<_> = exports.flat_map(|rest| errors(rest.split(';').next().unwrap())).collect();
    // Those that `pgjobq::Error` can be, which are also of modules, and have other names.
    let sources = any.split("(#[from] ").skip(1).filter_map(|rest| rest.split(')').next());
    let sources: BTreeSet<_> = sources.filter(|path| *path != "sqlx::Error").collect();
    let types = exported.into_iter().chain(sources.into_iter().map(|path| path.rsplit(':').next().unwrap()));
    let types: BTreeSet<_> = types.collect();
    assert!(types.len() >= 40, "{types:?}");

    let (_, table) = guide.split_once("# Which error means what").unwrap();
    let words: BTreeSet<_> = table.split(|c: char| !c.is_alphanumeric()).collect();
    let missing: Vec<_> = types.iter().filter(|name| !words.contains(*name)).collect();
    assert!(missing.is_empty(), "the table of errors in the guide lacks {missing:?}");
    let unknown: Vec<_> = errors(table).into_iter().filter(|name| !types.contains(name)).collect();
    assert!(unknown.is_empty(), "the table of errors in the guide has {unknown:?}, which are not exported");
}

#[test]
fn log_lines_of_the_operations_page_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sources = sources(&root.join("pgjobq-worker/src"));
    let page = fs::read_to_string(root.join("docs/operations.md")).unwrap();
    let rows = page.lines().filter_map(|line| line.strip_prefix("| \"")?.split_once("\" | "));
    let missing: Vec<_> = rows.clone().filter(|(line, _)| !sources.contains(line)).collect();
    assert!(rows.count() >= 6 && missing.is_empty(), "no source logs {missing:?}");
}
