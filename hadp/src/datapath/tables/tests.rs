use std::{collections::BTreeSet, net::Ipv4Addr, time::Duration};

use hadp_common::{addr::Family, router::MAX_ROUTERS, vip::MAX_VIPS};
use proptest::prelude::*;

use super::{super::*, *};
use crate::{
    proto::Slot,
    units::{Priority, Vrid},
};

fn router(slot: u32, ifindex: u32, vrid: u8, addrs: &[u32]) -> PlannedRouter {
    let vip = |addr: &u32| PlannedVip { addr: Ipv4Addr::from_bits(*addr).into(), ifindex };
    PlannedRouter {
        slot: Slot::new(slot).unwrap(),
        ifindex,
        vrid: Vrid::new(vrid).unwrap(),
        family: Family::V4,
        mac: [2; 6],
        link_mac: [2; 6],
        virtual_mac: false,
        accept: true,
        priority: Priority::new(100).unwrap(),
        yields: true,
        guard: 0,
        lease_left: Duration::from_secs(2),
        advert: AdvertFilter {
            version: 3,
            interval: None,
            password: None,
            source: Ipv4Addr::LOCALHOST.into(),
            group: None,
            min_ttl: 255,
            senders: Vec::new(),
            addresses_hash: 0,
        },
        vips: addrs.iter().map(vip).collect(),
    }
}

/// Looks an entry up the way the program does: at most PROBES entries, none behind a free one.
fn look_up<T: Copy>(
    entries: &[T],
    home: u32,
    is_free: impl Fn(&T) -> bool,
    is_it: impl Fn(&T) -> bool,
) -> Option<T> {
    let len = u32::try_from(entries.len()).unwrap();
    for probe in 0..PROBES {
        let entry = &entries[((home + probe) & (len - 1)) as usize];
        if is_free(entry) {
            return None;
        }
        if is_it(entry) {
            return Some(*entry);
        }
    }
    None
}

fn find_vip(tables: &Tables, addr: u32, ifindex: u32) -> Option<Vip> {
    let wanted = Address::from(Ipv4Addr::from_bits(addr));
    let home = vip_index(wanted.words(), ifindex, 0, tables.seed, VIPS_LEN);
    look_up(&tables.vips, home, |vip| vip.ifindex == 0, |vip| vip.addr == wanted && vip.ifindex == ifindex)
}

fn find_key(tables: &Tables, vrid: u8, ifindex: u32) -> Option<AdvertKey> {
    let home = key_index(ifindex, 4, vrid, tables.seed, ADVERT_KEYS_LEN);
    look_up(&tables.keys, home, |key| key.ifindex == 0, |key| key.vrid == vrid && key.ifindex == ifindex)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_entry_is_found_and_nothing_else(
        routers in prop::collection::btree_set((1u32..20, 1u8..=255), 0..200),
        addrs in prop::collection::btree_set(any::<u32>(), 0..1_000),
        strangers in prop::collection::vec(any::<u32>(), 50),
    ) {
        let addrs: Vec<u32> = addrs.into_iter().collect();
        let share = addrs.len().div_ceil(routers.len().max(1)).max(1);
        let mut shares = addrs.chunks(share);
        let planned: Vec<_> = routers.iter().zip(0..)
            .map(|(&(ifindex, vrid), slot)| router(slot, ifindex, vrid, shares.next().unwrap_or_default()))
            .collect();
        let plan = Plan { routers: planned };
        let tables = Tables::build(&plan).unwrap();
        let mut known = BTreeSet::new();
        for router in &plan.routers {
            let key = find_key(&tables, router.vrid.get(), router.ifindex).unwrap();
            prop_assert_eq!(key.slot, router.slot.index());
            for vip in &router.vips {
                let IpAddr::V4(addr) = vip.addr else { unreachable!() };
                known.insert((addr.to_bits(), vip.ifindex));
                prop_assert_eq!(find_vip(&tables, addr.to_bits(), vip.ifindex).unwrap().slot, router.slot.index());
            }
        }
        for addr in strangers.iter().chain(&addrs) {
            for ifindex in 1..20 {
                let is_known = known.contains(&(*addr, ifindex));
                prop_assert_eq!(find_vip(&tables, *addr, ifindex).is_some(), is_known);
            }
        }
    }
}

#[test]
fn half_a_table_of_consecutive_addresses_fits() {
    let routers = (0..32).map(|slot| {
        let addrs: Vec<u32> = (0..255).map(|n| 0x0a00_0000 + slot * 256 + n).collect();
        router(slot, 2, slot as u8 + 1, &addrs)
    });
    let tables = Tables::build(&Plan { routers: routers.collect() }).unwrap();
    assert_eq!(tables.vips.iter().filter(|vip| vip.ifindex != 0).count(), 32 * 255);
    assert!(find_vip(&tables, 0x0a00_1f07, 2).is_some());
}

/// The largest configuration that is accepted: all routers, all addresses.
///
/// The addresses are blocks of 2^`low` with 2^`step` between two neighbours and 2^`stride` between two blocks, as networks
/// give them out: the patterns a weak hash fails on. Twice as many fail with one address in every /24.
#[test]
fn as_many_addresses_as_are_accepted_always_fit() {
    let share = MAX_VIPS / MAX_ROUTERS;
    for low in [0, 1, 4, 8] {
        for (step, stride) in (0..20).map(|step| (step, 8)).chain((0..20).map(|stride| (1, stride))) {
            let addr = |n: u32| {
                let (inside, block) = (n & ((1 << low) - 1), n >> low);
                0x0a00_0001_u32.wrapping_add(inside << step).wrapping_add(block << stride)
            };
            let of = |slot| (0..share).map(|n| addr(slot * share + n)).collect::<BTreeSet<u32>>();
            // Patterns that give an address twice are not of interest.
            if (0..MAX_VIPS).map(addr).collect::<BTreeSet<u32>>().len() < MAX_VIPS as usize {
                continue;
            }
            let planned = |slot: u32| {
                let mut router = router(slot, 2 + slot / 255, (slot % 255) as u8 + 1, &[]);
                let place = |addr| PlannedVip { addr: Ipv4Addr::from_bits(addr).into(), ifindex: 2 };
                router.vips = of(slot).into_iter().map(place).collect();
                router
            };
            let plan = Plan { routers: (0..MAX_ROUTERS).map(planned).collect() };
            let tables = Tables::build(&plan).unwrap();
            assert_eq!(tables.vips.iter().filter(|vip| vip.ifindex != 0).count(), MAX_VIPS as usize);
        }
    }
    let one_in_every_24: Vec<u32> = (0..2 * MAX_VIPS).map(|n| 0x0a00_0001 + (n << 8)).collect();
    let error = Tables::build(&Plan { routers: vec![router(0, 2, 1, &one_in_every_24)] }).err();
    assert_eq!(error, Some(PlanError::TooManyAddresses(one_in_every_24.len())));
}

#[test]
fn every_slot_can_be_used() {
    let routers = (0..2_048).map(|slot| router(slot, 1 + slot / 255, (slot % 255) as u8 + 1, &[])).collect();
    assert!(Tables::build(&Plan { routers }).is_ok());
}

#[test]
fn plans_that_do_not_fit_or_contradict_themselves_are_refused() {
    let too_many: Vec<u32> = (0..20_000).collect();
    let addr = Ipv4Addr::from_bits(7).into();
    let table: [(&[PlannedRouter], PlanError); 4] = [
        (&[router(0, 2, 1, &too_many)], PlanError::TooManyAddresses(20_000)),
        (&[router(0, 2, 1, &[]), router(1, 2, 1, &[])], PlanError::DuplicateRouter { vrid: 1, ifindex: 2 }),
        (&[router(3, 2, 1, &[]), router(3, 2, 2, &[])], PlanError::DuplicateSlot(3)),
        (&[router(0, 2, 1, &[7]), router(1, 2, 2, &[7])], PlanError::DuplicateAddress { addr, ifindex: 2 }),
    ];
    for (routers, error) in table {
        assert_eq!(Tables::build(&Plan { routers: routers.to_vec() }).err(), Some(error));
    }
    let mut crowded = router(0, 2, 9, &[]);
    crowded.advert.senders = vec![Default::default(); 33];
    let error = Tables::build(&Plan { routers: vec![crowded] }).err();
    assert_eq!(error, Some(PlanError::TooManySenders { vrid: 9, count: 33 }));
}

#[test]
fn an_address_may_be_listed_twice_by_one_router_and_once_by_each_interface() {
    let routers = vec![router(0, 2, 1, &[7, 7]), router(1, 3, 1, &[7])];
    let tables = Tables::build(&Plan { routers }).unwrap();
    assert_eq!((find_vip(&tables, 7, 2).unwrap().slot, find_vip(&tables, 7, 3).unwrap().slot), (0, 1));
}
