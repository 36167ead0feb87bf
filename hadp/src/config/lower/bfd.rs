//! A `bfd_instance`.

use std::{net::IpAddr, time::Duration};

use super::{
    bfd_auth,
    draft::Attempt,
    pace,
    value::{Given, address, interface, octet, switch},
    weight::{self, Weight},
};
use crate::{
    config::{
        ast::{Node, Word},
        diag::{Problems, Span},
    },
    model::{BfdAuth, BfdInstance},
};

/// keepalived's `min_rx` and `min_tx`.
const DEFAULT_INTERVAL: Duration = Duration::from_millis(10);
/// keepalived's `idle_tx`.
const DEFAULT_IDLE: Duration = Duration::from_secs(1);
/// keepalived's `multiplier`.
const DEFAULT_MULTIPLIER: u8 = 5;

/// What a `bfd_instance` says, with defaults where it says nothing.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    name: &'a Word,
    neighbor: Attempt<Given<IpAddr>>,
    source: Option<Given<IpAddr>>,
    interface: Option<Given<String>>,
    min_rx: Duration,
    min_tx: Duration,
    idle_tx: Duration,
    multiplier: u8,
    passive: bool,
    ttl: u8,
    max_hops: Option<Given<u8>>,
    multihop: bool,
    auth: Option<BfdAuth>,
    flap_damping: bool,
    /// `weight`: the default of the entries that track it.
    pub(super) weight: Weight,
    /// `vrrp`.
    vrrp: bool,
    /// `checker`.
    checker: bool,
}

impl<'a> Draft<'a> {
    /// Reads an instance; the last of several equal statements wins.
    pub(super) fn read(node: &Node, name: &'a Word, problems: &mut Problems) -> Self {
        let mut draft = Self {
            name,
            neighbor: Attempt::Missing,
            source: None,
            interface: None,
            min_rx: DEFAULT_INTERVAL,
            min_tx: DEFAULT_INTERVAL,
            idle_tx: DEFAULT_IDLE,
            multiplier: DEFAULT_MULTIPLIER,
            passive: false,
            ttl: u8::MAX,
            max_hops: None,
            multihop: false,
            auth: None,
            flap_damping: true,
            weight: Weight::default(),
            vrrp: false,
            checker: false,
        };
        for node in node.children() {
            draft.flag(node, problems);
            if let Some(word) = node.param(0) {
                draft.place(node.name(), word, problems);
                draft.value(node, word, problems);
            }
        }
        draft
    }

    fn flag(&mut self, node: &Node, problems: &mut Problems) {
        match node.name() {
            "passive" => self.passive = true,
            "multihop" => self.multihop = switch(node, problems).unwrap_or(self.multihop),
            "flap_damping" => self.flap_damping = switch(node, problems).unwrap_or(self.flap_damping),
            "vrrp" => self.vrrp = true,
            "checker" => self.checker = true,
            _ => {}
        }
    }

    /// Reads whom the session is with.
    fn place(&mut self, keyword: &str, word: &Word, problems: &mut Problems) {
        let span = word.span;
        match keyword {
            "neighbor_ip" | "neighbour_ip" => {
                let neighbor = host(keyword, word, problems);
                self.neighbor =
                    neighbor.map_or(Attempt::Wrong, |value| Attempt::Given(Given { value, span }));
            }
            "source_ip" => self.source = host(keyword, word, problems).map(|value| Given { value, span }),
            "interface" => {
                self.interface = interface(keyword, word, problems).map(|value| Given { value, span })
            }
            _ => {}
        }
    }

    fn value(&mut self, node: &Node, word: &Word, problems: &mut Problems) {
        let keyword = node.name();
        let active = |problems: &mut Problems| pace::interval(keyword, word, pace::ACTIVE, problems);
        match keyword {
            "min_rx" => self.min_rx = active(problems).unwrap_or(self.min_rx),
            "min_tx" => self.min_tx = active(problems).unwrap_or(self.min_tx),
            "idle_tx" => {
                self.idle_tx = pace::interval(keyword, word, pace::IDLE, problems).unwrap_or(self.idle_tx);
            }
            "multiplier" => {
                self.multiplier = octet(keyword, word, 1..=255, problems).unwrap_or(self.multiplier);
            }
            "ttl" | "hoplimit" => self.ttl = octet(keyword, word, 1..=255, problems).unwrap_or(self.ttl),
            "max_hops" => {
                let hops = octet(keyword, word, 0..=255, problems);
                self.max_hops = hops.map(|value| Given { value, span: word.span });
            }
            "auth_sha1" => self.auth = bfd_auth::read(node, problems),
            "weight" => {
                self.weight = Weight {
                    value: weight::value(word, problems),
                    reverse: node.param(1).and_then(|word| reverse(word, problems)),
                };
            }
            _ => {}
        }
    }

    /// Returns whether `vrrp_instance`s hear of it: keepalived tells those that are named, and all if none is.
    pub(super) const fn is_for_vrrp(&self) -> bool {
        self.vrrp || !self.checker
    }

    /// Returns the session, or `None` if its neighbour is not known; what does not fit together is reported.
    pub(super) fn finish(self, problems: &mut Problems) -> Option<BfdInstance> {
        let neighbor = match self.neighbor {
            Attempt::Given(neighbor) => neighbor,
            Attempt::Wrong => return None,
            Attempt::Missing => {
                let message = format!("bfd_instance `{}` has no neighbor_ip", self.name.text);
                let problem = problems.error(self.name.span, message);
                problem.label("`neighbor_ip` is missing").help("the address of the node it watches");
                return None;
            }
        };
        if let Some(source) = self.source {
            ends(neighbor.value, source, problems);
        }
        let interface = self.interface(neighbor, problems);
        let min_ttl = self.min_ttl(problems);
        Some(BfdInstance {
            name: self.name.text.clone(),
            neighbor: neighbor.value,
            source: self.source.map(|source| source.value),
            interface,
            min_tx: self.min_tx,
            min_rx: self.min_rx,
            idle_tx: self.idle_tx,
            multiplier: self.multiplier,
            passive: self.passive,
            ttl: self.ttl,
            min_ttl,
            multihop: self.multihop,
            auth: self.auth,
            flap_damping: self.flap_damping,
        })
    }

    /// Returns the smallest TTL accepted.
    fn min_ttl(&self, problems: &mut Problems) -> u8 {
        let Some(hops) = self.max_hops else {
            // How many hops there are is not known.
            return if self.multihop { 0 } else { self.ttl };
        };
        if hops.value > self.ttl {
            let message = format!("max_hops {} is more than ttl {}", hops.value, self.ttl);
            problems.warning(hops.span, message).label(format!("taken for {}", self.ttl));
        }
        self.ttl.saturating_sub(hops.value)
    }

    fn interface(&self, neighbor: Given<IpAddr>, problems: &mut Problems) -> Option<String> {
        let is_local = matches!(neighbor.value, IpAddr::V6(addr) if addr.is_unicast_link_local());
        match (&self.interface, self.multihop) {
            (_, true) if is_local => {
                let message = format!("`{}` is a link-local address", neighbor.value);
                let problem = problems.error(neighbor.span, message);
                problem.label("multihop leaves the link");
                None
            }
            (None, _) if is_local => {
                let message = format!("`{}` is a link-local address and needs `interface`", neighbor.value);
                problems.error(neighbor.span, message).label("on which link?").help("add `interface NAME`");
                None
            }
            (Some(interface), true) => {
                let problem = problems.warning(interface.span, "interface has no effect with multihop");
                problem.label("ignored").help("packets over several hops arrive by any interface");
                None
            }
            (interface, _) => interface.as_ref().map(|interface| interface.value.clone()),
        }
    }
}

/// Reads the address of one node.
fn host(keyword: &str, word: &Word, problems: &mut Problems) -> Option<IpAddr> {
    let addr = address(keyword, word, problems)?;
    let broadcast = matches!(addr, IpAddr::V4(addr) if addr.is_broadcast());
    if addr.is_unspecified() || addr.is_multicast() || broadcast {
        problems.error(word.span, format!("{keyword} `{addr}` is no node's address")).label("not one node");
        return None;
    }
    Some(addr)
}

/// Reports two ends that cannot belong together.
fn ends(neighbor: IpAddr, source: Given<IpAddr>, problems: &mut Problems) {
    if source.value.is_ipv4() != neighbor.is_ipv4() {
        let message = format!("source_ip `{}` is not of the family of `{neighbor}`", source.value);
        problems.error(source.span, message).label("not the neighbour's family");
    } else if source.value == neighbor {
        let message = format!("neighbor_ip and source_ip are both `{neighbor}`");
        problems.error(source.span, message).label("a session has two ends");
    }
}

fn reverse(word: &Word, problems: &mut Problems) -> Option<bool> {
    let reverse = weight::direction(word);
    if reverse.is_none() {
        let problem = problems.warning(word.span, format!("unknown option `{}` of weight", word.text));
        problem.label("skipped").help("only `reverse` may follow");
    }
    reverse
}

impl Draft<'_> {
    /// Returns where the session is named.
    pub(super) const fn span(&self) -> Span {
        self.name.span
    }
}
