//! The chart of the throughput, as the rectangles of an SVG.

use pgjobq::Throughput;
use serde::Serialize;

use crate::show::count::Count;

/// The height of the chart, in units of its view box.
const HEIGHT: f64 = 120.0;
/// The distance of two bars.
const STEP: usize = 30;
/// The gap between two bars.
const GAP: usize = 6;

/// A chart with a bar for each span of time.
pub(crate) struct Chart {
    pub(crate) bars: Vec<Bar>,
    pub(crate) width: usize,
    /// The number of attempts at its upper edge.
    pub(crate) top: Count,
    pub(crate) completed: Count,
    pub(crate) failed: Count,
}

/// The attempts of one span, the failed ones above the others.
#[derive(Serialize)]
pub(crate) struct Bar {
    #[serde(skip)]
    pub(crate) x: usize,
    #[serde(skip)]
    pub(crate) completed_height: String,
    #[serde(skip)]
    pub(crate) failed_height: String,
    #[serde(skip)]
    pub(crate) completed_top: String,
    #[serde(skip)]
    pub(crate) failed_top: String,
    /// The end of the span, in seconds before now.
    pub(crate) seconds_ago: u64,
    pub(crate) completed: Count,
    pub(crate) failed: Count,
}

impl Bar {
    /// The width of each bar.
    pub(crate) fn width(&self) -> usize {
        STEP - GAP
    }

    /// The end of the span.
    pub(crate) fn when(&self) -> String {
        match self.seconds_ago {
            0 => "until now".to_owned(),
            seconds if seconds.is_multiple_of(60) => format!("until {} min ago", seconds / 60),
            seconds => format!("until {seconds} s ago"),
        }
    }
}

impl Chart {
    pub(crate) fn new(spans: &[Throughput]) -> Self {
        let most = spans.iter().map(|span| span.completed + span.failed).max().unwrap_or(0);
        let top = rounded_up(most);
        let height = |jobs: u64| jobs as f64 / top as f64 * HEIGHT;
        let bar = |(place, span): (usize, &Throughput)| {
            let (completed, failed) = (height(span.completed), height(span.failed));
            Bar {
                x: place * STEP + GAP / 2,
                completed_height: format!("{completed:.2}"),
                failed_height: format!("{failed:.2}"),
                completed_top: format!("{:.2}", HEIGHT - completed),
                failed_top: format!("{:.2}", HEIGHT - completed - failed),
                seconds_ago: (spans.len() - 1 - place) as u64 * Throughput::SPAN.as_secs(),
                completed: Count::exact(span.completed),
                failed: Count::exact(span.failed),
            }
        };
        Self {
            bars: spans.iter().enumerate().map(bar).collect(),
            width: spans.len() * STEP,
            top: Count::exact(top),
            completed: Count::exact(spans.iter().map(|span| span.completed).sum()),
            failed: Count::exact(spans.iter().map(|span| span.failed).sum()),
        }
    }
}

/// The next number at which people like an axis to end: 1, 2 or 5 with zeros.
fn rounded_up(most: u64) -> u64 {
    let mut tens = 1_u64;
    loop {
        for top in [1, 2, 5].map(|step| tens.saturating_mul(step)) {
            if top >= most.max(10) {
                return top;
            }
        }
        tens = tens.saturating_mul(10);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axis_ends_at_round_number() {
        let tops = [0, 10, 11, 21, 51, 101, 4_999, 5_001, u64::MAX].map(rounded_up);
        assert_eq!(tops, [10, 10, 20, 50, 100, 200, 5_000, 10_000, u64::MAX]);
    }

    #[test]
    fn bars_stand_on_the_ground() {
        let chart = Chart::new(&[Throughput::default(); 20]);
        assert_eq!((chart.bars.len(), chart.width, chart.bars[0].seconds_ago), (20, 600, 570));
        assert_eq!((&*chart.bars[19].completed_top, &*chart.bars[19].when()), ("120.00", "until now"));
    }
}
