//! The announcement schedule: keepalived's `garp_*` keywords.

use super::*;

fn schedule() -> Announce {
    Announce {
        delay: ms(5_000),
        repeat: 5,
        refresh: ms(0),
        refresh_repeat: 1,
        lower_priority_delay: ms(3_000),
        lower_priority_repeat: 4,
        garp_interval: ms(0),
        gna_interval: ms(0),
    }
}

/// Returns a router that becomes Active at T0, and what it announces then.
fn announcing(announce: Announce, interval: Duration) -> (Router, Vec<Action>) {
    let mut router = Router::new(
        Config { priority: Priority::OWNER, announce, announce_interval: interval, ..config() },
        T0,
    );
    let mut actions = step(&mut router, T0, STARTUP);
    actions.retain(|action| matches!(action, Action::Announce { .. }));
    (router, actions)
}

/// Returns when, in ms after T0, which addresses are announced how often up to `end` ms.
fn announced(router: &mut Router, end: u64) -> Vec<(u128, usize, usize, u32)> {
    let log = run(router, T0 + ms(end));
    let announcements = log.into_iter().filter_map(|(at, action)| match action {
        Action::Announce { vips, rounds } => Some((at.since(T0).as_millis(), vips.start, vips.end, rounds)),
        Action::SetLease { .. }
        | Action::RenewLease { .. }
        | Action::Drain { .. }
        | Action::SendAdvert { .. }
        | Action::AcquireVips
        | Action::ReleaseVips
        | Action::Notify(_) => None,
    });
    announcements.collect()
}

#[test]
fn garp_master_repeat_and_delay_make_two_bursts() {
    let (mut router, now) = announcing(schedule(), ms(0));
    assert_eq!(now, [Action::Announce { vips: 0..3, rounds: 5 }]);
    assert_eq!(announced(&mut router, 60_000), [(5_000, 0, 3, 5)]);
}

#[test]
fn garp_master_delay_0_makes_one_burst_and_repeat_0_none() {
    let (mut router, now) = announcing(Announce { delay: ms(0), ..schedule() }, ms(0));
    assert_eq!((now.len(), announced(&mut router, 60_000)), (1, vec![]));
    let (mut router, now) = announcing(Announce { repeat: 0, ..schedule() }, ms(0));
    assert_eq!((now.len(), announced(&mut router, 60_000)), (0, vec![]));
}

#[test]
fn garp_master_refresh_repeats_without_drift() {
    let announce = Announce { delay: ms(0), refresh: ms(1_700), refresh_repeat: 2, ..schedule() };
    let (mut router, _) = announcing(announce, ms(0));
    assert_eq!(announced(&mut router, 5_200), [(1_700, 0, 3, 2), (3_400, 0, 3, 2), (5_100, 0, 3, 2)]);
    // Late by less than a period: the rhythm stays.
    tell(&mut router, T0 + ms(7_000), Event::Timeout);
    tell(&mut router, T0 + ms(7_000), Event::AdvertSent { at: T0 + ms(7_000) });
    assert_eq!(announced(&mut router, 8_600), [(8_500, 0, 3, 2)]);
}

#[test]
fn what_is_due_together_is_done_together() {
    let announce = Announce { refresh: ms(2_500), delay: ms(2_400), ..schedule() };
    let (mut router, _) = announcing(announce, ms(0));
    assert_eq!(
        tell(&mut router, T0 + ms(2_600), Event::Timeout),
        [
            Action::SendAdvert { priority: 255 },
            Action::Announce { vips: 0..3, rounds: 5 },
            Action::Announce { vips: 0..3, rounds: 1 },
        ]
    );
    assert!(router.next_deadline().is_some_and(|at| at > T0 + ms(2_600)));
}

#[test]
fn garp_lower_prio_delay_and_repeat_announce_now_and_once_more() {
    let (mut router, _) = announcing(Announce { delay: ms(0), ..schedule() }, ms(0));
    let burst = Action::Announce { vips: 0..3, rounds: 4 };
    assert_eq!(hear(&mut router, T0 + ms(500), 1, 50), [Action::SendAdvert { priority: 255 }, burst.clone()]);
    // A second one within the delay announces at once, and moves the last burst behind it.
    assert_eq!(hear(&mut router, T0 + ms(1_500), 1, 50), [Action::SendAdvert { priority: 255 }, burst]);
    assert_eq!(announced(&mut router, 60_000), [(4_500, 0, 3, 4)]);
    let (mut router, _) =
        announcing(Announce { lower_priority_repeat: 0, delay: ms(0), ..schedule() }, ms(0));
    assert_eq!(hear(&mut router, T0 + ms(500), 1, 50), [Action::SendAdvert { priority: 255 }]);
    assert_eq!(announced(&mut router, 60_000), []);
}

/// Ten seconds of adverts of lower priority, one every `pause`: a burst a second, and one after the last of them.
#[test]
fn a_flood_of_lower_priorities_provokes_a_burst_a_second() {
    for (delay, pause, lower_priority) in [
        (3_000, 1, LowerPriority::Advertise),
        (0, 1, LowerPriority::Advertise),
        (0, 3, LowerPriority::Discard),
        (400, 90, LowerPriority::Advertise),
        (400, 700, LowerPriority::Advertise),
    ] {
        let announce = Announce { delay: ms(0), lower_priority_delay: ms(delay), ..schedule() };
        let mut router = active(Config { announce, lower_priority, ..config() }, T0);
        let mut bursts = Vec::new();
        let mut last = 0;
        for at in (0..10_000).step_by(pause) {
            bursts.extend(announced(&mut router, at).into_iter().map(|(at, ..)| at));
            let now = T0 + ms(at);
            let actions = step(&mut router, now, Event::Advert(heard(now, 1, 50)));
            let count = actions.iter().filter(|action| matches!(action, Action::Announce { .. })).count();
            bursts.extend(std::iter::repeat_n(u128::from(at), count));
            last = u128::from(at);
        }
        bursts.extend(announced(&mut router, 60_000).into_iter().map(|(at, ..)| at));
        let label = format!("{delay} {pause}: {bursts:?}");
        assert_eq!(bursts.first(), Some(&0), "{label}");
        assert!(bursts.windows(2).all(|pair| pair[0] + 1_000 <= pair[1]), "{label}");
        assert!(bursts.len() >= 8, "{label}");
        let after = bursts.last().unwrap() - last;
        assert!(after >= u128::from(delay) && after <= u128::from(delay.max(1_000)), "{label}");
    }
}

/// A burst that came a moment after another, for an advert that came in between, is not lost.
#[test]
fn a_provoked_burst_that_had_to_wait_comes() {
    let announce = Announce { delay: ms(0), lower_priority_delay: ms(0), ..schedule() };
    let (mut router, _) = announcing(announce, ms(0));
    hear(&mut router, T0 + ms(100), 1, 50);
    hear(&mut router, T0 + ms(150), 1, 50);
    assert_eq!(announced(&mut router, 60_000), [(1_100, 0, 3, 4)]);
    // The one that waited counts as one, too.
    let (mut router, _) = announcing(Announce { lower_priority_delay: ms(3_000), ..schedule() }, ms(0));
    hear(&mut router, T0 + ms(100), 1, 50);
    announced(&mut router, 3_100);
    assert_eq!(hear(&mut router, T0 + ms(3_200), 1, 50), [Action::SendAdvert { priority: 255 }]);
}

#[test]
fn garp_interval_keeps_announcements_apart() {
    let announce = Announce { repeat: 2, delay: ms(0), ..schedule() };
    let (mut router, now) = announcing(announce, ms(300));
    assert_eq!(now, [Action::Announce { vips: 0..1, rounds: 1 }]);
    let expected = [(300, 1, 2, 1), (600, 2, 3, 1), (900, 0, 1, 1), (1_200, 1, 2, 1), (1_500, 2, 3, 1)];
    assert_eq!(announced(&mut router, 60_000), expected);
}

/// A burst asked for while another is queued: every address still gets all its rounds after the request.
#[test]
fn bursts_that_meet_in_the_queue_lose_nothing_and_do_not_add_up() {
    let announce = Announce { repeat: 3, delay: ms(0), ..schedule() };
    let (mut router, _) = announcing(announce, ms(100));
    assert_eq!(announced(&mut router, 150), [(100, 1, 2, 1)]);
    for again in [160, 170, 180] {
        tell(&mut router, T0 + ms(again), STARTUP);
    }
    let rest = announced(&mut router, 60_000);
    assert_eq!(rest.first(), Some(&(200, 2, 3, 1)));
    for vip in 0..3 {
        assert_eq!(rest.iter().filter(|(_, start, ..)| *start == vip).count(), 3, "{vip}");
    }
    assert!(rest.windows(2).all(|pair| pair[0].0 + 100 == pair[1].0), "{rest:?}");
}

#[test]
fn a_burst_after_the_queue_ran_empty_keeps_its_distance() {
    let announce = Announce { repeat: 1, delay: ms(0), lower_priority_repeat: 1, ..schedule() };
    let (mut router, _) = announcing(announce, ms(100));
    assert_eq!(announced(&mut router, 250).len(), 2);
    assert_eq!(hear(&mut router, T0 + ms(250), 1, 50), [Action::SendAdvert { priority: 255 }]);
    assert_eq!(announced(&mut router, 350), [(300, 0, 1, 1)]);
}

#[test]
fn leaving_active_cancels_every_announcement() {
    let leave = [
        Event::Advert(heard(T0 + ms(120), 9, 255)),
        Event::Shutdown,
        Event::Fault(crate::proto::Cause::LinkDown),
    ];
    for event in leave {
        for interval in [ms(0), ms(100)] {
            let (mut router, _) = announcing(Announce { refresh: ms(200), ..schedule() }, interval);
            tell(&mut router, T0 + ms(120), event);
            assert_ne!(router.state().name(), "Active");
            assert_eq!(announced(&mut router, 2_500), [], "{event:?} {interval:?}");
        }
    }
}

#[test]
fn a_new_takeover_owes_nothing_of_the_last_one() {
    let (mut router, _) = announcing(Announce { delay: ms(0), ..schedule() }, ms(0));
    hear(&mut router, T0 + ms(10), 1, 50);
    hear(&mut router, T0 + ms(20), 9, 255);
    hear(&mut router, T0 + ms(30), 9, 0);
    let log = announced(&mut router, 60_000);
    assert_eq!(router.state().name(), "Active");
    assert_eq!(log, [(33, 0, 3, 5)]);
}

#[test]
fn no_address_means_no_announcement() {
    for interval in [ms(0), ms(100)] {
        let mut router = started(Config {
            vips: 0,
            announce: Announce { refresh: ms(100), ..schedule() },
            announce_interval: interval,
            ..config()
        });
        assert_eq!(announced(&mut router, 10_000), []);
        assert_eq!(router.state().name(), "Active");
    }
}
