//! The compiled eBPF objects that the program carries.

/// The datapath.
pub(super) static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/hadp-ebpf"));

/// Programs that measure the datapath: they restore the packet, then tail-call what is measured. Never loaded by the
/// daemon.
pub static BENCH_OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/hadp-ebpf-bench"));
