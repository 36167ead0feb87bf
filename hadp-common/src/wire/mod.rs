//! Wire formats: offsets, constants and checksums, and encoders for the frames that are sent.

pub mod arp;
pub mod bfd;
pub mod checksum;
pub mod ether;
pub mod ipv4;
pub mod vrrp;
