//! Who owns what in the XDP program: leases under guards, drains behind them, and their end by a higher rank.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{net::Ipv4Addr, time::Duration};

use hadp::{
    datapath::{Datapath, EventRecord, Guards, Plan, PlannedRouter, Renewal},
    model::Family,
    units::{Priority, Time},
};
use hadp_common::{
    router::{DRAIN_NS, LEASE_RESIGNED, MAX_GUARDS, virtual_mac},
    stats::{Counter, DropReason},
};
use hadp_tests::prog::{
    Action, Arp, Frame, Ip, Outcome, PEER_MAC, Runner,
    plans::{OWN_MAC, router, slot, v2_router, vmac_router},
    v2, v3,
};
use nix::time::{ClockId, clock_gettime};

const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 9);
const VIP: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 100);
/// On either side of this node's own address, 10.77.0.1, as unsigned numbers; the last one is negative as signed.
const BELOW: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 0);
const ABOVE: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);
const FAR_ABOVE: Ipv4Addr = Ipv4Addr::new(200, 1, 1, 1);
/// Greater in its last octet and yet below, which a comparison in the wrong byte order would not see.
const BELOW_BY_NETWORK: Ipv4Addr = Ipv4Addr::new(10, 76, 255, 255);
const FOREVER: Time = Time::from_nanos(!LEASE_RESIGNED);
const SECOND: Duration = Duration::from_secs(1);
const DRAIN: Duration = Duration::from_nanos(DRAIN_NS);

fn now() -> Time {
    let now = Duration::from(clock_gettime(ClockId::CLOCK_MONOTONIC).unwrap());
    Time::from_nanos(u64::try_from(now.as_nanos()).unwrap())
}

fn runner(routers: Vec<PlannedRouter>) -> Runner {
    let mut runner = Runner::new().unwrap();
    runner.apply(&Plan { routers }).unwrap();
    runner
}

fn packet() -> Frame {
    Frame::ip(&Ip::udp(CLIENT, VIP))
}

fn ask() -> Vec<u8> {
    Frame::arp(&Arp::request(CLIENT, VIP)).octets()
}

/// Returns whether traffic is admitted, and whether ARP is answered.
/// Returns a time as a lease holds it, without the mark of a resignation.
fn whole(time: Time) -> Time {
    Time::from_nanos(time.as_nanos() & !LEASE_RESIGNED)
}

fn standing(runner: &mut Runner) -> (bool, bool) {
    let traffic = runner.run(&packet().octets()).unwrap();
    let arp = runner.run(&ask()).unwrap();
    (traffic.action == Action::Pass, arp.action == Action::Transmit)
}

#[test]
fn a_guard_limits_every_lease_that_names_it() {
    let guarded = |index, vrid, vip, guard| PlannedRouter { guard, ..router(index, vrid, &[vip]) };
    let other = Ipv4Addr::new(10, 77, 0, 101);
    let last = MAX_GUARDS - 1;
    let mut runner = runner(vec![guarded(0, 10, VIP, last), guarded(1, 11, other, 0)]);
    let guards = runner.xdp.guards();
    let election = runner.xdp.election();
    assert_eq!(election.guard(last), Guards::OPEN, "no session is up yet");
    runner.xdp.set_lease(slot(0), FOREVER);
    runner.xdp.set_lease(slot(1), FOREVER);
    assert_eq!(standing(&mut runner), (true, true));

    guards.store(last, now() + SECOND);
    assert_eq!(standing(&mut runner), (true, true), "the guard has a second");
    // By the exact clock: a tick would still be below the guard's time.
    for _ in 0..100 {
        guards.store(last, now());
        assert_eq!(standing(&mut runner), (false, false), "the guard has lapsed");
    }
    assert_eq!(runner.run(&packet().octets()).unwrap().dropped, [DropReason::VipNotOwner]);
    assert_eq!(runner.run(&ask()).unwrap().dropped, [DropReason::ArpNotOwner]);
    let unguarded = Frame::ip(&Ip::udp(CLIENT, other)).octets();
    assert_eq!(runner.run(&unguarded).unwrap().action, Action::Pass, "it names no guard");
    guards.store(0, Time::ZERO);
    assert_eq!(runner.run(&unguarded).unwrap().action, Action::Pass, "and 0 is none");

    guards.store(last, Guards::OPEN);
    assert_eq!(standing(&mut runner), (true, true), "armed again");
    runner.xdp.set_lease(slot(0), now());
    assert_eq!(standing(&mut runner), (false, false), "the lease counts as well");
}

#[test]
fn a_guard_that_does_not_exist_owns_nothing() {
    let mut runner = runner(vec![PlannedRouter { guard: MAX_GUARDS, ..router(0, 10, &[VIP]) }]);
    runner.xdp.set_lease(slot(0), FOREVER);
    assert_eq!(standing(&mut runner), (false, false));
    let guards = runner.xdp.guards();
    guards.store(MAX_GUARDS, FOREVER);
    assert_eq!(guards.load(MAX_GUARDS), Time::ZERO);
}

#[test]
fn a_drain_admits_traffic_and_answers_nothing() {
    let mut runner = runner(vec![router(0, 10, &[VIP])]);
    assert_eq!(standing(&mut runner), (false, false));
    runner.xdp.set_drain(slot(0), now() + SECOND);
    assert_eq!(standing(&mut runner), (true, false));
    // A claim by the successor is no conflict any more.
    let claim = Arp { sender: VIP, target: VIP, ..Arp::request(VIP, VIP) };
    let outcome = runner.run(&Frame::arp(&claim).octets()).unwrap();
    assert_eq!((outcome.action, &outcome.counted[..]), (Action::Pass, &[][..]));
    for _ in 0..100 {
        runner.xdp.set_drain(slot(0), now());
        assert_eq!(standing(&mut runner), (false, false), "the drain has ended, exactly");
    }
}

#[test]
fn a_drain_ends_with_the_next_ownership() {
    let mut runner = runner(vec![router(0, 10, &[VIP])]);
    runner.xdp.set_drain(slot(0), FOREVER);
    runner.xdp.set_lease(slot(0), now() + SECOND);
    assert_eq!(standing(&mut runner), (true, true));
    runner.xdp.set_lease(slot(0), Time::ZERO);
    assert_eq!(standing(&mut runner), (false, false));
}

#[test]
fn a_drain_goes_with_its_router() {
    let mut runner = runner(vec![router(0, 10, &[VIP])]);
    runner.xdp.set_drain(slot(0), FOREVER);
    runner.apply(&Plan { routers: vec![router(0, 10, &[VIP])] }).unwrap();
    assert_eq!(standing(&mut runner), (true, false), "a plan leaves a drain alone");
    runner.apply(&Plan { routers: vec![router(0, 20, &[VIP])] }).unwrap();
    assert_eq!(standing(&mut runner), (false, false), "the slot is another router's");
}

#[test]
fn frames_to_the_virtual_mac_are_rewritten_in_a_drain() {
    let mut runner = runner(vec![vmac_router(router(0, 10, &[VIP]))]);
    let to_vmac = packet().to(virtual_mac(Family::V4, 10));
    assert_eq!(runner.run(&to_vmac.octets()).unwrap().dropped, [DropReason::VmacNotOwner]);
    runner.xdp.set_drain(slot(0), now() + SECOND);
    let outcome = runner.run(&to_vmac.octets()).unwrap();
    assert_eq!((outcome.action, outcome.packet), (Action::Pass, to_vmac.to(OWN_MAC).octets()));
    assert_eq!(outcome.counted, [Counter::VipAdmitted, Counter::VmacRewritten]);
}

/// A router that accepts no packets accepts none in a drain either.
#[test]
fn accept_mode_outlives_ownership() {
    let mut runner = runner(vec![PlannedRouter { accept: false, ..router(0, 10, &[VIP]) }]);
    runner.xdp.set_drain(slot(0), now() + SECOND);
    assert_eq!(runner.run(&packet().octets()).unwrap().dropped, [DropReason::VipNotAccepted]);
}

/// Whether the owner must give way, by what it hears; this node has priority 100 and address 10.77.0.1.
#[test]
fn the_owner_gives_way_to_a_higher_rank() {
    let advert = |from, priority| Frame::ip(&Ip::vrrp(from, v3(from, 10, priority, 100, &[VIP]))).octets();
    let rows = [
        ("greater priority", advert(BELOW, 101), true),
        ("greatest priority", advert(BELOW, 255), true),
        ("lower priority", advert(ABOVE, 99), false),
        ("resignation", advert(ABOVE, 0), false),
        ("equal priority, lower address", advert(BELOW, 100), false),
        ("equal priority, lower network", advert(BELOW_BY_NETWORK, 100), false),
        ("equal priority, greater address", advert(ABOVE, 100), true),
        ("equal priority, greatest address", advert(FAR_ABOVE, 100), true),
        (
            "greater priority, of another router",
            Frame::ip(&Ip::vrrp(ABOVE, v3(ABOVE, 11, 200, 100, &[VIP]))).octets(),
            false,
        ),
        (
            "greater priority, forged",
            Frame::ip(&Ip { ttl: 254, ..Ip::vrrp(ABOVE, v3(ABOVE, 10, 200, 100, &[VIP])) }).octets(),
            false,
        ),
    ];
    let mut runner = runner(vec![router(0, 10, &[VIP]), router(1, 11, &[])]);
    for (name, packet, yields) in rows {
        let lease = whole(now() + SECOND);
        runner.xdp.set_drain(slot(0), Time::ZERO);
        runner.xdp.set_lease(slot(0), lease);
        let (before, outcome, after) = (now(), runner.run(&packet).unwrap(), now());
        let router = runner.router(0).unwrap();
        assert_eq!(outcome.counted.contains(&Counter::LeaseRevoked), yields, "{name}");
        if yields {
            assert_eq!(router.lease_until_ns, 0, "{name}");
            let drain = Time::from_nanos(router.drain_until_ns);
            assert!((before + DRAIN..=after + DRAIN).contains(&drain), "{name}");
            assert_eq!(told(&outcome), 1, "{name}");
            assert_eq!(runner.xdp.renew_lease(slot(0), lease), Renewal::Revoked, "{name}");
            assert_eq!(runner.router(0).unwrap().lease_until_ns, 0, "{name}: a renewal brought it back");
        } else {
            assert_eq!((router.lease_until_ns, router.drain_until_ns), (lease.as_nanos(), 0), "{name}");
            assert_eq!(runner.xdp.renew_lease(slot(0), lease), Renewal::Stored, "{name}");
        }
    }
    assert_eq!(standing(&mut runner), (true, true), "the last row revoked nothing");
}

/// A router that has resigned makes way for whoever comes, and is not renewed.
#[test]
fn a_resigned_lease_ends_with_any_successor() {
    let advert = |priority| Frame::ip(&Ip::vrrp(BELOW, v3(BELOW, 10, priority, 100, &[VIP]))).octets();
    let mut runner = runner(vec![router(0, 10, &[VIP])]);
    let lease = whole(now() + SECOND);
    runner.xdp.set_lease(slot(0), lease);
    runner.xdp.resign(slot(0));
    assert_eq!(standing(&mut runner), (true, true), "it goes on until somebody comes");
    assert_eq!(runner.xdp.renew_lease(slot(0), lease), Renewal::Revoked);
    assert!(
        !runner.run(&advert(0)).unwrap().counted.contains(&Counter::LeaseRevoked),
        "somebody else resigns"
    );
    assert!(runner.run(&advert(1)).unwrap().counted.contains(&Counter::LeaseRevoked));
    assert_eq!(standing(&mut runner), (true, false), "its traffic drains");
    // Nobody came: taken back, it is like any other.
    runner.xdp.set_lease(slot(0), lease);
    assert!(!runner.run(&advert(1)).unwrap().counted.contains(&Counter::LeaseRevoked));
    runner.xdp.set_lease(slot(0), Time::ZERO);
    runner.xdp.resign(slot(0));
    assert_eq!(runner.router(0).unwrap().lease_until_ns, 0, "what is gone is not resigned");
}

fn told(outcome: &Outcome) -> usize {
    outcome.events.iter().filter(|event| matches!(event, EventRecord::Advert { .. })).count()
}

#[test]
fn after_giving_way_traffic_drains_and_arp_is_silent() {
    let mut runner = runner(vec![router(0, 10, &[VIP])]);
    runner.xdp.set_lease(slot(0), FOREVER);
    let advert = Frame::ip(&Ip::vrrp(ABOVE, v3(ABOVE, 10, 200, 100, &[VIP]))).octets();
    assert_eq!(told(&runner.run(&advert).unwrap()), 1);
    let revoked = now();
    assert_eq!(standing(&mut runner), (true, false));
    let again = runner.run(&advert).unwrap();
    assert_eq!((again.counted, told(&runner.run(&advert).unwrap())), (vec![Counter::AdvertHeard], 0));
    while now() <= revoked + DRAIN {
        std::thread::sleep(DRAIN / 4);
    }
    assert_eq!(standing(&mut runner), (false, false));
}

/// A v2 advert in one place and the same rule: rank knows no version.
#[test]
fn a_v2_router_gives_way_too() {
    let mut runner = runner(vec![v2_router(router(0, 10, &[VIP]), 1, None)]);
    runner.xdp.set_lease(slot(0), FOREVER);
    let advert = Frame::ip(&Ip::vrrp(ABOVE, v2(10, 101, 1, None, &[VIP]))).octets();
    assert!(runner.run(&advert).unwrap().counted.contains(&Counter::LeaseRevoked));
}

/// What a router makes of an advert of priority 255, when it is not to yield or owns nothing.
#[test]
fn who_does_not_yield_or_own_keeps_everything() {
    let advert = Frame::ip(&Ip::vrrp(ABOVE, v3(ABOVE, 10, 255, 100, &[VIP]))).octets();
    let owner = PlannedRouter { yields: false, priority: Priority::OWNER, ..router(0, 10, &[VIP]) };
    let mut no_yield = runner(vec![owner]);
    no_yield.xdp.set_lease(slot(0), FOREVER);
    let outcome = no_yield.run(&advert).unwrap();
    assert!(!outcome.counted.contains(&Counter::LeaseRevoked) && told(&outcome) == 1, "{outcome:?}");
    assert_eq!(standing(&mut no_yield), (true, true));

    let mut backup = runner(vec![router(0, 10, &[VIP])]);
    let past = whole(now());
    for lease in [Time::ZERO, past] {
        backup.xdp.set_lease(slot(0), lease);
        assert!(!backup.run(&advert).unwrap().counted.contains(&Counter::LeaseRevoked));
        let router = backup.router(0).unwrap();
        assert_eq!((router.lease_until_ns, router.drain_until_ns), (lease.as_nanos(), 0));
    }
}

/// Behind a lapsed guard nothing was owned, so there is nothing to drain; the lease goes all the same.
#[test]
fn a_lapsed_guard_leaves_no_drain() {
    let mut runner = runner(vec![PlannedRouter { guard: 1, ..router(0, 10, &[VIP]) }]);
    runner.xdp.set_lease(slot(0), FOREVER);
    runner.xdp.guards().store(1, now());
    let advert = Frame::ip(&Ip::vrrp(ABOVE, v3(ABOVE, 10, 200, 100, &[VIP]))).octets();
    assert_eq!(told(&runner.run(&advert).unwrap()), 1);
    let router = runner.router(0).unwrap();
    assert_eq!((router.lease_until_ns, router.drain_until_ns), (0, 0));
    assert_eq!(standing(&mut runner), (false, false));
}

/// The sender of a claim is told as a conflict only while the guard holds.
#[test]
fn conflicts_are_the_owners() {
    let mut runner = runner(vec![PlannedRouter { guard: 1, ..router(0, 10, &[VIP]) }]);
    runner.xdp.set_lease(slot(0), FOREVER);
    let claim = Frame::arp(&Arp { sender_mac: PEER_MAC, ..Arp::request(VIP, VIP) }).octets();
    assert!(runner.run(&claim).unwrap().counted.contains(&Counter::Conflict));
    runner.xdp.guards().store(1, Time::ZERO);
    assert_eq!(runner.run(&claim).unwrap().counted, []);
}
