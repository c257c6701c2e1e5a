//! Each expression of the dashboard and of the alert rules parses, and names metrics and labels that exist.

use std::collections::BTreeSet;
use std::fs;

use pgjobq::measure::{METRICS, Metric, MetricKind};
use promql_parser::parser::{self, Expr, VectorSelector};
use promql_parser::util::{ExprVisitor, walk_expr};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/observability");

/// The selectors of an expression.
#[derive(Default)]
struct Selectors(Vec<VectorSelector>);

impl ExprVisitor for Selectors {
    type Error = ();

    fn pre_visit(&mut self, expression: &Expr) -> Result<bool, ()> {
        match expression {
            Expr::VectorSelector(selector) => self.0.push(selector.clone()),
            Expr::MatrixSelector(selector) => self.0.push(selector.vs.clone()),
            _ => {}
        }
        Ok(true)
    }
}

fn metric_of(name: &str) -> Option<&'static Metric> {
    let is = |metric: &&&Metric| {
        let full = metric.prometheus_name();
        match metric.kind {
            MetricKind::Histogram => {
                ["_bucket", "_sum", "_count"].iter().any(|end| full.clone() + end == name)
            }
            _ => full == name,
        }
    };
    METRICS.iter().find(is).copied()
}

fn check(expression: &str) {
    let expression = expression.replace("$__rate_interval", "5m");
    let parsed = parser::parse(&expression).unwrap_or_else(|error| panic!("{error} in {expression}"));
    let mut selectors = Selectors::default();
    walk_expr(&mut selectors, &parsed).unwrap();
    assert!(!selectors.0.is_empty(), "no metric in {expression}");
    for selector in selectors.0 {
        let name = selector.name.unwrap();
        let metric = metric_of(&name).unwrap_or_else(|| panic!("no metric {name}: {expression}"));
        for matcher in selector.matchers.matchers {
            let known = metric.labels.contains(&&*matcher.name) || matcher.name == "le";
            assert!(known, "{name} has no label {}: {expression}", matcher.name);
        }
    }
}

#[test]
fn alert_rules_name_metrics_that_exist() {
    let rules = fs::read_to_string(format!("{FOLDER}/alerts.yml")).unwrap();
    let expressions: Vec<_> = rules.lines().filter_map(|line| line.trim().strip_prefix("expr: ")).collect();
    let alerts = rules.lines().filter(|line| line.trim().starts_with("- alert: ")).count();
    assert!(alerts >= 8 && expressions.len() == alerts, "one line for each expression");
    expressions.into_iter().for_each(check);
}

/// Calls `each` with the values of `expr` in a JSON document.
fn expressions(json: &serde_json::Value, each: &mut impl FnMut(&str)) {
    match json {
        serde_json::Value::Object(fields) => {
            if let Some(expression) = fields.get("expr").and_then(serde_json::Value::as_str) {
                each(expression);
            }
            fields.values().for_each(|value| expressions(value, each));
        }
        serde_json::Value::Array(values) => values.iter().for_each(|value| expressions(value, each)),
        _ => {}
    }
}

#[test]
fn dashboard_names_metrics_that_exist() {
    let dashboard = fs::read_to_string(format!("{FOLDER}/grafana.json")).unwrap();
    let dashboard: serde_json::Value = serde_json::from_str(&dashboard).unwrap();
    let mut count = 0;
    expressions(&dashboard, &mut |expression| {
        check(expression);
        count += 1;
    });
    assert!(count >= 12, "{count}");
}

#[test]
fn dashboard_can_be_imported() {
    let dashboard = fs::read_to_string(format!("{FOLDER}/grafana.json")).unwrap();
    let dashboard: serde_json::Value = serde_json::from_str(&dashboard).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len(), "each panel has an id of its own");
    for panel in panels {
        let place = &panel["gridPos"];
        assert!(["h", "w", "x", "y"].iter().all(|name| place[*name].is_u64()), "{panel}");
        assert!(place["x"].as_u64().unwrap() + place["w"].as_u64().unwrap() <= 24, "{panel}");
        assert!(!panel["title"].as_str().unwrap().is_empty());
        // The variable of the dashboard, which Grafana asks for.
        assert_eq!(panel["datasource"]["uid"], "${datasource}");
        let queries = panel["targets"].as_array().unwrap();
        let letters: BTreeSet<_> = queries.iter().map(|query| query["refId"].as_str().unwrap()).collect();
        assert_eq!(letters.len(), queries.len(), "each query has a letter of its own: {panel}");
        queries.iter().for_each(legend);
    }
    assert_eq!(dashboard["templating"]["list"][0]["name"], "datasource");
    assert!(dashboard["schemaVersion"].is_u64() && dashboard["uid"].is_string());
}

/// Checks that a legend names labels that its expression leaves.
fn legend(query: &serde_json::Value) {
    let (expression, legend) = (query["expr"].as_str().unwrap(), query["legendFormat"].as_str().unwrap());
    for label in legend.split("{{").skip(1).filter_map(|rest| rest.split("}}").next()) {
        assert!(labels_of(expression).contains(&label.trim()), "{label} of {expression}");
    }
}

/// The labels that an expression leaves.
fn labels_of(expression: &str) -> Vec<&str> {
    let kept = expression.split("by (").skip(1).filter_map(|rest| rest.split(')').next());
    kept.flat_map(|list| list.split(", ")).collect()
}

#[test]
fn summaries_of_alerts_name_labels_that_exist() {
    let rules = fs::read_to_string(format!("{FOLDER}/alerts.yml")).unwrap();
    let mut expression = "";
    for line in rules.lines().map(str::trim) {
        expression = line.strip_prefix("expr: ").unwrap_or(expression);
        for label in line.split("$labels.").skip(1).filter_map(|rest| rest.split([' ', '}']).next()) {
            assert!(labels_of(expression).contains(&label), "{label} in {line}");
        }
    }
}

#[test]
#[should_panic(expected = "no metric pgjobq_queue_depth")]
fn unknown_metric_is_found() {
    check("max by (queue) (pgjobq_queue_depth) > 1");
}
