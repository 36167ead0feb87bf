//! How the kernel's ticks and CLOCK_MONOTONIC relate.

use std::{io, sync::atomic::Ordering, time::Duration};

use aya::programs::{ProgramError, TestRun, TestRunOptions, Xdp as XdpProgram};
use hadp_common::settings::ClockSample;
use nix::time::{ClockId, clock_getres};

use super::{
    mapped::MappedArray,
    open::{OpenError, Xdp},
};
use crate::{shell::clock, units::Time};

/// What [`Settings`](hadp_common::settings::Settings) says of the clocks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Calibration {
    pub(super) tick_ns: u64,
    pub(super) offset_ns: u64,
}

/// Leases would end at another time than this process thinks.
#[derive(Debug, thiserror::Error)]
#[error(
    "CLOCK_MONOTONIC of this process is {seconds:+.3} s from the kernel's, by which leases are counted: hadp runs in another \
     time namespace (unshare --time, or a container runtime's timeOffsets); start it in the initial one"
)]
struct AnotherClock {
    seconds: f64,
}

/// How many samples are taken at least, and over how many ticks.
const SAMPLES: u32 = 64;
const TICKS: u64 = 3;
/// The most samples, should the tick stand still.
const MAX_SAMPLES: u32 = 200_000;

/// Returns by how much this process's CLOCK_MONOTONIC is ahead of the kernel's, which was read between `before` and `after`;
/// `None` if they are one.
///
/// A time namespace shifts the one for the processes in it, and not the one that programs read: every lease would be off.
fn shift(before: Time, sample: ClockSample, after: Time) -> Option<i64> {
    let (before, kernel, after) = (before.as_nanos(), sample.ktime_ns, after.as_nanos());
    if (before..=after).contains(&kernel) {
        return None;
    }
    let middle = before + after.saturating_sub(before) / 2;
    Some(middle.wrapping_sub(kernel).cast_signed())
}

/// Samples both clocks over a few ticks.
///
/// The kernel counts ticks by CLOCK_MONOTONIC itself, so their relation never drifts and one calibration holds.
///
/// # Errors
///
/// When the clocks cannot be read, or this process has another CLOCK_MONOTONIC than the kernel.
pub(super) fn calibrate(program: &XdpProgram, own: &MappedArray<ClockSample>) -> io::Result<Calibration> {
    let resolution = Duration::from(clock_getres(ClockId::CLOCK_MONOTONIC_COARSE)?);
    let tick_ns = u64::try_from(resolution.as_nanos()).map_err(io::Error::other)?;
    let first = check(program, own)?;
    let mut samples = vec![first];
    for taken in 1..MAX_SAMPLES {
        let next = sample(program, own)?;
        samples.push(next);
        if taken >= SAMPLES && next.jiffies.wrapping_sub(first.jiffies) >= TICKS {
            break;
        }
    }
    Ok(Calibration { tick_ns, offset_ns: offset(&samples, tick_ns) })
}

/// Returns what to add to `(jiffies + 1) * tick_ns` for a time that is never behind.
///
/// A tick `j` begins at `j * tick_ns + base`. Each sample was taken after its tick began, so the least distance of a
/// sample from its tick is at least `base`, and close to it when one was taken right at the beginning. Half a tick on
/// top makes up for a tick that is counted late because the interrupt was.
fn offset(samples: &[ClockSample], tick_ns: u64) -> u64 {
    let distance = |sample: &ClockSample| sample.ktime_ns.wrapping_sub(sample.jiffies.wrapping_mul(tick_ns));
    // Distances are compared as signed numbers: `jiffies64` begins far ahead of the clock.
    let least =
        samples.iter().map(distance).min_by_key(|distance| distance.cast_signed()).unwrap_or_default();
    least.wrapping_add(tick_ns / 2)
}

/// Takes a sample, and checks that the kernel counts by this process's clock.
///
/// # Errors
///
/// When the clocks cannot be read, or it does not.
pub(super) fn check(program: &XdpProgram, own: &MappedArray<ClockSample>) -> io::Result<ClockSample> {
    let before = clock::now();
    let read = sample(program, own)?;
    match shift(before, read, clock::now()) {
        None => Ok(read),
        Some(ahead) => Err(io::Error::other(AnotherClock { seconds: ahead as f64 / 1e9 })),
    }
}

/// Runs the `clock` program once.
fn sample(program: &XdpProgram, clock: &MappedArray<ClockSample>) -> io::Result<ClockSample> {
    let frame = [0; 64];
    let options = TestRunOptions { data_in: Some(&frame), ..TestRunOptions::default() };
    program.test_run(options).map_err(|error: ProgramError| io::Error::other(error))?;
    let entry = clock.entry(0).ok_or(io::ErrorKind::NotFound)?;
    let jiffies = entry.word(0, Ordering::Acquire);
    Ok(ClockSample { jiffies, ktime_ns: entry.word(1, Ordering::Relaxed) })
}

impl Xdp {
    /// Reads the kernel's two clocks, the tick count first.
    ///
    /// # Errors
    ///
    /// When the kernel refuses to run the program that reads them.
    pub fn clock_sample(&self) -> Result<ClockSample, OpenError> {
        let programs = self.programs.as_ref().ok_or(OpenError::Missing("clock"))?;
        sample(&programs.clock, &self.maps.clock).map_err(OpenError::Clock)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: u64 = 4_000_000;

    /// Ticks that began `base` after zero, sampled at `times`, each counted `late` after it began.
    fn samples(base: u64, late: u64, times: impl Iterator<Item = u64>) -> Vec<ClockSample> {
        let jiffies = |at: u64| 0xfffb_6c20 + (at - base - late) / TICK;
        times.map(|at| ClockSample { jiffies: jiffies(at), ktime_ns: at }).collect()
    }

    #[test]
    fn a_clock_that_is_shifted_is_told_from_one_that_is_not() {
        let at = Time::from_nanos;
        let shift = |before, kernel, after| {
            shift(at(before), ClockSample { jiffies: 0, ktime_ns: kernel }, at(after))
        };
        assert_eq!(shift(1_000, 1_000, 1_000), None);
        assert_eq!(shift(1_000, 1_400, 2_000), None);
        assert_eq!(shift(1_000, 999, 2_000), Some(501));
        assert_eq!(shift(1_000, 2_001, 2_000), Some(-501));
        assert_eq!(shift(5_000_000_000, 2_000_000_000, 5_000_000_000), Some(3_000_000_000));
        assert_eq!(shift(0, 2_000_000_000, 0), Some(-2_000_000_000));
    }

    #[test]
    fn the_derived_time_is_never_behind_and_at_most_two_ticks_ahead() {
        for (base, late) in [(0, 0), (1_234_567, 0), (3_999_999, 900_000), (17, 1_900_000)] {
            let times = || (0..).map(|n| 40_000_000 + n * 7_919).take(4_000);
            let samples = samples(base, late, times());
            let offset = offset(&samples, TICK);
            for sample in &samples {
                let derived = (sample.jiffies + 1).wrapping_mul(TICK).wrapping_add(offset);
                assert!(derived >= sample.ktime_ns, "behind by {}", sample.ktime_ns - derived);
                assert!(derived - sample.ktime_ns <= 2 * TICK, "ahead by {}", derived - sample.ktime_ns);
            }
        }
    }
}
