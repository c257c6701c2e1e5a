//! Metrics as an option of a client.

use std::time::Duration;

use crate::client::ClientBuilder;
#[cfg(feature = "metrics")]
use crate::measure::facade::{Facade, describe};
use crate::measure::measures::Measures;
use crate::measure::meter::Meter;

impl ClientBuilder {
    /// Sends [metrics](crate::measure) to this library: of what this process does, and if it runs a worker, of the whole fleet.
    pub fn measured_by(self, meter: impl Meter) -> Self {
        let measures = Measures::new(meter);
        let mut builder = self.observer(measures.clone()).telemetry_hook(measures.clone());
        builder.telemetry.measures.push(measures);
        builder
    }

    /// Sets the time between two measurements of the fleet; 15 seconds by default. Give all processes the same.
    pub fn fleet_interval(mut self, interval: Duration) -> Self {
        self.telemetry.fleet_interval = Some(interval);
        self
    }

    /// Sends [metrics](crate::measure) to the facade of the crate `metrics`. Install its recorder first: values that come before are
    /// lost. The exporter for Prometheus needs the buckets of histograms as well; without them it exports quantiles.
    ///
    /// ```no_run
    /// # use pgjobq_core as pgjobq;
    /// # fn example(pool: sqlx::PgPool) -> Result<(), pgjobq::ClientError> {
    /// use pgjobq::Client;
    ///
    /// // let mut prometheus = metrics_exporter_prometheus::PrometheusBuilder::new().with_recommended_naming(true);
    /// // for metric in pgjobq::measure::METRICS.iter().filter(|metric| !metric.buckets.is_empty()) {
    /// //     prometheus = prometheus.set_buckets_for_metric(Matcher::Full(metric.name.into()), metric.buckets)?;
    /// // }
    /// // prometheus.install()?;
    /// let client = Client::builder(pool).metrics().build()?;
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "metrics")]
    pub fn metrics(self) -> Self {
        describe();
        self.measured_by(Facade)
    }
}
