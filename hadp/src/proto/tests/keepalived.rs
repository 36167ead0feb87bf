//! What keepalived's keywords make of the state machine.

use super::*;

fn delayed(delay: u64) -> Router {
    started(Config { preempt: Preempt::After(ms(delay)), ..config() })
}

#[test]
fn nopreempt_follows_a_lower_priority_and_still_takes_over_from_silence() {
    let mut router = started(Config { preempt: Preempt::Never, ..config() });
    for second in 1..20 {
        assert_eq!(hear(&mut router, T0 + ms(second * 1_000), 1, 50), []);
        assert_eq!(tell(&mut router, T0 + ms(second * 1_000 + 900), Event::Timeout), []);
    }
    let now = T0 + ms(19_000 + 3_610);
    assert!(step(&mut router, now, Event::Timeout).contains(&notify("Backup", "Active", Reason::ActiveDown)));
}

#[test]
fn preempt_delay_runs_from_the_start() {
    let mut router = delayed(10_000);
    for second in 1..10 {
        hear(&mut router, T0 + ms(second * 1_000), 1, 50);
        assert_eq!(deadline_ms(&router, T0 + ms(second * 1_000)), Some(3_609), "{second}");
    }
    let due = router.next_deadline().unwrap();
    for second in 10..13 {
        hear(&mut router, T0 + ms(second * 1_000), 1, 50);
        assert_eq!(router.next_deadline(), Some(due), "{second}");
    }
    assert!(step(&mut router, due, Event::Timeout).contains(&notify("Backup", "Active", Reason::Preempted)));
}

#[test]
fn preempt_delay_runs_from_the_first_lower_priority_after_a_higher_one() {
    let mut router = delayed(10_000);
    // Long after the start, the Active router's priority drops.
    for second in 1..60 {
        hear(&mut router, T0 + ms(second * 1_000), 1, 200);
    }
    for second in 60..70 {
        hear(&mut router, T0 + ms(second * 1_000), 1, 50);
        assert_eq!(deadline_ms(&router, T0 + ms(second * 1_000)), Some(3_609), "{second}");
    }
    hear(&mut router, T0 + ms(70_000), 1, 50);
    assert_eq!(deadline_ms(&router, T0 + ms(70_000)), Some(2_609));
    // A higher priority begins the wait anew.
    hear(&mut router, T0 + ms(70_500), 1, 100);
    hear(&mut router, T0 + ms(71_000), 1, 50);
    assert_eq!(deadline_ms(&router, T0 + ms(71_000)), Some(3_609));
}

#[test]
fn preempt_delay_does_not_delay_a_takeover_from_silence_or_a_resignation() {
    let mut silent = delayed(1_000_000);
    let due = T0 + Duration::from_nanos(3_609_375_000);
    assert!(step(&mut silent, due, Event::Timeout).contains(&notify("Backup", "Active", Reason::ActiveDown)));
    let mut resigned = delayed(1_000_000);
    hear(&mut resigned, T0 + ms(10), 1, 50);
    hear(&mut resigned, T0 + ms(20), 1, 0);
    assert_eq!(deadline_ms(&resigned, T0 + ms(20)), Some(609));
}

#[test]
fn down_timer_adverts_decides_the_wait_and_the_lease() {
    for (adverts, down, span) in
        [(1, 1_609, 1_000), (2, 2_609, 2_000), (3, 3_609, 3_000), (4, 4_609, 3_000), (100, 100_609, 3_000)]
    {
        for version in [V2, V3] {
            let config = Config { down_timer_adverts: adverts, version, ..config() };
            assert_eq!(deadline_ms(&started(config.clone()), T0), Some(down));
            let State::Active { lease, .. } = active(config, T0).state() else { panic!("not active") };
            assert_eq!(lease, T0 + ms(span));
        }
    }
}

/// A lease of one interval would lapse between any two adverts if they went once an interval.
#[test]
fn down_timer_adverts_1_stays_active() {
    let mut router = active(Config { down_timer_adverts: 1, ..config() }, T0);
    tell(&mut router, T0, Event::AdvertSent { at: T0 });
    let log = run(&mut router, T0 + ms(10_000));
    assert_eq!(router.state().name(), "Active");
    assert_eq!(log.iter().filter(|(_, action)| matches!(action, Action::SendAdvert { .. })).count(), 20);
}

#[test]
fn lower_prio_no_advert_discards_but_still_announces() {
    for (lower_priority, advert) in [(LowerPriority::Advertise, true), (LowerPriority::Discard, false)] {
        let announce = Announce { lower_priority_repeat: 2, ..config().announce };
        let mut router = active(Config { lower_priority, announce, ..config() }, T0);
        let mut expected = vec![Action::SendAdvert { priority: 100 }];
        expected.retain(|_| advert);
        expected.push(Action::Announce { vips: 0..3, rounds: 2 });
        assert_eq!(hear(&mut router, T0 + ms(500), 1, 50), expected);
        let State::Active { next_advert, .. } = router.state() else { panic!("{:?}", router.state()) };
        assert_eq!(next_advert, T0 + ms(if advert { 1_500 } else { 1_000 }));
    }
}

#[test]
fn higher_prio_send_advert_sends_a_last_advert_when_the_lease_is_gone() {
    let mut router = active(Config { advert_on_yield: true, ..config() }, T0);
    let reason = Reason::Yielded { from: ip(1), priority: 200 };
    assert_eq!(
        hear(&mut router, T0 + ms(1), 1, 200),
        [
            Action::Drain { until: T0 + ms(1) + DRAIN },
            REVOKED,
            Action::SendAdvert { priority: 100 },
            notify("Active", "Backup", reason),
        ]
    );
    // The report of that advert renews nothing.
    assert_eq!(tell(&mut router, T0 + ms(1), Event::AdvertSent { at: T0 + ms(1) }), []);
}
