#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod meter;
mod propagation;
mod w3c;

pub use meter::OtelMeter;
pub use propagation::TraceContextPropagation;
