//! A strict parser of Prometheus' text format.

use std::collections::{BTreeMap, BTreeSet};

/// One value.
#[derive(Debug, PartialEq)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) value: f64,
}

/// Parses a whole answer. Panics at a line that Prometheus would reject, and at a sample without a type.
pub(crate) fn parse(text: &str) -> Vec<Sample> {
    let (mut samples, mut types) = (Vec::new(), BTreeSet::new());
    for line in text.lines().filter(|line| !line.is_empty()) {
        if let Some(about) = line.strip_prefix("# TYPE ") {
            let (name, kind) = about.split_once(' ').unwrap();
            assert!(["counter", "gauge", "histogram", "summary", "untyped"].contains(&kind), "{line}");
            assert!(types.insert(name.to_owned()), "two types: {line}");
        } else if !line.starts_with('#') {
            let sample = sample(line).unwrap_or_else(|| panic!("not a sample: {line}"));
            let base =
                ["_bucket", "_sum", "_count"].iter().find_map(|suffix| sample.name.strip_suffix(suffix));
            assert!(
                types.contains(&sample.name) || base.is_some_and(|base| types.contains(base)),
                "no type: {line}"
            );
            samples.push(sample);
        }
    }
    samples
}

fn is_name(text: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_alphabetic() || c == '_' || c == ':';
    text.starts_with(is_letter) && text.chars().all(|c| is_letter(c) || c.is_ascii_digit())
}

fn sample(line: &str) -> Option<Sample> {
    let end = line.find(['{', ' '])?;
    let (name, mut rest) = line.split_at(end);
    let mut labels = BTreeMap::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        while !rest.starts_with('}') {
            let (label, after) = rest.split_once("=\"")?;
            let (value, after) = quoted(after)?;
            labels.insert(label.trim_start_matches(',').to_owned(), value);
            rest = after;
        }
        rest = &rest[1..];
    }
    let value = rest.strip_prefix(' ')?.split(' ').next()?;
    let value = if value == "+Inf" { f64::INFINITY } else { value.parse().ok()? };
    let is_valid = is_name(name) && labels.keys().all(|label| is_name(label));
    is_valid.then_some(Sample { name: name.to_owned(), labels, value })
}

/// Reads up to the closing quote.
fn quoted(text: &str) -> Option<(String, &str)> {
    let (mut value, mut chars) = (String::new(), text.char_indices());
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(match chars.next()?.1 {
                'n' => '\n',
                c @ ('\\' | '"') => c,
                _ => return None,
            }),
            c => value.push(c),
        }
    }
    None
}

#[test]
fn parser_reads_escapes_and_rejects_nonsense() {
    let parsed = parse("# TYPE a counter\na{b=\"x\\\"}\\\\\",c=\"2\"} 3\na 4 17\n");
    assert_eq!((&*parsed[0].labels["b"], parsed[0].value), ("x\"}\\", 3.0));
    assert_eq!(parsed[1].value, 4.0);
    for wrong in ["a", "a b", "1a 2", "a{b} 1", "a{b=\"c\" 1", "a{b-c=\"\"} 1"] {
        assert_eq!(sample(wrong), None, "{wrong}");
    }
}
