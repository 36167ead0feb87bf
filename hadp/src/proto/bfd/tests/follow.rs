//! What sessions mean to routers.

use std::net::IpAddr;

use super::*;
use crate::{
    model::{
        self, Announce, Auth, BfdInstance, Delivery, Effect, Family, FastFailover, InitialState,
        LowerPriority, Preempt, Track, Tracked, UnicastPeer, Version,
    },
    proto::{
        self, AddressList, Cause, Heard, Node, Router, Slot,
        bfd::{Followers, Standing},
    },
    units::{Centis, Priority, Vrid},
};

pub(super) fn ip(host: u8) -> IpAddr {
    IpAddr::from([10, 77, 0, host])
}

pub(super) fn slot(index: u32) -> Slot {
    Slot::new(index).unwrap()
}

pub(super) fn id(index: u32) -> SessionId {
    SessionId::new(index).unwrap()
}

pub(super) fn instance(name: &str, neighbor: IpAddr) -> BfdInstance {
    BfdInstance {
        name: name.to_owned(),
        neighbor,
        source: None,
        interface: None,
        min_tx: ms(1),
        min_rx: ms(1),
        idle_tx: ms(1_000),
        multiplier: 3,
        passive: false,
        ttl: 255,
        min_ttl: 255,
        multihop: false,
        auth: None,
        flap_damping: true,
    }
}

/// A router of this priority that follows these sessions by `fast_failover`.
pub(super) fn router(priority: u8, fast: Option<&[&str]>, tracks: Vec<Track>) -> model::Router {
    let sessions = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    model::Router {
        name: "VI_1".to_owned(),
        interface: "eth0".to_owned(),
        vrid: Vrid::new(1).unwrap(),
        family: Family::V4,
        version: Version::V2(Auth::None),
        state: InitialState::Backup,
        priority: Priority::new(priority).unwrap(),
        interval: Centis::SECOND,
        delivery: Delivery::Multicast { group: IpAddr::from([224, 0, 0, 18]) },
        source: None,
        ttl: 255,
        preempt: Preempt::Always,
        down_timer_adverts: 3,
        lower_priority: LowerPriority::Advertise,
        advert_on_yield: false,
        virtual_mac: false,
        accept: true,
        announce: Announce::default(),
        tracks,
        fast_failover: fast.map(|names| FastFailover { sessions: sessions(names) }),
        vips: Vec::new(),
        excluded_vips: Vec::new(),
    }
}

/// Puts a Backup in a slot that has heard the Active router at `host`, or nobody.
pub(super) fn backup(node: &mut Node, index: u32, router: &model::Router, host: Option<u8>) {
    node.insert(slot(index), Router::new(proto::Config::from(router), T0));
    let mut out = Vec::new();
    node.handle(T0, slot(index), proto::Event::Startup { source: ip(1) }, &mut out);
    if let Some(host) = host {
        let heard = Heard {
            at: T0,
            from: ip(host),
            priority: 200,
            interval: Centis::SECOND,
            addresses: AddressList::Same,
        };
        node.handle(T0, slot(index), proto::Event::Advert(heard), &mut out);
    }
}

/// Takes a session that is Up down and returns what that tells the routers.
fn fall(followers: &Followers, node: &Node, index: u32, event: Event) -> Vec<(u32, proto::Event)> {
    let mut sessions = Sessions::default();
    sessions.insert(id(index), settled(config()));
    let (mut actions, mut out) = (Vec::new(), Vec::new());
    sessions.handle(T0 + ms(20), id(index), event, &mut actions);
    for (id, action) in &actions {
        followers.fail_over(T0 + ms(20), (*id, action), &sessions, node, &mut out);
    }
    out.into_iter().map(|(slot, event)| (slot.index(), event)).collect()
}

const fn active_down(from: IpAddr, micros: u64) -> proto::Event {
    proto::Event::ActiveDown { from, wait: us(micros) }
}

fn heard(state: SessionState) -> Event {
    Event::Packet(Received { at: T0 + ms(20), control: packet(state) })
}

#[test]
fn silence_and_admin_down_fail_over_and_down_does_not() {
    let fast = router(100, Some(&[]), Vec::new());
    let plain = router(100, None, Vec::new());
    let followers = Followers::new([(slot(0), &fast), (slot(1), &plain)], &[(id(1), &instance("a", ip(2)))]);
    let mut node = Node::default();
    backup(&mut node, 0, &fast, Some(2));
    backup(&mut node, 1, &plain, Some(2));
    let expected = vec![(0, active_down(ip(2), 0))];
    assert_eq!(fall(&followers, &node, 1, Event::Timeout), expected);
    assert_eq!(fall(&followers, &node, 1, heard(AdminDown)), expected);
    for event in [heard(Down), Event::PathDown, Event::AdminDown] {
        assert_eq!(fall(&followers, &node, 1, event), []);
    }
}

#[test]
fn a_session_that_was_not_up_fails_nothing_over() {
    let fast = router(100, Some(&[]), Vec::new());
    let followers = Followers::new([(slot(0), &fast)], &[(id(1), &instance("a", ip(2)))]);
    let mut node = Node::default();
    backup(&mut node, 0, &fast, Some(2));
    let mut sessions = Sessions::default();
    sessions.insert(id(1), session_in(Init, config()));
    let (mut actions, mut out) = (Vec::new(), Vec::new());
    sessions.handle(T0 + ms(20), id(1), Event::Timeout, &mut actions);
    assert!(actions.iter().any(|(_, action)| matches!(action, Action::Changed { from: Init, to: Down, .. })));
    for (id, action) in &actions {
        followers.fail_over(T0 + ms(20), (*id, action), &sessions, &node, &mut out);
    }
    assert_eq!(out, []);
}

/// Puts an Active router in a slot.
pub(super) fn active(node: &mut Node, index: u32, router: &model::Router) {
    backup(node, index, router, None);
    let now = T0 + ms(10);
    let death = T0 - ms(10_000);
    node.insert(slot(index), Router::new(proto::Config::from(router), death));
    for (at, event) in [
        (death, proto::Event::Startup { source: ip(1) }),
        (now, proto::Event::Timeout),
        (now, proto::Event::AdvertSent { at: now }),
    ] {
        node.handle(at, slot(index), event, &mut Vec::new());
    }
    assert_eq!(node.get(slot(index)).unwrap().state().name(), "Active");
}

fn given_up() -> Control {
    Control { diag: Diag::DetectionTimeExpired as u8, ..packet(Down) }
}

#[test]
fn an_active_router_whose_neighbour_has_given_it_up_steps_down() {
    let (fast, plain) = (router(100, Some(&[]), Vec::new()), router(100, None, Vec::new()));
    let routers = [(slot(0), &fast), (slot(1), &plain), (slot(2), &fast), (slot(3), &fast)];
    let followers = Followers::new(routers, &[(id(1), &instance("a", ip(2)))]);
    let mut node = Node::default();
    active(&mut node, 0, &fast);
    active(&mut node, 1, &plain);
    backup(&mut node, 2, &fast, Some(2));
    // The successor's advert came first, and was answered: it yields.
    active(&mut node, 3, &fast);
    let lower = Heard {
        at: T0 + ms(19),
        from: ip(2),
        priority: 50,
        interval: Centis::SECOND,
        addresses: AddressList::Same,
    };
    node.handle(T0 + ms(19), slot(3), proto::Event::Advert(lower), &mut Vec::new());
    let at = |at, control| fall(&followers, &node, 1, Event::Packet(Received { at, control }));
    let told = |control| at(T0 + ms(20), control);
    assert_eq!(told(given_up()), [(0, proto::Event::Revoked)]);
    assert_eq!(at(T0 + ms(10), given_up()), [], "it was not Active yet");
    let diag = |diag: Diag| Control { diag: diag as u8, ..packet(Down) };
    for other in [
        diag(Diag::None),
        diag(Diag::NeighborSignaledDown),
        diag(Diag::PathDown),
        Control { my_discriminator: THEIRS + 1, ..given_up() },
    ] {
        assert_eq!(told(other), [], "{other:?}");
    }
    assert_eq!(told(Control { state: AdminDown, ..given_up() }), [(2, active_down(ip(2), 0))]);
}

/// Neither a session that was not Up, nor one that is damped, says anything about who takes over.
#[test]
fn a_session_that_does_not_count_makes_nobody_step_down() {
    let fast = router(100, Some(&[]), Vec::new());
    let followers = Followers::new([(slot(0), &fast)], &[(id(1), &instance("a", ip(2)))]);
    let mut node = Node::default();
    active(&mut node, 0, &fast);
    let mut session = session_in(Init, config());
    assert_eq!(changed(&hear(&mut session, T0, given_up())), None);
    assert!(!session.is_unheard());
    let mut sessions = Sessions::default();
    sessions.insert(id(1), settled(config()));
    let mut told = Vec::new();
    // Each round it comes up again and is given up once more: from the third fall on it is damped.
    for round in 0..5 {
        let mut out = Vec::new();
        for (index, control) in [given_up(), packet(Down), packet(Init)].into_iter().enumerate() {
            let now = T0 + ms(20 + 10 * round + index as u64);
            let mut actions = Vec::new();
            sessions.handle(now, id(1), Event::Packet(Received { at: now, control }), &mut actions);
            for (id, action) in &actions {
                followers.fail_over(now, (*id, action), &sessions, &node, &mut out);
            }
        }
        told.push(out.len());
    }
    assert_eq!(told, [1, 1, 1, 0, 0]);
}

/// Of several sessions only that of the Active router counts, and Backups take turns by priority.
#[test]
fn several_sessions_are_told_apart_by_address_and_stagger() {
    let (high, low) = (router(254, Some(&[]), Vec::new()), router(100, Some(&["a", "b"]), Vec::new()));
    let (a, b) = (instance("a", ip(2)), instance("b", ip(3)));
    let followers =
        Followers::new([(slot(0), &high), (slot(1), &low), (slot(2), &low)], &[(id(1), &a), (id(2), &b)]);
    let mut node = Node::default();
    backup(&mut node, 0, &high, Some(2));
    backup(&mut node, 1, &low, Some(2));
    backup(&mut node, 2, &low, Some(3));
    let expected = vec![(0, active_down(ip(2), 10)), (1, active_down(ip(2), 1_550))];
    assert_eq!(fall(&followers, &node, 1, Event::Timeout), expected);
    assert_eq!(fall(&followers, &node, 2, Event::Timeout), [(2, active_down(ip(3), 1_550))]);
}

/// A dedicated link has addresses of its own: the only session stands for whoever is Active.
#[test]
fn the_only_session_stands_for_whoever_is_active() {
    let far = instance("heartbeat", IpAddr::from([192, 168, 9, 2]));
    let other = instance("other", ip(3));
    let (any, named) = (router(100, Some(&[]), Vec::new()), router(100, Some(&["heartbeat"]), Vec::new()));
    let mut node = Node::default();
    backup(&mut node, 0, &any, Some(2));
    backup(&mut node, 1, &named, Some(2));
    backup(&mut node, 2, &named, None);
    let routers = || [(slot(0), &any), (slot(1), &named), (slot(2), &named)];
    let alone = Followers::new(routers(), &[(id(1), &far)]);
    let both = vec![(0, active_down(ip(2), 0)), (1, active_down(ip(2), 0))];
    assert_eq!(fall(&alone, &node, 1, Event::Timeout), both, "nobody is Active in slot 2");
    // With a second session, that the first is meant must be said.
    let two = Followers::new(routers(), &[(id(1), &far), (id(2), &other)]);
    assert_eq!(fall(&two, &node, 1, Event::Timeout), [(1, active_down(ip(2), 0))]);
    assert_eq!(fall(&two, &node, 2, Event::Timeout), []);
}

#[test]
fn sessions_of_other_families_and_links_are_no_rivals() {
    let fast = router(100, Some(&[]), Vec::new());
    let near = instance("near", ip(2));
    let v6 = instance("v6", "fe80::2".parse().unwrap());
    let elsewhere = BfdInstance { interface: Some("eth1".to_owned()), ..instance("elsewhere", ip(9)) };
    let sessions = [(id(1), &near), (id(2), &v6), (id(3), &elsewhere)];
    let followers = Followers::new([(slot(0), &fast)], &sessions);
    let mut node = Node::default();
    backup(&mut node, 0, &fast, Some(2));
    assert_eq!(fall(&followers, &node, 1, Event::Timeout), [(0, active_down(ip(2), 0))]);
    let guards: Vec<_> =
        followers.guards().iter().map(|(guard, set)| (guard, set.iter().copied().collect())).collect();
    assert_eq!(guards, [(1, vec![id(1)])]);
    // The one left over still stands for its own neighbour alone.
    let mut strange = Node::default();
    backup(&mut strange, 0, &fast, Some(8));
    assert_eq!(fall(&followers, &strange, 1, Event::Timeout), []);
    // The same on the router's own link, or over several hops, is one.
    for rival in [
        BfdInstance { interface: Some("eth0".to_owned()), ..elsewhere.clone() },
        BfdInstance { multihop: true, ..elsewhere.clone() },
    ] {
        let followers = Followers::new([(slot(0), &fast)], &[(id(1), &near), (id(3), &rival)]);
        assert_eq!(fall(&followers, &node, 1, Event::Timeout), [(0, active_down(ip(2), 1_550))]);
    }
}

/// Columns: how many peers, and sessions => how long a Backup of priority 100 waits, in microseconds.
#[test]
fn unicast_peers_tell_whether_other_backups_may_be_there() {
    let peer = |host| UnicastPeer { addr: ip(host), min_ttl: 0, max_ttl: 255 };
    for (peers, sessions, wait) in [(1, 1, 0), (1, 2, 0), (2, 1, 1_550), (2, 2, 1_550)] {
        let names = &["a", "b"][..sessions];
        let peers = [peer(2), peer(3)][..peers].to_vec();
        let delivery = Delivery::Unicast { peers: peers.clone(), check_source: false };
        let unicast = model::Router { delivery, ..router(100, Some(names), Vec::new()) };
        let (a, b) = (instance("a", ip(2)), instance("b", ip(3)));
        let followers = Followers::new([(slot(0), &unicast)], &[(id(1), &a), (id(2), &b)]);
        let mut node = Node::default();
        backup(&mut node, 0, &unicast, Some(2));
        let expected = [(0, active_down(ip(2), wait))];
        assert_eq!(fall(&followers, &node, 1, Event::Timeout), expected, "{peers:?} {names:?}");
    }
}

#[test]
fn only_a_backup_is_told() {
    let fast = router(100, Some(&[]), Vec::new());
    let followers = Followers::new([(slot(0), &fast)], &[(id(1), &instance("a", ip(2)))]);
    let mut node = Node::default();
    backup(&mut node, 0, &fast, Some(2));
    node.handle(T0 + ms(1), slot(0), proto::Event::Fault(Cause::LinkDown), &mut Vec::new());
    assert_eq!(fall(&followers, &node, 1, Event::Timeout), []);
    assert_eq!(fall(&followers, &Node::default(), 1, Event::Timeout), []);
}

#[test]
fn a_router_without_a_guard_follows_nothing() {
    let instances: Vec<_> =
        (1..=64).map(|index| instance(&format!("s{index}"), ip(index as u8 + 1))).collect();
    let sessions: Vec<_> = (1..).map(id).zip(&instances).collect();
    let routers: Vec<_> = instances.iter().map(|one| router(100, Some(&[&one.name]), Vec::new())).collect();
    let followers = Followers::new((0..).map(slot).zip(&routers), &sessions);
    assert_eq!(followers.guards().refused(), [slot(63)]);
    let mut node = Node::default();
    backup(&mut node, 62, &routers[62], Some(64));
    backup(&mut node, 63, &routers[63], Some(65));
    assert_eq!(fall(&followers, &node, 63, Event::Timeout), [(62, active_down(ip(64), 0))]);
    assert_eq!(fall(&followers, &node, 64, Event::Timeout), []);
}

fn track(name: &str, effect: Effect) -> Track {
    Track { object: Tracked::Bfd(name.to_owned()), effect, reverse: false }
}

#[test]
fn tracked_sessions_and_interfaces_make_a_standing() {
    let link =
        Track { object: Tracked::Interface("eth1".to_owned()), effect: Effect::Weight(-30), reverse: false };
    let tracker = router(100, None, vec![track("a", Effect::Weight(50)), link, track("a", Effect::Fault)]);
    let plain = router(100, None, Vec::new());
    let followers =
        Followers::new([(slot(0), &plain), (slot(4), &tracker)], &[(id(1), &instance("a", ip(2)))]);
    assert_eq!(followers.trackers(id(1)), [slot(4)]);
    assert_eq!(followers.trackers(id(2)), []);
    let mut sessions = Sessions::default();
    let standing = |sessions: &Sessions, up: bool| {
        followers.standing(T0, slot(4), sessions, |name| name == "eth1" && up)
    };
    assert_eq!(standing(&sessions, true), Some(Standing::Fault));
    sessions.insert(id(1), session_in(Init, config()));
    assert_eq!(standing(&sessions, true), Some(Standing::Fault), "never up");
    sessions.insert(id(1), settled(config()));
    let runs = |priority| Some(Standing::Runs(Priority::new(priority).unwrap()));
    assert_eq!(standing(&sessions, true), runs(150));
    assert_eq!(standing(&sessions, false), runs(120));
    assert_eq!(followers.standing(T0, slot(0), &sessions, |_| true), None);
}

#[test]
fn a_standing_is_told_only_where_it_changes_something() {
    let plain = router(100, None, Vec::new());
    let mut node = Node::default();
    backup(&mut node, 0, &plain, None);
    let bring = |node: &Node, standing| Followers::bring(slot(0), standing, node);
    let runs = |priority| Standing::Runs(Priority::new(priority).unwrap());
    assert_eq!(bring(&node, runs(100)), None);
    assert_eq!(bring(&node, runs(80)), Some(proto::Event::Priority(Priority::new(80).unwrap())));
    assert_eq!(bring(&node, Standing::Fault), Some(proto::Event::Fault(Cause::Tracked)));
    node.handle(T0, slot(0), proto::Event::Fault(Cause::Tracked), &mut Vec::new());
    assert_eq!(bring(&node, Standing::Fault), None);
    assert_eq!(bring(&Node::default(), runs(1)), None);
}

#[test]
fn a_session_takes_its_configuration_from_the_instance() {
    let model = BfdInstance { min_tx: us(250), min_rx: us(300), passive: true, ..instance("a", ip(2)) };
    let expected = Config { min_tx: us(250), min_rx: us(300), passive: true, ..config() };
    assert_eq!(Config::from(&model), expected);
    let auth = Some(model::BfdAuth { key_id: 1, key: [0; 20], meticulous: true });
    assert!(Config::from(&BfdInstance { auth, ..model }).authenticated);
}
