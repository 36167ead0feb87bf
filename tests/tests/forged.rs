//! Adverts that must not count, on a real link.

use std::{net::Ipv4Addr, thread, time::Duration};

use anyhow::{Result, ensure};
use hadp::net::packet::{Frame, PacketSocket};
use hadp_common::wire::{
    ether,
    ipv4::{self, IPPROTO_VRRP},
    vrrp::{Advert, Body, ChecksumMode, GROUP_V4},
};
use hadp_tests::{
    checks::{seal, wait_owner},
    lab::{Lan, Software, hadp_status},
};

const VIP: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 100);
const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 50);
const SECOND: Duration = Duration::from_secs(1);

/// An advert that would win: VRID 55, priority 255.
fn winner(src: Ipv4Addr, ttl: u8, change: impl FnOnce(&mut Vec<u8>)) -> Result<Vec<u8>> {
    let body = Body::V3 { centis: 5, checksum: ChecksumMode::WithPseudoHeader };
    let mut message = vec![0; 12];
    let advert = Advert { vrid: 55, priority: 255, body, addresses: &[VIP], src, dst: GROUP_V4 };
    ensure!(advert.encode(&mut message) == Some(12));
    change(&mut message);
    let Some(header) = ipv4::header(src.octets(), GROUP_V4.octets(), ttl, IPPROTO_VRRP, message.len()) else {
        anyhow::bail!("too long");
    };
    let link =
        ether::header(ether::multicast_v4(GROUP_V4.octets()), [2, 0, 10, 77, 0, 50], ether::ETHERTYPE_IPV4);
    Ok([&link[..], &header, &message].concat())
}

#[test]
fn forged_adverts_are_counted_and_change_nothing() -> Result<()> {
    let lan = Lan::new(1)?;
    let [node] = lan.nodes() else { unreachable!() };
    let conf = format!(
        "vrrp_instance VI_1 {{\n interface eth0\n version 3\n virtual_router_id 55\n priority 100\n advert_int 0.05\n \
         virtual_ipaddress {{\n {VIP}/16\n }}\n}}\n"
    );
    let daemon = Software::Hadp.start_with(node, &conf)?;
    wait_owner(&lan, node, VIP, 5 * SECOND)?;
    let frames = [
        ("bad_ttl", winner(CLIENT, 254, |_| {})?),
        ("bad_checksum", winner(CLIENT, 255, |message| message[2] = 254)?),
        ("looped_back", winner(node.address(), 255, |_| {})?),
        ("truncated", winner(CLIENT, 255, |message| message.truncate(10))?),
        ("trailing_bytes", winner(CLIENT, 255, |message| message.extend([0; 8]))?),
        (
            "bad_type",
            winner(CLIENT, 255, |message| {
                message[0] = 0x32;
                seal(message);
            })?,
        ),
        (
            "bad_version",
            winner(CLIENT, 255, |message| {
                message[0] = 0x21;
                seal(message);
            })?,
        ),
        (
            "zero_interval",
            winner(CLIENT, 255, |message| {
                message[4..6].fill(0);
                seal(message);
            })?,
        ),
        (
            "no_address",
            winner(CLIENT, 255, |message| {
                message[3] = 0;
                message.truncate(8);
                seal(message);
            })?,
        ),
    ];
    let rounds = 20;
    lan.client().holder().in_net(|| {
        let socket = PacketSocket::open()?;
        let ifindex = nix::net::if_::if_nametoindex("eth0")?;
        for _ in 0..rounds {
            for (reason, octets) in &frames {
                let frame = Frame { ifindex, octets: octets.clone().into_boxed_slice() };
                let sent = socket.send([&frame]);
                ensure!(sent.error.is_none(), "{reason}: {:?}", sent.error);
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    })?;
    thread::sleep(SECOND / 5);
    let status = hadp_status(node)?;
    for (reason, _) in &frames {
        assert_eq!(status["drops"][reason], rounds, "{reason}: {}", status["drops"]);
    }
    assert_eq!(status["routers"][0]["state"], "Active");
    let log = daemon.log().text();
    ensure!(!log.contains("Active -> Backup"), "{log}");
    ensure!(log.contains("bad_ttl") && log.contains("10.77.0.50"), "the log names no forger:\n{log}");

    // The same frame without a mistake does win: the test above could have failed.
    let genuine = winner(CLIENT, 255, |_| {})?;
    lan.client().holder().in_net(|| {
        let ifindex = nix::net::if_::if_nametoindex("eth0")?;
        PacketSocket::open()?.send([&Frame { ifindex, octets: genuine.clone().into_boxed_slice() }]);
        Ok(())
    })?;
    daemon.log().wait_for("Active -> Backup", SECOND)?;
    Ok(())
}
