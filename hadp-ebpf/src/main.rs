//! The kernel half of hadp.
#![no_std]
#![no_main]

use aya_ebpf::{
    bindings::xdp_action,
    btf_maps::Array,
    macros::{btf_map, xdp},
    programs::XdpContext,
};
use hadp_common::router::{MAX_ROUTERS, Router};

#[btf_map]
static ROUTERS: Array<Router, { MAX_ROUTERS as usize }, 1024> = Array::new();

#[xdp]
pub fn hadp(_ctx: XdpContext) -> u32 {
    match ROUTERS.get(0) {
        Some(router) if router.lease_until_ns == 1 => xdp_action::XDP_DROP,
        _ => xdp_action::XDP_PASS,
    }
}

#[cfg(not(test))]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
