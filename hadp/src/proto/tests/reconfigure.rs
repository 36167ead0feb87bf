//! Configurations that change while the router runs.

use std::ops::Range;

use super::*;
use crate::{
    model::LowerPriority as Lower,
    proto::{Addresses, Cause, Next, Reconfiguration},
};

/// Changes a router's configuration, and lets every advert that is ordered leave.
fn becomes(router: &mut Router, now: Time, config: Config, addresses: Addresses) -> Vec<Action> {
    let mut actions = Vec::new();
    router.reconfigure(now, Reconfiguration { config, addresses }, &mut actions);
    let_leave(router, now, actions)
}

fn same(router: &mut Router, now: Time, config: Config) -> Vec<Action> {
    becomes(router, now, config, Addresses::Same)
}

/// One range of new addresses.
fn only(vips: Range<usize>) -> Addresses {
    Addresses::Changed { new: std::iter::once(vips).collect() }
}

fn every(centis: u16, config: Config) -> Config {
    Config { interval: super::centis(centis), ..config }
}

fn advert(priority: u8) -> Action {
    Action::SendAdvert { priority }
}

fn renewed(until: Time) -> Action {
    Action::RenewLease { until }
}

#[test]
fn in_active_every_change_is_advertised_at_once_and_is_no_transition() {
    let changes = [
        Config { priority: priority(90), ..config() },
        Config { preempt: Preempt::Never, ..config() },
        Config { lower_priority: Lower::Discard, ..config() },
        Config { version: Version::V3(ChecksumMode::WithPseudoHeader), ..config() },
    ];
    for change in changes {
        let mut router = active(config(), T0);
        let now = T0 + ms(300);
        let actions = same(&mut router, now, change.clone());
        assert_eq!(actions, [advert(change.priority.get()), renewed(now + ms(3_000))]);
        assert_eq!(router.state(), State::Active { next_advert: now + ms(1_000), lease: now + ms(3_000) });
        assert_eq!((router.config(), router.since()), (&change, T0));
    }
}

#[test]
fn a_shorter_interval_cuts_the_lease_before_the_advert_that_tells_it() {
    let mut router = active(config(), T0);
    let now = T0 + ms(300);
    let actions = same(&mut router, now, every(1, config()));
    // Stored, advertised, and stored once more with the time of the advert, which is the same here.
    assert_eq!(actions, [renewed(now + ms(30)), advert(100)]);
    assert_eq!(router.state(), State::Active { next_advert: now + ms(10), lease: now + ms(30) });
    // Were that advert lost or late, the lease is no longer for it.
    let mut router = active(config(), T0);
    let mut out = Vec::new();
    let change = Reconfiguration { config: every(1, config()), addresses: Addresses::Same };
    router.reconfigure(now, change, &mut out);
    tell(&mut router, now, Event::AdvertFailed);
    assert_eq!(router.state(), State::Active { next_advert: now + ms(10), lease: now + ms(30) });
    // What is left of the lease is less than that: nothing to cut.
    let mut router = active(every(100, config()), T0);
    let late = T0 + ms(2_995);
    assert_eq!(same(&mut router, late, every(1, config())), [advert(100), renewed(late + ms(30))]);
}

#[test]
fn a_longer_interval_is_told_at_the_old_pace_until_nobody_can_wait_by_the_old_one() {
    let mut router = active(every(1, config()), T0);
    let now = T0 + ms(5);
    assert_eq!(same(&mut router, now, every(100, config())), [advert(100), renewed(now + ms(30))]);
    // A Backup of the lowest priority that has heard none of these gives up after 30 ms and almost one interval.
    for index in 1..=3 {
        let at = now + ms(10 * index);
        assert_eq!(router.next_deadline(), Some(at));
        assert_eq!(step(&mut router, at, Event::Timeout), [advert(100), renewed(at + ms(30))]);
    }
    let at = now + ms(40);
    assert_eq!(router.next_deadline(), Some(at));
    assert_eq!(step(&mut router, at, Event::Timeout), [advert(100), renewed(at + ms(3_000))]);
    // That one was planned at the old pace still; the next is not.
    assert_eq!(router.next_deadline(), Some(at + ms(10)));
    step(&mut router, at + ms(10), Event::Timeout);
    assert_eq!(router.next_deadline(), Some(at + ms(1_010)));
}

/// Two adverts in a row may be lost, as in any other moment, and a peer that hears all of them waits longer than any lease.
#[test]
fn a_peer_that_loses_two_adverts_is_not_left_to_take_over() {
    for (from, to) in [(1, 100), (100, 1), (10, 11), (50, 2), (2, 50)] {
        for lost in 0..=2 {
            let mut router = active(every(from, config()), T0);
            let config = Config { priority: priority(254), preempt: Preempt::Never, ..every(from, config()) };
            let mut peer = started(config);
            let hear = |peer: &mut Router, at: Time, interval: u16| {
                let interval = centis(interval);
                tell(peer, at, Event::Advert(Heard { interval, ..heard(at, 3, 100) }));
            };
            hear(&mut peer, T0, from);
            let mut at = T0 + ms(7);
            same(&mut router, at, every(to, super::config()));
            for index in 0..200 {
                // Lost are the first ones, or as many in a row later on.
                if index % 10 >= lost {
                    hear(&mut peer, at, to);
                }
                let State::Active { next_advert, lease } = router.state() else { panic!("not Active") };
                let State::Backup { active_down } = peer.state() else { panic!("not Backup") };
                assert!(next_advert < active_down, "{from} {to} {lost} {index}");
                assert!(lost > 0 || lease <= active_down, "{from} {to} {index}");
                at = next_advert;
                step(&mut router, at, Event::Timeout);
            }
        }
    }
}

#[test]
fn changing_the_interval_again_meanwhile_keeps_the_shortest_lease() {
    let mut router = active(every(1, config()), T0);
    same(&mut router, T0, every(100, config()));
    let now = T0 + ms(10);
    assert_eq!(same(&mut router, now, every(200, config())), [advert(100), renewed(now + ms(30))]);
    let now = T0 + ms(20);
    assert_eq!(same(&mut router, now, every(2, config())), [advert(100), renewed(now + ms(30))]);
    assert_eq!(router.next_deadline(), Some(now + ms(10)));
}

#[test]
fn in_backup_the_wait_is_counted_anew_where_the_interval_was_not_learned() {
    let later = Config { down_timer_adverts: 5, ..config() };
    let v2 = |centis| Config { version: V2, ..every(centis, config()) };
    #[rustfmt::skip]
    let rows = [
        // name                           before     heard  after                                          due
        ("nobody heard, shorter",         config(),  false, every(10, config()),                           Some(360)),
        ("nobody heard, longer",          config(),  false, every(200, config()),                          Some(7_218)),
        ("learned",                       config(),  true,  every(10, config()),                           Some(3_619)),
        ("learned, more patience",        config(),  true,  later.clone(),                                 Some(5_619)),
        ("learned, higher priority",      config(),  true,  Config { priority: priority(200), ..config() }, Some(3_228)),
        ("v2 learns nothing",             v2(100),   true,  v2(300),                                       Some(9_619)),
        ("v2, nobody heard",              v2(300),   false, v2(100),                                       Some(3_609)),
    ];
    for (name, before, hears, after, due) in rows {
        let mut router = started(before);
        if hears {
            hear(&mut router, T0 + ms(10), 1, 150);
        }
        assert_eq!(same(&mut router, T0 + ms(20), after.clone()), [], "{name}");
        assert_eq!(deadline_ms(&router, T0), due, "{name}");
        assert_eq!((router.state().name(), router.config()), ("Backup", &after));
    }
}

#[test]
fn in_backup_other_waits_go_on() {
    // A resignation: Skew_Time alone, of the interval that was learned.
    let mut router = started(config());
    hear(&mut router, T0, 1, 150);
    hear(&mut router, T0 + ms(1), 1, 0);
    let due = router.next_deadline();
    same(&mut router, T0 + ms(2), every(1, config()));
    assert_eq!(router.next_deadline(), due);
    same(&mut router, T0 + ms(2), Config { priority: priority(200), ..every(1, config()) });
    assert_eq!(router.next_deadline(), Some(T0 + ms(1) + router.config().skew(Centis::SECOND)));
    // One that has been told of a death waits for its turn.
    let mut router = started(config());
    hear(&mut router, T0, 1, 150);
    tell(&mut router, T0 + ms(1), Event::ActiveDown { from: ip(1), wait: ms(1) });
    same(&mut router, T0 + ms(1), every(1, config()));
    assert_eq!(router.next_deadline(), Some(T0 + ms(2)));
}

#[test]
fn preempt_mode_changes_with_the_next_advert() {
    let never = Config { preempt: Preempt::Never, ..config() };
    let after = |seconds: u64| Config { preempt: Preempt::After(ms(seconds * 1000)), ..config() };
    let mut router = started(never.clone());
    hear(&mut router, T0, 1, 50);
    same(&mut router, T0, config());
    let due = router.next_deadline();
    hear(&mut router, T0 + ms(100), 1, 50);
    assert_eq!(router.next_deadline(), due, "the timer runs out");
    same(&mut router, T0 + ms(100), never);
    hear(&mut router, T0 + ms(200), 1, 50);
    assert_eq!(deadline_ms(&router, T0), Some(3_809), "and now it does not");
    // A wait that has begun goes on, by the new length.
    let mut router = started(after(10));
    same(&mut router, T0, after(1));
    hear(&mut router, T0 + ms(999), 1, 50);
    let due = router.next_deadline();
    hear(&mut router, T0 + ms(1_000), 1, 50);
    assert_eq!(router.next_deadline(), due);
    // One that begins does so with an advert.
    let mut router = started(config());
    same(&mut router, T0, after(1));
    hear(&mut router, T0 + ms(500), 1, 50);
    hear(&mut router, T0 + ms(1_499), 1, 50);
    let due = router.next_deadline();
    hear(&mut router, T0 + ms(1_500), 1, 50);
    assert_eq!(router.next_deadline(), due);
}

#[test]
fn new_addresses_alone_are_announced() {
    let mut router = active(config(), T0);
    let now = T0 + ms(100);
    let change = Config { vips: 5, ..config() };
    let actions = becomes(&mut router, now, change.clone(), Addresses::Changed { new: vec![1..2, 4..5] });
    let announce = |vips| Action::Announce { vips, rounds: 1 };
    assert_eq!(
        actions,
        [advert(100), Action::AcquireVips, announce(1..2), announce(4..5), renewed(now + ms(3_000))]
    );
    // Fewer: nothing to announce.
    let now = T0 + ms(200);
    let actions = becomes(&mut router, now, config(), Addresses::Changed { new: vec![] });
    assert_eq!(actions, [advert(100), Action::AcquireVips, renewed(now + ms(3_000))]);
    // A Backup has none on.
    let mut router = started(config());
    assert_eq!(becomes(&mut router, T0, change, only(0..5)), []);
}

#[test]
fn announcements_that_are_kept_apart_go_round_the_new_list() {
    let announce = Announce { repeat: 2, ..config().announce };
    let spaced = Config { announce_interval: ms(10), announce, ..config() };
    let mut router = active(spaced.clone(), T0);
    becomes(
        &mut router,
        T0 + ms(11),
        Config { vips: 1, ..spaced.clone() },
        Addresses::Changed { new: vec![] },
    );
    let announced = run(&mut router, T0 + ms(500))
        .into_iter()
        .filter_map(|(_, action)| if let Action::Announce { vips, .. } = action { Some(vips) } else { None });
    let announced: Vec<_> = announced.collect();
    assert!(!announced.is_empty() && announced.iter().all(|vips| *vips == (0..1)), "{announced:?}");
    // Not kept apart any more: what is owed goes at once, and that is the end of it.
    let mut router = active(spaced, T0);
    let actions = same(&mut router, T0 + ms(1), config());
    assert!(actions.contains(&Action::Announce { vips: 0..3, rounds: 1 }), "{actions:?}");
    run(&mut router, T0 + ms(500));
}

#[test]
fn a_refresh_begins_and_ends_with_the_schedule() {
    let refreshing = Config { announce: Announce { refresh: ms(250), ..config().announce }, ..config() };
    let mut router = active(config(), T0);
    same(&mut router, T0 + ms(100), refreshing);
    assert_eq!(deadline_ms(&router, T0), Some(350));
    same(&mut router, T0 + ms(200), config());
    assert_eq!(deadline_ms(&router, T0), Some(1_200));
}

#[test]
fn in_initialize_and_resigning_it_is_noted() {
    let change = Config { priority: priority(200), ..every(10, config()) };
    let mut stopped = Router::new(config(), T0);
    assert_eq!(becomes(&mut stopped, T0, change.clone(), only(0..1)), []);
    tell(&mut stopped, T0, STARTUP);
    assert_eq!(stopped.next_deadline(), Some(T0 + change.active_down_interval(centis(10))));

    let mut resigning = active(config(), T0);
    step(&mut resigning, T0, Event::Shutdown);
    let state = resigning.state();
    assert!(matches!(state, State::Resigning { next: Next::Initialize(Cause::Stopped), .. }));
    assert_eq!(becomes(&mut resigning, T0 + ms(1), change.clone(), only(0..1)), []);
    assert_eq!((resigning.state(), resigning.config()), (state, &change));
}

#[test]
fn another_router_it_does_not_become() {
    let owner = Config { priority: priority(255), ..config() };
    let other = Config { version: V2, ..config() };
    for (before, after) in [(config(), owner.clone()), (owner, config()), (config(), other)] {
        let mut router = active(before.clone(), T0);
        let state = router.state();
        assert_eq!(same(&mut router, T0 + ms(1), after), []);
        assert_eq!((router.state(), router.config()), (state, &before));
    }
}
