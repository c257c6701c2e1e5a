//! Tests that the files and log lines that the documents name exist.
#![allow(clippy::unwrap_used)]

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

#[test]
fn log_lines_of_the_operations_page_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sources = sources(&root.join("pgjobq-worker/src"));
    let page = fs::read_to_string(root.join("docs/operations.md")).unwrap();
    let rows = page.lines().filter_map(|line| line.strip_prefix("| \"")?.split_once("\" | "));
    let missing: Vec<_> = rows.clone().filter(|(line, _)| !sources.contains(line)).collect();
    assert!(rows.count() >= 6 && missing.is_empty(), "no source logs {missing:?}");
}
