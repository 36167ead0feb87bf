//! The state of a node at one moment, as `hadp status --json` prints it.

use std::{collections::BTreeMap, net::IpAddr};

use serde::{Deserialize, Serialize};

/// Everything the status shows.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Snapshot {
    /// The version of the daemon.
    pub version: String,
    /// Its process id.
    pub pid: u32,
    /// How often it was started again because it had died.
    #[serde(default)]
    pub restarts: u64,
    /// `router_id`.
    pub router_id: String,
    /// The configuration file.
    pub config: String,
    /// The virtual routers, in the configuration's order.
    pub routers: Vec<Router>,
    /// The BFD sessions, in the configuration's order.
    pub bfd: Vec<Session>,
    /// How late the time-critical threads wake up, by thread.
    pub lateness: BTreeMap<String, Lateness>,
    /// How many BFD packets the heartbeat's reserve sent, as the first thread was stopped.
    #[serde(default)]
    pub relieved: u64,
    /// The interfaces the datapath is attached to, with the mode.
    pub datapath: BTreeMap<String, String>,
    /// What the datapath did, by counter.
    pub counters: BTreeMap<String, u64>,
    /// What it dropped, by reason.
    pub drops: BTreeMap<String, u64>,
}

/// One virtual router.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Router {
    /// Its name.
    pub name: String,
    /// `Initialize`, `Backup`, `Active` or `Resigning`.
    pub state: String,
    /// Why it is in Initialize.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// For how long it has been in this state, in milliseconds.
    pub since_ms: u64,
    /// The interface.
    pub interface: String,
    /// The virtual router identifier.
    pub vrid: u8,
    /// The protocol version.
    pub version: u8,
    /// 4 or 6.
    pub family: u8,
    /// The priority.
    pub priority: u8,
    /// The interval of its adverts, in milliseconds.
    pub interval_ms: u64,
    /// The address it sends from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<IpAddr>,
    /// For how long it still owns its addresses unless the lease is renewed, in milliseconds; 0 when it does not.
    pub lease_ms: u64,
    /// The addresses, with their prefix lengths.
    pub vips: Vec<String>,
    /// The Active router it follows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active_router: Option<ActiveRouter>,
    /// How its last takeover went.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub takeover: Option<Takeover>,
    /// Everyone heard for this router.
    pub peers: Vec<Peer>,
}

/// One BFD session.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Session {
    /// Its name.
    pub name: String,
    /// The neighbour.
    pub neighbor: IpAddr,
    /// The address it sends from, where it has a path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<IpAddr>,
    /// The interface of its path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// `AdminDown`, `Down`, `Init` or `Up`; `Waiting` without a path.
    pub state: String,
    /// Why it is not Up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// For how long it has been in this state, in milliseconds.
    pub since_ms: u64,
    /// What the neighbour says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote: Option<Remote>,
    /// The interval of its packets before jitter, in microseconds; 0 while it sends none.
    pub transmit_us: u64,
    /// After how much silence the neighbour is given up, in microseconds; 0 while none is known.
    pub detection_us: u64,
    /// How long ago its last packet arrived, in microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_packet_us: Option<u64>,
    /// How many of its packets were valid.
    pub received: u64,
    /// How many packets were sent to it.
    pub sent: u64,
    /// How many packets the kernel did not take.
    pub unsent: u64,
    /// The interval that its packets have, in microseconds, where the machine cannot keep the one above.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept_us: Option<u64>,
    /// Times it went Up.
    pub ups: u64,
    /// Times it left Up.
    pub downs: u64,
    /// Whether it flapped, and is not counted on until it has stayed Up for a while.
    pub damped: bool,
}

/// What a neighbour says of its end of a session.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Remote {
    /// Its state.
    pub state: String,
    /// Its diagnostic, by number (RFC 5880 §4.1).
    pub diag: u8,
    /// Its Desired Min TX Interval, in microseconds.
    pub min_tx_us: u64,
    /// Its Required Min RX Interval, in microseconds.
    pub min_rx_us: u64,
    /// Its Detect Mult.
    pub multiplier: u8,
}

/// How late a thread wakes up.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Lateness {
    /// The latest, in microseconds.
    pub longest_us: u64,
    /// How many wake-ups were how late, by ascending powers of two; empty buckets are left out.
    pub buckets: Vec<Bucket>,
}

/// Some wake-ups.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Bucket {
    /// They were less late than this, in microseconds, and at least half of it; the last bucket has no end.
    pub below_us: u64,
    /// How many.
    pub count: u64,
}

/// The course of a takeover.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Takeover {
    /// When it was decided, in nanoseconds of CLOCK_MONOTONIC.
    pub decided_ns: u64,
    /// How much later the lease was stored, in nanoseconds: from here on the datapath answers.
    pub stored_after_ns: u64,
    /// How much later than the decision the first advert had left, in nanoseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advertised_after_ns: Option<u64>,
    /// How much later the last address was on its interface, in nanoseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placed_after_ns: Option<u64>,
    /// How much later as many announcements had left as there are addresses, in nanoseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub announced_after_ns: Option<u64>,
}

/// The Active router a Backup follows.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct ActiveRouter {
    /// Its address.
    pub addr: IpAddr,
    /// Its priority.
    pub priority: u8,
}

/// A sender of adverts.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Peer {
    /// Its address.
    pub addr: IpAddr,
    /// Its MAC.
    pub mac: String,
    /// The priority of its last advert.
    pub priority: u8,
    /// The interval of its last advert, in milliseconds.
    pub interval_ms: u64,
    /// How many valid adverts it sent.
    pub adverts: u64,
    /// How long ago the last one was, in milliseconds.
    pub last_seen_ms: u64,
}

/// Writes a MAC in the usual form.
pub fn mac(octets: [u8; 6]) -> String {
    octets.map(|octet| format!("{octet:02x}")).join(":")
}
