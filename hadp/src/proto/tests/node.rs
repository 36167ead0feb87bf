//! The node: its index of deadlines, progress and fairness.

use std::collections::BTreeSet;

use proptest::{prelude::prop, prop_assert, prop_assert_eq, proptest, strategy::Strategy};

use super::*;
use crate::proto::{Cause, Node, Slot};

fn slot(index: u32) -> Slot {
    Slot::new(index).unwrap()
}

/// Does what a driver does at `now` and returns the slots in the order of their turns.
fn drive(node: &mut Node, now: Time, out: &mut Vec<(Slot, Action)>) -> Vec<Slot> {
    let mut turns = Vec::new();
    while let Some(slot) = node.due(now) {
        turns.push(slot);
        assert!(turns.len() < 5_000, "no end at {now:?}");
        let from = out.len();
        node.handle(now, slot, Event::Timeout, out);
        if out[from..].iter().any(|(_, action)| matches!(action, Action::SendAdvert { priority: 1.. })) {
            node.handle(now, slot, Event::AdvertSent { at: now }, out);
        }
    }
    turns
}

#[test]
fn a_slot_lies_within_the_maps() {
    assert_eq!(Slot::new(hadp_common::router::MAX_ROUTERS), None);
    assert_eq!(Slot::new(7).map(Slot::index), Some(7));
}

#[test]
fn actions_carry_the_slot_and_an_empty_slot_does_nothing() {
    let mut node = Node::default();
    let mut out = Vec::new();
    node.handle(T0, slot(3), STARTUP, &mut out);
    assert_eq!((out.len(), node.next_deadline(), node.due(T0)), (0, None, None));
    assert!(node.insert(slot(3), Router::new(config(), T0)).is_none());
    node.handle(T0, slot(3), STARTUP, &mut out);
    assert_eq!(out, [(slot(3), notify("Initialize", "Backup", Reason::Started))]);
    assert_eq!(node.next_deadline(), node.get(slot(3)).and_then(Router::next_deadline));
    let at = node.next_deadline().unwrap();
    assert_eq!((node.due(at - Duration::from_nanos(1)), node.due(at)), (None, Some(slot(3))));
    assert_eq!(node.iter().map(|(slot, _)| slot).collect::<Vec<_>>(), [slot(3)]);
}

#[test]
fn a_replaced_or_removed_router_leaves_no_deadline_behind() {
    let mut node = Node::default();
    node.insert(slot(0), started(config()));
    let old = node.insert(slot(0), started(Config { interval: centis(200), ..config() }));
    assert_eq!(old.map(|router| router.config().interval), Some(Centis::SECOND));
    assert_eq!(node.next_deadline(), Some(T0 + Duration::from_nanos(7_218_750_000)));
    assert!(node.remove(slot(0)).is_some());
    assert_eq!((node.next_deadline(), node.remove(slot(0)).is_none()), (None, true));
}

/// A thousand routers that are due together each have one turn, and the one due longest comes first.
#[test]
fn a_thousand_routers_are_served_fairly() {
    let mut node = Node::default();
    for index in 0..1_000 {
        let own = priority(u8::try_from(index % 254 + 1).unwrap());
        node.insert(slot(index), started(Config { priority: own, ..config() }));
    }
    let mut out = Vec::new();
    let now = T0 + ms(4_000);
    let order: Vec<Time> = node.iter().filter_map(|(_, router)| router.next_deadline()).collect();
    let turns = drive(&mut node, now, &mut out);
    assert_eq!(turns.iter().collect::<BTreeSet<_>>().len(), 1_000);
    assert_eq!(turns.len(), 1_000);
    let due: Vec<Time> = turns.iter().map(|slot| order[slot.index() as usize]).collect();
    assert!(due.is_sorted());
    assert!(node.iter().all(|(_, router)| router.state().name() == "Active"));
}

/// One step: how much later, which router, and what happens to it.
fn steps() -> impl Strategy<Value = Vec<(u64, u32, Event)>> {
    let event = (0..17_u8, 0..3_000_u64, 1..4_u8, 0..=255_u8, 1..200_u16);
    let step = (0..700_000_000_u64, 0..4_u32, event);
    prop::collection::vec(step, 1..80).prop_map(|steps| {
        let mut now = T0;
        let steps = steps.into_iter().map(|(wait, slot, (kind, ago, host, priority, interval))| {
            now = now + Duration::from_nanos(wait);
            let event = match kind {
                0 | 1 => STARTUP,
                2 => Event::Fault(Cause::LinkDown),
                3 => Event::Shutdown,
                4 => Event::AdvertSent { at: now - ms(ago) },
                5 => Event::Timeout,
                6 => Event::AdvertFailed,
                7 => Event::Resign,
                8 => Event::Resume { source: ip(2), lease: now + ms(ago) - ms(1_000) },
                9 => Event::ActiveDown { from: ip(host), wait: ms(ago / 300) },
                10 => Event::Revoked,
                12 => Event::AdvertStuck { left: now - ms(ago) },
                11 => Event::Priority(crate::units::Priority::new(priority.max(1)).unwrap()),
                _ => Event::Advert(Heard {
                    interval: centis(interval),
                    ..heard(now - ms(ago), host, priority)
                }),
            };
            (wait, slot, event)
        });
        steps.collect()
    })
}

proptest! {
    /// Whatever happens: after a Timeout the deadline lies ahead, the index agrees with the routers, and an early
    /// Timeout changes nothing.
    #[test]
    fn the_drivers_loop_always_makes_progress(steps in steps(), refresh in 0..2_000_u64, interval in 0..300_u64) {
        let mut node = Node::default();
        for index in 0..4 {
            let announce = Announce { refresh: ms(refresh), lower_priority_repeat: 2, ..config().announce };
            node.insert(slot(index), Router::new(Config {
                priority: priority([50, 100, 200, 255][index as usize]),
                preempt: [Preempt::Always, Preempt::Never, Preempt::After(ms(1_500)), Preempt::Always][index as usize],
                version: [V3, V2, V3, V3][index as usize],
                down_timer_adverts: [3, 3, 1, 2][index as usize],
                announce,
                announce_interval: ms(interval),
                ..config()
            }, T0));
        }
        let (mut now, mut out) = (T0, Vec::new());
        for (wait, index, event) in steps {
            now = now + Duration::from_nanos(wait);
            let turns = drive(&mut node, now, &mut out);
            prop_assert_eq!(turns.len(), turns.iter().collect::<BTreeSet<_>>().len());
            node.handle(now, slot(index), event, &mut out);
            let least = node.iter().filter_map(|(_, router)| router.next_deadline()).min();
            prop_assert_eq!(node.next_deadline(), least);
            let early = node.iter().filter(|(_, router)| router.next_deadline().is_some_and(|at| at > now));
            for slot in early.map(|(slot, _)| slot).collect::<Vec<_>>() {
                let (state, told) = (node.get(slot).map(Router::state), out.len());
                node.handle(now, slot, Event::Timeout, &mut out);
                prop_assert_eq!(node.get(slot).map(Router::state), state);
                prop_assert_eq!(out.len(), told);
            }
        }
        prop_assert!(drive(&mut node, now + ms(60_000), &mut out).len() <= 4);
    }
}
