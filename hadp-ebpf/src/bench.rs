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
const WORDS: usize = 8;

/// One entry: the frame as it comes in.
#[btf_map]
static FRAME: Array<[u64; WORDS], 1> = Array::new();

/// One entry: the program that is measured.
#[btf_map]
static MEASURED: ProgramArray<1> = ProgramArray::new();

/// Restores the packet, then becomes the measured program.
#[xdp]
fn restore(ctx: XdpContext) -> u32 {
    let (start, end) = (ctx.data(), ctx.data_end());
    if start + 8 * WORDS > end {
        return xdp_action::XDP_ABORTED;
    }
    let Some(frame) = FRAME.get(0) else { return xdp_action::XDP_ABORTED };
    for (index, word) in frame.iter().enumerate() {
        // SAFETY: the packet has `WORDS` words, compared above; BPF stores unaligned words.
        unsafe { *((start + 8 * index) as *mut u64) = *word };
    }
    // SAFETY: the map holds XDP programs only.
    let _ = unsafe { MEASURED.tail_call(&ctx, 0) };
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
