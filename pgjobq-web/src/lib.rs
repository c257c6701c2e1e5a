#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod acts;
mod assets;
mod auth;
mod board;
mod chart;
mod diagram;
mod enter;
mod events;
mod headers;
mod origin;
mod params;
mod problem;
mod router;
mod screen;
mod screens;
mod show;
mod statistics;
mod token;
mod user;
mod visit;

pub use router::{RouterWithoutAuth, router};
pub use user::{Permission, User};
