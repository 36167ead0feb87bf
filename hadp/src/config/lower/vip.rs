//! An entry of `virtual_ipaddress`.

use std::net::{IpAddr, Ipv4Addr};

use super::value::{choice, interface, label};
use crate::{
    config::{
        ast::{Node, Word},
        diag::{Problems, Span},
        suggest,
    },
    model::{Scope, Vip},
};

/// The options of an entry that hadp puts into effect.
const OPTIONS: [&str; 6] = ["brd", "broadcast", "dev", "scope", "label", "peer"];
/// Options without a parameter that change nothing here: the first three are flags of IPv6 addresses, which the kernel
/// ignores on IPv4 ones, and the last forgoes what keepalived does when somebody removes the address, which hadp does not do.
const WITHOUT_EFFECT: [&str; 4] = ["home", "-nodad", "mngtmpaddr", "no_track"];
/// Options that are not implemented yet, with the number of their parameters.
const UNSUPPORTED: [(&str, usize); 5] =
    [("noprefixroute", 0), ("autojoin", 0), ("use_vmac", 0), ("preferred_lft", 1), ("track_group", 1)];

/// The longest prefix of a network with a broadcast address.
const MAX_BROADCAST: u8 = 30;

/// An entry, before the instance's interface is known.
#[derive(Clone, Debug)]
pub(super) struct VipDraft {
    /// Where it stands.
    pub(super) span: Span,
    /// The address; `dev` is empty where the entry names none.
    pub(super) vip: Vip,
}

/// Reads an entry; `None` if anything in it is wrong, all of which is reported.
pub(super) fn read(node: &Node, problems: &mut Problems) -> Option<VipDraft> {
    let word = node.keyword()?;
    if let Some(block) = &node.block {
        problems.error(block.open, "an address takes no block").label("unexpected `{`");
    }
    let place = prefixed(word, problems);
    let mut good = place.is_some();
    let (addr, prefix) = place.unwrap_or((Ipv4Addr::UNSPECIFIED.into(), 0));
    let mut vip = Vip {
        addr,
        prefix,
        broadcast: None,
        dev: String::new(),
        scope: Scope::GLOBAL,
        label: None,
        peer: None,
    };
    let mut words = node.words.iter().skip(1);
    while let Some(option) = words.next() {
        let name = option.text.as_str();
        if WITHOUT_EFFECT.contains(&name) {
            continue;
        }
        if let Some(&(_, parameters)) = UNSUPPORTED.iter().find(|(unsupported, _)| *unsupported == name) {
            let problem = problems.unsupported(option.span, format!("`{name}` is not implemented yet"));
            problem.label("has no effect");
            words.by_ref().take(parameters).for_each(drop);
            continue;
        }
        if !OPTIONS.contains(&name) {
            let problem = problems.warning(option.span, format!("unknown option `{name}` of an address"));
            problem.label("skipped");
            if let Some(near) = suggest::nearest(name, OPTIONS) {
                problem.help(format!("did you mean `{near}`?"));
            }
            continue;
        }
        let Some(value) = words.next() else {
            problems
                .error(option.span, format!("`{name}` needs a parameter"))
                .label("a parameter is missing");
            good = false;
            continue;
        };
        // What is no address has no broadcast address to be wrong.
        let comparable = place.is_some() || !["brd", "broadcast"].contains(&name);
        good &= !comparable || set(&mut vip, name, value, problems).is_some();
    }
    good.then_some(VipDraft { span: word.span, vip })
}

/// Sets one option.
fn set(vip: &mut Vip, name: &str, value: &Word, problems: &mut Problems) -> Option<()> {
    match name {
        "dev" => vip.dev = interface(name, value, problems)?,
        "label" => vip.label = Some(label(value, problems)?),
        "scope" => vip.scope = scope(value, problems)?,
        "peer" => vip.peer = Some(prefixed(value, problems)?),
        _ => vip.broadcast = broadcast(vip, value, problems)?,
    }
    Some(())
}

fn scope(word: &Word, problems: &mut Problems) -> Option<Scope> {
    const NOWHERE: Scope = Scope(255);
    if let Ok(number) = word.text.parse() {
        return Some(Scope(number));
    }
    let scopes = [
        ("global", Scope::GLOBAL),
        ("site", Scope::SITE),
        ("link", Scope::LINK),
        ("host", Scope::HOST),
        ("nowhere", NOWHERE),
    ];
    choice("scope", word, &scopes, problems)
}

/// Reads a broadcast address; `+` sets the host bits of the address and `-` clears them.
fn broadcast(vip: &Vip, word: &Word, problems: &mut Problems) -> Option<Option<IpAddr>> {
    let host_bits = u32::MAX.checked_shr(vip.prefix.into()).unwrap_or(0);
    let resolved = match (vip.addr, word.text.as_str()) {
        (IpAddr::V4(_), "+" | "-") if vip.prefix > MAX_BROADCAST => {
            let message = format!("prefix length {} leaves no broadcast address", vip.prefix);
            problems.warning(word.span, message).label("ignored");
            return Some(None);
        }
        (IpAddr::V4(addr), "+") => Some(Ipv4Addr::from_bits(addr.to_bits() | host_bits)),
        (IpAddr::V4(addr), "-") => Some(Ipv4Addr::from_bits(addr.to_bits() & !host_bits)),
        (IpAddr::V4(_), text) => text.parse().ok(),
        (IpAddr::V6(_), _) => None,
    };
    if resolved.is_none() {
        let message = format!("`{}` is not a broadcast address of `{}`", word.text, vip.addr);
        problems.error(word.span, message).label("an IPv4 address, `+` or `-`");
    }
    resolved.map(|addr| Some(addr.into()))
}

/// Reads `ADDR[/LEN]`; without a length, all bits count.
fn prefixed(word: &Word, problems: &mut Problems) -> Option<(IpAddr, u8)> {
    let (addr, prefix) = match word.text.split_once('/') {
        Some((addr, prefix)) => (addr, Some(prefix)),
        None => (word.text.as_str(), None),
    };
    let Ok(addr) = addr.parse::<IpAddr>() else {
        problems.error(word.span, format!("`{}` is not an IP address", word.text)).label("ADDRESS[/LENGTH]");
        return None;
    };
    let bits = if addr.is_ipv4() { 32 } else { 128 };
    let length = prefix.map_or(Some(bits), |text| {
        let digits = !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
        text.parse().ok().filter(|length| digits && *length <= bits)
    });
    if length.is_none() {
        let message = format!("`{}` has no valid prefix length", word.text);
        problems.error(word.span, message).label(format!("from 0 to {bits}"));
    }
    length.map(|length| (addr, length))
}
