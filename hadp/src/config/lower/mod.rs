//! From statements to the model: values, defaults and what must fit together.

mod announce;
mod auth;
mod bfd;
mod bfd_auth;
mod config;
mod delivery;
mod draft;
mod fast;
mod finish;
mod global;
mod instance;
mod limits;
mod pace;
mod realtime;
mod sessions;
mod track;
mod unique;
mod value;
mod vip;
mod vips;
mod weight;

pub(super) use config::lower;
