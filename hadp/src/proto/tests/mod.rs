//! Tests of the protocol: tables of transitions, and routers against each other on a virtual clock.

mod adverts;
mod announce;
mod bfd_down;
mod drain;
mod failover;
mod keepalived;
mod lease;
mod node;
mod priority;
mod reconfigure;
mod resume;
mod revoked;
mod rfc9568;
mod sim;
mod takeover;

use std::{net::IpAddr, time::Duration};

use super::{Action, AddressList, Config, DRAIN, Event, Heard, Reason, Router, State, Transition};
use crate::{
    model::{Announce, Auth, ChecksumMode, LowerPriority, Preempt, Version},
    units::{Centis, Priority, Time},
};

/// When the tests begin.
const T0: Time = Time::from_nanos(1_000_000_000_000);
const V2: Version = Version::V2(Auth::None);
const V3: Version = Version::V3(ChecksumMode::Message);

/// A router of priority 100 with three addresses, one burst of one round and nothing else announced.
fn config() -> Config {
    Config {
        priority: priority(100),
        interval: Centis::SECOND,
        version: V3,
        preempt: Preempt::Always,
        down_timer_adverts: 3,
        lower_priority: LowerPriority::Advertise,
        advert_on_yield: false,
        announce: Announce { delay: ms(0), repeat: 1, lower_priority_repeat: 0, ..Announce::default() },
        vips: 3,
        announce_interval: ms(0),
    }
}

fn priority(value: u8) -> Priority {
    Priority::new(value).unwrap()
}

fn centis(value: u16) -> Centis {
    Centis::new(value).unwrap()
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Returns the address ending in `host`; the router under test is 10.77.0.2.
fn ip(host: u8) -> IpAddr {
    IpAddr::from([10, 77, 0, host])
}

const STARTUP: Event = Event::Startup { source: IpAddr::V4(std::net::Ipv4Addr::new(10, 77, 0, 2)) };

fn heard(at: Time, host: u8, priority: u8) -> Heard {
    Heard { at, from: ip(host), priority, interval: Centis::SECOND, addresses: AddressList::Same }
}

/// Tells one event and returns the actions.
fn tell(router: &mut Router, now: Time, event: Event) -> Vec<Action> {
    let mut out = Vec::new();
    router.handle(now, event, &mut out);
    out
}

/// Tells one event, and of every advert it orders that it left, as the shell does; returns the actions in the shell's
/// order.
fn step(router: &mut Router, now: Time, event: Event) -> Vec<Action> {
    let actions = tell(router, now, event);
    let_leave(router, now, actions)
}

/// Tells of every advert that was ordered that it left; returns all actions in the shell's order.
fn let_leave(router: &mut Router, now: Time, mut actions: Vec<Action>) -> Vec<Action> {
    let mut next = 0;
    while let Some(action) = actions.get(next) {
        if matches!(action, Action::SendAdvert { priority: 1.. }) {
            actions.extend(tell(router, now, Event::AdvertSent { at: now }));
        }
        next += 1;
    }
    actions
}

/// Tells an advert that arrives this moment.
fn hear(router: &mut Router, now: Time, host: u8, priority: u8) -> Vec<Action> {
    tell(router, now, Event::Advert(heard(now, host, priority)))
}

/// Returns a router started at T0.
fn started(config: Config) -> Router {
    let mut router = Router::new(config, T0);
    tell(&mut router, T0, STARTUP);
    router
}

/// Returns a router that became Active at `now`: the owner by its start, any other one from silence.
fn active(config: Config, now: Time) -> Router {
    let mut router = Router::new(config, T0);
    if router.config.priority == Priority::OWNER {
        step(&mut router, now, STARTUP);
    } else {
        let wait = router.config.active_down_interval(router.config.interval);
        tell(&mut router, now - wait, STARTUP);
        step(&mut router, now, Event::Timeout);
    }
    assert_eq!(router.state().name(), "Active");
    router
}

/// Lets everything due up to `end` happen, each at its time, with every advert sent; returns when what was ordered.
fn run(router: &mut Router, end: Time) -> Vec<(Time, Action)> {
    let mut log = Vec::new();
    while let Some(at) = router.next_deadline().filter(|at| *at <= end) {
        log.extend(step(router, at, Event::Timeout).into_iter().map(|action| (at, action)));
        assert!(router.next_deadline().is_none_or(|next| next > at), "no progress at {at:?}");
    }
    log
}

fn notify(from: &'static str, to: &'static str, reason: Reason) -> Action {
    Action::Notify(Transition { from, to, reason })
}

const REVOKED: Action = Action::SetLease { until: Time::ZERO };
const NO_DRAIN: Action = Action::Drain { until: Time::ZERO };
const RESIGN: Action = Action::SendAdvert { priority: 0 };
const RELEASE: [Action; 3] = [REVOKED, NO_DRAIN, Action::ReleaseVips];

/// Returns the actions that give a router up, told as this transition.
fn released(from: &'static str, to: &'static str, reason: Reason) -> Vec<Action> {
    [&RELEASE[..], &[notify(from, to, reason)]].concat()
}

/// Returns the actions that hand a router over to one that was heard, told at `now` as this transition.
fn drained(now: Time, from: &'static str, to: &'static str, reason: Reason) -> Vec<Action> {
    vec![Action::Drain { until: now + DRAIN }, REVOKED, notify(from, to, reason)]
}

/// Returns the actions that end a lease nobody renewed, heeded in time.
fn lapsed() -> Vec<Action> {
    vec![REVOKED, NO_DRAIN, Action::ReleaseVips, notify("Active", "Backup", Reason::LeaseExpired)]
}

/// Returns the next deadline in milliseconds after `now`.
fn deadline_ms(router: &Router, now: Time) -> Option<u128> {
    router.next_deadline().map(|at| at.since(now).as_millis())
}
