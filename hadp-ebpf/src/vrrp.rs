//! VRRP adverts over IPv4: which are ours, and which of those are valid.

use hadp_common::{
    addr::Address,
    event::{Event, NO_SLOT},
    key::{AdvertKey, KEY_CHECK_PEERS, KEY_UNICAST, MAX_UNICAST_PEERS},
    peer::{ADDRESSES_SEED, fold_address},
    stats::{Counter, DropReason},
    wire::{
        checksum::fold,
        ipv4::IPPROTO_VRRP,
        vrrp::{AUTH_LEN, AUTH_NONE, MAX_ADDRESSES, VRRP_LEN},
    },
};

use crate::{
    Verdict,
    ctx::Window,
    event, key,
    maps::UNICAST_PEERS,
    parse::{Fragment, Frame, Ipv4, VALID},
    peer::{self, Heard},
    settings::InForce,
    stats::count,
};

/// Decides on a packet of protocol 112: a valid advert of ours is recorded and passed on, an invalid one dropped.
///
/// What belongs to virtual routers that are not configured here is passed: it is not ours to judge. That includes
/// tagged frames, which belong to the VLAN's interface, and fragments without a VRID, which no kernel ever completes
/// since the first fragment of an advert of ours is dropped.
#[inline(always)]
pub(crate) fn verdict(frame: &Frame, ip: Ipv4, settings: InForce) -> Result<Verdict, DropReason> {
    if frame.vlans != 0 || ip.fragment() == Fragment::Later {
        return Ok(Verdict::Pass);
    }
    let (start, len) = (frame.payload + ip.len, ip.payload_len());
    let header = match frame.packet.window::<VRRP_LEN>(start) {
        Some(header) if len >= VRRP_LEN => header,
        _ => return reject(frame, ip, NO_SLOT, 0, DropReason::Truncated, settings),
    };
    let vrid = header.u8::<1>();
    let Some(key) = key::find(frame.ifindex, vrid, settings) else {
        count(Counter::UnknownVrid);
        return Ok(Verdict::Pass);
    };
    if let Some(elsewhere) = elsewhere(key, ip) {
        count(elsewhere);
        return Ok(Verdict::Pass);
    }
    let message = Message { frame, ip, start, len, header };
    match message.check(key) {
        Ok(heard) => {
            peer::record(frame, key, &heard);
            Ok(Verdict::Pass)
        }
        Err(reason) => reject(frame, ip, key.slot, vrid, reason, settings),
    }
}

/// Reports an advert that is dropped for `reason`.
#[inline(always)]
fn reject(
    frame: &Frame,
    ip: Ipv4,
    slot: u32,
    vrid: u8,
    reason: DropReason,
    settings: InForce,
) -> Result<Verdict, DropReason> {
    let addr = Address::from_v4_word(ip.source());
    event::rejected(frame, Event { slot, addr, vrid, reason: reason as u8, ..Event::default() }, settings);
    Err(reason)
}

/// Returns how the advert is counted if it was not sent to this router: to a group that it does not use, since two
/// deployments may share a VRID on different groups, or to another machine, which this one only forwards it to.
#[inline(always)]
fn elsewhere(key: &AdvertKey, ip: Ipv4) -> Option<Counter> {
    let to = ip.destination();
    if !is_multicast(to) {
        return (to != v4_word(&key.source)).then_some(Counter::OtherDestination);
    }
    (key.flags & KEY_UNICAST == 0 && to != v4_word(&key.group)).then_some(Counter::OtherGroup)
}

/// Returns whether a destination is an IPv4 multicast group.
#[inline(always)]
fn is_multicast(addr: u32) -> bool {
    u32::from_be(addr) >> 28 == 0xe
}

/// Returns the IPv4 address of an IPv4-mapped one, as loaded.
#[inline(always)]
fn v4_word(addr: &Address) -> u32 {
    addr.words()[3]
}

/// A message for a virtual router of this node.
struct Message<'a> {
    frame: &'a Frame,
    ip: Ipv4,
    /// Where the message begins in the frame.
    start: usize,
    /// Its length, as the IP header has it: the frame may be padded.
    len: usize,
    header: Window<VRRP_LEN>,
}

impl Message<'_> {
    /// Validates the advert (RFC 9568 §7.1, RFC 3768 §7.1).
    #[inline(always)]
    fn check(&self, key: &AdvertKey) -> Result<Heard, DropReason> {
        self.check_delivery(key)?;
        let (version_type, count) = (self.header.u8::<0>(), self.header.u8::<3>());
        let version = version_type >> 4;
        if version != key.version {
            return Err(DropReason::BadVersion);
        }
        if version_type & 0x0f != 1 {
            return Err(DropReason::BadType);
        }
        let auth_len = if version == 2 { AUTH_LEN } else { 0 };
        let expected = VRRP_LEN + 4 * usize::from(count) + auth_len;
        if self.len < expected {
            return Err(DropReason::Truncated);
        }
        if self.len > expected {
            return Err(DropReason::TrailingBytes);
        }
        if !self.ip.is_intact(self.frame).ok_or(DropReason::Truncated)? {
            return Err(DropReason::BadChecksum);
        }
        let mut sum = u64::from(self.header.u32::<0>()) + u64::from(self.header.u32::<4>());
        let mut addresses_hash = ADDRESSES_SEED;
        let visit = |word| {
            sum += u64::from(word);
            addresses_hash = fold_address(addresses_hash, word);
        };
        let (first, addresses) = (self.start + VRRP_LEN, usize::from(self.header.u8_anew::<3>()));
        self.frame.packet.walk::<MAX_ADDRESSES>(first, addresses, visit).ok_or(DropReason::Truncated)?;
        let interval_cs = if version == 2 {
            let at = self.start + VRRP_LEN + 4 * usize::from(count);
            let auth = self.frame.packet.window::<AUTH_LEN>(at).ok_or(DropReason::Truncated)?;
            sum += u64::from(auth.u32::<0>()) + u64::from(auth.u32::<4>());
            if fold(sum) != VALID {
                return Err(DropReason::BadChecksum);
            }
            self.check_v2(key, auth)?
        } else {
            if fold(sum + self.pseudo_header()) != VALID && fold(sum) != VALID {
                return Err(DropReason::BadChecksum);
            }
            // The upper nibble is reserved and ignored on receipt (RFC 9568 §5.2.6).
            u16::from_be(self.header.u16::<4>()) & 0x0fff
        };
        if count == 0 {
            return Err(DropReason::NoAddress);
        }
        if interval_cs == 0 {
            return Err(DropReason::ZeroInterval);
        }
        let priority = self.header.u8::<2>();
        Ok(Heard { source: self.ip.source(), addresses_hash, interval_cs, priority, version, count })
    }

    /// Checks how the advert came here: whole, from another node, and the way the router is configured for.
    #[inline(always)]
    fn check_delivery(&self, key: &AdvertKey) -> Result<(), DropReason> {
        let (source, ttl) = (self.ip.source(), self.ip.ttl());
        if self.ip.fragment() != Fragment::Whole {
            return Err(DropReason::Fragmented);
        }
        if ttl < key.min_ttl {
            return Err(DropReason::BadTtl);
        }
        if source == v4_word(&key.source) {
            return Err(DropReason::LoopedBack);
        }
        if is_multicast(self.ip.destination()) == (key.flags & KEY_UNICAST != 0) {
            return Err(DropReason::WrongDelivery);
        }
        if key.flags & KEY_CHECK_PEERS != 0 { check_peer(key.slot, source, ttl) } else { Ok(()) }
    }

    /// Checks what only v2 carries, and returns the interval in centiseconds.
    #[inline(always)]
    fn check_v2(&self, key: &AdvertKey, auth: Window<AUTH_LEN>) -> Result<u16, DropReason> {
        let interval_cs = u16::from(self.header.u8::<5>()) * 100;
        if interval_cs != 0 && interval_cs != key.interval_cs {
            return Err(DropReason::IntervalMismatch);
        }
        if self.header.u8::<4>() != key.auth_type {
            return Err(DropReason::AuthTypeMismatch);
        }
        // Without authentication the data is ignored (RFC 3768 §5.3.10).
        let [a, b, c, d, e, f, g, h] = key.auth_data;
        let wanted = (u32::from_ne_bytes([a, b, c, d]), u32::from_ne_bytes([e, f, g, h]));
        if key.auth_type != AUTH_NONE && (auth.u32::<0>(), auth.u32::<4>()) != wanted {
            return Err(DropReason::AuthDataMismatch);
        }
        Ok(interval_cs)
    }

    /// Returns the sum of the IPv4 pseudo-header.
    #[inline(always)]
    fn pseudo_header(&self) -> u64 {
        let len = (self.len as u16).to_be_bytes();
        let protocol_len = u32::from_ne_bytes([0, IPPROTO_VRRP, len[0], len[1]]);
        u64::from(self.ip.source()) + u64::from(self.ip.destination()) + u64::from(protocol_len)
    }
}

/// Checks that the sender is one the router names, at a distance it may have.
#[inline(always)]
fn check_peer(slot: u32, source: u32, ttl: u8) -> Result<(), DropReason> {
    let peers = UNICAST_PEERS.get(slot).ok_or(DropReason::UnknownPeer)?;
    let source = Address::from_v4_word(source);
    for index in 0..MAX_UNICAST_PEERS {
        let Some(peer) = peers.peers.get(index) else { break };
        if peer.addr.words() == source.words() {
            let is_near = ttl >= peer.min_ttl && ttl <= peer.max_ttl;
            return if is_near { Ok(()) } else { Err(DropReason::BadTtl) };
        }
        if peer.addr.words() == Address::UNSPECIFIED.words() {
            break;
        }
    }
    Err(DropReason::UnknownPeer)
}
