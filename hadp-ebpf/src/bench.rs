//! Programs that measure the datapath: BPF_PROG_TEST_RUN repeats a program on one packet without restoring it, so one
//! that answers in place would be measured on its own answer.
#![no_std]
#![no_main]

use aya_ebpf::{
    bindings::xdp_action,
    btf_maps::{Array, ProgramArray},
    helpers::generated::bpf_ktime_get_ns,
    macros::{btf_map, xdp},
    programs::XdpContext,
};

/// The length of every measured frame, in words of 8 octets.
const WORDS: usize = 11;

/// One entry: the frame as it comes in.
#[btf_map]
static FRAME: Array<[u64; WORDS], 1> = Array::new();

/// The programs that are measured: an empty one, one that reads the clock, the datapath.
#[btf_map]
static MEASURED: ProgramArray<3> = ProgramArray::new();

/// Restores the packet, then becomes the empty program.
#[xdp]
fn restore_empty(ctx: XdpContext) -> u32 {
    restore(&ctx, 0)
}

/// Restores the packet, then becomes the program that reads the clock.
#[xdp]
fn restore_clock(ctx: XdpContext) -> u32 {
    restore(&ctx, 1)
}

/// Restores the packet, then becomes the datapath.
#[xdp]
fn restore_datapath(ctx: XdpContext) -> u32 {
    restore(&ctx, 2)
}

/// Restores the packet, then becomes a measured program.
///
/// The clock read is to let the packet's words leave the CPU's store buffer. A received packet is not in there, and a
/// load across two words that are costs a stall which is not the measured program's. The index must be constant where
/// this is inlined: only then does the kernel make a direct jump of the tail call.
#[inline(always)]
fn restore(ctx: &XdpContext, index: u32) -> u32 {
    let (start, end) = (ctx.data(), ctx.data_end());
    if start + 8 * WORDS > end {
        return xdp_action::XDP_ABORTED;
    }
    let Some(frame) = FRAME.get(0) else { return xdp_action::XDP_ABORTED };
    for (word_index, word) in frame.iter().enumerate() {
        // SAFETY: the packet has `WORDS` words, compared above; BPF stores unaligned words.
        unsafe { *((start + 8 * word_index) as *mut u64) = *word };
    }
    // SAFETY: the helper takes nothing and only reads.
    if unsafe { bpf_ktime_get_ns() } == 0 {
        return xdp_action::XDP_ABORTED;
    }
    // SAFETY: the map holds XDP programs only.
    unsafe { MEASURED.tail_call(ctx, index) };
    xdp_action::XDP_ABORTED
}

/// The floor: a program that passes everything.
#[xdp]
fn empty(_ctx: XdpContext) -> u32 {
    xdp_action::XDP_PASS
}

/// The cost of one exact clock read.
#[xdp]
fn clock_read(_ctx: XdpContext) -> u32 {
    // SAFETY: the helper takes nothing and only reads.
    if unsafe { bpf_ktime_get_ns() } == 0 { xdp_action::XDP_ABORTED } else { xdp_action::XDP_PASS }
}

#[cfg(not(test))]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
