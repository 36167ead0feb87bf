//! From statements to the model: values, defaults and what must fit together.

mod announce;
mod auth;
mod config;
mod delivery;
mod draft;
mod finish;
mod global;
mod instance;
mod limits;
mod unique;
mod value;
mod vip;
mod vips;

pub(super) use config::lower;
