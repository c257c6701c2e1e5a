//! Workers that accept only the jobs of their region: `cargo run --example regional_worker`

use pgjobq::prelude::*;

/// The region in which a worker runs.
struct Site(&'static str);

/// Every job gets its argument `region` as an attribute.
#[job(attributes(region))]
async fn synchronize(customer: u32, region: String, site: State<Site>) -> Result<String> {
    Ok(format!("customer {customer} of {region} was synchronized in {}", site.0))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let database = pgjobq::dev::database().await?; // DATABASE_URL, or a throwaway PostgreSQL.
    let client = Client::connect(database.url()).await?;
    client.migrate().await?;

    // They share one queue. In production each runs in its own region.
    let europe = attribute("region").eq("eu");
    let america: Filter = "region like 'us-%'".parse()?; // From a configuration, for instance.
    let rest = europe.clone().or(america.clone()).not(); // So that no job is left behind.
    let mut workers = Vec::new();
    for (site, filter) in [("Frankfurt", europe), ("Oregon", america), ("Singapore", rest)] {
        println!("{site} accepts: {filter}");
        let worker = Worker::builder(&client).queue("default", 10).state(Site(site)).accept(filter);
        workers.push(worker.build().await?.start());
    }

    for (customer, region) in (1..).zip(["eu", "us-east", "us-west", "jp"]) {
        println!("{}", synchronize::call(&client, customer, region.to_owned()).await?);
    }
    for worker in workers {
        worker.shutdown().await?;
    }
    Ok(())
}
