//! The jobs of a shop.

use pgjobq::prelude::*;

/// Sends a receipt. Some mailboxes are full, and some mail servers do not answer.
#[job(queue = "mail", retries = 3, backoff = "2h", attributes(tenant))]
pub(crate) async fn send_receipt(order: u64, tenant: String, email: String) -> Result<String> {
    match order {
        order if order % 29 == 3 => Err(JobError::fatal(format!("550 5.2.2 the mailbox {email} is full"))),
        order if order % 31 == 5 => {
            Err(format!("connection to mx{}.example.net:25 timed out", order % 4).into())
        }
        order => Ok(format!("250 2.0.0 {tenant}: queued as {order:08X}")),
    }
}

/// Scales a picture down. Some are none.
#[job(queue = "images", retries = 0, attributes(width))]
pub(crate) async fn thumbnail(picture: String, width: u32) -> Result<String> {
    match picture.ends_with("7.jpg") {
        true => Err("invalid JPEG: the data end in the middle of a block".into()),
        false => Ok(format!("{width}/{picture}")),
    }
}

/// Renders a report, for as long as it is allowed to.
#[job(queue = "reports", timeout = "1h", retries = 1)]
pub(crate) async fn render_report(ctx: JobContext, month: String, pages: u32) -> Result<()> {
    ctx.progress(41, format!("page {} of {pages}", pages * 41 / 100));
    Err(format!("{month}: stopped by {:?}", ctx.stop_requested().await).into())
}

/// Copies the stock of a tenant: once at a time for each of them.
#[job(queue = "sync", key = tenant, concurrency = 1, rate = "60 per minute", timeout = "1h")]
pub(crate) async fn sync_stock(ctx: JobContext, tenant: String) -> Result<()> {
    Err(format!("{tenant}: stopped by {:?}", ctx.stop_requested().await).into())
}

/// Reports the day before.
#[job(queue = "reports", schedule = "0 9 * * MON-FRI", timezone = "Europe/Berlin", missed = "run_once")]
pub(crate) async fn daily_report() {}

/// Reports the month before to a tenant.
#[job(queue = "reports")]
pub(crate) async fn monthly_report(tenant: String) {
    drop(tenant);
}

#[job(queue = "orders")]
async fn reserve(order: u64) -> Result<u64> {
    Ok(order % 7 + 1)
}

/// Charges a card. The bank declines every third order, and takes its time with every seventh.
#[job(queue = "orders", retries = 0, timeout = "1h", redact = [card])]
async fn charge(ctx: JobContext, order: u64, items: u64, card: String) -> Result<u64> {
    if order.is_multiple_of(7) {
        ctx.stop_requested().await;
    }
    match order.is_multiple_of(3) {
        true => Err(format!("the bank declined {items} items on a card of {} digits", card.len()).into()),
        false => Ok(items * 1_990),
    }
}

#[job(queue = "orders")]
async fn print_label(order: u64, items: u64) -> Result<String> {
    Ok(format!("{order}/{items}"))
}

#[job(queue = "orders")]
async fn ship(label: String, paid: u64) -> Result<String> {
    Ok(format!("{label} for {paid}"))
}

#[job(queue = "orders")]
async fn thank(order: u64) {
    let _ = order;
}

/// Returns the workflow of an order.
pub(crate) fn order(name: &str, order: u64) -> Workflow {
    let mut flow = Workflow::new(name);
    let items = flow.add(reserve::step(order).named("reserve the items"));
    let card = "4242424242424242".to_owned();
    let paid = flow.add(charge::step(order, items.output(), card).named("charge the card"));
    let label = flow.add(print_label::step(order, items.output()).named("print the label"));
    let ship = ship::step(label.output(), paid.output()).named("ship it").hold_on_failure();
    let shipped = flow.add(ship);
    flow.add(thank::step(order).named("thank the customer").after(&shipped));
    flow
}
