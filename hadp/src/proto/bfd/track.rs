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
    let fault =
        tracks.iter().any(|(track, up)| matches!(track.effect, Effect::Fault) && !counts_as_up(track, *up));
    if fault { Standing::Fault } else { Standing::Runs(effective_priority(base, tracks)) }
}

/// Returns the priority with all weights: a positive one is added while its object is up, a negative one while it has
/// failed. The sum stays within 1..=254, and the address owner keeps 255.
pub fn effective_priority(base: Priority, tracks: &[(&Track, bool)]) -> Priority {
    if base == Priority::OWNER {
        return base;
    }
    let sum = tracks.iter().fold(i32::from(base.get()), |sum, (track, up)| match track.effect {
        Effect::Weight(weight) if (weight > 0) == counts_as_up(track, *up) => sum + i32::from(weight),
        Effect::Weight(_) | Effect::Fault => sum,
    });
    u8::try_from(sum.clamp(1, 254)).ok().and_then(Priority::new).unwrap_or(base)
}

/// Applies `reverse`.
fn counts_as_up(track: &Track, up: bool) -> bool {
    up != track.reverse
}
