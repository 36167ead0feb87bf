//! Sockets, links and addresses.

pub mod addr;
pub mod frames;
pub mod glimpse;
pub mod link;
pub mod packet;
pub mod raw;
