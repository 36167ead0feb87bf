//! The `keepalived.conf` of a node in the lab.

use std::{
    fmt::{self, Display},
    net::Ipv4Addr,
};

/// The virtual address, unless a test has others.
pub const VIP: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 100);

/// A `vrrp_instance` `VI_1`, VRID 55, over VRRPv3 on `eth0`; its text is what [`Display`] shows.
#[derive(Clone, Debug)]
pub struct Instance {
    priority: u8,
    advert_int: f64,
    vip: Ipv4Addr,
    more: String,
}

impl Instance {
    /// Builds one of [`VIP`] with adverts every second.
    pub fn new(priority: u8) -> Self {
        Self { priority, advert_int: 1.0, vip: VIP, more: String::new() }
    }

    /// Advertises every so many seconds.
    #[must_use]
    pub fn every(self, seconds: f64) -> Self {
        Self { advert_int: seconds, ..self }
    }

    /// Has another virtual address.
    #[must_use]
    pub fn vip(self, vip: Ipv4Addr) -> Self {
        Self { vip, ..self }
    }

    /// Has these keywords too, one or more lines of them or none.
    #[must_use]
    pub fn with(self, keywords: &str) -> Self {
        Self { more: self.more + "    " + keywords + "\n", ..self }
    }
}

impl Display for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { priority, advert_int, vip, more } = self;
        write!(
            f,
            "vrrp_instance VI_1 {{
    interface eth0
    version 3
    virtual_router_id 55
    priority {priority}
    advert_int {advert_int}
{more}    virtual_ipaddress {{
        {vip}/16
    }}
}}
"
        )
    }
}

/// A `bfd_instance` `PEER` that finds silence after three intervals; its text is what [`Display`] shows.
#[derive(Clone, Debug)]
pub struct Session {
    name: &'static str,
    neighbor: String,
    interval: &'static str,
    more: String,
}

impl Session {
    /// Builds one with a neighbour's address, and packets every 20 ms.
    pub fn new(neighbor: impl Display) -> Self {
        Self { name: "PEER", neighbor: neighbor.to_string(), interval: "20", more: String::new() }
    }

    /// Has another name.
    #[must_use]
    pub fn named(self, name: &'static str) -> Self {
        Self { name, ..self }
    }

    /// Sends and hears at this interval, as the configuration has it: milliseconds, or with a unit.
    #[must_use]
    pub fn every(self, interval: &'static str) -> Self {
        Self { interval, ..self }
    }

    /// Has these keywords too, one or more lines of them or none.
    #[must_use]
    pub fn with(self, keywords: &str) -> Self {
        Self { more: self.more + "    " + keywords + "\n", ..self }
    }
}

impl Display for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, neighbor, interval, more } = self;
        write!(
            f,
            "bfd_instance {name} {{
    neighbor_ip {neighbor}
    min_tx {interval}
    min_rx {interval}
    multiplier 3
{more}}}
"
        )
    }
}

/// Returns a node's configuration: a session with the other one, 10.77.0.`neighbor`, and a router that advertises once a
/// second and has these keywords.
pub fn router_and_session(neighbor: u8, priority: u8, keywords: &str) -> String {
    let session = Session::new(format!("10.77.0.{neighbor}"));
    format!("{session}{}", Instance::new(priority).with(keywords))
}
