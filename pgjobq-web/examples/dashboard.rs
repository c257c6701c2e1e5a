//! The dashboard, nested in an axum app, with some jobs to look at: http://127.0.0.1:3000/admin/jobs, or another `PORT`.

use std::time::Duration;

use pgjobq::prelude::*;

#[job(queue = "mail", retries = 2)]
async fn send_receipt(order: i64, email: String) -> Result<String> {
    tokio::time::sleep(Duration::from_millis(20 + (order % 50).unsigned_abs() * 10)).await;
    if order % 7 == 0 {
        return Err(JobError::fatal(format!("the mailbox of order {order} is full")));
    }
    Ok(format!("sent to {email}"))
}

#[job(queue = "mail", schedule = [often = "every 10m", monthly = "0 9 1 * *"], timezone = "Europe/Berlin")]
async fn remind_of_carts() {}

#[tokio::main]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let database = pgjobq::dev::database().await?; // Write Client::connect("postgres://…") in your program.
    let client = Client::connect(database.url()).await?;
    client.migrate().await?;
    client
        .enqueue_all((1..=300).map(|order| send_receipt::job(order, format!("{order}@example.com"))))
        .await?;
    let worker = Worker::builder(&client).queue("mail", 5).build().await?;

    let jobs = pgjobq_web::router(&client).title("My shop").open_to_everyone();
    let app = axum::Router::new().nest_service("/admin/jobs", jobs);
    let port = std::env::var("PORT").unwrap_or_else(|_| "3000".to_owned());
    let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    println!("http://{}/admin/jobs/", listener.local_addr()?);
    let served = axum::serve(listener, app).with_graceful_shutdown(shutdown_signal());
    let (served, worked) = tokio::join!(served, worker.run_until(shutdown_signal()));
    served?;
    Ok(worked?)
}
