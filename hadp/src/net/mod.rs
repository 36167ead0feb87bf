//! Sockets, links and addresses.

pub mod addr;
pub mod address_set;
pub mod bfd;
pub mod bfd_receive;
pub mod frames;
pub mod glimpse;
pub mod lanes;
pub mod link;
pub mod packet;
pub mod queued;
pub mod raw;
