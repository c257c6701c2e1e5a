#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod acts;
mod address;
mod assets;
mod auth;
mod board;
mod chart;
mod completion;
mod cookie;
mod diagram;
mod enter;
mod events;
mod freshness;
mod headers;
mod hosts;
mod lists;
mod origin;
mod params;
mod problem;
mod router;
mod said;
mod screen;
mod screens;
mod shared;
mod show;
mod statistics;
mod task;
mod token;
mod turns;
mod user;
mod visit;

pub use router::{RouterWithoutAuth, router};
pub use user::{Permission, User};
