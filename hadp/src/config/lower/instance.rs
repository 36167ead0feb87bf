//! The statements of a `vrrp_instance`, one by one.

use std::time::Duration;

use hadp_common::addr::Family;

use super::{
    auth::Authentication,
    draft::{Attempt, Draft},
    fast::Fast,
    track::{Entry, Kind},
    value::{Given, address, interface, octet, seconds, switch},
    vip,
};
use crate::{
    config::{
        ast::{Node, Word},
        diag::Problems,
    },
    model::InitialState,
    units::{Priority, Vrid},
};

/// The longest `preempt_delay`.
const MAX_PREEMPT_DELAY: Duration = Duration::from_secs(1000);
/// The shortest and the longest `advert_int` of either version.
const INTERVALS: std::ops::RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(255);

/// Reads an instance; the last of several equal statements wins.
pub(super) fn read<'a>(node: &'a Node, name: &'a Word, problems: &mut Problems) -> Draft<'a> {
    let mut draft = Draft::new(name);
    for node in node.children() {
        draft.block(node, problems);
        draft.flag(node, problems);
        if let Some(word) = node.param(0)
            && !draft.schedule.read(node, problems)
        {
            draft.value(node.name(), word, problems);
            draft.travel(node.name(), word, problems);
        }
    }
    draft
}

impl<'a> Draft<'a> {
    fn block(&mut self, node: &'a Node, problems: &mut Problems) {
        let Some(block) = &node.block else { return };
        match node.name() {
            "authentication" => self.authentication = Some(Authentication::read(node, problems)),
            "unicast_peer" => self.peers.read(node, problems),
            "virtual_ipaddress" => {
                for node in &block.nodes {
                    match vip::read(node, problems) {
                        Some(vip) => self.vips.push(vip),
                        None => drop(self.wrong_vip.get_or_insert(looks(node))),
                    }
                }
            }
            "virtual_ipaddress_excluded" => {
                self.excluded.extend(block.nodes.iter().filter_map(|node| vip::read(node, problems)));
            }
            "track_interface" => self.track(Kind::Interface, &block.nodes, problems),
            "track_bfd" => self.track(Kind::Bfd, &block.nodes, problems),
            _ => {}
        }
    }

    fn track(&mut self, kind: Kind, entries: &'a [Node], problems: &mut Problems) {
        self.tracks.extend(entries.iter().filter_map(|entry| Entry::read(kind, entry, problems)));
    }

    fn flag(&mut self, node: &'a Node, problems: &mut Problems) {
        match node.name() {
            "accept" => self.accept = true,
            "no_accept" => self.accept = false,
            "preempt" => self.nopreempt = None,
            "nopreempt" => self.nopreempt = Some(Given { value: (), span: node.span() }),
            "use_vmac" => {
                self.virtual_mac = true;
                if let Some(mac) = node.words.iter().skip(1).find(|word| word.text.contains(':')) {
                    problems.unsupported(
                        mac.span,
                        "another MAC than the virtual router's is not implemented yet",
                    );
                }
            }
            "v3_checksum_as_v2" => self.v3_checksum_as_v2 = switch(node, problems),
            "lower_prio_no_advert" => self.lower_prio_no_advert = switch(node, problems),
            "higher_prio_send_advert" => self.higher_prio_send_advert = switch(node, problems),
            "check_unicast_src" => self.peers.check_source = switch(node, problems),
            "fast_failover" => {
                let names = node.words.get(1..).unwrap_or_default();
                self.fast_failover = Some(Fast { span: node.span(), names });
            }
            "unicast_fault_no_peer" => self.peers.required = true,
            _ => {}
        }
    }

    fn value(&mut self, keyword: &str, word: &'a Word, problems: &mut Problems) {
        let span = word.span;
        match keyword {
            "state" => self.state = state(word, problems),
            "interface" => {
                self.interface = interface(keyword, word, problems).map_or(Attempt::Wrong, Attempt::Given);
            }
            "version" => {
                self.version = octet(keyword, word, 2..=3, problems).map(|value| Given { value, span })
            }
            "virtual_router_id" => {
                let vrid = octet(keyword, word, 1..=255, problems).and_then(Vrid::new);
                self.vrid = vrid.map_or(Attempt::Wrong, Attempt::Given);
            }
            "priority" => self.priority = octet(keyword, word, 1..=255, problems).and_then(Priority::new),
            "advert_int" => {
                self.interval =
                    seconds(keyword, word, INTERVALS, problems).map(|value| Given { value, span });
            }
            "preempt_delay" => {
                let delay = seconds(keyword, word, Duration::ZERO..=MAX_PREEMPT_DELAY, problems);
                self.preempt_delay = delay.map(|value| Given { value, span });
            }
            "down_timer_adverts" => self.down_timer_adverts = octet(keyword, word, 1..=100, problems),
            _ => {}
        }
    }

    /// Reads what says how adverts travel.
    fn travel(&mut self, keyword: &str, word: &'a Word, problems: &mut Problems) {
        let span = word.span;
        match keyword {
            "mcast_src_ip" => {
                self.source = address(keyword, word, problems).map(|value| Given { value, span })
            }
            "unicast_src_ip" => {
                self.source = address(keyword, word, problems).map(|value| Given { value, span });
                self.peers.mentioned.get_or_insert(span);
            }
            "mcast_dst_ip" => self.group = Some(word),
            "unicast_ttl" => self.peers.ttl = octet(keyword, word, 1..=255, problems),
            _ => {}
        }
    }
}

/// Returns the family of an address that cannot be read, by its look.
fn looks(node: &Node) -> Family {
    if node.name().contains(':') { Family::V6 } else { Family::V4 }
}

/// Reads `state`; like keepalived, takes whatever is not MASTER for BACKUP.
fn state(word: &Word, problems: &mut Problems) -> InitialState {
    match word.text.as_str() {
        "MASTER" => InitialState::Active,
        "BACKUP" => InitialState::Backup,
        text => {
            let problem = problems.warning(word.span, format!("unknown state `{text}` is taken for BACKUP"));
            problem.label("MASTER or BACKUP");
            InitialState::Backup
        }
    }
}
