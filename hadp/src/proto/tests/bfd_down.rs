//! The death of the Active router as BFD reports it.

use super::*;

fn down(host: u8, wait: Duration) -> Event {
    Event::ActiveDown { from: ip(host), wait }
}

/// Returns a router that follows .1, of priority 200, last heard at T0.
fn following(config: Config) -> Router {
    let mut router = started(config);
    hear(&mut router, T0, 1, 200);
    router
}

#[test]
fn the_death_of_the_active_router_is_the_timers_expiry() {
    for preempt in [Preempt::Always, Preempt::Never, Preempt::After(ms(60_000))] {
        for other in [200, 50] {
            let mut router = started(Config { preempt, ..config() });
            hear(&mut router, T0, 1, other);
            let now = T0 + ms(1);
            let actions = step(&mut router, now, down(1, ms(0)));
            assert_eq!(actions[0], Action::SetLease { until: now + ms(3_000) });
            assert_eq!(actions.last(), Some(&notify("Backup", "Active", Reason::BfdDown)));
        }
    }
}

#[test]
fn backups_wait_for_their_turn() {
    let mut router = following(config());
    let now = T0 + ms(1);
    let wait = Duration::from_micros(1_550);
    assert_eq!(tell(&mut router, now, down(1, wait)), []);
    assert_eq!(router.next_deadline(), Some(now + wait));
    // A priority that changes now does not change the turn.
    tell(&mut router, now, Event::Priority(priority(1)));
    assert_eq!(router.next_deadline(), Some(now + wait));
    // Told once more, nothing is put off.
    assert_eq!(tell(&mut router, now + ms(1), down(1, wait)), []);
    assert_eq!(router.next_deadline(), Some(now + wait));
    // One of higher priority was first.
    let mut other = router.clone();
    hear(&mut other, now + ms(1), 3, 150);
    assert_eq!(deadline_ms(&other, now + ms(1)), Some(3_996));
    let due = now + wait;
    assert!(step(&mut router, due, Event::Timeout).contains(&notify("Backup", "Active", Reason::BfdDown)));
}

/// A router that stood still resigns when it goes on: that is no reason to wait for longer than for its death.
#[test]
fn the_last_word_of_the_dead_puts_nobody_off() {
    let mut router = following(config());
    let now = T0 + ms(1);
    tell(&mut router, now, down(1, ms(2)));
    hear(&mut router, now + ms(1), 1, 0);
    assert_eq!(router.next_deadline(), Some(now + ms(2)));
    // The turn comes later than Skew_Time: that counts then.
    let mut other = following(config());
    tell(&mut other, now, down(1, ms(2_000)));
    hear(&mut other, now + ms(1), 1, 0);
    assert_eq!(deadline_ms(&other, now + ms(1)), Some(609));
}

#[test]
fn nothing_is_put_off() {
    let mut router = following(config());
    let due = router.next_deadline();
    tell(&mut router, T0 + ms(1), down(1, ms(60_000)));
    assert_eq!(router.next_deadline(), due);
}

/// What it said before, read late, does not bring it back; what it says afterwards does.
#[test]
fn a_dead_router_is_not_resurrected_by_what_it_said() {
    let decided = T0 + ms(500);
    let mut router = following(config());
    tell(&mut router, decided, down(1, ms(10)));
    for at in [100, 499, 500] {
        tell(&mut router, decided + ms(1), Event::Advert(heard(T0 + ms(at), 1, 200)));
        assert_eq!(router.next_deadline(), Some(decided + ms(10)), "{at}");
    }
    let mut alive = router.clone();
    hear(&mut alive, decided + ms(2), 1, 200);
    assert_eq!(deadline_ms(&alive, decided + ms(2)), Some(3_609));
    let due = alive.next_deadline().unwrap();
    assert!(step(&mut alive, due, Event::Timeout).contains(&notify("Backup", "Active", Reason::ActiveDown)));
    // Nor once this router is Active.
    step(&mut router, decided + ms(10), Event::Timeout);
    assert_eq!(tell(&mut router, decided + ms(11), Event::Advert(heard(T0 + ms(499), 1, 200))), []);
    assert_eq!(router.state().name(), "Active");
    hear(&mut router, decided + ms(12), 1, 200);
    assert_eq!(router.state().name(), "Backup");
}

/// An advert of another router that arrived before the report was told counts, whenever it is told.
#[test]
fn whoever_was_faster_is_followed() {
    let decided = T0 + ms(500);
    let mut router = following(config());
    tell(&mut router, decided, down(1, ms(10)));
    tell(&mut router, decided + ms(1), Event::Advert(heard(decided - ms(1), 3, 150)));
    assert_eq!(deadline_ms(&router, decided - ms(1)), Some(3_609));
}

/// Columns: what was heard, and whose death is told => whether that is the Active router's.
#[test]
fn only_the_router_followed_is_the_active_one() {
    #[rustfmt::skip]
    let table = [
        (vec![],                             1, false), // nobody was heard yet
        (vec![(1, 200)],                     1, true),
        (vec![(1, 200)],                     3, false),
        (vec![(1, 200), (3, 150)],           1, false),
        (vec![(1, 200), (3, 150)],           3, true),
        (vec![(1, 200), (1, 0)],             1, false), // resigned: Skew_Time decides who is next
        (vec![(1, 200), (3, 0)],             1, true),
        (vec![(1, 50)],                      1, true),  // about to be preempted
        (vec![(1, 200), (3, 50)],            1, true),  // of lower priority: not followed
        (vec![(1, 200), (3, 50)],            3, false),
        (vec![(1, 50), (3, 200)],            3, true),
    ];
    for (adverts, dead, active) in table {
        let mut router = started(config());
        for (step, (host, other)) in (1..).zip(adverts.clone()) {
            hear(&mut router, T0 + ms(step), host, other);
        }
        let due = router.next_deadline();
        let actions = tell(&mut router, T0 + ms(100), down(dead, ms(0)));
        assert_eq!(router.state().name(), if active { "Active" } else { "Backup" }, "{adverts:?} {dead}");
        assert_eq!(actions.is_empty(), !active);
        assert_eq!(router.next_deadline() == due, !active);
    }
}

/// Whoever was Active before this router was is not the Active router now.
#[test]
fn a_router_that_was_active_follows_nobody() {
    let mut router = following(config());
    let now = router.next_deadline().unwrap();
    step(&mut router, now, Event::Timeout);
    assert_eq!(tell(&mut router, now, down(1, ms(0))), []);
    tell(&mut router, now + ms(1), Event::Revoked);
    assert_eq!(tell(&mut router, now + ms(2), down(1, ms(0))), []);
    // Nor who would have been, had an advert left.
    let mut router = following(config());
    for _ in 0..2 {
        let now = router.next_deadline().unwrap();
        tell(&mut router, now, Event::Timeout);
        tell(&mut router, now, Event::AdvertFailed);
        assert_eq!(tell(&mut router, now, down(1, ms(0))), []);
    }
}
