//! The libraries of metrics that can be used.

use crate::measure::metric::Metric;

/// The receiver of the values of one metric with one set of labels: the increment of a counter, the value of a histogram or a gauge.
pub type Instrument = Box<dyn Fn(f64) + Send + Sync>;

/// A library of metrics.
///
/// ```
/// # use pgjobq_core as pgjobq;
/// use pgjobq::measure::{Instrument, Meter, Metric};
///
/// /// Prints each value.
/// struct Print;
///
/// impl Meter for Print {
///     fn instrument(&self, metric: &'static Metric, labels: &[(&'static str, &str)]) -> Instrument {
///         let name = format!("{} {labels:?}", metric.name);
///         Box::new(move |value| println!("{name} {value}"))
///     }
/// }
/// ```
pub trait Meter: Send + Sync + 'static {
    /// Returns the instrument of a metric with these labels. It is asked for once, and then kept. It is called from threads without a
    /// tokio runtime, and from the tasks of workers, so it must not block.
    fn instrument(&self, metric: &'static Metric, labels: &[(&'static str, &str)]) -> Instrument;
}
