//! The graphs of workflows that were not enqueued.

use super::{source, taking};
use crate::enqueue::edge::Demand;
use crate::workflow::graph::{Edge, Graph, Node};
use crate::{JobState, Step, Workflow};

fn flow() -> Workflow {
    let mut flow = Workflow::new("a \"b\" \\ c");
    let first: Step<u64> = flow.add(source("probe").named("say \"#1\" & <b>`x`</b> \\n"));
    let second: Step<u64> = flow.add(taking("encode", first.output()));
    flow.add(taking::<u64, ()>("publish", second.output()).after_any_end(&first).hold_on_failure());
    flow
}

#[test]
fn mermaid_escapes_names() {
    assert_eq!(
        flow().graph().mermaid(),
        "flowchart TD\n    \
         s1[\"say #34;#35;1#34; #38; #60;b#62;#96;x#96;#60;/b#62; #92;n\"]\n    \
         s2[\"encode\"]\n    \
         s3[\"publish\"]\n    \
         s1 --> s2\n    \
         s1 -.-> s3\n    \
         s2 -->|or hold| s3\n"
    );
}

#[test]
fn dot_escapes_names() {
    assert_eq!(
        flow().graph().dot(),
        "digraph \"a \\\"b\\\" \\\\ c\" {\n    \
         node [shape=box, style=rounded, fontname=\"sans-serif\"];\n    \
         s1 [label=\"say \\\"#1\\\" & <b>`x`</b> \\\\n\"];\n    \
         s2 [label=\"encode\"];\n    \
         s3 [label=\"publish\"];\n    \
         s1 -> s2;\n    \
         s1 -> s3 [style=dashed];\n    \
         s2 -> s3 [label=\"or hold\"];\n\
         }\n"
    );
}

#[test]
fn step_for_the_end_says_when_it_runs() {
    let mut flow = Workflow::new("ingest");
    let _: Step<()> = flow.add(source("probe"));
    let _: Step<()> = flow.on_failure(source("alarm"));
    let mermaid = flow.graph().mermaid();
    assert!(mermaid.contains("s2([\"alarm<br/>at the end, if one did not complete\"])"), "{mermaid}");
    let dot = flow.graph().dot();
    let wanted = r#"s2 [label="alarm\nat the end, if one did not complete", style="rounded,dashed"];"#;
    assert!(dot.contains(wanted), "{dot}");
    assert!(flow.graph().json().contains(r#""kind":"alarm","role":"failure"}"#), "{}", flow.graph().json());
}

#[test]
fn json_has_steps_and_edges() {
    let mut flow = Workflow::new("ingest");
    let first: Step<u64> = flow.add(source("probe"));
    flow.add(source::<()>("clean").after_any_end(&first));
    assert_eq!(
        flow.graph().json(),
        r#"{"workflow":"ingest","steps":[{"n":1,"name":"probe","kind":"probe"},{"n":2,"name":"clean","kind":"clean"}],"edges":[{"parent":1,"child":2,"demand":"any_end"}]}"#
    );
}

#[test]
fn states_have_words_and_colors() {
    let node = |n, state| Node {
        n,
        name: "a".to_owned(),
        kind: "a".to_owned(),
        role: None,
        state: Some(state),
        job: None,
    };
    let graph = Graph {
        name: "ingest".to_owned(),
        nodes: vec![node(1, JobState::Dead), node(2, JobState::Blocked)],
        edges: vec![Edge { parent: 1, child: 2, demand: Demand::Completed }],
    };
    let mermaid = graph.mermaid();
    assert!(mermaid.contains("s1[\"a<br/>dead\"]:::bad\n    s2[\"a<br/>blocked\"]\n"), "{mermaid}");
    assert!(mermaid.contains("classDef bad stroke:"), "{mermaid}");
    let dot = graph.dot();
    assert!(dot.contains("s1 [label=\"a\\ndead\", color=\"red3\"];"), "{dot}");
    assert!(graph.json().contains(r#""state":"dead""#));
}
