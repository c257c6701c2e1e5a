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

#[job(schedule = [täglich = "@daily", nightly = "@midnight"])]
async fn tidy() {}

#[job(schedule = [at_the_end_of_each_quarter_except_the_last_one_of_the_year_for_all_of_our_tenants_in_europe = "@daily"])]
async fn close_the_books() {}

#[job(schedule = "@daily", overlap = "cancel_running", unique = args)]
async fn alone() {}

#[job(schedule = "@daily", starts = "2027-02-29T00:00:00Z", ends = "tomorrow")]
async fn bounded() {}

#[job(schedule = "every 1d", timezone = "Europe/Berlin")]
async fn daily() {}

#[job(schedule = [often = "every 10m", rarely = "every 6h"], timezone = "Europe/Berlin")]
async fn intervals() {}

fn main() {}
