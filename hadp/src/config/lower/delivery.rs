//! How adverts travel: a group or peers.

use std::net::IpAddr;

use hadp_common::{addr::Family, key::MAX_UNICAST_PEERS};

use super::{
    draft::Draft,
    global::{Defaults, group},
    value::{Given, address, octet},
};
use crate::{
    config::{
        ast::Node,
        diag::{Problems, Span},
    },
    model::{Delivery, UnicastPeer},
};

/// What an instance says about unicast.
#[derive(Clone, Debug, Default)]
pub(super) struct Peers {
    /// `unicast_peer`.
    list: Vec<Given<UnicastPeer>>,
    /// Where unicast was first mentioned.
    pub(super) mentioned: Option<Span>,
    /// `check_unicast_src`.
    pub(super) check_source: Option<bool>,
    /// Whether a peer has a limit on its TTL, which implies `check_unicast_src`.
    limited: bool,
    /// `unicast_fault_no_peer`: whether a list without peers is not to mean multicast.
    pub(super) required: bool,
    /// `unicast_ttl`.
    pub(super) ttl: Option<u8>,
}

impl Peers {
    /// Returns the first peer's address.
    pub(super) fn first(&self) -> Option<IpAddr> {
        self.list.first().map(|peer| peer.value.addr)
    }

    /// Reads a `unicast_peer` block.
    pub(super) fn read(&mut self, node: &Node, problems: &mut Problems) {
        self.mentioned.get_or_insert(node.span());
        for entry in node.children() {
            let Some(word) = entry.keyword() else { continue };
            let addr = address("unicast_peer", word, problems);
            let (mut min_ttl, mut max_ttl) = (0, 255);
            let mut words = entry.words.iter().skip(1);
            while let Some(option) = words.next() {
                let name = option.text.as_str();
                let field = match name {
                    "min_ttl" => &mut min_ttl,
                    "max_ttl" => &mut max_ttl,
                    _ => {
                        let problem =
                            problems.warning(option.span, format!("unknown option `{name}` of unicast_peer"));
                        problem.label("skipped").help("min_ttl or max_ttl");
                        continue;
                    }
                };
                let Some(value) = words.next() else {
                    problems
                        .error(option.span, format!("`{name}` needs a number"))
                        .label("a parameter is missing");
                    continue;
                };
                self.limited = true;
                *field = octet(name, value, 0..=255, problems).unwrap_or(*field);
            }
            if min_ttl > max_ttl {
                let problem = problems.error(word.span, "min_ttl is larger than max_ttl");
                problem.label("nothing from this peer would be accepted");
            }
            let given = |addr| Given { value: UnicastPeer { addr, min_ttl, max_ttl }, span: word.span };
            self.list.extend(addr.map(given));
        }
    }
}

impl Draft<'_> {
    /// Returns how the instance's adverts travel.
    pub(super) fn delivery(&self, family: Family, defaults: &Defaults, problems: &mut Problems) -> Delivery {
        let peers: Vec<UnicastPeer> = self.peers.list.iter().map(|peer| peer.value).collect();
        for peer in &self.peers.list {
            self.same_family(family, peer.value.addr, peer.span, problems);
        }
        if let Some(source) = &self.source {
            self.same_family(family, source.value, source.span, problems);
        }
        if peers.is_empty() {
            self.report_no_peers(problems);
            return Delivery::Multicast { group: self.group(family, defaults, problems) };
        }
        let check_source =
            self.peers.limited || self.peers.check_source.unwrap_or(defaults.check_unicast_src);
        if let Some(beyond) = self.peers.list.get(MAX_UNICAST_PEERS)
            && check_source
        {
            let problem =
                problems.error(beyond.span, format!("more than {MAX_UNICAST_PEERS} unicast peers to check"));
            problem.label("beyond the limit");
            problem
                .help("with check_unicast_src, min_ttl or max_ttl the peers are looked up for each advert");
        }
        Delivery::Unicast { peers, check_source }
    }

    fn group(&self, family: Family, defaults: &Defaults, problems: &mut Problems) -> IpAddr {
        let default = match family {
            Family::V4 => defaults.group4,
            Family::V6 => defaults.group6,
        };
        self.group.and_then(|word| group("mcast_dst_ip", word, family, problems)).unwrap_or(default)
    }

    fn report_no_peers(&self, problems: &mut Problems) {
        let name = &self.name.text;
        let Some(span) = self.peers.mentioned.or(self.peers.required.then_some(self.name.span)) else {
            return;
        };
        if self.peers.required {
            let problem = problems.error(span, format!("`{name}` is to use unicast and has no unicast_peer"));
            problem.label("unicast_fault_no_peer forbids multicast");
        } else {
            let problem = problems.warning(span, format!("`{name}` has no unicast_peer and uses multicast"));
            problem.label("unicast without peers").help("list the other routers in `unicast_peer { }`");
        }
    }

    fn same_family(&self, family: Family, addr: IpAddr, span: Span, problems: &mut Problems) {
        if Family::of(&addr) != family {
            let message = format!("`{addr}` is not of the family of `{}`", self.name.text);
            problems.error(span, message).label("the first virtual address decides the family");
        }
    }
}
