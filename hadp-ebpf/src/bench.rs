//! Programs that measure and test the datapath: BPF_PROG_TEST_RUN repeats a program on one packet without restoring it, so
//! one that answers in place would be measured on its own answer; and it gives no packet a VLAN tag.
#![no_std]
#![no_main]

use aya_ebpf::{
    bindings::{TC_ACT_SHOT, TC_ACT_UNSPEC, xdp_action},
    btf_maps::{Array, ProgramArray},
    helpers::generated::{bpf_ktime_get_ns, bpf_skb_vlan_push},
    macros::{btf_map, classifier, xdp},
    programs::{TcContext, XdpContext},
};
use hadp_common::wire::ether::ETHERTYPE_VLAN;

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

/// The floor of what leaves: a classifier that passes everything.
#[classifier]
fn empty_egress(_ctx: TcContext) -> i32 {
    TC_ACT_UNSPEC
}

/// One entry: the classifier that a tagged packet goes to.
#[btf_map]
static LEAVING: ProgramArray<1> = ProgramArray::new();

/// One entry: the control information of the tag.
#[btf_map]
static TAG: Array<u16, 1> = Array::new();

/// Puts a VLAN tag beside the packet, as a VLAN interface does, then becomes the classifier.
#[classifier]
fn tag_egress(ctx: TcContext) -> i32 {
    let Some(tag) = TAG.get(0) else { return TC_ACT_SHOT };
    // SAFETY: the context is the running program's own.
    if unsafe { bpf_skb_vlan_push(ctx.skb.skb, ETHERTYPE_VLAN.to_be(), *tag) } != 0 {
        return TC_ACT_SHOT;
    }
    // SAFETY: the map holds classifiers only.
    unsafe { LEAVING.tail_call(&ctx, 0) };
    TC_ACT_SHOT
}

#[cfg(not(test))]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
