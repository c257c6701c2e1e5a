//! The table of metrics in the documents is generated: `BLESS=1 cargo test --test metrics` writes it anew.

use std::fs;

use pgjobq::measure::METRICS;

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/observability/README.md");
const BEGIN: &str = "<!-- metrics: generated from `METRICS` -->\n";
const END: &str = "<!-- end of metrics -->";

fn table() -> String {
    let mut table =
        String::from("| metric | in Prometheus | | unit | labels | |\n|---|---|---|---|---|---|\n");
    for metric in METRICS {
        let labels: Vec<_> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        table += &format!(
            "| `{}` | `{}` | {} | `{}` | {} | {} |\n",
            metric.name,
            metric.prometheus_name(),
            metric.kind,
            metric.unit,
            labels.join(", "),
            metric.description
        );
    }
    table
}

#[test]
fn documented_table_is_that_of_the_code() {
    let document = fs::read_to_string(DOCUMENT).unwrap();
    let (before, rest) = document.split_once(BEGIN).unwrap();
    let (documented, after) = rest.split_once(END).unwrap();
    if std::env::var_os("BLESS").is_some() {
        fs::write(DOCUMENT, format!("{before}{BEGIN}{}{END}{after}", table())).unwrap();
        return;
    }
    assert_eq!(documented, table(), "write it anew with BLESS=1");
}
