//! One `vrrp_instance`, validated.

use std::{net::IpAddr, time::Duration};

use hadp_common::{addr::Family, wire::vrrp::ChecksumMode};

use super::{Announce, FastFailover, Track, Vip};
use crate::units::{Centis, Priority, Vrid};

/// A virtual router of this node.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Router {
    /// The instance's name, unique in a configuration.
    pub name: String,
    /// `interface`.
    pub interface: String,
    /// `virtual_router_id`.
    pub vrid: Vrid,
    /// The family of the adverts and of the addresses in them.
    pub family: Family,
    /// `version`, with what only this version has.
    pub version: Version,
    /// `state`; it decides the default priority alone, the election decides the rest.
    pub state: InitialState,
    /// `priority`.
    pub priority: Priority,
    /// `advert_int`; a whole number of seconds in v2.
    pub interval: Centis,
    /// How adverts travel: `mcast_dst_ip` or `unicast_peer`.
    pub delivery: Delivery,
    /// `mcast_src_ip` or `unicast_src_ip`; else the interface's primary address (RFC 9568 §5.1.1.1).
    pub source: Option<IpAddr>,
    /// The TTL of sent adverts: 255, or `unicast_ttl`.
    pub ttl: u8,
    /// `preempt`, `nopreempt`, `preempt_delay`.
    pub preempt: Preempt,
    /// `down_timer_adverts`: how many intervals of silence make Active_Down_Interval, before the skew. Below 3 it
    /// shortens this router's lease too: peers are taken to be configured alike, or to wait for 3.
    pub down_timer_adverts: u8,
    /// `lower_prio_no_advert`: whether an Active router answers an advert of lower priority with its own.
    pub lower_priority: LowerPriority,
    /// `higher_prio_send_advert`: whether a router that yields to a higher priority sends a last advert.
    pub advert_on_yield: bool,
    /// `use_vmac`: whether the router answers with, and sends from, its virtual MAC.
    pub virtual_mac: bool,
    /// `accept` / `no_accept`: whether packets to the virtual addresses are passed up (RFC 9568 Accept_Mode).
    pub accept: bool,
    /// The announcement schedule.
    pub announce: Announce,
    /// `track_interface` and `track_bfd`.
    pub tracks: Vec<Track>,
    /// `fast_failover`.
    pub fast_failover: Option<FastFailover>,
    /// `virtual_ipaddress`: the addresses in the adverts, 1..=255 of the router's family.
    pub vips: Vec<Vip>,
    /// `virtual_ipaddress_excluded`: addresses that move with the router without being in its adverts.
    pub excluded_vips: Vec<Vip>,
}

/// A protocol version and what only it has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Version {
    /// VRRPv2 (RFC 3768), IPv4 only.
    V2(Auth),
    /// VRRPv3 (RFC 9568); the mode matters over IPv4 only.
    V3(ChecksumMode),
}

impl Version {
    /// Returns the number on the wire.
    pub const fn number(self) -> u8 {
        match self {
            Self::V2(_) => 2,
            Self::V3(_) => 3,
        }
    }
}

/// `authentication` of a v2 router.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Auth {
    /// None.
    None,
    /// `auth_type PASS`: the password's first eight octets, padded with zeros.
    Pass([u8; 8]),
}

/// `state`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum InitialState {
    /// `MASTER`.
    Active,
    /// `BACKUP`, or anything else.
    Backup,
}

/// How a router's adverts reach the others.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Delivery {
    /// To a group on the interface's link.
    Multicast {
        /// `mcast_dst_ip`, `vrrp_mcast_group4`, or 224.0.0.18 / ff02::12.
        group: IpAddr,
    },
    /// To each peer by itself.
    Unicast {
        /// `unicast_peer`, in the configuration's order, at least one.
        peers: Vec<UnicastPeer>,
        /// `check_unicast_src`: whether adverts of other senders are dropped.
        check_source: bool,
    },
}

/// An entry of `unicast_peer`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct UnicastPeer {
    /// The peer's address.
    pub addr: IpAddr,
    /// `min_ttl`: the smallest TTL accepted from it.
    pub min_ttl: u8,
    /// `max_ttl`: the largest TTL accepted from it.
    pub max_ttl: u8,
}

/// Whether a Backup of higher priority takes over from an Active router (RFC 9568 Preempt_Mode).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "daemon", derive(serde::Deserialize, serde::Serialize))]
pub enum Preempt {
    /// It does.
    Always,
    /// `nopreempt`: it does not.
    Never,
    /// `preempt_delay`: it does once it has been up, or has heard the lower priority, for this long.
    After(#[cfg_attr(feature = "daemon", serde(with = "crate::units::nanos"))] Duration),
}

/// What an Active router does on an advert of lower priority.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "daemon", derive(serde::Deserialize, serde::Serialize))]
pub enum LowerPriority {
    /// Advertises at once (RFC 9568 §6.4.3).
    Advertise,
    /// `lower_prio_no_advert`: discards it.
    Discard,
}
