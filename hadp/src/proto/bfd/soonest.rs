//! Which of a few things comes first.

use crate::units::Time;

/// After every time.
const NEVER: Time = Time::from_nanos(u64::MAX);

/// When each of a fixed number of things comes, and which comes first: a knockout tournament, so that to move one replays
/// its own games alone, and never allocates.
///
/// ```text
///                   1: first of 2, 3
///         2: first of 4, 5      3: first of 6, 7
///     4: thing 0  5: thing 1  6: thing 2  7: thing 3
/// ```
#[derive(Debug)]
pub(super) struct Soonest {
    /// Entry 0 is not in use.
    games: Vec<(Time, u32)>,
}

impl Soonest {
    /// Starts with so many things, a power of two, none of which comes.
    pub(super) fn new(things: u32) -> Self {
        Self { games: (0..2 * things).map(|_| (NEVER, 0)).collect() }
    }

    /// Returns what comes first and when; of several at once, the one with the lowest number.
    pub(super) fn first(&self) -> Option<(Time, u32)> {
        self.games.get(1).copied().filter(|(at, _)| *at < NEVER)
    }

    /// Has a thing come at another time, or not at all; without such a thing nothing happens.
    pub(super) fn set(&mut self, thing: u32, at: Option<Time>) {
        let Some(mut game) = usize::try_from(thing).ok().map(|thing| self.games.len() / 2 + thing) else {
            return;
        };
        let mut winner = (at.unwrap_or(NEVER), thing);
        while let Some(entry) = self.games.get_mut(game).filter(|entry| **entry != winner && game > 0) {
            *entry = winner;
            let other = self.games.get(game ^ 1).filter(|_| game > 1);
            winner = other.map_or(winner, |other| winner.min(*other));
            game /= 2;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_always_the_least() {
        const THINGS: u32 = 8;
        let (mut soonest, mut expected) = (Soonest::new(THINGS), [None; THINGS as usize]);
        let mut seed = 1_u64;
        let mut roll = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) % below
        };
        for _ in 0..20_000 {
            let (thing, at) = (roll(9) as u32, (roll(4) > 0).then(|| Time::from_nanos(roll(30))));
            soonest.set(thing, at);
            if let Some(expected) = expected.get_mut(thing as usize) {
                *expected = at;
            }
            let least = (0..).zip(expected).filter_map(|(thing, at)| Some((at?, thing))).min();
            assert_eq!(soonest.first(), least);
        }
    }
}
