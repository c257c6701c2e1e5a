#![allow(unused_variables)]
use pgjobq::prelude::*;

#[job(rate = "100 per fortnight")]
async fn unknown_unit() {}

#[job(rate = ["0 per second", "100/min"])]
async fn two_mistakes() {}

#[job(rate = [])]
async fn no_rate() {}

#[job(rate = ["10 per second", "20 per second"])]
async fn same_window() {}

#[job(rate = "10 per second", burst = 11)]
async fn burst_above_the_rate() {}

#[job(rate = ["100 per minute", "10 per second"], burst = 5)]
async fn burst_of_two() {}

#[job(burst = 5)]
async fn without_rate() {}

#[job(rate = ["100 per minute", "10 per second"], weight = 11)]
async fn never_starts() {}

#[job(rate = "10 per second", weight = 0)]
async fn never_counts() {}

#[job(rate = "10 per second", weight = sise)]
async fn unknown_argument(size: u32) {}

#[job(rate = "10 per second", weight = size)]
async fn no_weight(size: f64) {}

fn main() {}
