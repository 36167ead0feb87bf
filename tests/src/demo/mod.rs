//! `cargo xtask run`: a failover to look at.

mod screen;
mod show;
mod timeline;
mod view;

pub use show::run;
