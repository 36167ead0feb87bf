//! Leases that end before their time, and what is said when they are over.

use super::*;
use crate::proto::{Cause, Next};

fn revoked(from: &'static str) -> Vec<Action> {
    vec![REVOKED, NO_DRAIN, RESIGN, Action::ReleaseVips, notify(from, "Backup", Reason::Revoked)]
}

#[test]
fn an_active_router_whose_lease_is_revoked_is_a_backup_and_says_so() {
    let mut router = active(config(), T0);
    let now = T0 + ms(700);
    assert_eq!(tell(&mut router, now, Event::Revoked), revoked("Active"));
    assert_eq!((deadline_ms(&router, now), router.since()), (Some(3_609), now));
    // Told twice; and the report of an advert that was under way renews nothing.
    assert_eq!(tell(&mut router, now, Event::Revoked), []);
    assert_eq!(tell(&mut router, now, Event::AdvertSent { at: now }), []);
    // The advert that the datapath yielded to is told late, and counts.
    tell(&mut router, now, Event::Advert(heard(now - ms(1), 9, 200)));
    assert_eq!(router.last_heard().map(|last| last.from), Some(ip(9)));
    assert_eq!(deadline_ms(&router, now - ms(1)), Some(3_609));
}

/// Between the lease and the report of the advert; and after the report, when the renewal finds it.
#[test]
fn a_takeover_that_is_revoked_takes_nothing() {
    let mut router = started(config());
    let now = router.next_deadline().unwrap();
    tell(&mut router, now, Event::Timeout);
    let mut expected = revoked("Backup");
    expected.retain(|action| *action != Action::ReleaseVips);
    assert_eq!(tell(&mut router, now, Event::Revoked), expected);
    assert_eq!(deadline_ms(&router, now), Some(3_609));
    assert_eq!(hear(&mut router, now, 9, 200), []);
    let due = router.next_deadline().unwrap();
    step(&mut router, due, Event::Timeout);
    assert_eq!(tell(&mut router, due, Event::Revoked), revoked("Active"));
}

#[test]
fn a_resigning_router_whose_lease_is_revoked_ends_at_once() {
    for (restarted, to) in [(false, "Initialize"), (true, "Backup")] {
        let mut router = active(config(), T0);
        tell(&mut router, T0, Event::Shutdown);
        if restarted {
            tell(&mut router, T0, STARTUP);
            assert!(matches!(router.state(), State::Resigning { next: Next::Backup, .. }));
        }
        let end = released("Resigning", to, Reason::Revoked);
        assert_eq!(tell(&mut router, T0 + ms(1), Event::Revoked), end);
        assert_eq!(router.next_deadline().is_some(), restarted);
    }
}

#[test]
fn who_owns_nothing_has_nothing_revoked() {
    let mut backup = started(config());
    let mut stopped = Router::new(config(), T0);
    let due = backup.next_deadline();
    assert_eq!(tell(&mut backup, T0 + ms(1), Event::Revoked), []);
    assert_eq!(tell(&mut stopped, T0 + ms(1), Event::Revoked), []);
    assert_eq!(
        (backup.next_deadline(), stopped.state()),
        (due, State::Initialize { cause: Cause::NotStarted })
    );
}

/// Priority 0 makes a Backup wait for Skew_Time only, even one that follows another router, which may be unable to
/// contradict. Who has waited as long as the lease takes over by itself.
#[test]
fn a_lapse_is_kept_quiet() {
    for (down_timer_adverts, version, interval) in
        [(3, V3, 100), (1, V3, 100), (3, V3, 1), (5, V3, 100), (3, V2, 100)]
    {
        let config = Config { down_timer_adverts, version, interval: centis(interval), ..config() };
        let lapse = T0 + config.lease_span();
        for late in [0, 78, 60_000_000] {
            let mut router = active(config.clone(), T0);
            let got = tell(&mut router, lapse + Duration::from_micros(late), Event::Timeout);
            assert_eq!(got, lapsed(), "{down_timer_adverts} {version:?} {interval} {late}");
        }
    }
}

/// Stopped and continued, it wakes up while a successor is Active, and follows that one without a word.
#[test]
fn a_router_that_slept_follows_its_successor() {
    let mut router = active(config(), T0);
    let now = T0 + ms(9_000);
    let actions = tell(&mut router, now, Event::Advert(heard(now - ms(200), 1, 50)));
    assert!(!actions.contains(&RESIGN), "{actions:?}");
    // Even if a third router's answer to what was heard of it long ago is read first.
    let mut router = active(Config { preempt: Preempt::Never, ..config() }, T0);
    let actions = tell(&mut router, now, Event::Advert(heard(T0 - ms(200), 3, 0)));
    assert!(!actions.contains(&RESIGN), "{actions:?}");
    hear(&mut router, now, 1, 50);
    assert_eq!(deadline_ms(&router, now), Some(3_609));
}
