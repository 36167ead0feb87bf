//! `global_defs`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hadp_common::{addr::Family, wire::vrrp};

use super::{
    announce::Schedule,
    realtime,
    value::{address, choice, interface, octet, switch},
};
use crate::{
    config::{
        ast::{Node, Word},
        diag::Problems,
    },
    model::{Global, OnDaemonDeath, XdpMode},
};

/// The group of VRRP over IPv6 (RFC 9568 §5.1.2.2).
const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12);

/// What `global_defs` say, with keepalived's defaults where they say nothing.
#[derive(Clone, Debug)]
pub(super) struct Defaults {
    /// What concerns the whole node.
    pub(super) global: Global,
    /// `default_interface`.
    pub(super) interface: Option<String>,
    /// `vrrp_version`.
    pub(super) version: u8,
    /// `vrrp_mcast_group4`.
    pub(super) group4: IpAddr,
    /// `vrrp_mcast_group6`.
    pub(super) group6: IpAddr,
    /// `vrrp_garp_*` and `vrrp_gna_interval`.
    pub(super) schedule: Schedule,
    /// `vrrp_min_garp`.
    pub(super) min_garp: bool,
    /// `vrrp_down_timer_adverts`.
    pub(super) down_timer_adverts: u8,
    /// `vrrp_lower_prio_no_advert`.
    pub(super) lower_prio_no_advert: bool,
    /// `vrrp_higher_prio_send_advert`.
    pub(super) higher_prio_send_advert: bool,
    /// `vrrp_check_unicast_src`.
    pub(super) check_unicast_src: bool,
    /// `v3_checksum_as_v2`.
    pub(super) v3_checksum_as_v2: bool,
}

impl Default for Defaults {
    fn default() -> Self {
        Self {
            global: Global::default(),
            interface: None,
            version: 2,
            group4: vrrp::GROUP_V4.into(),
            group6: GROUP_V6.into(),
            schedule: Schedule::default(),
            min_garp: false,
            down_timer_adverts: 3,
            lower_prio_no_advert: false,
            higher_prio_send_advert: false,
            check_unicast_src: false,
            v3_checksum_as_v2: false,
        }
    }
}

impl Defaults {
    /// Reads the statements of a block; the last of several wins.
    pub(super) fn read(&mut self, nodes: &[Node], problems: &mut Problems) {
        for node in nodes {
            self.flag(node, problems);
            realtime::read(node, &mut self.global, problems);
            if let Some(word) = node.param(0)
                && !self.schedule.read(node, problems)
            {
                self.value(node.name(), word, problems);
            }
        }
    }

    fn flag(&mut self, node: &Node, problems: &mut Problems) {
        let field = match node.name() {
            "vrrp_min_garp" => &mut self.min_garp,
            "vrrp_lower_prio_no_advert" => &mut self.lower_prio_no_advert,
            "vrrp_higher_prio_send_advert" => &mut self.higher_prio_send_advert,
            "vrrp_check_unicast_src" => &mut self.check_unicast_src,
            "v3_checksum_as_v2" => &mut self.v3_checksum_as_v2,
            _ => return,
        };
        *field = switch(node, problems).unwrap_or(*field);
    }

    fn value(&mut self, keyword: &str, word: &Word, problems: &mut Problems) {
        match keyword {
            "router_id" => self.global.router_id = Some(word.text.clone()),
            "xdp_mode" => {
                let modes = [("auto", XdpMode::Auto), ("native", XdpMode::Native), ("skb", XdpMode::Skb)];
                self.global.xdp_mode = choice(keyword, word, &modes, problems).unwrap_or_default();
            }
            "on_daemon_death" => {
                let policies = [("restart", OnDaemonDeath::Restart), ("failover", OnDaemonDeath::Failover)];
                self.global.on_daemon_death = choice(keyword, word, &policies, problems).unwrap_or_default();
            }
            "cpu_dma_latency" => {
                self.global.cpu_dma_latency =
                    realtime::idle_latency(keyword, word, problems).unwrap_or_default();
            }
            "default_interface" => self.interface = interface(keyword, word, problems),
            "vrrp_version" => self.version = octet(keyword, word, 2..=3, problems).unwrap_or(self.version),
            "vrrp_mcast_group4" => {
                self.group4 = group(keyword, word, Family::V4, problems).unwrap_or(self.group4)
            }
            "vrrp_mcast_group6" => {
                self.group6 = group(keyword, word, Family::V6, problems).unwrap_or(self.group6)
            }
            "vrrp_down_timer_adverts" => {
                let adverts = octet(keyword, word, 1..=100, problems);
                self.down_timer_adverts = adverts.unwrap_or(self.down_timer_adverts);
            }
            _ => {}
        }
    }
}

/// Reads a multicast group of this family.
pub(super) fn group(keyword: &str, word: &Word, family: Family, problems: &mut Problems) -> Option<IpAddr> {
    let group = address(keyword, word, problems)?;
    // 0.0.0.0 and :: are of no use here either, and neither is multicast.
    if group.is_multicast() && Family::of(&group) == family {
        return Some(group);
    }
    let example: IpAddr = match family {
        Family::V4 => Ipv4Addr::new(224, 0, 0, 18).into(),
        Family::V6 => GROUP_V6.into(),
    };
    let problem =
        problems.error(word.span, format!("{keyword} `{group}` is not a multicast group of its family"));
    problem.label("not a group").help(format!("for example {example}"));
    None
}
