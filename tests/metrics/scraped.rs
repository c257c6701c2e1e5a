//! What Prometheus gets from the example, over HTTP; and odd labels.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::Duration;

use metrics_exporter_prometheus::PrometheusBuilder;
use pgjobq::measure::{Facade, METRICS, Meter, MetricKind, describe};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::{sleep, timeout};

use crate::exposition::{Sample, parse};
use crate::harness::{PATIENCE, TestDb};

/// The time limit of the start, which builds the example if it is not built yet.
const WITHIN: Duration = Duration::from_secs(300);

/// The example, serving its metrics.
pub(crate) struct Example {
    process: Child,
    address: String,
    /// Its standard output, which stays open until it ends.
    _printed: Lines<BufReader<ChildStdout>>,
}

impl Example {
    pub(crate) async fn start(url: &str) -> Self {
        let mut example = Command::new(env!("CARGO"));
        example.args(["run", "--quiet", "--offline", "--example", "metrics_endpoint", "--", "127.0.0.1:0"]);
        // A build script of `ring` runs again if this variable is another one, and then all that needs sqlx is compiled again.
        example.env_remove("CARGO_MANIFEST_DIR");
        example.env("DATABASE_URL", url);
        example.kill_on_drop(true).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = example.spawn().unwrap();
        let mut printed = BufReader::new(process.stdout.take().unwrap()).lines();
        let first = timeout(WITHIN, printed.next_line()).await.expect("it starts").unwrap().unwrap();
        let address = first.strip_prefix("listening on http://").unwrap().strip_suffix("/metrics").unwrap();
        Self { process, address: address.to_owned(), _printed: printed }
    }

    pub(crate) async fn scrape(&self) -> Vec<Sample> {
        let mut stream = TcpStream::connect(&self.address).await.unwrap();
        let request = format!("GET /metrics HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address);
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 OK"), "{head}");
        parse(body)
    }

    /// Scrapes until the samples are as expected.
    pub(crate) async fn until(&self, are: impl Fn(&[Sample]) -> bool) -> Vec<Sample> {
        let scraped = timeout(PATIENCE, async {
            loop {
                let samples = self.scrape().await;
                if are(&samples) {
                    return samples;
                }
                sleep(Duration::from_millis(50)).await;
            }
        });
        match scraped.await {
            Ok(samples) => samples,
            Err(_) => panic!("these are not the expected samples: {:#?}", self.scrape().await),
        }
    }

    /// Scrapes until the sum of a metric is this.
    pub(crate) async fn reads(&self, name: &str, expected: f64) {
        let reached = async {
            while sum(&self.scrape().await, name, &[]) != expected {
                sleep(Duration::from_millis(50)).await;
            }
        };
        if timeout(PATIENCE, reached).await.is_err() {
            panic!("{name} is {} and not {expected}", sum(&self.scrape().await, name, &[]));
        }
    }

    pub(crate) async fn end(mut self) {
        let process = self.process.id().unwrap().to_string(); // Cargo has given its own to the example.
        assert!(Command::new("kill").args(["-TERM", &process]).status().await.unwrap().success());
        assert!(timeout(PATIENCE, self.process.wait()).await.expect("it ends").unwrap().success());
    }
}

/// The sum of the samples with this name whose labels contain `labels`.
pub(crate) fn sum(samples: &[Sample], name: &str, labels: &[(&str, &str)]) -> f64 {
    let has =
        |sample: &Sample, label: &(&str, &str)| sample.labels.get(label.0).is_some_and(|is| is == label.1);
    let are = |sample: &&Sample| sample.name == name && labels.iter().all(|label| has(sample, label));
    samples.iter().filter(are).map(|sample| sample.value).sum()
}

/// A kind of all the punctuation that one may have.
fn odd_kind() -> String {
    "_.:/-".repeat(20)
}

#[tokio::test]
async fn prometheus_scrapes_the_example() {
    let db = TestDb::empty().await;
    let example = Example::start(&db.url()).await;
    // Nobody takes jobs of this kind.
    let enqueue = "select job from pgjobq.enqueue($1, queue => 'mail')";
    sqlx::query(enqueue).bind(odd_kind()).execute(&db.pool).await.unwrap();
    let completed = &[("queue", "mail"), ("kind", "send"), ("outcome", "completed")];
    let unserved = &[("queue", "mail"), ("kind", &*odd_kind())];
    let samples = example.until(|samples| {
        sum(samples, "pgjobq_jobs_ended_total", completed) == 9.0
            && sum(samples, "pgjobq_fleet_workers", &[]) == 1.0
            && sum(samples, "pgjobq_queue_unserved", unserved) == 1.0
    });
    let samples = samples.await;
    let mail = &[("queue", "mail")];
    assert_eq!(sum(&samples, "messaging_client_sent_messages_total", mail), 9.0);
    assert_eq!(sum(&samples, "messaging_process_duration_seconds_count", mail), 12.0);
    assert_eq!(sum(&samples, "pgjobq_job_retries_total", mail), 3.0);
    assert_eq!(sum(&samples, "pgjobq_queue_slots", mail), 10.0);
    assert_eq!(sum(&samples, "pgjobq_worker_slots", mail), 10.0);
    let buckets = sum(&samples, "messaging_process_duration_seconds_bucket", &[("le", "+Inf")]);
    assert_eq!(buckets, 12.0);
    let known: BTreeSet<String> = METRICS.iter().map(|metric| metric.prometheus_name()).collect();
    for Sample { name, .. } in &samples {
        let base = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix));
        assert!(
            known.contains(name) || base.is_some_and(|base| known.contains(base)),
            "{name} is not in the table"
        );
    }
    example.end().await;
}

#[test]
fn labels_of_punctuation_survive_the_scrape() {
    let prometheus = PrometheusBuilder::new().with_recommended_naming(true).install_recorder().unwrap();
    describe();
    // More than the name of a kind or a queue may have: of ASCII's punctuation only `_ - . : /`. Without a backslash, which the exporter
    // loses.
    let odd: String = "\"{}',=#\n!$%&()*+-./:;<>?@[]^_`|~ ".chars().cycle().take(100).collect();
    for metric in METRICS {
        let labels: Vec<_> = metric.labels.iter().map(|label| (*label, &*odd)).collect();
        Facade.instrument(metric, &labels)(1.0);
    }
    let samples = parse(&prometheus.render());
    for metric in METRICS.iter().filter(|metric| metric.kind != MetricKind::Histogram) {
        let sample = samples.iter().find(|sample| sample.name == metric.prometheus_name()).unwrap();
        assert!(metric.labels.iter().all(|label| sample.labels[*label] == odd), "{sample:?}");
    }
}
