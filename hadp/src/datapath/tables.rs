//! Filling the open-addressed tables: pure, so that it can be tested without a kernel.

use std::net::IpAddr;

use hadp_common::{
    addr::Address,
    key::{ADVERT_KEYS_LEN, AdvertKey, KEY_CHECK_PEERS, KEY_UNICAST, MAX_UNICAST_PEERS},
    table::{PROBES, key_index, vip_index},
    vip::{VIPS_LEN, Vip},
    wire::vrrp::{AUTH_NONE, AUTH_PASS},
};

use super::{Plan, PlannedRouter};

/// Why a plan cannot be put in force.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// The table of addresses is too full.
    #[error("too many virtual addresses: {0}")]
    TooManyAddresses(usize),
    /// The table of routers is too full.
    #[error("too many virtual routers: {0}")]
    TooManyRouters(usize),
    /// Two routers have one identity.
    #[error("virtual router {vrid} is configured twice on interface {ifindex}")]
    DuplicateRouter {
        /// Its identifier.
        vrid: u8,
        /// Its interface.
        ifindex: u32,
    },
    /// Two routers have one slot.
    #[error("slot {0} is used twice")]
    DuplicateSlot(u32),
    /// Two routers have one address.
    #[error("virtual address {addr} belongs to two virtual routers on interface {ifindex}")]
    DuplicateAddress {
        /// The address.
        addr: IpAddr,
        /// Its interface.
        ifindex: u32,
    },
    /// A router names more senders than the table holds.
    #[error("virtual router {vrid} has {count} unicast peers, more than {MAX_UNICAST_PEERS}")]
    TooManySenders {
        /// The router's identifier.
        vrid: u8,
        /// How many it names.
        count: usize,
    },
}

/// The two tables of a plan, each one half of its map, and the seed under which lookups find the entries.
#[derive(Debug)]
pub(super) struct Tables {
    pub(super) seed: u32,
    pub(super) keys: Vec<AdvertKey>,
    pub(super) vips: Vec<Vip>,
}

impl Tables {
    /// Lays a plan out.
    ///
    /// # Errors
    ///
    /// When the plan contradicts itself or does not fit.
    pub(super) fn build(plan: &Plan) -> Result<Self, PlanError> {
        let mut slots: Vec<_> = plan.routers.iter().map(|router| router.slot.index()).collect();
        slots.sort_unstable();
        if let Some(slot) = first_repeated(&slots) {
            return Err(PlanError::DuplicateSlot(*slot));
        }
        let (keys, vips) = (keys(plan)?, vips(plan)?);
        let key_home =
            |key: &AdvertKey, seed| key_index(key.ifindex, key.family, key.vrid, seed, ADVERT_KEYS_LEN);
        let vip_home = |vip: &Vip, seed| {
            let vlans = (u32::from(vip.vlans[0]) << 16) | u32::from(vip.vlans[1]);
            vip_index(vip.addr.words(), vip.ifindex, vlans, seed, VIPS_LEN)
        };
        let mut error = PlanError::TooManyRouters(keys.len());
        for seed in 0..SEEDS {
            let Some(keys) = place(&keys, ADVERT_KEYS_LEN, |key| key_home(key, seed)) else { continue };
            error = PlanError::TooManyAddresses(vips.len());
            if let Some(vips) = place(&vips, VIPS_LEN, |vip| vip_home(vip, seed)) {
                return Ok(Self { seed, keys, vips });
            }
        }
        Err(error)
    }
}

/// How many seeds are tried before a table counts as full.
const SEEDS: u32 = 256;

/// Returns the first element that equals the one after it.
pub(super) fn first_repeated<T: PartialEq>(sorted: &[T]) -> Option<&T> {
    sorted.windows(2).find_map(|pair| match pair {
        [a, b] if a == b => Some(a),
        _ => None,
    })
}

/// Returns the entries of `ADVERT_KEYS`, each identity once.
fn keys(plan: &Plan) -> Result<Vec<AdvertKey>, PlanError> {
    let mut keys = plan.routers.iter().map(key).collect::<Result<Vec<_>, _>>()?;
    keys.sort_unstable_by_key(|key| (key.ifindex, key.family, key.vrid));
    let identities: Vec<_> = keys.iter().map(|key| (key.ifindex, key.family, key.vrid)).collect();
    match first_repeated(&identities) {
        Some(&(ifindex, _, vrid)) => Err(PlanError::DuplicateRouter { vrid, ifindex }),
        None => Ok(keys),
    }
}

/// Returns the entry of one router.
fn key(router: &PlannedRouter) -> Result<AdvertKey, PlanError> {
    let filter = &router.advert;
    let vrid = router.vrid.get();
    if filter.senders.len() > MAX_UNICAST_PEERS {
        return Err(PlanError::TooManySenders { vrid, count: filter.senders.len() });
    }
    let unicast = if filter.group.is_none() { KEY_UNICAST } else { 0 };
    let check_peers = if filter.senders.is_empty() { 0 } else { KEY_CHECK_PEERS };
    Ok(AdvertKey {
        ifindex: router.ifindex,
        slot: router.slot.index(),
        flags: unicast | check_peers,
        interval_cs: filter.interval.map_or(0, |interval| interval.get()),
        vrid,
        family: router.family as u8,
        version: filter.version,
        auth_type: if filter.password.is_some() { AUTH_PASS } else { AUTH_NONE },
        min_ttl: filter.min_ttl,
        auth_data: filter.password.unwrap_or_default(),
        source: filter.source.into(),
        group: filter.group.map_or(Address::UNSPECIFIED, Address::from),
        ..AdvertKey::default()
    })
}

/// Returns the entries of `VIPS`, each address once an interface.
fn vips(plan: &Plan) -> Result<Vec<Vip>, PlanError> {
    let of_router = |router: &PlannedRouter| {
        let slot = router.slot.index();
        let entry = move |vip: &super::PlannedVip| {
            let (addr, ifindex) = (vip.addr.into(), vip.ifindex);
            Vip { addr, ifindex, slot, ..Vip::default() }
        };
        router.vips.iter().map(entry).collect::<Vec<_>>()
    };
    let mut vips: Vec<_> = plan.routers.iter().flat_map(of_router).collect();
    vips.sort_unstable_by_key(|vip| (vip.ifindex, vip.addr, vip.slot));
    vips.dedup();
    let places: Vec<_> = vips.iter().map(|vip| (vip.ifindex, vip.addr)).collect();
    match first_repeated(&places) {
        Some(&(ifindex, addr)) => Err(PlanError::DuplicateAddress { addr: addr.into(), ifindex }),
        None => Ok(vips),
    }
}

/// Places every item, or returns `None` if one comes to lie [`PROBES`] entries or more behind its home.
///
/// An item that is already farther from its home than the one to insert keeps its place, else it moves on (Robin Hood
/// hashing), which keeps the longest distance short.
fn place<T: Copy + Default>(items: &[T], len: u32, home: impl Fn(&T) -> u32) -> Option<Vec<T>> {
    let mut entries: Vec<Option<T>> = vec![None; usize::try_from(len).ok()?];
    for item in items {
        let mut moving = *item;
        let mut distance = 0;
        loop {
            if distance >= PROBES {
                return None;
            }
            let index = (home(&moving) + distance) & (len - 1);
            let entry = entries.get_mut(usize::try_from(index).ok()?)?;
            let Some(resident) = *entry else {
                *entry = Some(moving);
                break;
            };
            let resident_distance = index.wrapping_sub(home(&resident)) & (len - 1);
            if resident_distance < distance {
                *entry = Some(moving);
                (moving, distance) = (resident, resident_distance);
            }
            distance += 1;
        }
    }
    Some(entries.into_iter().map(Option::unwrap_or_default).collect())
}

#[cfg(test)]
mod tests;
