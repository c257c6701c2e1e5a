//! A saga: each booking has a step that takes it back if a later one fails: `cargo run --example saga`

use pgjobq::prelude::*;

#[job(retries = 1, backoff = "10ms")]
async fn book_flight(to: String) -> Result<String> {
    println!("booked a flight to {to}");
    Ok(format!("flight to {to}"))
}

#[job]
async fn book_hotel(flight: String, nights: u32) -> Result<String> {
    println!("booked a hotel for the {flight}");
    Ok(format!("hotel for {nights} nights"))
}

#[job]
async fn charge(flight: String, hotel: String, limit: u32) -> Result<u32> {
    let price = 700;
    if price > limit {
        return Err(JobError::fatal(format!("the card has a limit of {limit}")));
    }
    println!("paid {price} for the {flight} and the {hotel}");
    Ok(price)
}

/// Takes a booking back, if there is one and it was not paid.
#[job]
async fn take_back(
    booking: std::result::Result<String, Failure>,
    payment: std::result::Result<u32, Failure>,
) -> Result<()> {
    if let (Ok(booking), Err(failure)) = (booking, payment) {
        println!("took back the {booking}: {}", failure.message());
    }
    Ok(())
}

/// Builds the saga. It ends well in both cases: paid, or with nothing booked.
fn journey(to: &str, limit: u32) -> (Workflow, Step<u32>) {
    let mut flow = Workflow::new(format!("journey to {to}"));
    let flight = flow.add(book_flight::step(to));
    let hotel = flow.add(book_hotel::step(flight.output(), 3));
    let payment = flow.add(charge::step(flight.output(), hotel.output(), limit));
    // A `result()` is there however the step ended, so these run in any case. The last booking is taken back first.
    let undo = flow.add(take_back::step(hotel.result(), payment.result()).named("take back the hotel"));
    let undo = take_back::step(flight.result(), payment.result()).after_any_end(&undo);
    flow.add(undo.named("take back the flight"));
    (flow, payment)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let database = pgjobq::dev::database().await?; // DATABASE_URL, or a throwaway PostgreSQL.
    let client = Client::connect(database.url()).await?;
    client.migrate().await?;
    let worker = Worker::builder(&client).build().await?.start();

    for (to, limit) in [("Oslo", 1000), ("Lima", 500)] {
        let (flow, payment) = journey(to, limit);
        let run = flow.enqueue(&client).await?;
        let outcome = run.wait(&client).await?;
        println!("{to}: the workflow {outcome}, {:?}\n", run.output(&client, &payment).await?.completed());
    }
    worker.shutdown().await?;
    Ok(())
}
