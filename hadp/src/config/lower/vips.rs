//! The addresses of an instance, together.

use std::{collections::HashMap, net::IpAddr};

use hadp_common::{addr::Family, wire::vrrp::MAX_ADDRESSES};

use super::{draft::Draft, vip::VipDraft};
use crate::{
    config::diag::{Problems, Span},
    model::Vip,
};

/// The longest IPv6 datagram on a link of the usual MTU, and what of it is no address (RFC 8200 §3, RFC 9568 §5.2).
const MTU_V6: usize = 1500;
const HEADERS_V6: usize = 40 + 8;

impl Draft<'_> {
    /// Returns the family, which the first virtual address decides.
    ///
    /// An instance without one is wrong; what else it says then tells which family is meant, so that no mistake is
    /// reported that is none.
    pub(super) fn family(&self) -> Family {
        let of = |addr: IpAddr| Family::of(&addr);
        let first = self.vips.first().map(|entry| of(entry.vip.addr));
        let source = || self.source.map(|source| of(source.value));
        let peer = || self.peers.first().map(of);
        let group = || self.group.and_then(|word| word.text.parse().ok()).map(of);
        first.or(self.wrong_vip).or_else(source).or_else(peer).or_else(group).unwrap_or(Family::V4)
    }

    /// Returns the addresses in the adverts and those beside them.
    ///
    /// Without an `interface`, those that name none keep an empty one.
    pub(super) fn addresses(
        &self,
        family: Family,
        interface: Option<&str>,
        problems: &mut Problems,
    ) -> (Vec<VipDraft>, Vec<VipDraft>) {
        let interface = interface.unwrap_or_default();
        let mut vips: Vec<VipDraft> = Vec::new();
        let mut excluded: Vec<VipDraft> = Vec::new();
        let mut seen = HashMap::new();
        for entry in &self.vips {
            if Family::of(&entry.vip.addr) != family {
                let message = format!("`{}` is not of the family of the address before it", entry.vip.addr);
                let problem = problems.error(entry.span, message);
                problem.label("adverts carry one family").help("put it into `virtual_ipaddress_excluded`");
            } else if let Some(entry) = once(entry, interface, &mut seen, problems) {
                vips.push(entry);
            }
        }
        let most = match family {
            Family::V4 => MAX_ADDRESSES,
            Family::V6 => (MTU_V6 - HEADERS_V6) / 16,
        };
        if let Some(beyond) = vips.get(most) {
            let message =
                format!("an advert holds {most} addresses: {} are moved to excluded", vips.len() - most);
            problems.warning(beyond.span, message).label("this one and those behind it");
            excluded = vips.split_off(most);
        }
        for entry in &self.excluded {
            let Some(entry) = once(entry, interface, &mut seen, problems) else { continue };
            match Family::of(&entry.vip.addr) {
                Family::V4 => excluded.push(entry),
                Family::V6 if family == Family::V6 => excluded.push(entry),
                Family::V6 => {
                    let message = format!("IPv6 address `{}` is not implemented yet", entry.vip.addr);
                    problems.warning(entry.span, message).label("left out");
                }
            }
        }
        (vips, excluded)
    }
}

/// Returns an entry with its interface, unless the instance has the address on it already.
fn once(
    entry: &VipDraft,
    interface: &str,
    seen: &mut HashMap<(IpAddr, String), Span>,
    problems: &mut Problems,
) -> Option<VipDraft> {
    let dev = if entry.vip.dev.is_empty() { interface.to_owned() } else { entry.vip.dev.clone() };
    if let Some(&first) = seen.get(&(entry.vip.addr, dev.clone())) {
        let problem = problems.warning(entry.span, format!("`{}` is listed twice", entry.vip.addr));
        problem.label("ignored").related(first, "listed here first");
        return None;
    }
    seen.insert((entry.vip.addr, dev.clone()), entry.span);
    Some(VipDraft { span: entry.span, vip: Vip { dev, ..entry.vip.clone() } })
}
