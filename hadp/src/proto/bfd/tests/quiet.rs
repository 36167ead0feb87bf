//! What moves nothing but a session's deadline.

use proptest::{
    prelude::{any, prop},
    prop_assert_eq, proptest,
};

use super::*;

proptest! {
    /// Of readings and vain timeouts in a row, the last reading leaves a session as all of them do. The deadlines of what is
    /// told later depend on nothing else.
    #[test]
    fn the_last_of_many_readings_leaves_a_session_as_all_of_them_do(
        steps in prop::collection::vec((1..6_000_u64, 0..30_000_u64, any::<bool>()), 1..60),
        flaps in 0..4_u64,
    ) {
        let mut all = session_in(Up, config());
        let mut now = T0;
        // One that flapped settles meanwhile.
        for _ in 0..flaps {
            tell(&mut all, now, Event::PathDown);
            for state in [Down, Init] {
                now = now + ms(1);
                hear(&mut all, now, packet(state));
            }
        }
        let (mut last, mut latest) = (all.clone(), None);
        for (pause, ago, is_reading) in steps {
            now = now + us(pause);
            let at = now - us(ago);
            let event = if is_reading { Event::Alive { at } } else { Event::Timeout };
            let before = all.clone();
            let actions = tell(&mut all, now, event);
            if !actions.is_empty() || !all.is_kept_up_by(&event) {
                all = before;
                break;
            }
            if is_reading {
                latest = Some((now, at.max(latest.map_or(at, |(_, latest)| latest))));
            }
        }
        if let Some((now, at)) = latest {
            prop_assert_eq!(tell(&mut last, now, Event::Alive { at }), []);
        }
        prop_assert_eq!(format!("{last:?}"), format!("{all:?}"));
    }
}
