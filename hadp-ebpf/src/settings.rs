//! The daemon's settings, read once a packet, and the clocks.

use core::mem::offset_of;

use aya_ebpf::helpers::generated::{bpf_jiffies64, bpf_ktime_get_ns};
use hadp_common::settings::Settings;

use crate::maps::SETTINGS;

/// What a packet needs to know of the settings.
#[derive(Clone, Copy)]
pub(crate) struct InForce {
    settings: *const Settings,
    /// The half of the tables in force, 0 or 1.
    pub(crate) half: u32,
    /// Its hash seed.
    pub(crate) seed: u32,
}

impl InForce {
    /// Reads which half of the tables is in force, once, so that a whole packet sees the same configuration.
    #[inline(always)]
    pub(crate) fn read() -> Option<Self> {
        const { assert!(offset_of!(Settings, half) == 8 && offset_of!(Settings, seed) == 12) };
        let settings = SETTINGS.get_ptr(0)?;
        // SAFETY: the pointer is to a map value; volatile, since the daemon may store at any time.
        let word = unsafe { settings.cast::<u64>().add(1).read_volatile() };
        let [a, b, c, d, e, f, g, h] = word.to_ne_bytes();
        let half = u32::from_ne_bytes([a, b, c, d]) & 1;
        Some(Self { settings, half, seed: u32::from_ne_bytes([e, f, g, h]) })
    }

    /// Returns a time of CLOCK_MONOTONIC that is not behind, and at most two ticks ahead.
    #[inline(always)]
    pub(crate) fn tick_time(self) -> u64 {
        // SAFETY: the pointer is to a map value.
        let (tick, offset) = unsafe { ((*self.settings).tick_ns, (*self.settings).tick_offset_ns) };
        (jiffies() + 1).wrapping_mul(tick).wrapping_add(offset)
    }

    /// Returns the length of a tick, in nanoseconds.
    #[inline(always)]
    pub(crate) fn tick_ns(self) -> u64 {
        // SAFETY: the pointer is to a map value.
        unsafe { (*self.settings).tick_ns }
    }
}

/// Returns the kernel's tick count; the verifier turns this into a load.
#[inline(always)]
pub(crate) fn jiffies() -> u64 {
    // SAFETY: the helper takes nothing and only reads.
    unsafe { bpf_jiffies64() }
}

/// Returns CLOCK_MONOTONIC exactly, in nanoseconds.
#[inline(always)]
pub(crate) fn now_ns() -> u64 {
    // SAFETY: the helper takes nothing and only reads.
    unsafe { bpf_ktime_get_ns() }
}
