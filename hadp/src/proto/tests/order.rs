//! The order in which what many routers want is done.

use proptest::{prelude::prop, prop_assert_eq, proptest};

use super::*;
use crate::proto::{Node, Slot, order::by_phase};

fn slot(index: u32) -> Slot {
    Slot::new(index).unwrap()
}

const STORE: Action = Action::SetLease { until: T0 };
const ADVERT: Action = Action::SendAdvert { priority: 100 };
const DRAINS: Action = Action::Drain { until: T0 };

/// Columns: (slot, order) in the order given => their places in the order wanted.
#[test]
fn stores_come_before_adverts_and_those_before_the_rest() {
    #[rustfmt::skip]
    let table = [
        (vec![(1, STORE), (1, ADVERT), (2, STORE), (2, ADVERT)],            vec![0, 2, 1, 3]),
        (vec![(1, STORE), (1, ADVERT), (1, NO_DRAIN), (2, STORE)],          vec![0, 3, 1, 2]),
        (vec![(2, Action::ReleaseVips), (1, ADVERT), (3, STORE)],           vec![2, 1, 0]),
        (vec![(2, ADVERT), (1, ADVERT), (2, DRAINS), (1, DRAINS)],          vec![0, 1, 2, 3]),
        // A yield with a last advert: not before the lease is gone.
        (vec![(1, REVOKED), (1, DRAINS), (1, ADVERT), (2, STORE)],          vec![3, 0, 1, 2]),
        // A lapse, and a takeover in the same breath.
        (vec![(1, REVOKED), (1, RESIGN), (1, STORE), (2, ADVERT)],          vec![3, 0, 1, 2]),
        (vec![(1, Action::RenewLease { until: T0 }), (2, RESIGN)],          vec![1, 0]),
    ];
    for (given, places) in table {
        let given: Vec<_> = given.into_iter().map(|(index, action)| (slot(index), action)).collect();
        let wanted: Vec<_> = places.into_iter().map(|place: usize| given[place].clone()).collect();
        let mut orders = given.clone();
        by_phase(&mut orders);
        assert_eq!(orders, wanted, "{given:?}");
    }
}

/// One death, a thousand routers: all are owned before the first advert leaves.
#[test]
fn a_thousand_routers_are_taken_over_together() {
    let mut node = Node::default();
    let mut out = Vec::new();
    for index in 0..1_000 {
        let mut router = started(config());
        hear(&mut router, T0, 1, 200);
        node.insert(slot(index), router);
    }
    let down = Event::ActiveDown { from: ip(1), wait: ms(0) };
    node.handle_all(T0 + ms(1), (0..1_000).map(|index| (slot(index), down)), &mut out);
    assert_eq!(out.len(), 2_000);
    for (index, order) in out.iter().enumerate() {
        let store = (slot(index as u32), Action::SetLease { until: T0 + ms(3_001) });
        let advert = (slot(index.saturating_sub(1_000) as u32), ADVERT);
        assert_eq!(*order, if index < 1_000 { store } else { advert });
    }
    assert!(!node.is_idle());
}

proptest! {
    /// Nothing is lost, and every router's orders stay in their order.
    #[test]
    fn every_routers_orders_keep_their_order(given in prop::collection::vec((0..4_u32, 0..8_u64), 0..60)) {
        let kinds = |kind, at| match kind {
            0 | 1 => Action::SetLease { until: T0 + ms(at) },
            2 => Action::SetLease { until: Time::ZERO },
            3 | 4 => Action::SendAdvert { priority: 1 },
            5 => Action::Drain { until: T0 + ms(at) },
            6 => Action::RenewLease { until: T0 + ms(at) },
            _ => Action::ReleaseVips,
        };
        let given: Vec<_> = given
            .into_iter()
            .zip(0..)
            .map(|((index, kind), at)| (slot(index), kinds(kind, at)))
            .collect();
        let mut orders = given.clone();
        by_phase(&mut orders);
        prop_assert_eq!(orders.len(), given.len());
        for index in 0..4 {
            let of = |all: &[(Slot, Action)]| {
                all.iter().filter(|(of, _)| *of == slot(index)).cloned().collect::<Vec<_>>()
            };
            prop_assert_eq!(of(&orders), of(&given));
        }
        // Sorted once, it is sorted.
        let once = orders.clone();
        by_phase(&mut orders);
        prop_assert_eq!(orders, once);
    }
}
