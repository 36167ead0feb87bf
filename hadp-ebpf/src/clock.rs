//! The program that tells the daemon how ticks and time relate.

use aya_ebpf::{bindings::xdp_action, macros::xdp, programs::XdpContext};

use crate::{
    maps::CLOCK,
    settings::{jiffies, now_ns},
};

/// Stores the tick count and, read after it, CLOCK_MONOTONIC.
///
/// Run by BPF_PROG_TEST_RUN, never attached. The order matters: the time is then never one of an earlier tick.
#[xdp]
fn clock(_ctx: XdpContext) -> u32 {
    if let Some(sample) = CLOCK.get_ptr_mut(0) {
        // SAFETY: the pointer is to a map value; only the daemon's own runs write it. Volatile keeps the order.
        unsafe {
            (&raw mut (*sample).jiffies).write_volatile(jiffies());
            (&raw mut (*sample).ktime_ns).write_volatile(now_ns());
        }
    }
    xdp_action::XDP_PASS
}
