use std::collections::BTreeMap;

use serde::Deserialize;
use uuid::Uuid;

use super::*;

#[derive(Deserialize)]
#[allow(dead_code)]
struct Picture {
    id: Uuid,
    size: (u32, u32),
    tags: Vec<String>,
    labels: BTreeMap<String, Option<f64>>,
    fit: Fit,
}

#[derive(Deserialize)]
#[allow(dead_code)]
enum Fit {
    Crop,
    Pad(u8),
    Named { name: Edge },
    Sides(u8, u8),
}

#[derive(Deserialize)]
#[allow(dead_code)]
enum Edge {
    Round,
    Sharp,
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct Node {
    value: i64,
    children: Vec<Node>,
    after: bool,
}

#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Odd;

impl TryFrom<String> for Odd {
    type Error = &'static str;

    fn try_from(_: String) -> Result<Self, &'static str> {
        Err("no text is odd enough")
    }
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct WithOdd {
    maybe: Option<Odd>,
    always: Odd,
    unreached: u8,
}

#[test]
fn all_parts_of_a_type_are_described() {
    let fit = "Crop | Named { name: Round | Sharp } | Pad (u8) | Sides (u8, u8)";
    let shape =
        format!("{{ fit: {fit}, id: string, labels: {{string: f64?}}, size: (u32, u32), tags: [string] }}");
    assert_eq!(trace::<Picture>(), shape);
}

mod reordered {
    use super::*;

    #[derive(Deserialize)]
    #[allow(dead_code)]
    pub(super) struct Node {
        after: bool,
        value: i64,
        children: Vec<Node>,
    }

    #[derive(Deserialize)]
    #[allow(dead_code)]
    pub(super) enum Edge {
        Sharp,
        Round,
    }
}

#[test]
fn shape_ignores_the_order_of_fields_and_variants() {
    assert_eq!(trace::<Node>(), trace::<reordered::Node>());
    assert_eq!(trace::<Edge>(), trace::<reordered::Edge>());
}

#[test]
fn type_that_holds_itself_is_described_once() {
    assert_eq!(trace::<Node>(), "{ after: bool, children: [Node], value: i64 }");
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct Page<T> {
    items: Vec<T>,
}

mod inner {
    use super::*;

    #[derive(Deserialize)]
    #[allow(dead_code)]
    pub(super) struct Node {
        id: u8,
    }
}

#[derive(Deserialize)]
#[serde(rename = "Node")]
#[allow(dead_code)]
enum Outer {
    One(inner::Node),
    More(Vec<Outer>),
}

#[test]
fn types_of_one_name_are_told_apart() {
    assert_eq!(trace::<Page<Page<u8>>>(), "{ items: [{ items: [u8] }] }");
    assert_eq!(trace::<Outer>(), "More ([Node]) | One { id: u8 }");
}

#[test]
fn parts_behind_an_unknown_format_are_dots() {
    assert_eq!(trace::<WithOdd>(), "{ always: string, maybe: string?, unreached: … }");
}

#[test]
fn any_json_is_any() {
    assert_eq!(trace::<serde_json::Value>(), "any");
}
