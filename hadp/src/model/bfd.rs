//! One `bfd_instance`, validated.

use std::{net::IpAddr, time::Duration};

/// A BFD session (RFC 5880) with one neighbour.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BfdInstance {
    /// The instance's name, unique in a configuration.
    pub name: String,
    /// `neighbor_ip`: unique in a configuration, but for sessions of different hops, sources or interfaces.
    pub neighbor: IpAddr,
    /// `source_ip`: else the kernel chooses by its routes.
    pub source: Option<IpAddr>,
    /// `interface`, hadp's own keyword: the interface packets leave and arrive by; a link-local neighbour needs it.
    pub interface: Option<String>,
    /// `min_tx`: Desired Min TX Interval, whole microseconds.
    pub min_tx: Duration,
    /// `min_rx`: Required Min RX Interval, whole microseconds.
    pub min_rx: Duration,
    /// `idle_tx`: the transmit interval while the session is not Up; not below one second on the wire (RFC 5880 §6.8.3).
    pub idle_tx: Duration,
    /// `multiplier`: Detect Mult, 1..=255.
    pub multiplier: u8,
    /// `passive`: nothing is sent before the neighbour was heard.
    pub passive: bool,
    /// `ttl` / `hoplimit`: of sent packets; 255 by default.
    pub ttl: u8,
    /// The smallest TTL accepted: `ttl` - `max_hops`, which is 255 unless either is given (RFC 5881 §5); 0, which accepts
    /// any, over several hops without `max_hops`.
    pub min_ttl: u8,
    /// `multihop`: port 4784 (RFC 5883) instead of 3784.
    pub multihop: bool,
    /// `auth_sha1`, hadp's own keyword.
    pub auth: Option<BfdAuth>,
    /// `flap_damping`, hadp's own keyword: whether a session that falls again and again is not followed for a while.
    pub flap_damping: bool,
}

/// SHA1 authentication of a session (RFC 5880 §6.7.4).
#[derive(Clone, Eq, PartialEq)]
pub struct BfdAuth {
    /// Auth Key ID.
    pub key_id: u8,
    /// The key, 1..=20 octets, padded with zeros.
    pub key: [u8; 20],
    /// Whether every packet has a new sequence number (Meticulous Keyed SHA1).
    pub meticulous: bool,
}

impl std::fmt::Debug for BfdAuth {
    /// Leaves the key out: it is a secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BfdAuth")
            .field("key_id", &self.key_id)
            .field("meticulous", &self.meticulous)
            .finish_non_exhaustive()
    }
}
