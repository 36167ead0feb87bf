//! What tracked objects do to a router's priority, and whether it may run at all.

use crate::{
    model::{Effect, Track},
    units::Priority,
};

/// What a router is to do, given all that it tracks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Standing {
    /// Something of weight 0 has failed: it cannot run.
    Fault,
    /// It runs with this priority.
    Runs(Priority),
}

/// Returns what tracked objects make of a router; each comes with whether it is up.
pub fn standing(base: Priority, tracks: &[(&Track, bool)]) -> Standing {
    // `reverse` of weight 0: the object counts as failed while it is up.
    let failed = |(track, up): &(&Track, bool)| matches!(track.effect, Effect::Fault) && *up == track.reverse;
    if tracks.iter().any(failed) { Standing::Fault } else { Standing::Runs(effective_priority(base, tracks)) }
}

/// Returns the priority with all weights: a positive one counts while its object is up, a negative one while it has
/// failed. The sum stays within 1..=254, and the address owner keeps 255.
///
/// `reverse` turns the sign of what is added, not the time it is added, as keepalived 2.2.7 was seen to do: `weight 20
/// reverse` takes 20 off while the object is up, `weight -20 reverse` adds 20 while it has failed.
pub fn effective_priority(base: Priority, tracks: &[(&Track, bool)]) -> Priority {
    if base == Priority::OWNER {
        return base;
    }
    let sum = tracks.iter().fold(i32::from(base.get()), |sum, (track, up)| match track.effect {
        Effect::Weight(weight) if (weight > 0) != *up => sum,
        Effect::Weight(weight) if track.reverse => sum - i32::from(weight),
        Effect::Weight(weight) => sum + i32::from(weight),
        Effect::Fault => sum,
    });
    u8::try_from(sum.clamp(1, 254)).ok().and_then(Priority::new).unwrap_or(base)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Tracked;

    fn priority(value: u8) -> Priority {
        Priority::new(value).unwrap()
    }

    fn weight(weight: i16, reverse: bool) -> Track {
        Track { object: Tracked::Bfd("b".to_owned()), effect: Effect::Weight(weight), reverse }
    }

    /// What keepalived 2.2.7 advertised with priority 100 while its session was down and while it was up.
    #[test]
    fn weights_count_as_in_keepalived() {
        #[rustfmt::skip]
        let rows = [
            // Weight, reverse, while down, while up.
            ( 20, false, 100, 120),
            (-20, false,  80, 100),
            ( 20, true,  100,  80),
            (-20, true,  120, 100),
        ];
        for (value, reverse, down, up) in rows {
            let track = weight(value, reverse);
            let got = [false, true].map(|is_up| effective_priority(priority(100), &[(&track, is_up)]).get());
            assert_eq!(got, [down, up], "weight {value} {reverse}");
        }
    }

    #[test]
    fn the_sum_stays_within_bounds_and_is_cut_once() {
        let (up, down, small) = (weight(253, false), weight(-253, false), weight(7, false));
        assert_eq!(effective_priority(priority(100), &[(&up, true)]).get(), 254);
        assert_eq!(effective_priority(priority(100), &[(&down, false)]).get(), 1);
        let all = [(&up, true), (&small, true), (&down, false)];
        assert_eq!(effective_priority(priority(100), &all).get(), 107);
        assert_eq!(effective_priority(Priority::OWNER, &[(&down, false)]), Priority::OWNER);
        assert_eq!(effective_priority(priority(254), &[(&weight(i16::MAX, false), true); 200]).get(), 254);
    }

    #[test]
    fn weight_0_is_a_fault() {
        let fault = |reverse| Track { effect: Effect::Fault, ..weight(0, reverse) };
        let (plain, reversed, heavy) = (fault(false), fault(true), weight(10, false));
        let base = priority(100);
        assert_eq!(standing(base, &[(&plain, false), (&heavy, true)]), Standing::Fault);
        assert_eq!(standing(base, &[(&plain, true), (&heavy, true)]), Standing::Runs(priority(110)));
        assert_eq!(standing(base, &[(&reversed, true)]), Standing::Fault);
        assert_eq!(standing(base, &[(&reversed, false)]), Standing::Runs(base));
        assert_eq!(standing(Priority::OWNER, &[(&plain, false)]), Standing::Fault);
        assert_eq!(standing(base, &[]), Standing::Runs(base));
    }
}
