//! The datapath's userspace half against a real kernel: plans, pins, attachments, clocks.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod attachment;
mod pins;
mod plans;

use std::{net::Ipv4Addr, os::unix::fs::PermissionsExt, path::Path, process::Command};

use aya::{
    Ebpf, EbpfLoader,
    maps::Array,
    programs::{
        SchedClassifier, TcAttachType, Xdp as XdpProgram, XdpMode as AyaMode,
        links::{FdLink, PinnedLink},
    },
};
use hadp::{
    datapath::{
        AttachError, BENCH_OBJECT, Bound, Datapath, Egress, Events, Leases, Legacy, Mode, OpenError, PinLock,
        Plan, PlannedRouter, Renewal, Xdp,
    },
    model::XdpMode,
    units::Time,
};
use hadp_common::{router::Router, settings::Settings};
use hadp_tests::prog::{
    Action, Arp, Frame, Ip, Runner, Sandbox,
    plans::{OWN, router, slot, vmac_router},
    v3,
};

const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 9);
const PEER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);
const FOREVER: Time = Time::from_nanos(u64::MAX);

fn vip(n: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(0x0a4d_0100 + n)
}

fn answers(runner: &mut Runner, addr: Ipv4Addr) -> Action {
    runner.run(&Frame::arp(&Arp::request(CLIENT, addr)).octets()).unwrap().action
}

fn hear(runner: &mut Runner, vrid: u8) -> usize {
    let advert = Ip::vrrp(PEER, v3(PEER, vrid, 90, 100, &[vip(0)])); // of lower rank: no owner gives way
    runner.run(&Frame::ip(&advert).octets()).unwrap().events.len()
}

/// Opens the datapath as the daemon does.
fn open(dir: &Path) -> Result<Xdp, OpenError> {
    Xdp::open(PinLock::take(dir)?)
}
