//! VRRP frames published by other projects, through the XDP program.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{collections::BTreeMap, net::Ipv4Addr};

use hadp::datapath::{Plan, PlannedRouter};
use hadp_common::stats::{Counter, DropReason};
use hadp_tests::checks::seal;
use hadp_tests::prog::{
    Action, Frame, Ip, Outcome, Runner,
    plans::{router, slot, v2_router},
};
use serde::Deserialize;

#[derive(Deserialize)]
struct File {
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    id: String,
    layer: String,
    hex: String,
    ctx: Option<Context>,
    parsed: Option<Parsed>,
    expect: Option<Expect>,
}

#[derive(Clone, Copy, Deserialize)]
struct Context {
    src: Option<std::net::IpAddr>,
    dst: Option<std::net::IpAddr>,
    ttl: u8,
    af: u8,
}

#[derive(Deserialize)]
struct Parsed {
    version: Option<u8>,
    vrid: Option<u8>,
    adver_int_s: Option<u8>,
}

#[derive(Deserialize)]
struct Expect {
    compat: String,
    reason: Option<String>,
}

fn v4(addr: Option<std::net::IpAddr>, default: Ipv4Addr) -> Ipv4Addr {
    match addr {
        Some(std::net::IpAddr::V4(addr)) => addr,
        Some(std::net::IpAddr::V6(_)) | None => default,
    }
}

fn octets(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

impl Vector {
    fn destination(&self) -> Ipv4Addr {
        v4(self.ctx.and_then(|ctx| ctx.dst), Ipv4Addr::new(224, 0, 0, 18))
    }

    /// Wraps the vector in the headers that its context describes.
    fn frame(&self) -> Vec<u8> {
        let ctx = self.ctx.unwrap();
        let mut data = octets(&self.hex);
        match self.layer.as_str() {
            "eth" => data,
            "ip4" => {
                let mut frame = Frame::ip(&Ip::udp(Ipv4Addr::UNSPECIFIED, self.destination()));
                frame.payload = data;
                frame.octets()
            }
            "vrrp" => {
                if self.expect.as_ref().unwrap().compat == "fields-only" {
                    seal(&mut data);
                }
                let src = v4(ctx.src, Ipv4Addr::new(10, 0, 1, 9));
                Frame::ip(&Ip { dst: self.destination(), ttl: ctx.ttl, ..Ip::vrrp(src, data) }).octets()
            }
            layer => panic!("{}: layer {layer}", self.id),
        }
    }

    /// Returns a router for this frame: same version, identifier, delivery and, in v2, interval; no authentication.
    fn router(&self) -> PlannedRouter {
        let parsed = self.parsed.as_ref();
        let vrid = parsed.and_then(|parsed| parsed.vrid).filter(|vrid| *vrid != 0).unwrap_or(1);
        let unknown = self.reason().starts_with("unknown-vrid");
        let mut router = router(0, if unknown { vrid ^ 1 } else { vrid }, &[]);
        if parsed.and_then(|parsed| parsed.version) == Some(2) {
            let seconds = parsed.and_then(|parsed| parsed.adver_int_s).filter(|seconds| *seconds != 0);
            router = v2_router(router, seconds.unwrap_or(1), None);
        }
        router.advert.group = self.destination().is_multicast().then(|| self.destination().into());
        // A unicast frame is judged by the machine it was sent to.
        if !self.destination().is_multicast() {
            router.advert.source = self.destination().into();
        }
        router
    }

    fn reason(&self) -> &str {
        self.expect.as_ref().and_then(|expect| expect.reason.as_deref()).unwrap_or_default()
    }
}

/// Which drop reasons fit what the file says of a rejected frame; empty where it names several.
fn fitting(reason: &str) -> &'static [DropReason] {
    let word = reason.split([' ', '(']).next().unwrap_or_default();
    match word {
        "checksum" => &[DropReason::BadChecksum],
        "auth-type" => &[DropReason::AuthTypeMismatch],
        "version" => &[DropReason::BadVersion],
        "type" => &[DropReason::BadType],
        "ttl" => &[DropReason::BadTtl],
        "count-zero" => &[DropReason::NoAddress, DropReason::TrailingBytes],
        "length" => &[DropReason::Truncated, DropReason::TrailingBytes],
        "truncated" => &[DropReason::Truncated],
        "interval-zero" => &[DropReason::ZeroInterval],
        _ => &[],
    }
}

fn run(runner: &mut Runner, vector: &Vector) -> (Outcome, usize) {
    runner.apply(&Plan::default()).unwrap();
    runner.apply(&Plan { routers: vec![vector.router()] }).unwrap();
    let outcome = runner.run(&vector.frame()).unwrap();
    (outcome, runner.xdp.peers(slot(0)).len())
}

fn vectors() -> Vec<Vector> {
    let text = include_str!("../data/vrrp-frames.json");
    let file: File = serde_json::from_str(text).unwrap();
    file.vectors
}

#[test]
fn published_ipv4_adverts_get_the_expected_verdict() {
    let mut runner = Runner::new().unwrap();
    let mut checked = BTreeMap::<String, u32>::new();
    let mut failures = Vec::new();
    for vector in vectors().iter().filter(|vector| vector.ctx.is_some_and(|ctx| ctx.af == 4)) {
        let compat = vector.expect.as_ref().unwrap().compat.clone();
        let (outcome, recorded) = run(&mut runner, vector);
        let fits = fitting(vector.reason());
        let is_right = match compat.as_str() {
            "accept" | "fields-only" => outcome.action == Action::Pass && recorded == 1,
            "reject" if vector.reason().starts_with("unknown-vrid") => {
                outcome.action == Action::Pass && outcome.counted == [Counter::UnknownVrid] && recorded == 0
            }
            "reject" => {
                let dropped = outcome.action == Action::Drop && outcome.dropped.len() == 1 && recorded == 0;
                let unknown = outcome.counted == [Counter::UnknownVrid] && recorded == 0;
                (dropped && (fits.is_empty() || fits.contains(&outcome.dropped[0])))
                    || (unknown && fits.is_empty())
            }
            other => panic!("{}: expectation {other}", vector.id),
        };
        if !is_right {
            failures.push(format!("{}: {compat} {:?}, got {outcome:?}", vector.id, vector.reason()));
        }
        *checked.entry(compat).or_default() += 1;
    }
    println!("checked {} IPv4 adverts: {checked:?}", checked.values().sum::<u32>());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert_eq!(checked.values().sum::<u32>(), 79);
    assert_eq!(runner.unknown_events(), 0);
}

/// Everything else in the file is not for this node to judge: IPv6, ARP without a virtual address, bare headers.
#[test]
fn the_other_published_frames_pass() {
    let mut runner = Runner::new().unwrap();
    runner.apply(&Plan { routers: vec![router(0, 1, &[])] }).unwrap();
    let mut passed = 0;
    for vector in vectors().iter().filter(|vector| vector.ctx.is_none_or(|ctx| ctx.af != 4)) {
        let data = octets(&vector.hex);
        let frame = if vector.layer == "eth" || vector.layer == "ethhdr" {
            data
        } else {
            [&[0; 12][..], &[0x86, 0xdd], &data].concat()
        };
        let outcome = runner.run(&frame).unwrap();
        assert_eq!((outcome.action, &outcome.packet), (Action::Pass, &frame), "{}", vector.id);
        assert!(outcome.events.is_empty(), "{}: {:?}", vector.id, outcome.events);
        passed += 1;
    }
    assert_eq!(passed, 113 - 79);
}

#[test]
fn an_advert_with_255_addresses_is_recorded() {
    let mut runner = Runner::new().unwrap();
    let mut vectors = vectors();
    let vector = vectors.iter_mut().find(|vector| vector.id == "vpp-oversized-255addr").unwrap();
    vector.expect = None;
    let (outcome, recorded) = run(&mut runner, vector);
    assert_eq!((outcome.action, recorded), (Action::Pass, 1), "{outcome:?}");
    assert_eq!(runner.xdp.peers(slot(0))[0].count, 255);
}
