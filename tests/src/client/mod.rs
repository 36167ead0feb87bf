//! The LAN as its client sees it: probes, answers and the adverts on the wire.

mod arp_prober;
mod capture;
mod claims;
mod ear;
mod frame;
mod mac;
mod prober;
mod report;
mod socket;
mod worker;

pub use arp_prober::{Answer, ArpProber};
pub use capture::{Capture, SeenAdvert};
pub use claims::{AddressClaim, Claims};
pub use mac::Mac;
pub use prober::Prober;
pub use report::{Claim, Outage, Probe, Report};
pub use worker::hurry;
