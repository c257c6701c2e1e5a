//! A client of an API that limits the calls in a second: `cargo run --example rate_limited_api`

use std::sync::Arc;
use std::time::{Duration, Instant};

use pgjobq::prelude::*;
use tokio::sync::Mutex;

/// The API. It counts its calls, and blocks clients that call too often.
#[derive(Default)]
struct Api {
    calls: Vec<(Instant, u32)>,
    most_in_a_second: u32,
}

impl Api {
    fn call(&mut self, weight: u32) {
        let now = Instant::now();
        self.calls.push((now, weight));
        let within =
            self.calls.iter().rev().take_while(|(at, _)| now.duration_since(*at) < Duration::from_secs(1));
        self.most_in_a_second = self.most_in_a_second.max(within.map(|(_, weight)| weight).sum());
    }
}

/// Looks up some cities. A call counts for as many as it asks for: at most 50 in any second, and 10 of them at once.
#[job(rate = "50 per second", burst = 10, weight = cities.len())]
async fn look_up(cities: Vec<String>, api: State<Arc<Mutex<Api>>>) {
    api.lock().await.call(cities.len() as u32);
}

/// Is enqueued after all of those, and has no limit: it waits for none of them.
#[job]
async fn greet() {
    println!("a job without a limit is not held up");
}

#[tokio::main]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let database = pgjobq::dev::database().await?; // DATABASE_URL, or a throwaway PostgreSQL.
    let client = Client::connect(database.url()).await?;
    client.migrate().await?;

    let api = Arc::new(Mutex::new(Api::default()));
    let cities = |n: usize| (0..n).map(|city| format!("city {city}")).collect();
    let mut handles = Vec::new();
    for n in 0..50 {
        handles.push(look_up::enqueue(&client, cities(1 + n % 3)).await?);
    }
    let greeting = greet::enqueue(&client).await?;

    // No job may weigh more than the rate allows, because it would never start.
    if let Err(refused) = look_up::enqueue(&client, cities(11)).await {
        println!("refused: {refused}");
    }

    let start = Instant::now();
    let worker = Worker::builder(&client).queue("default", 20).state(Arc::clone(&api)).build().await?.start();
    greeting.wait(&client).await?.into_result()?;
    for handle in handles {
        handle.wait(&client).await?.into_result()?;
    }
    worker.shutdown().await?;

    let Api { calls, most_in_a_second } = &*api.lock().await;
    let cities: u32 = calls.iter().map(|(_, weight)| weight).sum();
    println!("{} calls for {cities} cities took {:.1} s", calls.len(), start.elapsed().as_secs_f64());
    // The rate counts starts by the database's clock, and the API a moment later: leave a margin below its own limit.
    println!("at most {most_in_a_second} cities in a second, as the API saw it");
    Ok(())
}
