use pgjobq::prelude::*;

#[job(schedule = "0 9 * *")]
async fn four_fields() {}

#[job(schedule = "0 0 1--100000000 * *")]
async fn slow() {}

#[job(schedule = "0 0 30 2 *")]
async fn never() {}

#[job(schedule = "*/90 * * * *")]
async fn large_step() {}

#[job(schedule = "every 10x")]
async fn no_unit() {}

#[job(schedule = 10)]
async fn number() {}

#[job(schedule = [])]
async fn nothing() {}

#[job(schedule = [a = "@daily", a = "@hourly", b = "@sometimes"])]
async fn repeated() {}

#[job(schedule = "@daily", timezone = "Europe/Berln")]
async fn mistyped_zone() {}

#[job(schedule = "@daily", timezone = "Tokyo")]
async fn city() {}

#[job(schedule = "@daily", missed = "catch_up", overlap = "queue", jitter = "2d")]
async fn wrong_options() {}

#[job(schedule = "@daily", missed = "run_all(0)")]
async fn none_at_all() {}

#[job(timezone = "UTC", missed = "skip")]
async fn options_alone() {}

#[job(schedule = "@daily")]
async fn arguments(tenant: i64, day: String) {
    let _ = (tenant, day);
}

fn main() {}
