//! Priorities that change while the router runs.

use super::*;
use crate::proto::Cause;

fn becomes(value: u8) -> Event {
    Event::Priority(priority(value))
}

#[test]
fn a_backups_timer_keeps_its_base() {
    for (version, interval) in [(V3, 100), (V3, 1), (V3, 4_000), (V2, 300)] {
        for (from, to) in [(100, 200), (200, 100), (100, 1), (1, 254)] {
            let config = Config { priority: priority(from), version, interval: centis(interval), ..config() };
            let after = Config { priority: priority(to), ..config.clone() };
            let advert = Heard { interval: centis(interval), ..heard(T0 + ms(1), 1, 254) };
            let resigned = Heard { priority: 0, at: T0 + ms(2), ..advert };
            let mut router = started(config);
            let wait = after.active_down_interval(centis(interval));
            for (event, due) in [
                (becomes(to), T0 + wait),
                (becomes(from), router.next_deadline().unwrap()),
                (Event::Advert(advert), router.next_deadline().unwrap() + ms(1)),
                (becomes(to), T0 + ms(1) + wait),
                (Event::Advert(resigned), T0 + ms(2) + after.skew(centis(interval))),
                (becomes(from), T0 + ms(2) + router.config().skew(centis(interval))),
            ] {
                assert_eq!(tell(&mut router, T0 + ms(2), event), []);
                assert_eq!(router.next_deadline(), Some(due), "{version:?} {interval} {from} {to} {event:?}");
            }
            assert_eq!(router.config().priority, priority(from));
        }
    }
}

#[test]
fn a_backup_preempts_by_its_new_priority() {
    let mut router = started(config());
    hear(&mut router, T0, 1, 150);
    tell(&mut router, T0, becomes(200));
    let due = router.next_deadline();
    hear(&mut router, T0 + ms(1), 1, 150);
    assert_eq!(router.next_deadline(), due);
    tell(&mut router, T0 + ms(1), becomes(149));
    hear(&mut router, T0 + ms(2), 1, 150);
    assert_eq!(deadline_ms(&router, T0 + ms(2)), Some(3_417));
}

#[test]
fn an_active_router_advertises_its_new_priority_at_once() {
    let mut router = active(config(), T0);
    let now = T0 + ms(300);
    assert_eq!(tell(&mut router, now, becomes(90)), [Action::SendAdvert { priority: 90 }]);
    assert_eq!(router.state(), State::Active { next_advert: now + ms(1_000), lease: T0 + ms(3_000) });
    assert_eq!(tell(&mut router, now, becomes(90)), []); // no news
    // From now on it ranks by that.
    hear(&mut router, now + ms(1), 1, 95);
    assert_eq!(router.state().name(), "Backup");
}

#[test]
fn elsewhere_it_is_noted() {
    let mut stopped = Router::new(config(), T0);
    let mut resigning = active(config(), T0);
    tell(&mut resigning, T0, Event::Fault(Cause::Tracked));
    for mut router in [stopped.clone(), resigning] {
        let (state, due) = (router.state(), router.next_deadline());
        assert_eq!(tell(&mut router, T0 + ms(1), becomes(7)), []);
        assert_eq!((router.state(), router.next_deadline()), (state, due));
        assert_eq!(router.config().priority, priority(7));
    }
    tell(&mut stopped, T0, becomes(200));
    tell(&mut stopped, T0, STARTUP);
    assert_eq!(deadline_ms(&stopped, T0), Some(3_218));
}

#[test]
fn the_owners_priority_does_not_change() {
    for (from, to) in [(255, 100), (100, 255)] {
        let mut router = active(Config { priority: priority(from), ..config() }, T0);
        assert_eq!(tell(&mut router, T0, becomes(to)), []);
        assert_eq!(router.config().priority, priority(from));
    }
}
