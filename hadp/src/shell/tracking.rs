//! What the state of tracked objects does to a router.

use crate::{
    model::{Effect, Track, Tracked},
    units::Priority,
};

/// What tracking makes of a router.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Standing {
    /// Whether the router can run as far as tracked objects go.
    pub(crate) fitness: Fitness,
    /// The priority its adverts carry.
    pub(crate) priority: Priority,
}

/// Whether a router can run.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fitness {
    /// It can.
    Fit,
    /// An object with weight 0 has failed.
    Faulted,
}

/// Decides what tracked objects do to a router; `base` is its configured priority.
///
/// The sum of weights stays within 1..=254, and the address owner's 255 is not touched (RFC 9568 §5.2.4).
pub(crate) fn standing(tracks: &[Track], base: Priority, is_up: impl Fn(&Tracked) -> bool) -> Standing {
    let has_failed = |track: &Track| is_up(&track.object) == track.reverse;
    let mut fitness = Fitness::Fit;
    let mut sum = i32::from(base.get());
    for track in tracks {
        match (track.effect, has_failed(track)) {
            (Effect::Fault, true) => fitness = Fitness::Faulted,
            (Effect::Weight(weight), failed) if (weight < 0) == failed => sum += i32::from(weight),
            (Effect::Fault, false) | (Effect::Weight(_), _) => {}
        }
    }
    let weighted = u8::try_from(sum.clamp(1, 254)).ok().and_then(Priority::new);
    let priority = if base == Priority::OWNER { base } else { weighted.unwrap_or(base) };
    Standing { fitness, priority }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn track(name: &str, effect: Effect, reverse: bool) -> Track {
        Track { object: Tracked::Interface(name.to_owned()), effect, reverse }
    }

    /// Columns: base, tracks (up is the object called `up`), priority, whether it runs.
    #[test]
    fn weights_and_faults() {
        use Effect::{Fault, Weight};
        use Fitness::{Faulted, Fit};
        #[rustfmt::skip]
        let table: &[(u8, &[(&str, Effect, bool)], u8, Fitness)] = &[
            (100, &[],                                                     100, Fit),
            (100, &[("up", Fault, false)],                                 100, Fit),
            (100, &[("down", Fault, false)],                               100, Faulted),
            (100, &[("up", Fault, true)],                                  100, Faulted),
            (100, &[("down", Fault, true)],                                100, Fit),
            (100, &[("up", Weight(20), false)],                            120, Fit),
            (100, &[("down", Weight(20), false)],                          100, Fit),
            (100, &[("up", Weight(-20), false)],                           100, Fit),
            (100, &[("down", Weight(-20), false)],                          80, Fit),
            (100, &[("down", Weight(20), true), ("up", Weight(-5), true)], 115, Fit),
            (100, &[("down", Weight(-200), false)],                          1, Fit),
            (200, &[("up", Weight(200), false)],                           254, Fit),
            (255, &[("down", Weight(-100), false)],                        255, Fit),
        ];
        for (base, tracks, priority, fitness) in table {
            let tracks: Vec<_> =
                tracks.iter().map(|(name, effect, reverse)| track(name, *effect, *reverse)).collect();
            let base = Priority::new(*base).unwrap();
            let got = standing(&tracks, base, |object| *object == Tracked::Interface("up".to_owned()));
            let wanted = Standing { fitness: *fitness, priority: Priority::new(*priority).unwrap() };
            assert_eq!(got, wanted, "{base} {tracks:?}");
        }
    }
}
