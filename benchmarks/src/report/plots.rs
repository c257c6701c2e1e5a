//! The plots, as SVG text. Colours and greys are readable on light and on dark backgrounds.

use std::fmt::Write as _;

use super::Report;
use super::numbers::short;
use super::stats::Runs;
use crate::peers::{LIMIT, OURS};
use crate::workloads::{self, Figure, Workload};

const WIDTH: f64 = 860.0;
const TEXT: &str = "#808890";
const OURS_COLOR: &str = "#e0662f";
const LIMIT_COLOR: &str = "#9aa2aa";
const COLORS: [&str; 6] = ["#3d84c6", "#4aa564", "#9a6bc4", "#c2a13a", "#4fb0b0", "#c75c86"];

/// The plots whose workloads were measured, with the names of their files.
pub(super) fn all(report: &Report) -> Vec<(&'static str, String)> {
    let names = ["enqueue-16", "bulk", "drain", "drain-100", "drain-kept", "steady", "pinned"];
    let rates: Vec<_> = names.iter().filter_map(|name| workloads::find(name).ok()).collect();
    let latency: Vec<_> = workloads::find("latency").into_iter().collect();
    let plots = [
        ("throughput.svg", bars(report, &rates, Figure::JobsPerSecond, "jobs per second, longer is better")),
        (
            "latency.svg",
            bars(
                report,
                &latency,
                Figure::P50,
                "milliseconds from the enqueue to the start, shorter is better",
            ),
        ),
        ("pinned.svg", lines(report, "pinned")),
    ];
    plots.into_iter().filter_map(|(name, svg)| Some((name, svg?))).collect()
}

fn color(report: &Report, peer: &str) -> &'static str {
    match peer {
        OURS => OURS_COLOR,
        LIMIT => LIMIT_COLOR,
        _ => {
            let others = report.peers.iter().filter(|known| ![OURS, LIMIT].contains(&known.name.as_str()));
            let at = others.map(|known| &known.name).position(|name| name == peer);
            COLORS[at.unwrap_or_default() % COLORS.len()]
        }
    }
}

fn svg(height: f64, content: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height:.0}\" font-family=\"system-ui, sans-serif\" \
         font-size=\"13\" fill=\"{TEXT}\">\n{content}</svg>\n"
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

/// One block of horizontal bars for each workload, scaled to its longest.
fn bars(report: &Report, workloads: &[&Workload], figure: Figure, title: &str) -> Option<String> {
    const BAR: f64 = 15.0;
    const LEFT: f64 = 130.0;
    const RIGHT: f64 = 90.0;
    let (mut content, mut y) = (format!("<text x=\"0\" y=\"16\" font-weight=\"600\">{title}</text>\n"), 44.0);
    let start = y;
    for workload in workloads {
        let runs = Runs::of(&report.samples, workload.name);
        let spreads: Vec<_> =
            runs.peers().into_iter().filter_map(|peer| Some((peer, runs.spread(peer, figure)?))).collect();
        let longest = spreads.iter().map(|(_, spread)| spread.median).fold(0.0, f64::max);
        if spreads.is_empty() {
            continue;
        }
        let _ = writeln!(
            content,
            "<text x=\"0\" y=\"{y:.0}\" font-weight=\"600\">{}</text>",
            escaped(workload.about)
        );
        y += 8.0;
        for (peer, spread) in spreads {
            let length = (WIDTH - LEFT - RIGHT) * spread.median / longest.max(f64::MIN_POSITIVE);
            let middle = y + BAR - 3.0;
            let _ = writeln!(
                content,
                "<text x=\"{:.0}\" y=\"{middle:.0}\" text-anchor=\"end\">{}</text>\
                 <rect x=\"{LEFT}\" y=\"{y:.0}\" width=\"{length:.1}\" height=\"{BAR}\" rx=\"2\" fill=\"{}\"/>\
                 <text x=\"{:.0}\" y=\"{middle:.0}\">{}</text>",
                LEFT - 8.0,
                escaped(peer),
                color(report, peer),
                LEFT + length + 6.0,
                short(spread.median),
            );
            y += BAR + 3.0;
        }
        y += 24.0;
    }
    (y > start).then(|| svg(y - 12.0, &content))
}

/// One line for each peer: the jobs of each second of its first run.
fn lines(report: &Report, workload: &str) -> Option<String> {
    let runs = Runs::of(&report.samples, workload);
    let series: Vec<_> =
        runs.peers().into_iter().filter_map(|peer| Some((peer, &runs.by(peer).next()?.seconds))).collect();
    let highest = series.iter().flat_map(|(_, counts)| counts.iter()).max().copied()?;
    let seconds = series.iter().map(|(_, counts)| counts.len()).max()?;
    if highest == 0 || seconds < 2 {
        return None;
    }
    let chart = Chart { highest: highest as f64, last: (seconds - 1) as f64 };
    let title = "jobs in each second, beside a snapshot held open";
    let mut content = format!("<text x=\"0\" y=\"16\" font-weight=\"600\">{title}</text>\n{}", chart.grid());
    let ends = series.iter().map(|(_, counts)| chart.y(counts.last().copied().unwrap_or_default() as f64));
    let labels = apart(&ends.collect::<Vec<_>>(), 15.0);
    for ((peer, counts), label) in series.into_iter().zip(labels) {
        content += &chart.line(peer, counts, color(report, peer), label);
    }
    Some(svg(Chart::BOTTOM + 60.0, &content))
}

/// Moves positions down until any two of them are at least `gap` apart.
fn apart(positions: &[f64], gap: f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..positions.len()).collect();
    order.sort_by(|a, b| positions[*a].total_cmp(&positions[*b]));
    let mut moved = positions.to_vec();
    for pair in order.windows(2) {
        moved[pair[1]] = moved[pair[1]].max(moved[pair[0]] + gap);
    }
    moved
}

/// The scales of a chart of lines.
struct Chart {
    highest: f64,
    last: f64,
}

impl Chart {
    const TOP: f64 = 40.0;
    const BOTTOM: f64 = 340.0;
    const LEFT: f64 = 70.0;
    const RIGHT: f64 = WIDTH - 130.0;

    fn x(&self, second: f64) -> f64 {
        Self::LEFT + (Self::RIGHT - Self::LEFT) * second / self.last
    }

    fn y(&self, count: f64) -> f64 {
        Self::BOTTOM - (Self::BOTTOM - Self::TOP) * count / self.highest
    }

    fn grid(&self) -> String {
        let (mut grid, left, right) = (String::new(), Self::LEFT, Self::RIGHT);
        for part in 0..=4 {
            let count = self.highest * f64::from(part) / 4.0;
            let (y, label) = (self.y(count), short(count.round()));
            let _ = writeln!(
                grid,
                "<line x1=\"{left}\" x2=\"{right}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"{TEXT}\" stroke-opacity=\"0.25\"/>\
                 <text x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>",
                left - 8.0,
                y + 4.0,
            );
        }
        let (y, last) = (Self::BOTTOM + 20.0, self.last);
        let _ = writeln!(
            grid,
            "<text x=\"{left}\" y=\"{y}\">0 s</text><text x=\"{right}\" y=\"{y}\" text-anchor=\"end\">{last} s</text>"
        );
        grid
    }

    fn line(&self, peer: &str, counts: &[u64], color: &str, label: f64) -> String {
        let points = counts.iter().enumerate();
        let points = points
            .map(|(second, count)| format!("{:.1},{:.1}", self.x(second as f64), self.y(*count as f64)));
        format!(
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"2\"/>\
             <text x=\"{:.0}\" y=\"{:.1}\" fill=\"{color}\">{}</text>\n",
            points.collect::<Vec<_>>().join(" "),
            Self::RIGHT + 8.0,
            label + 4.0,
            escaped(peer),
        )
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::machine::Machine;
    use super::super::stats::tests::sample;
    use super::*;

    #[test]
    fn labels_do_not_overlap() {
        assert_eq!(apart(&[300.0, 10.0, 305.0, 301.0], 15.0), [300.0, 10.0, 330.0, 315.0]);
        assert_eq!(apart(&[], 15.0), [0.0; 0]);
    }

    #[test]
    fn plots_are_made_of_what_was_measured() {
        let mut report = Report::new(Machine::this("15".to_owned(), Path::new("/")), &[]);
        report.samples.extend([sample(OURS, 0, 4000), sample("x", 0, 2000)]);
        let plots = all(&report);
        let [(name, svg)] = plots.as_slice() else { panic!("one plot is possible") };
        assert_eq!(*name, "throughput.svg");
        assert!(svg.contains("4,000") && svg.contains(OURS_COLOR), "{svg}");
        assert_eq!(svg.matches("<rect").count(), 2);
    }

    #[test]
    fn lines_end_within_the_chart() {
        let chart = Chart { highest: 50.0, last: 10.0 };
        assert_eq!((chart.x(0.0), chart.x(10.0)), (Chart::LEFT, Chart::RIGHT));
        assert_eq!((chart.y(0.0), chart.y(50.0)), (Chart::BOTTOM, Chart::TOP));
    }
}
