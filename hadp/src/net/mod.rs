//! Sockets, links and addresses.

pub mod addr;
pub mod address_set;
pub mod bfd;
pub mod bfd_receive;
pub mod frames;
pub mod link;
pub mod packet;
pub mod raw;
