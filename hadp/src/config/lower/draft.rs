//! A `vrrp_instance` as far as it is read: what it says, without defaults.

use std::{net::IpAddr, time::Duration};

use hadp_common::addr::Family;

use super::{
    announce::Schedule, auth::Authentication, delivery::Peers, fast::Fast, track::Entry, value::Given,
    vip::VipDraft,
};
use crate::{
    config::ast::Word,
    model::InitialState,
    units::{Priority, Vrid},
};

/// What an instance says.
#[derive(Clone, Debug)]
pub(super) struct Draft<'a> {
    /// The instance's name.
    pub(super) name: &'a Word,
    /// `state`.
    pub(super) state: InitialState,
    /// `interface`.
    pub(super) interface: Attempt<String>,
    /// `version`.
    pub(super) version: Option<Given<u8>>,
    /// `virtual_router_id`.
    pub(super) vrid: Attempt<Vrid>,
    /// `priority`.
    pub(super) priority: Option<Priority>,
    /// `advert_int`.
    pub(super) interval: Option<Given<Duration>>,
    /// `mcast_src_ip` or `unicast_src_ip`, the last of them.
    pub(super) source: Option<Given<IpAddr>>,
    /// `mcast_dst_ip`.
    pub(super) group: Option<&'a Word>,
    /// `unicast_peer`, `unicast_src_ip` and the like.
    pub(super) peers: Peers,
    /// `v3_checksum_as_v2`.
    pub(super) v3_checksum_as_v2: Option<bool>,
    /// `use_vmac`.
    pub(super) virtual_mac: bool,
    /// `authentication`.
    pub(super) authentication: Option<Authentication>,
    /// `accept` / `no_accept`.
    pub(super) accept: bool,
    /// `preempt` / `nopreempt`; where it says that it does not preempt.
    pub(super) nopreempt: Option<Given<()>>,
    /// `preempt_delay`.
    pub(super) preempt_delay: Option<Given<Duration>>,
    /// `garp_*` and `gna_interval`.
    pub(super) schedule: Schedule,
    /// `down_timer_adverts`.
    pub(super) down_timer_adverts: Option<u8>,
    /// `lower_prio_no_advert`.
    pub(super) lower_prio_no_advert: Option<bool>,
    /// `higher_prio_send_advert`.
    pub(super) higher_prio_send_advert: Option<bool>,
    /// `track_interface` and `track_bfd`.
    pub(super) tracks: Vec<Entry<'a>>,
    /// `fast_failover`.
    pub(super) fast_failover: Option<Fast<'a>>,
    /// `virtual_ipaddress`.
    pub(super) vips: Vec<VipDraft>,
    /// `virtual_ipaddress_excluded`.
    pub(super) excluded: Vec<VipDraft>,
    /// Of which family the first wrong entry of `virtual_ipaddress` looks; it has been reported.
    pub(super) wrong_vip: Option<Family>,
}

/// A value that must be given.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Attempt<T> {
    /// It was not.
    Missing,
    /// It was, and it is wrong, which has been reported.
    Wrong,
    /// It was.
    Given(T),
}

impl<'a> Draft<'a> {
    /// Builds an instance that says nothing yet.
    pub(super) fn new(name: &'a Word) -> Self {
        Self {
            name,
            state: InitialState::Backup,
            interface: Attempt::Missing,
            version: None,
            vrid: Attempt::Missing,
            priority: None,
            interval: None,
            source: None,
            group: None,
            peers: Peers::default(),
            v3_checksum_as_v2: None,
            virtual_mac: false,
            authentication: None,
            accept: true,
            nopreempt: None,
            preempt_delay: None,
            schedule: Schedule::default(),
            down_timer_adverts: None,
            lower_prio_no_advert: None,
            higher_prio_send_advert: None,
            tracks: Vec::new(),
            fast_failover: None,
            vips: Vec::new(),
            excluded: Vec::new(),
            wrong_vip: None,
        }
    }
}
