//! Counters.

use hadp_common::stats::{Counter, DropReason};

use crate::maps::{DROPS, STATS};

/// Counts something done.
#[inline(always)]
pub(crate) fn count(what: Counter) {
    if let Some(stats) = STATS.get_ptr_mut(0) {
        // SAFETY: `Stats` is one `u64` for each `Counter`, in the order of the discriminants; this CPU's copy is
        // this program's while it runs.
        unsafe { *stats.cast::<u64>().add(what as usize) += 1 };
    }
}

/// Counts a dropped packet.
#[inline(always)]
pub(crate) fn count_drop(why: DropReason) {
    if let Some(drops) = DROPS.get_ptr_mut(0) {
        // SAFETY: `Drops` is one `u64` for each `DropReason`, in the order of the discriminants; this CPU's copy is
        // this program's while it runs.
        unsafe { *drops.cast::<u64>().add(why as usize) += 1 };
    }
}
