//! `SETTINGS`: the few words every packet may need.

use crate::macros::map_types;

map_types! {
    /// The value of `SETTINGS[0]`, written by the daemon.
    #[derive(Default)]
    pub struct Settings[32] {
        /// [`LAYOUT_VERSION`](crate::LAYOUT_VERSION) of the daemon that filled the maps.
        pub layout: u32,
        /// Reserved, 0.
        pub reserved: u32,
        /// Which half of `ADVERT_KEYS` and `VIPS` is in force, 0 or 1. A new configuration is written to the other
        /// half and put in force by one store to this word and the next.
        pub half: u32,
        /// The hash seed of that half, for both tables.
        pub seed: u32,
        /// The length of a kernel tick (`jiffies64`), in nanoseconds.
        pub tick_ns: u64,
        /// What to add to `(jiffies64 + 1) * tick_ns` (wrapping) for a CLOCK_MONOTONIC time that is never behind.
        pub tick_offset_ns: u64,
    }

    /// The value of `CLOCK[0]`: the kernel's two clocks, read one after the other.
    #[derive(Default)]
    pub struct ClockSample[16] {
        /// `jiffies64`, in ticks.
        pub jiffies: u64,
        /// CLOCK_MONOTONIC, in nanoseconds.
        pub ktime_ns: u64,
    }
}
